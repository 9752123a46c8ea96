"""Of an epoch begun in the middle, the steps made already are passed over without a trace."""

from types import SimpleNamespace

import pytest

from helpers import mid_epoch
from helpers._backend import keras


@pytest.mark.parametrize("made", [0, 2])
def test_steps_made_already_train_nothing_and_are_told_to_nobody(made):
    trained, told = [], []
    model = SimpleNamespace(train_function=lambda iterator: trained.append(iterator) or {"loss": 1})
    real = model.train_function
    note = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: told.append(("begin", batch)),
        on_train_batch_end=lambda batch, logs: told.append(("end", batch, logs)),
    )
    callbacks = mid_epoch.Callbacks([note], model=model)
    callbacks.made_already = made
    callbacks.on_train_begin()
    for epoch in range(2):
        for batch in range(4):
            callbacks.on_train_batch_begin(batch)
            logs = model.train_function((epoch, batch))
            callbacks.on_train_batch_end(batch, logs)
        callbacks.on_epoch_end(epoch)
    expected = [(0, batch) for batch in range(made, 4)] + [(1, batch) for batch in range(4)]
    assert trained == expected
    assert told == [entry for _, b in expected for entry in (("begin", b), ("end", b, {"loss": 1}))]
    assert model.train_function is real

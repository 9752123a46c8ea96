"""On one replica nothing is changed; what several do is in test_distributed.py."""

import numpy as np
import pytest

from helpers import replicas
from helpers._backend import keras, tf


def test_on_one_replica_layers_and_chance_stay_as_they_are(build, values):
    gan = build.lifelike_gan()
    before = values(gan.variables)
    replicas.synchronize(gan.generator)
    replicas.spread_dropout(gan)
    for old, new in zip(before, values(gan.variables), strict=True):
        np.testing.assert_array_equal(old, new)
    norms = [x for x in gan.generator.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert norms
    assert not any(norm.synchronized for norm in norms)


@pytest.mark.parametrize("flags", [[True], [False], [True, False]])
def test_one_worker_alone_decides(flags):
    assert replicas.any_worker(tf.distribute.get_strategy(), *flags) == flags


def test_on_one_replica_fit_gets_its_arguments_unchanged_and_errors_as_they_are(build):
    gan, arguments = build.gan(), {"callbacks": []}
    with replicas.together(gan, arguments) as agreed:
        assert agreed is arguments

    def fail():
        with replicas.together(gan, arguments):
            raise tf.errors.UnavailableError(None, None, "a disk")

    with pytest.raises(tf.errors.UnavailableError):
        fail()


def test_batch_normalization_within_networks_within_networks_is_synchronized(monkeypatch):
    norm = keras.layers.BatchNormalization()
    inner = keras.Sequential([keras.Input((2,)), norm])
    outer = keras.Sequential([keras.Input((2,)), inner])

    class Two:
        num_replicas_in_sync = 2

    monkeypatch.setattr(replicas.tf.distribute, "get_strategy", Two)
    replicas.synchronize(outer)
    assert norm.synchronized

"""Continuing in the middle of an epoch, which Keras itself cannot: it only begins whole epochs."""

from typing import Any

from helpers._backend import keras


class Callbacks(keras.callbacks.CallbackList):
    """Keras' list of callbacks, which hears nothing of the steps made before the last stop.

    Continuing in the middle of an epoch, Keras counts that epoch from its first step. The
    steps made already are passed over: nothing is trained, no batch is drawn.
    """

    made_already = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Let the model's step pass over what is made already."""
        if self.made_already:
            self.model.train_function = FromStep(self.model, self.made_already)
        super().on_train_begin(logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Pass it on, from the first step that is really made."""
        if batch >= self.made_already:
            super().on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Pass it on, from the first step that is really made."""
        if batch >= self.made_already:
            super().on_train_batch_end(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Pass it on; all later epochs are whole."""
        self.made_already = 0
        super().on_epoch_end(epoch, logs)


class FromStep:
    """A model's compiled step that does nothing the first few times, then puts itself back."""

    def __init__(self, model: Any, passed_over: int) -> None:
        self.model, self.step, self.passed_over = model, model.train_function, passed_over

    def __call__(self, iterator: Any) -> Any:
        """One step, or nothing."""
        if self.passed_over:
            self.passed_over -= 1
            return {}
        self.model.train_function = self.step
        return self.step(iterator)

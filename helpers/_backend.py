"""Load Keras on TensorFlow, quietly: the one import that the other modules share.

TensorFlow's C++ start-up messages go straight to file descriptor 2, past
``sys.stderr``, and would stand in red at the top of every notebook.

On another backend of Keras ``keras`` is there and ``tf`` is not: builders of networks and losses
do without it (``tools/train_generator.py`` uses them so), training by ``.fit`` does not.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def _quiet_file_descriptor_2() -> Iterator[None]:
    sys.stderr.flush()
    saved = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silence, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(silence)


with _quiet_file_descriptor_2():
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Several networks in one notebook are no mistake, but TensorFlow warns as if they were.
        tf.get_logger().addFilter(lambda line: "tf.function retracing" not in line.getMessage())


def __getattr__(name: str) -> Any:
    """What this module does not have: ``tf``, where Keras runs on something else."""
    if name == "tf":
        raise ImportError(
            f"Keras is running on {keras.backend.backend()!r}, but these lessons train with "
            "TensorFlow. Restart Python with the environment variable KERAS_BACKEND=tensorflow "
            "(or without that variable)."
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["keras", "tf"]

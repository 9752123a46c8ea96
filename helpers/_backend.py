"""Load Keras on TensorFlow, quietly: the one import that the other modules share.

TensorFlow's C++ start-up messages go straight to file descriptor 2, past
``sys.stderr``, and would stand in red at the top of every notebook.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

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
    import tensorflow as tf

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"Keras is running on {keras.backend.backend()!r}, but these lessons train with "
        "TensorFlow. Restart Python with the environment variable KERAS_BACKEND=tensorflow "
        "(or without that variable)."
    )

# Several networks in one notebook are no mistake, but TensorFlow warns as if they were.
tf.get_logger().addFilter(lambda record: "tf.function retracing" not in record.getMessage())

__all__ = ["keras", "tf"]

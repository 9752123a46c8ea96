"""Saving a trained network for other programs, each file opened again and compared."""

import contextlib
import io
import os
import pathlib
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers import checks, files
from helpers._backend import keras

ONNX_PACKAGES = "tf2onnx onnx onnxruntime"
ROUNDING = 1e-4
"""How far outputs of ONNX may lie off, for it adds up in another order."""


def save_for_others(
    folder: str | os.PathLike[str],
    network: keras.Model,
    formats: Sequence[str] = ("keras", "weights", "onnx"),
    *,
    name: str = "generator",
) -> dict[str, pathlib.Path]:
    """Save a network in several formats; open each file again and compare what it computes.

    - ``"keras"``: ``<name>.keras``, architecture and weights. It opens in Keras' safe mode,
      which runs no code from the file.
    - ``"weights"``: ``<name>.weights.h5``, the numbers alone, for a network built by code.
    - ``"onnx"``: ``<name>.onnx``, which runs without Keras, in a browser or a phone, say. It
      needs ``pip install tf2onnx onnx onnxruntime``.

    One line for each file says what was compared. A file that fails is not left behind.

    Args:
        folder: where to, as a rule a run folder.
        network: for instance ``gan.sampler``.
        formats: which of the three.
        name: what the files are called.

    Returns:
        The path of each format's file.

    Raises:
        ValueError: an unknown format, or a file that does not give what the network gives.
        ImportError: a package for ONNX is missing; files of other formats are written first.
    """
    for wanted in formats:
        checks.choice("a format", wanted, _SAVERS)
    inputs = _inputs(network)
    expected = _outputs(network, inputs)
    written = {}
    for wanted in sorted(formats, key=list(_SAVERS).index):  # what may be missing comes last
        save, ending = _SAVERS[wanted]
        asked = pathlib.Path(folder) / f"{name}{ending}"
        with files.whole(asked) as new:
            said = save(network, new, inputs, expected)
        file = files.place_of(asked)
        print(f"{file}: {file.stat().st_size / 1024:,.0f} KB, {said}.")
        written[wanted] = file
    return written


def _keras(network: keras.Model, file: pathlib.Path, inputs: Any, expected: Any) -> str:
    network.save(file)
    try:
        loaded = keras.models.load_model(file, compile=False, safe_mode=True)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Keras does not open the saved network in safe mode ({str(error).strip()}). Write "
            "layers.Lambda as a class that is registered with "
            "keras.saving.register_keras_serializable, and import it before loading."
        ) from error
    _compare(file, _outputs(loaded, inputs), expected)
    return "opened in safe mode, its outputs are equal"


def _weights(network: keras.Model, file: pathlib.Path, inputs: Any, expected: Any) -> str:
    network.save_weights(file)
    other = keras.models.clone_model(network)
    other.load_weights(file)
    _compare(file, [np.asarray(w) for w in other.get_weights()], network.get_weights())
    _compare(file, _outputs(other, inputs), expected)
    return "loaded into a copy, all weights and its outputs are equal"


def _onnx(network: keras.Model, file: pathlib.Path, inputs: Any, expected: Any) -> str:
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import tf2onnx  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"ONNX needs {error.name}, which is not installed: pip install {ONNX_PACKAGES}"
        ) from error
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the packages, about each other
        network.export(file, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    fed = {slot.name: x for slot, x in zip(session.get_inputs(), inputs, strict=True)}
    furthest = _compare(file, session.run(None, fed), expected, within=ROUNDING)
    return f"run by onnxruntime, its outputs lie at most {furthest:.0e} off"


_Saver = Callable[[keras.Model, pathlib.Path, Any, Any], str]
_SAVERS: dict[str, tuple[_Saver, str]] = {
    "keras": (_keras, ".keras"),
    "weights": (_weights, ".weights.h5"),
    "onnx": (_onnx, ".onnx"),
}


def _inputs(network: keras.Model) -> list[NDArray[np.float32]]:
    """Four rows of normal numbers for each input."""
    random = np.random.default_rng(0)
    shapes = checks.inputs_of(network)
    return [random.normal(size=(4, *shape)).astype(np.float32) for shape in shapes]


def _outputs(network: keras.Model, inputs: list[NDArray[np.float32]]) -> list[NDArray[Any]]:
    found = network(inputs[0] if len(inputs) == 1 else inputs, training=False)
    outputs = found if isinstance(found, (list, tuple)) else [found]
    return [keras.ops.convert_to_numpy(x) for x in outputs]


def _compare(
    file: pathlib.Path, found: list[Any], expected: list[Any], within: float = 0.0
) -> float:
    """The greatest difference; a ValueError if it is more than allowed."""
    furthest = max(
        float(np.max(np.abs(a.astype(np.float64) - b), initial=0.0))
        if a.shape == b.shape
        else np.inf
        for a, b in zip(found, expected, strict=True)
    )
    if not furthest <= within:
        name = file.name.removeprefix("new.")
        raise ValueError(f"{name} gives numbers up to {furthest:.3g} off the network's own.")
    return furthest

"""What a model is, in plain values, and all its numbers: what a checkpoint has to hold."""

import json
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers import checks
from helpers._backend import keras, tf

Plain = dict[str, Any]

_NOT_TOLD = {"name", "seed"}
"""Names count up within a process; the state of chance is in the checkpoint itself."""

_NOT_COMPARED = {"synchronized"}
"""What :mod:`helpers.replicas` sets, and so no choice of whoever built the network."""

_TRIED = 10_000
"""Steps for which two schedules are compared."""


def variables(model: Any) -> dict[str, list[Any]]:
    """All that training changes: weights, averages, pools, states of chance, optimizers."""
    optimizers = model.optimizers().items()
    return {"model": model.variables, **{name: made.variables for name, made in optimizers}}


def numbers(model: Any) -> Plain:
    """The values of :func:`variables`; under a strategy those of this process's first replica."""

    def value(variable: Any) -> NDArray[Any]:
        of_replicas = getattr(variable.value, "values", [variable.value])
        return np.asarray(of_replicas[0])

    return {name: [value(v) for v in group] for name, group in variables(model).items()}


def load_numbers(model: Any, numbers: Plain) -> None:
    """Put a model into the state that :func:`numbers` gave, on all replicas.

    Raises:
        ValueError: they are not this model's; nothing has been changed then.
    """
    groups = variables(model)
    shapes = {name: [tuple(v.shape) for v in group] for name, group in groups.items()}
    if shapes != {name: [v.shape for v in group] for name, group in numbers.items()}:
        raise ValueError(
            "the checkpoint has other variables than this model, as another version of Keras "
            "may have. Use the version that wrote it, or begin anew with resume=False."
        )
    for name, group in groups.items():
        for variable, number in zip(group, numbers[name], strict=True):
            variable.assign(number)


def surroundings(model: Any) -> Plain:
    """What training may go on without, but then not to the last bit.

    Another Keras or TensorFlow may round otherwise. Another number of replicas draws other
    noise for other parts of a batch; what is learned, on batches of the same size, is the same.
    """
    replicas = model.distribute_strategy.num_replicas_in_sync
    return {
        "versions": f"Keras {keras.__version__} and TensorFlow {tf.__version__}",
        "replicas": f"{replicas} replica{'s' if replicas > 1 else ''}",
    }


def identity(model: Any) -> Plain:
    """Class, settings, networks and optimizers of a compiled model, as JSON values.

    Taken before training: the learning rate that a callback has changed since is not the
    one that the optimizer was made with.
    """
    return {
        "model": type(model).__name__,
        "backend": keras.backend.backend(),
        "settings": _settings(model),
        "networks": {name: _layers(network) for name, network in model.networks().items()},
        "optimizers": {name: _optimizer(made) for name, made in model.optimizers().items()},
    }


def differences(there: Plain, here: Plain) -> list[str]:
    """Each difference between a checkpoint's identity and a model's, in words."""
    if there.get("model") != here["model"]:
        return [_said("the model", there.get("model"), here["model"])]
    found = []
    mine, others = here["networks"], there["networks"]
    for name in sorted({*mine, *others}):
        found += _other_layers(name, others.get(name, []), mine.get(name, []))
    left, right = (_flat({**x, "networks": None}) for x in (there, here))
    for name in sorted({*left, *right}):
        if left.get(name) != right.get(name):
            found.append(_said(name, left.get(name), right.get(name)))
    return found


def _settings(model: Any) -> Plain:
    """The plain values among a model's own attributes, and what its schedule does."""
    keras_own = {*vars(keras.Model()), "stop_training"}
    settings = {}
    for name, value in vars(model).items():
        if name in keras_own or name.startswith("_"):
            continue
        if value is None or isinstance(value, (bool, int, float, str)):
            settings[name] = value
    settings["schedule"] = _pattern(model.schedule)
    return settings


def _pattern(schedule: Callable[[int], tuple[int, int]] | None) -> str | None:
    """A schedule's first turns (D, G), and a checksum of its turns over many steps."""
    if schedule is None:
        return None
    turns = [tuple(schedule(step)) for step in range(_TRIED)]
    checksum = zlib.crc32(repr(turns).encode())
    return f"{turns[:8]}… (checksum {checksum:08x} of {_TRIED:,} steps)"


def _layers(network: Any) -> list[Plain]:
    """Every layer in order: its kind, its settings, and the shapes of its numbers."""
    found = []
    for layer in checks.layers_of(network):
        shapes = [list(variable.shape) for variable in layer.variables]
        kind = type(layer).__name__
        found.append({"kind": kind, "shapes": shapes, "settings": _layer_settings(layer)})
    return found


def _layer_settings(layer: Any) -> Plain:
    try:
        settings = _plain(layer.get_config())
    except NotImplementedError:  # a layer of the lesson's own, which cannot say
        return {}
    settings["dtype"] = layer.dtype_policy.name
    return settings


def _optimizer(optimizer: Any) -> Plain:
    return {"kind": type(optimizer).__name__, **_plain(optimizer.get_config())}


def _plain(config: Plain) -> Plain:
    """A configuration as JSON gives it back, without what does not matter once weights exist."""
    text = json.dumps(config, default=lambda value: type(value).__name__)

    def without(pairs: list[tuple[str, Any]]) -> Plain:
        return {k: v for k, v in pairs if k not in _NOT_TOLD and not k.endswith("_initializer")}

    plain: Plain = json.loads(text, object_pairs_hook=without)
    return plain


def _other_layers(name: str, there: list[Plain], here: list[Plain]) -> list[str]:
    """How one network differs: by the kinds of its layers, or else layer by layer."""
    kinds = [" ".join(layer["kind"] for layer in layers) or None for layers in (there, here)]
    if kinds[0] != kinds[1]:
        return [_said(f"the layers of the {name}", *kinds)]
    found = []
    for i, (old, new) in enumerate(zip(there, here, strict=True)):
        old_values, new_values = _flat(old["settings"]), _flat(new["settings"])
        for key in sorted({*old_values, *new_values} - _NOT_COMPARED):
            if old_values.get(key) != new_values.get(key):
                what = f"{name}, layer {i + 1} ({new['kind']}): {key}"
                found.append(_said(what, old_values.get(key), new_values.get(key)))
        if old["shapes"] != new["shapes"]:
            what = f"{name}, layer {i + 1} ({new['kind']}): shapes of weights"
            found.append(_said(what, old["shapes"], new["shapes"]))
    return found


def _flat(tree: Plain, above: str = "") -> Plain:
    """``{"a": {"b": 1}}`` as ``{"a.b": 1}``."""
    flat: Plain = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, dict) else {above + key: value}
    return flat


def _said(what: str, there: Any, here: Any) -> str:
    return f"{what}: {_short(there)} in the checkpoint, {_short(here)} here"


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}…"

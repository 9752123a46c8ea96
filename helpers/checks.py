"""Bad input named, with the mend, before any long work starts."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras


class DataError(ValueError):
    """A data set that is missing, damaged or not what it should be; the text says the mend."""


def networks(generator: "keras.Model", discriminator: "keras.Model") -> None:
    """Raise a ValueError that says how two networks do not fit together, if they do not."""
    from helpers._backend import keras

    (z, *g_condition), (takes, *d_condition) = inputs_of(generator), inputs_of(discriminator)
    if len(z) != 1:
        raise ValueError(
            f"the generator takes inputs of shape {(None, *z)}; "
            "it must take z of shape (None, latent_dim)."
        )
    if g_condition != d_condition:
        raise ValueError(
            f"the generator takes conditions of shapes {g_condition}, the discriminator "
            f"{d_condition}. Give both the same second input, or neither."
        )
    makes = generator.output_shape[1:]
    if makes != takes:
        raise ValueError(
            f"the generator makes {makes}, but the discriminator takes {takes}. "
            "Change the generator's last layers or the discriminator's Input until they agree."
        )
    if discriminator.output_shape[1:] != (1,):
        raise ValueError(
            f"the discriminator gives {discriminator.output_shape[1:]} numbers a picture; "
            "it must give one logit: end it in Dense(1)."
        )
    last = getattr(discriminator.layers[-1], "activation", keras.activations.linear)
    if last is keras.activations.sigmoid:
        raise ValueError(
            "the discriminator ends in a sigmoid, but the losses here take logits and would "
            "apply it twice. End it in Dense(1) with no activation."
        )


def judges_pictures_one_by_one(discriminator: "keras.Model", penalty: str) -> None:
    """Raise a ValueError if a layer mixes the pictures of a batch, which a penalty forbids."""
    from helpers._backend import keras

    kind = keras.layers.BatchNormalization
    norms = [layer.name for layer in layers_of(discriminator) if isinstance(layer, kind)]
    if norms:
        raise ValueError(
            f"the discriminator has BatchNormalization ({', '.join(norms)}), which mixes the "
            f"pictures of a batch; {penalty} is on each one's own slope. Leave it out, or use "
            "LayerNormalization."
        )


def autoencoder(encoder: "keras.Model", decoder: "keras.Model") -> None:
    """Raise a ValueError that says how an encoder and a decoder do not fit, if they do not."""
    if len(encoder.inputs) + len(decoder.inputs) > 2:
        raise ValueError(
            "an autoencoder here has no conditions: the encoder must take pictures alone, the "
            "decoder z alone."
        )
    codes = [tuple(x.shape[1:]) for x in encoder.outputs]
    z, makes, takes = inputs_of(decoder)[0], tuple(decoder.output_shape[1:]), inputs_of(encoder)[0]
    if codes != [z, z]:
        raise ValueError(
            f"the encoder gives {codes}, but the decoder takes z of shape {z}. The encoder must "
            f"have two outputs of that shape: mean and log-variance."
        )
    if makes != takes:
        raise ValueError(
            f"the decoder makes {makes}, but the encoder takes {takes}. Change the decoder's "
            "last layers or the encoder's Input until they agree."
        )


def translators(
    a_to_b: "keras.Model", b_to_a: "keras.Model", a_judge: "keras.Model", b_judge: "keras.Model"
) -> None:
    """Raise a ValueError that says how the four networks of a CycleGAN do not fit, if so."""
    for maker, judge, back, kind in (
        (a_to_b, b_judge, b_to_a, "B"),
        (b_to_a, a_judge, a_to_b, "A"),
    ):
        makes = tuple(maker.output_shape[1:])
        for what, network in {"discriminator": judge, "other generator": back}.items():
            if inputs_of(network)[0] != makes:
                raise ValueError(
                    f"pictures of {kind} are made as {makes}, but the {what} takes "
                    f"{inputs_of(network)[0]}. They must agree."
                )


def without(model: str, given: Mapping[str, Any], *names: str) -> None:
    """Raise a ValueError if one of the options is given of which a model makes no use."""
    for name in names:
        if given.get(name):
            raise ValueError(f"{model} makes no use of {name}={given[name]!r}. Leave it out.")


def inputs_of(network: "keras.Model") -> list[tuple[int, ...]]:
    """The shapes of a network's inputs, without the batch: one, or that of a condition too."""
    return [tuple(x.shape[1:]) for x in network.inputs]


def layers_of(network: "keras.Model") -> "Iterator[keras.layers.Layer]":
    """The layers of a network in order; in place of a network within it, those of that one."""
    from helpers._backend import keras

    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        else:
            yield layer


def condition(condition: Any, shapes: list[tuple[int, ...]]) -> None:
    """Raise a ValueError if a condition is missing, not wanted, or of another shape."""
    if condition is None and shapes:
        raise ValueError(
            f"these networks want a condition of shape {shapes[0]} with each picture: train on "
            "batches(…, conditional='one_hot'), and draw with generate(n, condition=…)."
        )
    if condition is not None and not shapes:
        raise ValueError(
            "a condition was given (labels, with each picture), but these networks have no "
            "second input for it. Leave it out, or use networks that take one."
        )
    if condition is not None and tuple(np.shape(condition)[1:]) != shapes[0]:
        raise ValueError(
            f"the condition has shape {tuple(np.shape(condition)[1:])} a picture; "
            f"these networks take {shapes[0]}."
        )


def one_hot(labels: Any, n: int) -> None:
    """Raise a ValueError unless ``labels`` are one-hot rows, one for each of ``n`` pictures."""
    labels = np.asarray(labels)
    if len(labels) != n:
        raise ValueError(f"there are {n} pictures but {len(labels)} labels; each needs its own.")
    wrong = np.flatnonzero((np.sort(labels, axis=1) != np.eye(labels.shape[1])[-1]).any(axis=1))
    if len(wrong):
        raise ValueError(
            f"label {wrong[0]} of the batch is {labels[wrong[0]].tolist()}; a label must be "
            "one-hot: a 1 at its class, 0 elsewhere. Use batches(…, conditional='one_hot') of "
            "pictures with classes, and check that no label is larger than there are classes."
        )


def optimizers(*optimizers: Any) -> None:
    """Raise a ValueError if two networks would share one optimizer object."""
    if len({id(optimizer) for optimizer in optimizers}) < len(optimizers):
        raise ValueError(
            "generator and discriminator share one optimizer object, so each would step "
            "with the other's momentum. Make two: compile(Adam(...), Adam(...))."
        )


def images(images: Any, shape: tuple[int, ...]) -> None:
    """Raise a ValueError if a batch is not float, finite, in [-1, 1], of the shape expected.

    Args:
        images: a batch; None is passed over (an input that cannot be looked at beforehand).
        shape: (height, width, channels), or (2,) for points, whose range is free.
    """
    if images is None:
        return
    batch = np.asarray(images)
    if batch.shape[1:] != tuple(shape):
        raise ValueError(
            f"the pictures have shape {batch.shape[1:]}, but the network takes {shape}."
        )
    if not np.issubdtype(batch.dtype, np.floating):
        raise ValueError(
            f"the pictures are {batch.dtype}; networks here train on float32 in [-1, 1]. "
            "Convert them with datasets.to_float(images), or use ImageSet.batches()."
        )
    if not np.isfinite(batch).all():
        raise ValueError("the pictures contain NaN or infinity; remove those before training.")
    low, high = float(batch.min()), float(batch.max())
    if len(shape) == 3 and (low < -1.001 or high > 1.001 or low >= 0):
        raise ValueError(
            f"the pictures lie in [{low:.3g}, {high:.3g}], but the generator's tanh makes "
            "[-1, 1]. Convert uint8 pictures with datasets.to_float(images); "
            "stretch [0, 1] with 2 * images - 1."
        )


def to_encode(images: Any, shape: tuple[int, ...]) -> None:
    """Raise an error that says why pictures cannot be encoded into codes, if they cannot.

    Args:
        images: float in [-1, 1], shape (n, height, width, channels).
        shape: what the network takes, (height, width, channels).
    """
    found = np.shape(images)
    if found[1:] != tuple(shape) or len(found) != len(shape) + 1:
        raise ValueError(
            f"the pictures have shape {found[1:]}, but the network takes {tuple(shape)}. Give "
            f"(n, {', '.join(map(str, shape))}): images[None] makes a batch of one picture, "
            "datasets.load(…, image_size=…) another size."
        )
    if np.asarray(images).dtype.kind != "f":
        raise TypeError(
            f"the pictures are {np.asarray(images).dtype}; networks take float32 in [-1, 1]. "
            "Convert them with datasets.to_float(images)."
        )


def whole(name: str, value: Any) -> None:
    """Raise a ValueError unless ``value`` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} is {value!r}; it must be a whole number, 1 or more.")


def choice(name: str, value: Any, choices: Iterable[str]) -> None:
    """Raise a ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; there is: {', '.join(choices)}.")


def fraction(name: str, value: float) -> None:
    """Raise a ValueError unless 0 <= ``value`` < 1."""
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value!r}; it must be at least 0 and less than 1.")


def not_negative(name: str, value: float) -> None:
    """Raise a ValueError unless ``value`` is 0 or more."""
    if not value >= 0:
        raise ValueError(f"{name} is {value!r}; it must be 0 or more.")

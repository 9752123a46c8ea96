"""Small classifiers of pictures, whose features the scores are made of.

``tools/train_feature_network.py`` trains them; :mod:`helpers.feature_networks` loads the result.
"""

from typing import Any

from helpers._backend import keras

layers = keras.layers


def grey_28x28(
    classes: int = 10, *, normalized: bool = True, name: str = "classifier"
) -> keras.Model:
    """A classifier of small grey pictures: digits, characters, clothes.

    Maps pictures (n, 28, 28, 1) in [-1, 1] to logits (n, ``classes``); the 128 non-negative
    outputs of its layer ``"features"`` describe a picture. Without BatchNormalization in that
    layer (``normalized``) some of them stay at 0 for all pictures; the shipped networks of
    digits and characters were made so.
    """
    x = inputs = keras.Input((28, 28, 1))
    for filters, strides in ((24, 1), (24, 2), (48, 1), (48, 2), (64, 1)):
        x = _convolution(x, filters, strides)
    return _with_features(inputs, x, classes, 0.4, normalized, name)


def color_64x64(attributes: int, *, name: str = "classifier") -> keras.Model:
    """A classifier of faces: one logit an attribute, each a question of its own.

    Maps pictures (n, 64, 64, 3) in [-1, 1] to logits (n, ``attributes``); the 128 non-negative
    outputs of its layer ``"features"`` describe a picture.
    """
    x = inputs = keras.Input((64, 64, 3))
    for filters, strides in ((32, 2), (48, 2), (48, 1), (96, 2), (96, 1), (128, 2)):
        x = _convolution(x, filters, strides)
    return _with_features(inputs, x, attributes, 0.2, True, name)


def _convolution(x: Any, filters: int, strides: int) -> Any:
    x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def _with_features(
    inputs: Any, x: Any, outputs: int, dropout: float, normalized: bool, name: str
) -> keras.Model:
    """Flatten, then the features, then the logits, with Dropout before each of the two."""
    x = layers.Dropout(dropout)(layers.Flatten()(x))
    if normalized:
        x = layers.BatchNormalization()(layers.Dense(128, use_bias=False)(x))
        x = layers.ReLU(name="features")(x)
    else:
        x = layers.Dense(128, activation="relu", name="features")(x)
    logits = layers.Dense(outputs, name="logits")(layers.Dropout(dropout)(x))
    return keras.Model(inputs, logits, name=name)

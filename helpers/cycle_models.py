"""Builders of CycleGAN's networks: ResNet generators, and discriminators that judge patches.

Each returns a plain ``keras.Model``. ``capacity`` is the number of filters of the first
convolution, of which all others are multiples, so that two cores can have thinner networks.
"""

from typing import Any

from helpers import checks
from helpers._backend import keras

layers = keras.layers


def resnet_generator(
    image_size: int = 64,
    *,
    capacity: int = 64,
    blocks: int = 6,
    downs: int = 2,
    masked: bool = False,
    name: str = "generator",
) -> keras.Model:
    """A translator: down to a small grid, some residual blocks there, and up again.

    Maps pictures (n, ``image_size``, ``image_size``, 3) to pictures of the same shape, both in
    [-1, 1]. The shape is that of "Perceptual Losses for Real-Time Style Transfer and
    Super-Resolution" (Johnson et al., 2016, arXiv:1603.08155), which CycleGAN took over: 7×7
    convolutions at both ends, strided 3×3 ones between, residual blocks ("Deep Residual Learning
    for Image Recognition", He et al., 2015, arXiv:1512.03385) without a ReLU after the sum, and
    instance normalisation ("Instance Normalization: The Missing Ingredient for Fast Stylization",
    Ulyanov et al., 2016, arXiv:1607.08022). Ours: edges are padded with zeros and not with their
    reflection, and upsampling repeats pixels before a 3×3 convolution, which leaves no
    checkerboard, where the papers have a transposed convolution.

    Args:
        image_size: of a side, a multiple of 2 to the power of ``downs``.
        capacity: filters of the first convolution; 64 in the paper.
        blocks: residual blocks; 6 in the paper for pictures of 128×128, 9 for larger ones.
        downs: times that the grid is halved and filters are doubled; 2 in the paper.
        masked: paint only where a mask says so. Beside the painted picture comes a mask in
            [0, 1] (the layer ``"mask"``); the result is ``mask * painted + (1 - mask) * picture``
            ("GANimation: Anatomically-aware Facial Animation from a Single Image", Pumarola et
            al., 2018, arXiv:1807.09251; between two piles: "Unsupervised Attention-guided Image to
            Image Translation", Mejjati et al., 2018, arXiv:1806.02311). And the way up is given
            what the way down saw at the same grid, so that the mask has sharp edges ("U-Net:
            Convolutional Networks for Biomedical Image Segmentation", Ronneberger et al., 2015,
            arXiv:1505.04597). Not in the paper.
        name: of the network.

    Raises:
        ValueError: a number that is no whole number of at least 1, or a size that cannot be
            halved so often.
    """
    _check(image_size, 2**downs, CAPACITY=capacity, BLOCKS=blocks, DOWNS=downs)
    picture = keras.Input((image_size, image_size, 3))
    x = _norm_relu(_convolution(picture, capacity, 7))
    seen = []
    for i in range(1, downs + 1):
        seen.append(x)
        x = _norm_relu(_convolution(x, capacity * 2**i, 3, strides=2))
    for _ in range(blocks):
        x = _residual(x, capacity * 2**downs)
    for i in reversed(range(downs)):
        x = layers.UpSampling2D()(x)
        x = layers.Concatenate()([x, seen[i]]) if masked else x
        x = _norm_relu(_convolution(x, capacity * 2**i, 3))
    painted = layers.Conv2D(3, 7, activation="tanh", name="painted", **_last())(x)
    if not masked:
        return keras.Model(picture, painted, name=name)
    mask = layers.Conv2D(1, 7, activation="sigmoid", name="mask", **_last())(x)
    change = layers.Subtract(dtype="float32")([painted, picture])
    change = layers.Multiply(dtype="float32")([mask, change])
    return keras.Model(picture, layers.Add(dtype="float32")([picture, change]), name=name)


def patch_discriminator(
    image_size: int = 64, *, capacity: int = 64, downs: int = 2, name: str = "discriminator"
) -> keras.Model:
    """A discriminator with a verdict on each patch, and none on the whole: PatchGAN.

    Maps pictures (n, ``image_size``, ``image_size``, 3) to a map of logits (n, h, w, 1), where h
    and w are the ``image_size`` halved ``downs`` times. After "Image-to-Image Translation with
    Conditional Adversarial Networks" (Isola et al., 2016, arXiv:1611.07004): 4×4 convolutions,
    the first ``downs`` with stride 2 and two more with stride 1, LeakyReLU 0.2, instance
    normalisation in all but the first and the last. A logit sees 70×70 pixels with three
    ``downs``, as in the paper, and 34×34 with two.

    Args:
        image_size: of a side, a multiple of 2 to the power of ``downs``.
        capacity: filters of the first convolution; 64 in the paper.
        downs: convolutions with stride 2.
        name: of the network.

    Raises:
        ValueError: see :func:`resnet_generator`.
    """
    _check(image_size, 2**downs, CAPACITY=capacity, DOWNS=downs)
    picture = keras.Input((image_size, image_size, 3))
    x = picture
    for i in range(downs + 1):
        x = _convolution(x, capacity * 2**i, 4, strides=2 if i < downs else 1, bias=not i)
        x = _instance_norm()(x) if i else x
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    verdicts = layers.Conv2D(1, 4, name="verdicts", **_last())(x)
    return keras.Model(picture, verdicts, name=name)


def receptive_field(network: keras.Model) -> int:
    """Pixels of a side that one number of the last layer looks at: convolutions in a row.

    From the last layer back to the first: what one output sees grows by (kernel - 1) and then
    times the stride of all layers below, ``field = (field - 1) * stride + kernel``.
    """
    field = 1
    for layer in reversed(network.layers):
        if isinstance(layer, layers.Conv2D):
            field = (field - 1) * layer.strides[0] + layer.kernel_size[0]
    return field


def _convolution(x: Any, filters: int, size: int, strides: int = 1, bias: bool = False) -> Any:
    """A convolution without a bias, which the normalisation after it would take away."""
    convolution = layers.Conv2D(
        filters, size, strides, padding="same", use_bias=bias, kernel_initializer=_weights()
    )
    return convolution(x)


def _residual(x: Any, filters: int) -> Any:
    y = _norm_relu(_convolution(x, filters, 3))
    return layers.Add()([x, _instance_norm()(_convolution(y, filters, 3))])


def _norm_relu(x: Any) -> Any:
    return layers.ReLU()(_instance_norm()(x))


def _instance_norm() -> keras.layers.Layer:
    """As many groups as channels: each channel of each picture is normalized by itself."""
    return layers.GroupNormalization(groups=-1, epsilon=1e-5)


def _last() -> dict[str, Any]:
    """Settings of the layers that pictures and verdicts come out of."""
    return {"padding": "same", "kernel_initializer": _weights(), "dtype": "float32"}


def _weights() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)  # a new one, with its own seed


def _check(image_size: int, multiple: int, **numbers: int) -> None:
    for name, number in numbers.items():
        checks.whole(name, number)
    if image_size < 1 or image_size % multiple:
        raise ValueError(
            f"IMAGE_SIZE is {image_size}; with {numbers['DOWNS']} DOWNS it must be a multiple of "
            f"{multiple}."
        )

"""What a GAN's two networks minimise: pure functions of logits, the same on every Keras backend.

Logits are float32 of shape (n, 1), of a discriminator on real and on fake pictures; each function
gives a scalar.
"""

from typing import Any

from helpers._backend import keras

ops = keras.ops


def d_cross_entropy(
    real_logits: Any, fake_logits: Any, smoothing: Any = 0.0, fake_label: Any = 0.0
) -> Any:
    """The discriminator's cross-entropy over a batch half real, half fake.

    A scalar; ln 2 = 0.69 is a coin toss, and −2 times it estimates the value V(D, G) of
    "Generative Adversarial Nets" (Goodfellow et al., 2014, arXiv:1406.2661). Real is
    taught as ``1 - smoothing``, fake as ``fake_label``, which is 0 unless labels are noisy
    ("Improved Techniques for Training GANs", Salimans et al., 2016, arXiv:1606.03498).
    """
    real = ops.softplus(-real_logits) + smoothing * real_logits
    fake = ops.softplus(fake_logits) - fake_label * fake_logits
    return 0.5 * (ops.mean(real) + ops.mean(fake))


def g_non_saturating(fake_logits: Any) -> Any:
    """−log D(G(z)), meaned: steep where the discriminator is sure (arXiv:1406.2661, sec. 3)."""
    return ops.mean(ops.softplus(-fake_logits))


def g_saturating(fake_logits: Any) -> Any:
    """log(1 − D(G(z))), meaned: the minimax loss, flat where the discriminator is sure."""
    return -ops.mean(ops.softplus(fake_logits))


def d_least_squares(
    real_logits: Any, fake_logits: Any, smoothing: Any = 0.0, fake_label: Any = 0.0
) -> Any:
    """Squared distance of the outputs to 1 and 0 (Mao et al., 2016, arXiv:1611.04076)."""
    real = ops.square(real_logits - (1.0 - smoothing))
    return 0.5 * (ops.mean(real) + ops.mean(ops.square(fake_logits - fake_label)))


def g_least_squares(fake_logits: Any) -> Any:
    """Half the squared distance of the output to 1 (arXiv:1611.04076)."""
    return 0.5 * ops.mean(ops.square(fake_logits - 1.0))


def d_hinge(real_logits: Any, fake_logits: Any, smoothing: Any = 0.0, fake_label: Any = 0.0) -> Any:
    """Margins of 1 and −1 ("Geometric GAN", Lim and Ye, 2017, arXiv:1705.02894)."""
    real = ops.relu((1.0 - smoothing) - real_logits)
    fake = ops.relu((1.0 - fake_label) + fake_logits)
    return 0.5 * (ops.mean(real) + ops.mean(fake))


def g_hinge(fake_logits: Any) -> Any:
    """The discriminator's output, raised (arXiv:1705.02894)."""
    return -ops.mean(fake_logits)


LOSSES = {
    "non_saturating": (d_cross_entropy, g_non_saturating),
    "saturating": (d_cross_entropy, g_saturating),
    "least_squares": (d_least_squares, g_least_squares),
    "hinge": (d_hinge, g_hinge),
}

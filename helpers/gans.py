"""Generative adversarial networks as ``keras.Model``s; a variant states only its losses."""

from typing import Any

from helpers import checks
from helpers._backend import keras
from helpers.training import AdversarialModel

ops = keras.ops


def d_cross_entropy(real_logits: Any, fake_logits: Any, smoothing: float = 0.0) -> Any:
    """The discriminator's cross-entropy over a batch half real, half fake.

    A scalar; ln 2 = 0.69 is a coin toss, and −2 times it estimates the value V(D, G) of
    "Generative Adversarial Nets" (Goodfellow et al., 2014, arXiv:1406.2661). Real is
    taught as ``1 - smoothing``, fake always as 0 ("Improved Techniques for Training
    GANs", Salimans et al., 2016, arXiv:1606.03498).
    """
    real = ops.softplus(-real_logits) + smoothing * real_logits
    return 0.5 * (ops.mean(real) + ops.mean(ops.softplus(fake_logits)))


def g_non_saturating(fake_logits: Any) -> Any:
    """−log D(G(z)), meaned: steep where the discriminator is sure (arXiv:1406.2661, sec. 3)."""
    return ops.mean(ops.softplus(-fake_logits))


def g_saturating(fake_logits: Any) -> Any:
    """log(1 − D(G(z))), meaned: the minimax loss, flat where the discriminator is sure."""
    return -ops.mean(ops.softplus(fake_logits))


def d_least_squares(real_logits: Any, fake_logits: Any, smoothing: float = 0.0) -> Any:
    """Squared distance of the outputs to 1 and 0 (Mao et al., 2016, arXiv:1611.04076)."""
    real = ops.square(real_logits - (1.0 - smoothing))
    return 0.5 * (ops.mean(real) + ops.mean(ops.square(fake_logits)))


def g_least_squares(fake_logits: Any) -> Any:
    """Half the squared distance of the output to 1 (arXiv:1611.04076)."""
    return 0.5 * ops.mean(ops.square(fake_logits - 1.0))


def d_hinge(real_logits: Any, fake_logits: Any, smoothing: float = 0.0) -> Any:
    """Margins of 1 and −1 ("Geometric GAN", Lim and Ye, 2017, arXiv:1705.02894)."""
    real = ops.relu((1.0 - smoothing) - real_logits)
    return 0.5 * (ops.mean(real) + ops.mean(ops.relu(1.0 + fake_logits)))


def g_hinge(fake_logits: Any) -> Any:
    """The discriminator's output, raised (arXiv:1705.02894)."""
    return -ops.mean(fake_logits)


LOSSES = {
    "non_saturating": (d_cross_entropy, g_non_saturating),
    "saturating": (d_cross_entropy, g_saturating),
    "least_squares": (d_least_squares, g_least_squares),
    "hinge": (d_hinge, g_hinge),
}


@keras.saving.register_keras_serializable(package="helpers")
class GAN(AdversarialModel):
    """The generative adversarial network of Goodfellow et al. (2014, arXiv:1406.2661).

    Args:
        generator: z (n, latent_dim) to pictures in [-1, 1].
        discriminator: pictures to logits (n, 1).
        loss: ``"non_saturating"`` (the paper's advice), ``"saturating"`` (its minimax
            game), ``"least_squares"`` or ``"hinge"``.
        **kwargs: see :class:`helpers.training.AdversarialModel`.

    Example:
        >>> gan = GAN(generator, discriminator)
        >>> gan.compile(keras.optimizers.Adam(2e-4, 0.5), keras.optimizers.Adam(2e-4, 0.5))
        >>> gan.fit(digits.batches(128), steps_per_epoch=468, epochs=5)
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        loss: str = "non_saturating",
        **kwargs: Any,
    ) -> None:
        checks.choice("LOSS", loss, LOSSES)
        super().__init__(generator, discriminator, **kwargs)
        self.loss_name = loss

    def discriminator_loss(self, real_logits: Any, fake_logits: Any) -> Any:
        """See :data:`LOSSES`."""
        return LOSSES[self.loss_name][0](real_logits, fake_logits, self.smoothing)

    def generator_loss(self, fake_logits: Any) -> Any:
        """See :data:`LOSSES`."""
        return LOSSES[self.loss_name][1](fake_logits)

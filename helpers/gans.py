"""Generative adversarial networks as ``keras.Model``s; a variant states only its losses."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers import checks, training
from helpers._backend import keras
from helpers.adversarial import AdversarialModel
from helpers.losses import (
    LOSSES,
    d_cross_entropy,
    d_hinge,
    d_least_squares,
    g_hinge,
    g_least_squares,
    g_non_saturating,
    g_saturating,
)

__all__ = ["GAN", "LOSSES", "Clip", "ConditionalGAN", "WassersteinGAN", "slope_penalty"]
__all__ += ["d_cross_entropy", "d_hinge", "d_least_squares"]
__all__ += ["g_hinge", "g_least_squares", "g_non_saturating", "g_saturating"]

ops = keras.ops


class GAN(AdversarialModel):
    """The generative adversarial network of Goodfellow et al. (2014, arXiv:1406.2661).

    Args:
        generator: z (n, latent_dim) to pictures in [-1, 1].
        discriminator: pictures to logits (n, 1).
        loss: ``"non_saturating"`` (the paper's advice), ``"saturating"`` (its minimax
            game), ``"least_squares"`` or ``"hinge"``.
        **kwargs: see :class:`helpers.adversarial.AdversarialModel`.

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
        d_loss, _ = LOSSES[self.loss_name]
        if not self.label_noise:
            return d_loss(real_logits, fake_logits, self.smoothing)
        real_noise, fake_noise = (
            self.label_noise * ops.abs(self.random(ops.shape(logits), "uniform"))
            for logits in (real_logits, fake_logits)
        )
        return d_loss(real_logits, fake_logits, self.smoothing + real_noise, fake_noise)

    def generator_loss(self, fake_logits: Any) -> Any:
        """See :data:`LOSSES`."""
        _, g_loss = LOSSES[self.loss_name]
        return g_loss(fake_logits)

    def boundary(self) -> float | None:
        """Least squares teaches 1 and 0, so the boundary lies half-way."""
        return 0.5 if self.loss_name == "least_squares" else 0.0


class ConditionalGAN(GAN):
    """A GAN that one can ask for a class (Mirza and Osindero, 2014, arXiv:1411.1784).

    Both networks take the one-hot label as a second input. *How* they use it is their own
    affair: see :func:`helpers.models.character_generator`, whose label joins z,
    :func:`helpers.models.conditional_discriminator`, which turns it into planes beside the
    picture's channels (lesson 3), and :func:`helpers.models.projection_discriminator`
    ("cGANs with Projection Discriminator", Miyato and Koyama, 2018, arXiv:1802.05637).
    Fakes are drawn with the labels of the real batch, so that classes are as frequent.

    Args:
        generator: [z (n, latent_dim), one-hot labels (n, classes)] to pictures.
        discriminator: [pictures, one-hot labels] to logits (n, 1).
        **kwargs: see :class:`GAN`.

    Example:
        >>> gan.fit(characters.batches(128, conditional="one_hot"), steps_per_epoch=500)
        >>> gan.draw([3, 3, 7])  # two threes and a seven
    """

    def __init__(self, generator: keras.Model, discriminator: keras.Model, **kwargs: Any) -> None:
        super().__init__(generator, discriminator, **kwargs)
        if len(generator.inputs) != 2:
            raise ValueError(
                "a ConditionalGAN wants networks of two inputs, the second for one-hot labels; "
                "see helpers.models.conditional_generator. For one input take gans.GAN."
            )
        self.classes = int(generator.inputs[1].shape[-1])

    def check_batch(self, batch: Any) -> None:
        """See :class:`helpers.training.SteppedModel`; the labels must be one-hot, one a picture."""
        super().check_batch(batch)
        if batch is not None:
            pictures, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)
            checks.one_hot(labels, len(pictures))

    def draw(self, labels: Any, **kwargs: Any) -> NDArray[np.float32]:
        """One picture for each label, an integer from 0; ``kwargs`` as in :meth:`generate`.

        Raises:
            ValueError: a label that is no class.
        """
        labels = np.asarray(labels)
        if labels.ndim != 1 or not np.isin(labels, np.arange(self.classes)).all():
            raise ValueError(
                f"labels are {labels!r}; they must be whole numbers from 0 to {self.classes - 1}."
            )
        one_hot = np.eye(self.classes, dtype=np.float32)[labels.astype(int)]
        return self.generate(len(labels), condition=one_hot, **kwargs)


@keras.saving.register_keras_serializable(package="helpers")
class Clip(keras.constraints.Constraint):
    """Keeps every number of a weight within [-``limit``, ``limit``]."""

    def __init__(self, limit: float) -> None:
        if not limit > 0:
            raise ValueError(f"the limit of Clip is {limit!r}; it must be more than 0.")
        self.limit = limit

    def __call__(self, w: Any) -> Any:
        """The weight, clipped."""
        return ops.clip(w, -self.limit, self.limit)

    def get_config(self) -> dict[str, Any]:
        """For saving."""
        return {"limit": self.limit}


class WassersteinGAN(AdversarialModel):
    """A critic that measures how far apart real and fake lie, and a generator that comes nearer.

    "Wasserstein GAN" (Arjovsky et al., 2017, arXiv:1701.07875) keeps the critic's slope
    bounded by clipping its weights; "Improved Training of Wasserstein GANs" (Gulrajani et
    al., 2017, arXiv:1704.00028) by a penalty on slopes other than 1 at points between real
    and fake. Beside the losses each step logs ``wasserstein``, the critic's estimate of
    the distance: mean over real minus mean over fake.

    Args:
        generator: z (n, latent_dim) to pictures in [-1, 1].
        critic: pictures to numbers (n, 1), no sigmoid; without BatchNormalization if there
            is a penalty, for that holds for each picture by itself.
        gradient_penalty: weight of the penalty; 10 in its paper. 0: none.
        clip: weights of the critic are kept within [-clip, clip]; 0.01 in its paper.
        disc_updates: critic updates a step; 5 in both papers.
        **kwargs: see :class:`helpers.adversarial.AdversarialModel`.

    Raises:
        ValueError: both clipping and penalty, or neither; BatchNormalization with a penalty;
            R1, smoothing or label noise, of which a critic makes no use.
    """

    def __init__(
        self,
        generator: keras.Model,
        critic: keras.Model,
        *,
        gradient_penalty: float = 10.0,
        clip: float | None = None,
        disc_updates: int = 5,
        **kwargs: Any,
    ) -> None:
        checks.without("a WassersteinGAN", kwargs, "r1", "smoothing", "label_noise")
        super().__init__(generator, critic, disc_updates=disc_updates, **kwargs)
        checks.not_negative("GRADIENT_PENALTY", gradient_penalty)
        if (clip is None) == (gradient_penalty == 0):
            raise ValueError(
                "a critic needs one bound on its slope: either gradient_penalty=10.0 or "
                "clip=0.01 with gradient_penalty=0."
            )
        if gradient_penalty:
            checks.judges_pictures_one_by_one(critic, "the gradient penalty")
        self.gradient_penalty = gradient_penalty
        self.clip = clip
        if clip is not None:
            bound = Clip(clip)
            for weight in critic.trainable_variables:
                weight.constraint = bound
                weight.assign(bound(weight))

    def discriminator_loss(self, real_logits: Any, fake_logits: Any) -> Any:
        """Minus the distance that the critic sees."""
        wasserstein = ops.mean(real_logits) - ops.mean(fake_logits)
        self.note("wasserstein", wasserstein)
        return -wasserstein

    def boundary(self) -> float | None:
        """None: a critic compares and does not say which is real."""
        return None

    def generator_loss(self, fake_logits: Any) -> Any:
        """The critic's verdict on fakes, raised."""
        return -ops.mean(fake_logits)

    def penalty(self, real: Any, fake: Any, *condition: Any) -> Any:
        """See :func:`slope_penalty`; at uniformly random points between real and fake."""
        if not self.gradient_penalty:
            return 0.0
        n, rank = ops.shape(real)[0], len(real.shape)
        part = 0.5 + 0.5 * self.random((n, *[1] * (rank - 1)), "uniform")
        real, fake = ops.cast(real, "float32"), ops.cast(fake, "float32")
        between = part * real + (1.0 - part) * fake
        slopes = training.input_gradient(lambda x: self._logits(x, *condition), between)
        return self.gradient_penalty * slope_penalty(slopes)


def slope_penalty(slopes: Any) -> Any:
    """Mean over the batch of (length of the gradient − 1)² (arXiv:1704.00028): 0 for length 1.

    A gradient of 0 costs 1. The length is taken of squares a little above 0, for the square
    root has no slope there, and NaN would follow.
    """
    squares = ops.sum(ops.square(slopes), axis=tuple(range(1, len(slopes.shape))))
    return ops.mean(ops.square(ops.sqrt(squares + 1e-12) - 1.0))

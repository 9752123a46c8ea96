"""Variational autoencoders: the plain one, and the one whose decoder is a GAN's generator."""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from helpers import checks, gans, training
from helpers._backend import keras
from helpers.adversarial import AdversarialModel

ops = keras.ops

Reduction = Literal["sum", "mean"]
Similarity = Literal["pixels", "features"]


def kl_divergence(mean: Any, log_variance: Any) -> Any:
    """KL(N(mean, variance) ‖ N(0, 1)) in nats: summed over the latent numbers, meaned over a batch.

    "Auto-Encoding Variational Bayes" (Kingma and Welling, 2013, arXiv:1312.6114), appendix B.
    """
    terms = ops.exp(log_variance) + ops.square(mean) - 1.0 - log_variance
    return 0.5 * ops.mean(ops.sum(terms, axis=-1))


def squared_error(x: Any, y: Any, reduction: Reduction) -> Any:
    """Squared differences, summed (or meaned) over each picture, meaned over the batch.

    Half the *sum* is −log N(x; y, 1) up to a constant, the first term of the ELBO. The
    *mean* is smaller by the number of values in a picture (12,288 for 64×64×3): the same KL
    beside it then counts that many times more.
    """
    reduce = ops.sum if reduction == "sum" else ops.mean
    square = ops.square(ops.cast(x, "float32") - ops.cast(y, "float32"))
    return ops.mean(reduce(square, axis=tuple(range(1, len(square.shape)))))


class _Autoencoder:
    """What a model with an encoder and a sampler does with given pictures."""

    encoder: keras.Model
    sampler: Any  # a property of the models, the network to draw from

    def encode(self, pictures: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and log-variance of each picture's code, each float32 (n, latent_dim)."""
        checks.to_encode(pictures, self.encoder.input_shape[1:])
        mean, log_variance = self.encoder.predict(pictures, verbose=0)
        return mean, log_variance

    def reconstruct(self, pictures: Any) -> NDArray[np.float32]:
        """Pictures decoded from the mean of their codes, float32 in [-1, 1]."""
        return np.asarray(self.sampler.predict(self.encode(pictures)[0], verbose=0), np.float32)


class VAE(_Autoencoder, training.SteppedModel):
    """A variational autoencoder (Kingma and Welling, 2013, arXiv:1312.6114).

    The loss is ``reconstruction + beta * kl``; with ``reduction="sum"`` and ``beta=1`` it is
    the negative ELBO of a decoder of unit variance, up to a constant. ``beta`` other than 1 is
    the β-VAE (Higgins et al., 2017, "beta-VAE: Learning Basic Visual Concepts with a
    Constrained Variational Framework"). Every step logs ``loss``, ``reconstruction``, ``kl``.

    Args:
        encoder: pictures to [mean, log-variance], each (n, latent_dim).
        decoder: z (n, latent_dim) to pictures in [-1, 1].
        beta: weight of the KL term.
        reduction: ``"sum"``: half the squared error summed over each picture; ``"mean"``:
            the mean squared error (lesson 4, with ``beta=1e-4``). See :func:`squared_error`.
        ema_decay: decay of a moving average of the decoder; 0 keeps none.
        seed: of the noise.

    Raises:
        ValueError: networks that do not fit together, or an argument out of range.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        beta: float = 1.0,
        reduction: Reduction = "sum",
        ema_decay: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        checks.without("a VAE", kwargs, "schedule")
        super().__init__(seed=seed, ema_decay=ema_decay, **kwargs)
        checks.autoencoder(encoder, decoder)
        checks.not_negative("BETA", beta)
        checks.choice("REDUCTION", reduction, get_args(Reduction))
        self.encoder = encoder
        self.decoder = decoder
        self.ema_decoder = training.copy_of(decoder) if ema_decay else None
        self.latent_dim = int(decoder.input_shape[-1])
        self.beta = beta
        self.reduction = reduction

    def compile(self, optimizer: keras.optimizers.Optimizer, **kwargs: Any) -> None:
        """One optimizer for both networks, which have one loss."""
        optimizer = training.prepared(optimizer, self.encoder, self.decoder)
        super().compile(optimizer=optimizer, **kwargs)

    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """See :class:`helpers.training.SteppedModel`."""
        return {"autoencoder": self.optimizer}

    def averaged(self) -> list[tuple[keras.Model, keras.Model]]:
        """See :class:`helpers.training.SteppedModel`."""
        return [] if self.ema_decoder is None else [(self.ema_decoder, self.decoder)]

    def check_batch(self, batch: Any) -> None:
        """See :class:`helpers.training.SteppedModel`."""
        if batch is not None:
            pictures, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
            checks.images(pictures, self.encoder.input_shape[1:])

    def call(self, pictures: Any, training: bool = False) -> Any:
        """The pictures, reconstructed from their mean code."""
        mean, _ = self.encoder(pictures, training=training)
        return self.decoder(mean, training=training)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step down the loss, both networks together."""
        self.begin_step()
        pictures, _, _ = keras.utils.unpack_x_y_sample_weight(data)

        def loss_function() -> Any:
            mean, log_variance = _encoded(self.encoder, pictures)
            z = mean + ops.exp(0.5 * log_variance) * self.random(ops.shape(mean))
            error = squared_error(self.decoder(z, training=True), pictures, self.reduction)
            reconstruction = 0.5 * error if self.reduction == "sum" else error
            kl = kl_divergence(mean, log_variance)
            self.note("reconstruction", reconstruction)
            self.note("kl", kl)
            return reconstruction + self.beta * kl

        networks = [self.encoder, self.decoder]
        loss, norm = training.gradient_step(loss_function, networks, self.optimizer)
        self.note("loss", loss)
        self.note("gradient", norm)
        return self.end_step()

    def generate(self, n: int, *, seed: int = 0, ema: bool = True) -> NDArray[np.float32]:
        """``n`` new pictures, decoded from draws of the prior N(0, 1); float32 in [-1, 1]."""
        checks.whole("n", n)
        z = training.noise(n, self.latent_dim, seed=seed, step=-1)
        network = self.sampler if ema else self.decoder
        return np.asarray(network.predict(z, batch_size=256, verbose=0), np.float32)

    @property
    def sampler(self) -> keras.Model:
        """The decoder to draw from and to save: the EMA copy if there is one."""
        return self.decoder if self.ema_decoder is None else self.ema_decoder


class VAEGAN(_Autoencoder, AdversarialModel):
    """A VAE whose decoder is a GAN's generator (Larsen et al., 2015, arXiv:1512.09300).

    The discriminator is shown real, reconstructed and sampled pictures; each of the three is
    a batch of its own. With ``similarity="features"``, as in the paper, two pictures are
    alike if a layer of the discriminator describes them alike; with ``"pixels"``, as in
    lesson 5's classic one, if their pixels are. Which loss moves which network:

    ==================  =============  ===========================  ===============
    loss                encoder        generator                    discriminator
    ==================  =============  ===========================  ===============
    KL                  yes, × beta    no                           no
    likeness            yes            yes (features: × gamma)      no
    being called real   no             yes                          no
    telling apart       no             no                           yes
    ==================  =============  ===========================  ===============

    Every step logs ``d_loss``, ``g_loss`` (being called real), ``reconstruction`` (the
    likeness, unweighted) and ``kl``. The encoder has its turn at every step, whatever the schedule.

    Args:
        encoder: pictures to [mean, log-variance], each (n, latent_dim).
        generator: z to pictures in [-1, 1]; the decoder.
        discriminator: pictures to logits (n, 1).
        similarity: ``"features"`` or ``"pixels"``.
        feature_layer: name of the discriminator's layer to compare in; by default the last
            one that is still a picture (height, width, channels).
        beta: weight of the KL term.
        gamma: weight of likeness against being called real, for the generator.
        reduction: ``"sum"`` or ``"mean"`` over a picture's values, see :func:`squared_error`.
        **kwargs: see :class:`helpers.adversarial.AdversarialModel`.

    Raises:
        ValueError: networks that do not fit together, or an argument out of range.
    """

    def __init__(
        self,
        encoder: keras.Model,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        similarity: Similarity = "features",
        feature_layer: str | None = None,
        beta: float = 1.0,
        gamma: float = 1e-3,
        reduction: Reduction = "sum",
        **kwargs: Any,
    ) -> None:
        checks.without("a VAEGAN", kwargs, "label_noise", "joint_batch")
        super().__init__(generator, discriminator, **kwargs)
        checks.autoencoder(encoder, generator)
        checks.choice("SIMILARITY", similarity, get_args(Similarity))
        checks.choice("REDUCTION", reduction, get_args(Reduction))
        checks.not_negative("BETA", beta)
        checks.not_negative("GAMMA", gamma)
        self.encoder = encoder
        self.similarity = similarity
        self.beta = beta
        self.gamma = gamma
        self.reduction = reduction
        layer = _feature_layer(discriminator, feature_layer)
        self.feature_network = keras.Model(discriminator.inputs[0], layer.output)

    def compile(
        self,
        g_optimizer: keras.optimizers.Optimizer,
        d_optimizer: keras.optimizers.Optimizer,
        vae_optimizer: keras.optimizers.Optimizer | None = None,
        **kwargs: Any,
    ) -> None:
        """Three optimizers: generator, discriminator, and the autoencoder's own.

        The third moves the encoder, and with ``similarity="pixels"`` the generator as well,
        down ``likeness + beta * kl``.

        Raises:
            ValueError: no third optimizer, or one object twice.
        """
        if vae_optimizer is None:
            raise ValueError("a VAEGAN wants three optimizers: compile(g, d, vae_optimizer).")
        checks.optimizers(g_optimizer, d_optimizer, vae_optimizer)
        super().compile(g_optimizer, d_optimizer, **kwargs)
        self.vae_optimizer = training.prepared(vae_optimizer, *self._moved_by_likeness())

    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """See :class:`helpers.training.SteppedModel`."""
        return {**super().optimizers(), "autoencoder": self.vae_optimizer}

    def discriminator_loss(self, real_logits: Any, fake_logits: Any) -> Any:
        """Cross-entropy; the fakes are reconstructions and samples."""
        return gans.d_cross_entropy(real_logits, fake_logits, self.smoothing)

    def generator_loss(self, fake_logits: Any) -> Any:
        """The non-saturating loss, over reconstructions and samples."""
        return gans.g_non_saturating(fake_logits)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step: discriminator, encoder (with the generator, if in pixels), generator."""
        disc_turns, gen_turns = self.begin_step()
        real, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        n = ops.shape(real)[0]
        for i in range(disc_turns * self.disc_updates):
            self.note("d_loss", self.update_discriminator(real, self._noise(n, draw=i)))
        self.update_autoencoder(real)
        for i in range(gen_turns * self.gen_updates):
            z = self._noise(n, draw=self.disc_updates + i)
            self.note("g_loss", self.update_generator(z, real))
        return self.end_step()

    def update_discriminator(self, real: Any, z: Any, *condition: Any) -> Any:
        """The discriminator's half: real against reconstructed and sampled. Returns the loss."""
        reconstructed = self.generator(self._code(real)[0], training=True)
        sampled = self.generator(z, training=True)

        def loss_function() -> Any:
            real_logits = self._logits(real)
            fake_logits = ops.concatenate([self._logits(reconstructed), self._logits(sampled)])
            self.note_verdicts(real_logits, fake_logits)
            return self.discriminator_loss(real_logits, fake_logits) + self.penalty(real, sampled)

        loss, norm = training.gradient_step(loss_function, self.discriminator, self.d_optimizer)
        self.note("d_gradient", norm)
        return loss

    def update_autoencoder(self, real: Any) -> Any:
        """Down ``likeness + beta * kl``: the encoder, in pixels the generator too."""

        def loss_function() -> Any:
            z, mean, log_variance = self._code(real)
            likeness = self._likeness(real, self.generator(z, training=True))
            kl = kl_divergence(mean, log_variance)
            self.note("reconstruction", likeness)
            self.note("kl", kl)
            return likeness + self.beta * kl

        networks = self._moved_by_likeness()
        loss, norm = training.gradient_step(loss_function, networks, self.vae_optimizer)
        self.note("vae_gradient", norm)
        return loss

    def update_generator(self, z: Any, *real: Any) -> Any:
        """The generator's half: be called real, and in features stay like. Returns the first."""
        code, _, _ = self._code(real[0])

        def loss_function() -> Any:
            reconstructed = self.generator(code, training=True)
            sampled = self.generator(z, training=True)
            logits = ops.concatenate([self._logits(reconstructed), self._logits(sampled)])
            adversarial = self.generator_loss(logits)
            self.note("g_loss", adversarial)
            if self.similarity == "pixels":
                return adversarial
            return adversarial + self.gamma * self._likeness(real[0], reconstructed)

        _, norm = training.gradient_step(loss_function, self.generator, self.optimizer)
        self.note("g_gradient", norm)
        return self.noted("g_loss")

    def _moved_by_likeness(self) -> list[keras.Model]:
        alone = self.similarity == "features"
        return [self.encoder] if alone else [self.encoder, self.generator]

    def _code(self, real: Any) -> tuple[Any, Any, Any]:
        """A drawn code with the mean and log-variance that it was drawn from."""
        mean, log_variance = _encoded(self.encoder, real)
        return mean + ops.exp(0.5 * log_variance) * self.random(ops.shape(mean)), mean, log_variance

    def _likeness(self, real: Any, fake: Any) -> Any:
        if self.similarity == "features":
            real, fake = (self.feature_network(x, training=True) for x in (real, fake))
        error = squared_error(real, fake, self.reduction)
        return 0.5 * error if self.reduction == "sum" else error


def _encoded(encoder: keras.Model, pictures: Any) -> tuple[Any, Any]:
    """Mean and log-variance in training, float32 whatever the layers' precision."""
    mean, log_variance = encoder(pictures, training=True)
    return ops.cast(mean, "float32"), ops.cast(log_variance, "float32")


def _feature_layer(discriminator: keras.Model, name: str | None) -> Any:
    """The layer of that name, or the last whose output is still a picture."""
    names = [x.name for x in discriminator.layers if len(getattr(x.output, "shape", ())) == 4]
    if name is None and names:
        return discriminator.get_layer(names[-1])
    if name not in {layer.name for layer in discriminator.layers}:
        raise ValueError(
            f"the discriminator has no layer {name!r} to compare features in; it has "
            f"{', '.join(layer.name for layer in discriminator.layers)}."
        )
    return discriminator.get_layer(name)

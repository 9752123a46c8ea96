"""The variational autoencoder and the VAE-GAN: numbers by hand, and which loss moves what."""

import numpy as np
import pytest

from helpers import training, vaes
from helpers._backend import keras, tf

layers = keras.layers


def encoder(latent_dim=3, shape=(4, 4, 1), outputs=2):
    keras.utils.set_random_seed(7)
    picture = keras.Input(shape)
    x = layers.Dense(8, activation="tanh")(layers.Flatten()(picture))
    return keras.Model(picture, [layers.Dense(latent_dim)(x) for _ in range(outputs)])


def conditional_encoder():
    picture, label = keras.Input((4, 4, 1)), keras.Input((2,))
    x = layers.Concatenate()([layers.Flatten()(picture), label])
    return keras.Model([picture, label], [layers.Dense(3)(x), layers.Dense(3)(x)])


def picture_discriminator():
    """A discriminator with a layer that is still a picture."""
    keras.utils.set_random_seed(8)
    return keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Conv2D(4, 3, padding="same", name="first"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(3, 3, padding="same", name="second"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


def vae(build, **kwargs):
    model = vaes.VAE(encoder(), build.generator(), **kwargs)
    model.compile(keras.optimizers.SGD(1e-3))
    return model


def vae_gan(build, rate=0.01, **kwargs):
    model = vaes.VAEGAN(encoder(), build.generator(), picture_discriminator(), **kwargs)
    model.compile(*(keras.optimizers.SGD(rate) for _ in range(3)))
    return model


# --- the terms of the loss -----------------------------------------------------------------


def test_the_kl_divergence_by_hand():
    mean, log_variance = np.float32([[1.0, -2.0]]), np.float32([[0.0, np.log(4.0)]])
    # ½ (1 + 1 − 1 − 0) + ½ (4 + 4 − 1 − ln 4) = 0.5 + 2.806853
    assert float(vaes.kl_divergence(mean, log_variance)) == pytest.approx(3.306853, rel=1e-5)
    assert float(vaes.kl_divergence(0 * mean, 0 * log_variance)) == 0.0


def test_the_kl_divergence_is_summed_over_latents_and_meaned_over_the_batch():
    mean, log_variance = np.float32([[1.0, -2.0]]), np.float32([[0.0, np.log(4.0)]])
    twice = [np.repeat(x, 2, axis=1) for x in (mean, log_variance)]
    four = [np.repeat(x, 4, axis=0) for x in (mean, log_variance)]
    assert float(vaes.kl_divergence(*twice)) == pytest.approx(2 * 3.306853, rel=1e-5)
    assert float(vaes.kl_divergence(*four)) == pytest.approx(3.306853, rel=1e-5)


def test_the_kl_divergence_is_that_of_monte_carlo():
    mean, log_variance = np.float64([0.7, -1.2]), np.float64([-0.5, 0.8])
    spread = np.exp(log_variance / 2)
    z = mean + spread * np.random.default_rng(0).normal(size=(400_000, 2))
    log_q = -0.5 * (((z - mean) / spread) ** 2 + log_variance)
    by_sampling = (log_q + 0.5 * z**2).sum(axis=1).mean()
    found = vaes.kl_divergence(mean[None].astype("float32"), log_variance[None].astype("float32"))
    assert float(found) == pytest.approx(by_sampling, rel=0.01)


@pytest.mark.parametrize(("reduction", "by_hand"), [("sum", 16 * 0.25), ("mean", 0.25)])
def test_the_squared_error_by_hand(pictures, reduction, by_hand):
    assert float(vaes.squared_error(pictures, pictures + 0.5, reduction)) == pytest.approx(
        by_hand, rel=1e-5
    )


@pytest.mark.parametrize(("reduction", "factor"), [("sum", 8.0), ("mean", 1.0)])
@pytest.mark.parametrize("beta", [0.0, 1.0, 3.0])
def test_the_loss_is_reconstruction_plus_beta_times_kl(build, pictures, reduction, factor, beta):
    """Half the summed error (16 values a picture) is 8 times the mean."""
    model = vae(build, reduction=reduction, beta=beta)
    mean, log_variance = model.encoder(pictures)
    logs = model.train_step(pictures)
    kl = float(vaes.kl_divergence(mean, log_variance))
    assert float(logs["kl"]) == pytest.approx(kl, rel=1e-4)
    assert float(logs["loss"]) == pytest.approx(float(logs["reconstruction"]) + beta * kl, rel=1e-4)
    in_mean = float(vae(build, reduction="mean").train_step(pictures)["reconstruction"])
    assert float(logs["reconstruction"]) == pytest.approx(factor * in_mean, rel=1e-4)


# --- training ------------------------------------------------------------------------------


def test_a_step_of_a_vae_moves_both_networks_and_every_weight(build, pictures, values, moved):
    model = vae(build)
    weights = model.trainable_variables
    assert len(weights) == len(model.encoder.weights) + len(model.decoder.weights)
    before = values(weights)
    model.train_step(pictures)
    assert all(moved(before, weights))
    assert model.steps_done() == 1


def test_the_code_is_drawn_anew_at_every_step_and_the_same_in_every_run(build, pictures):
    def codes(seed):
        model, seen = vae(build, seed=seed), []
        decode = model.decoder
        object.__setattr__(
            model, "decoder", lambda z, training: seen.append(np.asarray(z)) or decode(z)
        )
        gradient_step, training.gradient_step = training.gradient_step, lambda f, *_: (f(), 0.0)
        try:
            for _ in range(2):
                model.train_step(pictures)
        finally:
            training.gradient_step = gradient_step
        mean, log_variance = (np.asarray(x) for x in model.encoder(pictures))
        return [(z - mean) / np.exp(log_variance / 2) for z in seen]

    first, again, other = codes(1), codes(1), codes(2)
    assert not np.allclose(first[0], first[1])
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first[0], other[0])
    noise = np.concatenate([codes(seed)[0].ravel() for seed in range(20)])
    assert abs(noise.mean()) < 0.1
    assert noise.std() == pytest.approx(1.0, abs=0.1)


def test_a_vae_learns_to_reconstruct_and_its_samples_come_from_the_prior(build):
    keras.utils.set_random_seed(0)
    brightness = np.random.default_rng(0).uniform(-0.8, 0.8, (256, 1, 1, 1)).astype(np.float32)
    pictures = np.tile(brightness, (1, 4, 4, 1))
    decoder = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(16, activation="tanh"),
            layers.Reshape((4, 4, 1)),
        ]
    )
    model = vaes.VAE(encoder(2), decoder, beta=0.05)
    model.compile(keras.optimizers.Adam(5e-3))
    stream = tf.data.Dataset.from_tensor_slices(pictures).shuffle(256, 0).batch(64).repeat()
    model.fit(stream, steps_per_epoch=600, verbose=0)
    assert np.abs(model.reconstruct(pictures) - pictures).mean() < 0.1
    drawn = model.generate(500).mean(axis=(1, 2, 3))
    assert drawn.std() == pytest.approx(brightness.std(), rel=0.25)
    mean, log_variance = model.encode(pictures)
    np.testing.assert_allclose(
        np.sqrt((mean**2 + np.exp(log_variance)).mean(axis=0)), 1.0, atol=0.3
    )


def test_generate_draws_standard_normal_codes_from_the_average_if_there_is_one(build, pictures):
    model = vae(build, ema_decay=0.9)
    model.fit(pictures, batch_size=4, verbose=0)
    z = training.noise(3, 3, seed=5, step=-1)
    for ema, network in ((True, model.ema_decoder), (False, model.decoder)):
        by_hand = network(z, training=False)
        np.testing.assert_allclose(model.generate(3, seed=5, ema=ema), by_hand, atol=1e-6)
    assert not np.allclose(model.generate(3, seed=5), model.generate(3, seed=5, ema=False))
    assert model.sampler is model.ema_decoder


# --- VAE-GAN: which loss moves what --------------------------------------------------------

UPDATES = {
    "discriminator": lambda m, x, z: m.update_discriminator(x, z),
    "autoencoder": lambda m, x, z: m.update_autoencoder(x),
    "generator": lambda m, x, z: m.update_generator(z, x),
}
MOVES = {
    ("features", "discriminator"): {"discriminator"},
    ("features", "autoencoder"): {"encoder"},
    ("features", "generator"): {"generator"},
    ("pixels", "discriminator"): {"discriminator"},
    ("pixels", "autoencoder"): {"encoder", "generator"},
    ("pixels", "generator"): {"generator"},
}


@pytest.mark.parametrize(("similarity", "update"), MOVES)
def test_each_update_of_a_vae_gan_moves_what_its_table_says(
    build, pictures, z, values, similarity, update
):
    model = vae_gan(build, similarity=similarity)
    networks = {name: getattr(model, name) for name in ("encoder", "generator", "discriminator")}
    before = {name: values(n.trainable_variables) for name, n in networks.items()}
    UPDATES[update](model, pictures, z)
    after = {name: values(n.trainable_variables) for name, n in networks.items()}
    moved = {
        name: [not np.array_equal(a, b) for a, b in zip(before[name], after[name], strict=True)]
        for name in networks
    }
    assert {name for name, any_moved in moved.items() if any(any_moved)} == MOVES[
        similarity, update
    ]


def gradients(model, pictures, z, update, name):
    """What the likeness, KL and adversarial parts send to the weights of a network."""
    found = {}

    def take(loss_function, networks, optimizer):
        networks = networks if isinstance(networks, list) else [networks]
        weights = [w for network in networks for w in network.trainable_variables]
        with tf.GradientTape() as tape:
            loss = loss_function()
        for w, g in zip(weights, tape.gradient(loss, weights), strict=True):
            found[id(w)] = np.zeros(w.shape) if g is None else np.asarray(g)
        return loss, 0.0

    plain, training.gradient_step = training.gradient_step, take
    try:
        UPDATES[update](model, pictures, z)
    finally:
        training.gradient_step = plain
    return [found[id(w)] for w in getattr(model, name).trainable_variables]


@pytest.mark.parametrize("similarity", ["features", "pixels"])
def test_gamma_weighs_likeness_for_the_generator_in_features_only(build, pictures, z, similarity):
    sent = [
        gradients(
            vae_gan(build, similarity=similarity, gamma=g), pictures, z, "generator", "generator"
        )
        for g in (0.0, 1.0, 2.0)
    ]
    for none, one, two in zip(*sent, strict=True):
        if similarity == "pixels":
            np.testing.assert_array_equal(none, two)
        else:
            assert np.abs(one - none).max() > 1e-4
            np.testing.assert_allclose(two - none, 2 * (one - none), rtol=1e-3, atol=1e-5)


def test_beta_weighs_the_kl_for_the_encoder(build, pictures, z):
    sent = [
        gradients(vae_gan(build, beta=b), pictures, z, "autoencoder", "encoder") for b in (0, 1, 2)
    ]
    for none, one, two in zip(*sent, strict=True):
        np.testing.assert_allclose(two - none, 2 * (one - none), rtol=1e-3, atol=1e-5)
    assert any(np.abs(one - none).max() > 1e-3 for none, one, _ in zip(*sent, strict=True))


def test_the_discriminator_sees_real_reconstructed_and_sampled_pictures(build, pictures, z):
    model = vae_gan(build)
    seen, judge = [], model._logits
    model._logits = lambda x: seen.append(np.asarray(x)) or judge(x)
    model.update_discriminator(pictures, z)
    real, reconstructed, sampled = seen
    np.testing.assert_array_equal(real, pictures)
    np.testing.assert_allclose(sampled, model.generator(z, training=True), atol=1e-6)
    assert reconstructed.shape == pictures.shape
    assert not np.allclose(reconstructed, sampled)


def test_likeness_in_features_is_measured_in_the_named_layer(build, pictures):
    model = vae_gan(build, feature_layer="first")
    first = model.discriminator.get_layer("first")
    described = np.asarray(first(pictures)), np.asarray(first(pictures[::-1]))
    by_hand = 0.5 * ((described[0] - described[1]) ** 2).sum(axis=(1, 2, 3)).mean()
    assert float(model._likeness(pictures, pictures[::-1])) == pytest.approx(by_hand, rel=1e-4)
    assert vae_gan(build).feature_network.output_shape == (None, 4, 4, 3), "the last such layer"


def test_a_vae_gan_follows_its_schedule_and_the_encoder_goes_on(build, pictures):
    model = vae_gan(build, schedule=training.every(gen=4))
    stream = tf.data.Dataset.from_tensors(pictures).repeat()
    model.fit(stream, steps_per_epoch=8, verbose=0)
    done = {name: int(optimizer.iterations) for name, optimizer in model.optimizers().items()}
    assert done == {"generator": 2, "discriminator": 8, "autoencoder": 8}


# --- bad input -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"encoder": encoder(latent_dim=5)}, r"the decoder takes z of shape \(3,\)"),
        ({"encoder": encoder(outputs=1)}, "mean and log-variance"),
        ({"encoder": encoder(shape=(8, 8, 1))}, r"the decoder makes \(4, 4, 1\)"),
        ({"beta": -1.0}, "BETA is -1.0"),
        ({"reduction": "max"}, "REDUCTION is 'max'"),
        ({"schedule": training.every()}, "a VAE makes no use of schedule="),
        ({"encoder": conditional_encoder()}, "an autoencoder here has no conditions"),
    ],
)
def test_bad_input_of_a_vae_is_named(build, wrong, names):
    given = {"encoder": encoder(), **wrong}
    with pytest.raises(ValueError, match=names):
        vaes.VAE(given.pop("encoder"), build.generator(), **given)


def test_bad_input_of_a_vae_gan_is_named(build):
    with pytest.raises(ValueError, match="SIMILARITY is 'looks'"):
        vae_gan(build, similarity="looks")
    with pytest.raises(ValueError, match="no layer 'third' to compare features in; it has first"):
        vae_gan(build, feature_layer="third")
    for option in ({"label_noise": 0.1}, {"joint_batch": True}):
        with pytest.raises(ValueError, match=f"a VAEGAN makes no use of {next(iter(option))}="):
            vae_gan(build, **option)
    model = vaes.VAEGAN(encoder(), build.generator(), picture_discriminator())
    with pytest.raises(ValueError, match="three optimizers"):
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))


@pytest.mark.parametrize("make", [vae, vae_gan])
def test_pictures_that_cannot_be_encoded_are_named(build, make):
    model = make(build)
    assert model.encode(np.zeros((2, 4, 4, 1), np.float32))[0].shape == (2, 3)
    with pytest.raises(ValueError, match=r"\(8, 4, 1\), but the network takes \(4, 4, 1\)"):
        model.encode(np.zeros((2, 8, 4, 1), np.float32))
    with pytest.raises(ValueError, match="makes a batch of one picture"):
        model.encode(np.zeros((4, 4, 1), np.float32))
    with pytest.raises(TypeError, match=r"uint8.*to_float"):
        model.reconstruct(np.zeros((2, 4, 4, 1), np.uint8))


def test_pictures_out_of_range_are_refused_before_anything_moves(build, pictures):
    model = vae(build)
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        model.fit(pictures * 100, verbose=0)
    assert model.steps_done() == 0

"""What lesson 4 writes out is what helpers do, its comparison is fair, and its exercises judge."""

import re

import numpy as np
import pandas as pd
import pytest
from lessons import (
    assert_answers_pass,
    assert_code_passes,
    assert_mistake_is_named,
    cells_of,
    definer,
    layer_list,
    printed,
)
from scipy import stats

from helpers import face_models, inversion, latent, training, vae_models, vaes
from helpers._backend import keras

ops = keras.ops
CELLS = cells_of("04_vae_vs_gan")
SMALL = (34, 23, 3)


@pytest.fixture
def lesson():
    """Run the cells that define given names, in order; return what is then defined."""
    names = {
        "BATCH_SIZE": 16, "BETA": 1.0, "CLASSIC_CAPACITY": 4, "LATENT_DIM": 8, "POINT_STEPS": 500,
        "R1": 1.0, "RATE": 1e-3, "SEED": 1, "face_models": face_models, "inversion": inversion,
        "keras": keras, "latent": latent, "layers": keras.layers, "np": np, "ops": ops, "pd": pd,
        "stats": stats, "training": training, "vae_models": vae_models, "vaes": vaes,
    }  # fmt: skip
    return definer(CELLS, names)


def cell(start):
    """The one code cell in which a line begins so."""
    found = [c for c in CELLS if c.cell_type == "code"]
    (cell,) = (c for c in found if re.search(rf"^{re.escape(start)}", c.source, re.MULTILINE))
    return cell


# ----------------------------------------------------------------------------- what is written out


def test_the_encoders_and_the_decoder_are_those_of_helpers(lesson):
    made = lesson("face_encoder", "classic_encoder", "classic_decoder")
    pairs = [
        (made.face_encoder(8, 4, 32), vae_models.face_encoder(8, 4, 32)),
        (made.classic_encoder(5, 2, SMALL), vae_models.celeba_vae_encoder(5, 2, SMALL)),
        (made.classic_decoder(5, 2, SMALL), vae_models.celeba_vae_decoder(5, 2, SMALL)),
    ]
    for written, ours in pairs:
        assert layer_list(written) == layer_list(ours)
        assert [w.shape for w in written.weights] == [w.shape for w in ours.weights]


def test_the_classic_vae_trains_as_the_recipe_says(lesson):
    made = lesson("classic_encoder", "classic_decoder", "classic_vae")
    vae = made.classic_vae(2)
    assert (vae.reduction, vae.beta, vae.latent_dim) == ("mean", 1e-4, 512)
    assert type(vae.optimizer).__name__ == "RMSprop"
    assert float(vae.optimizer.learning_rate) == pytest.approx(1e-3)
    assert vae.decoder.output_shape == (None, 218, 178, 3)


def test_the_loss_written_by_hand_is_that_of_helpers(lesson):
    made = lesson("kl", "negative_elbo", "face_encoder")
    encoder, decoder = made.face_encoder(8, 4, 16), face_models.face_generator(8, 4, 16)
    vae = vaes.VAE(encoder, decoder, beta=0.7)
    vae.compile(keras.optimizers.SGD(0.0))
    x = np.random.default_rng(0).uniform(-1, 1, (6, 16, 16, 3)).astype("float32")
    noise = np.random.default_rng(1).normal(size=(6, 8)).astype("float32")
    vae.random = lambda shape: ops.convert_to_tensor(noise)
    vae.run_eagerly = True
    found = vae.fit(x, batch_size=6, shuffle=False, verbose=0).history
    reconstruction, kl = made.negative_elbo(
        encoder, lambda z: decoder(z, training=True), x, noise, beta=0.7
    )
    assert float(reconstruction) == pytest.approx(found["reconstruction"][0], rel=1e-4)
    assert float(kl) == pytest.approx(0.7 * found["kl"][0], rel=1e-4)


def test_the_elbo_is_the_likelihood_at_the_true_cloud_and_less_elsewhere(lesson):
    made = lesson("elbo")
    made.names["W"] = weights = np.array([2.0, 1.0])
    x = np.random.default_rng(0).normal(size=(50, 2)) * 2
    exact = stats.multivariate_normal(np.zeros(2), np.outer(weights, weights) + np.eye(2)).logpdf(x)
    v = 1 / (weights @ weights + 1)
    m = x @ weights * v
    np.testing.assert_allclose(made.elbo(x, m, v), exact)
    for other in (made.elbo(x, m + 0.1, v), made.elbo(x, m, 1.1 * v), made.elbo(x, m, 0.9 * v)):
        assert np.all(other < exact)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # which is what is asked
def test_without_the_trick_only_the_kl_reaches_the_encoder(lesson):
    made = lesson("kl", "negative_elbo", "linear_pair")
    encoder, decoder = made.linear_pair()
    x = np.random.default_rng(0).normal(size=(9, 2)).astype("float32")
    noise = np.random.default_rng(1).normal(size=(9, 2)).astype("float32")

    def moved(cut, term):
        """Which of the two networks a step down one term of the loss moves."""
        networks = [keras.models.clone_model(network) for network in (encoder, decoder)]
        before = [np.concatenate([w.ravel() for w in n.get_weights()]) for n in networks]
        training.gradient_step(
            lambda: made.negative_elbo(*networks, x, noise, cut)[term],
            networks,
            keras.optimizers.SGD(0.1),
        )
        after = [np.concatenate([w.ravel() for w in n.get_weights()]) for n in networks]
        return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]

    assert moved(cut=False, term=0) == [True, True]
    assert moved(cut=True, term=0) == [False, True]
    assert moved(cut=True, term=1) == [True, False]


def test_distances_to_the_nearest_leave_out_the_code_itself(lesson):
    to_nearest = lesson("to_nearest").to_nearest
    line = np.array([[0.0], [1.0], [3.0]])
    np.testing.assert_array_equal(to_nearest(line, line), [1, 1, 2])
    np.testing.assert_array_equal(to_nearest(np.array([[2.5]]), line), [0.5])


# --------------------------------------------------------------------------------- the comparison


def test_both_models_share_networks_and_optimizers(lesson):
    made = lesson("face_encoder", "new_vae", "new_gan")
    from helpers import gans

    made.names.update(gans=gans, adam=keras.optimizers.Adam)
    vae, gan = made.new_vae(3), made.new_gan(3)
    assert layer_list(vae.decoder) == layer_list(gan.generator)
    trunk = layer_list(gan.discriminator)[:-1]
    assert layer_list(vae.encoder)[: len(trunk)] == trunk
    for model, memory in ((vae, (0.9, 0.999)), (gan, (0.5, 0.99))):
        for config in (optimizer.get_config() for optimizer in model.optimizers().values()):
            assert (config["beta_1"], config["beta_2"]) == memory
            assert float(config["learning_rate"]) == pytest.approx(1e-3)
    assert vae.ema_decay == gan.ema_decay == 0.999
    assert (vae.seed, gan.seed) == (3, 3)


@pytest.mark.parametrize(
    ("vae_runs", "gan_runs", "winner"),
    [
        ((1, 2, 3), (4, 5, 6), "VAE"),
        ((7, 8, 9), (4, 5, 6), "GAN"),
        ((1, 2, 5), (4, 5, 6), "not decided"),
        ((1, 2, 4), (4, 5, 6), "not decided"),
    ],
)
def test_a_verdict_needs_every_run_to_beat_every_run(lesson, vae_runs, gan_runs, winner):
    made = lesson("verdict")
    index = pd.MultiIndex.from_product([("VAE", "GAN"), (1, 2, 3)], names=["model", "seed"])
    made.names["runs_table"] = pd.DataFrame({"error": [*vae_runs, *gan_runs]}, index=index)
    assert made.verdict("error", lambda x: -x) == winner
    other = {"VAE": "GAN", "GAN": "VAE"}.get(winner, winner)
    assert made.verdict("error", lambda x: x) == other


def test_what_is_better_is_said_of_columns_that_there_are():
    (better,) = re.findall(r"^better = (\{.*?\})  #", cell("better = ").source, re.M | re.DOTALL)
    (titles,) = re.findall(r"^titles = (\{.*?^\})", cell("titles = ").source, re.M | re.DOTALL)
    better, titles = eval(better), eval(titles)
    assert set(titles.values()) <= set(better)
    assert better["Fréchet distance"](3) > better["Fréchet distance"](4)
    sharp = better["sharpness (1: as real)"]
    assert sharp(1) > sharp(0.8) > sharp(1.3)


def test_the_stored_run_gave_a_verdict_on_each_measure():
    lines = re.findall(r"^(VAE|GAN|not decided) +(.+?): VAE .*, GAN ", printed(CELLS), re.MULTILINE)
    assert len(lines) == 7
    assert {"Fréchet distance", "sharpness (1: as real)"} <= {measure for _, measure in lines}


# ------------------------------------------------------------------------------------ exercises


@pytest.mark.parametrize(("number", "name"), [(1, "kl_between"), (2, "free_bits")])
def test_solutions_pass_their_checks(lesson, capsys, number, name):
    made = lesson("kl", name, f"check_exercise_{number}")
    assert_code_passes(made, CELLS, number, capsys)


def between(mean, log_variance, prior_mean, prior_log_variance):
    ratio = np.exp(log_variance - prior_log_variance)
    square = (mean - prior_mean) ** 2 / np.exp(prior_log_variance)
    return 0.5 * (ratio + square - 1 - log_variance + prior_log_variance)


@pytest.mark.parametrize(
    ("kl_between", "says"),
    [
        (lambda *q: between(*q).sum(), r"should give 5 values, not \(\)"),
        (lambda *q: between(*q).sum(axis=-1) + 1, "From a cloud to itself it is 0; yours: 1.00"),
        (lambda m, v, m0, v0: between(m, 2 * v, m0, 2 * v0).sum(axis=-1), "For the prior N"),
        (
            lambda m, v, m0, v0: (
                (between(m, v, m0, v0) + (m - m0) ** 2 / 2).sum(axis=-1)
                - (between(m, v, m0, v0) * 0 + (m - m0) ** 2 / np.exp(v0) / 2).sum(axis=-1)
            ),
            "divided by the prior's variance",
        ),
    ],
    ids=["summed over everything", "not zero", "variance of a variance", "not divided"],
)
def test_check_of_exercise_1_names_the_mistake(lesson, kl_between, says):
    made = lesson("kl", "check_exercise_1")
    assert_mistake_is_named(made, 1, says, kl_between=kl_between)


def terms(mean, log_variance):
    return 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance)


@pytest.mark.parametrize(
    ("free_bits", "says"),
    [
        (lambda m, v, least: np.maximum(terms(m, v).mean(axis=0), least), r"shape \(5,\)"),
        (lambda m, v, least: np.maximum(terms(m, v).mean(axis=0), least).mean(), "least = 0"),
        (
            lambda m, v, least: np.maximum(terms(m, v).mean(axis=0) - least, 0).sum(),
            "not a sum or a difference",
        ),
        (
            lambda m, v, least: np.maximum(terms(m, v), least).mean(axis=0).sum(),
            "mean over the batch before",
        ),
    ],
    ids=["not summed", "meaned over numbers", "difference", "each face by itself"],
)
def test_check_of_exercise_2_names_the_mistake(lesson, free_bits, says):
    made = lesson("kl", "check_exercise_2")
    assert_mistake_is_named(made, 2, says, free_bits=free_bits)


def test_solution_of_exercise_3_passes_its_check(lesson, capsys):
    assert_answers_pass(lesson("check_exercise_3"), CELLS, 3, "my_betas", capsys)


def test_check_of_exercise_3_gives_a_hint_for_each_mistake(lesson, capsys):
    made = lesson("check_exercise_3")
    made.names["my_betas"] = {"a": 0.784, "b": 0.5, "c": 1, "d": 2}
    made.check_exercise_3()
    said = capsys.readouterr().out
    assert re.findall(r"Exercise 3, (.*?):", said) == ["a", "c", "d"]
    assert "right." not in said

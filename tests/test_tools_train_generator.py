"""Making the generators that ship, but for the training itself, which wants JAX."""

import hashlib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import shipped_networks
import train_generator as tool

from helpers import characters, datasets, feature_networks, pretrained
from helpers._backend import keras
from helpers.image_set import to_float

ROOT = pathlib.Path(__file__).resolve().parent.parent
OVERHEAD = 85_000  # bytes of a .keras file besides its numbers


@pytest.fixture(scope="module")
def built():
    keras.utils.set_random_seed(0)
    return {name: plan.build() for name, plan in tool.PLANS.items()}


# --- the networks ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", tool.PLANS)
def test_the_files_keep_their_limit(built, name):
    networks = [built[name][part] for part in tool.files_of(name)]
    assert sum(4 * x.count_params() + OVERHEAD for x in networks) <= tool.PLANS[name].limit


def test_all_files_together_keep_the_limit():
    there = [f.stat().st_size for f in feature_networks.WEIGHTS_FOLDER.glob("*.keras")]
    assert sum(there) + sum(plan.limit for plan in tool.PLANS.values()) <= 25e6


@pytest.mark.parametrize("name", tool.PLANS)
def test_the_networks_fit_together_and_to_what_judges_them(built, name):
    networks, plan = built[name], tool.PLANS[name]
    pictures, labels = tool.samples(networks["generator"], 12, seed=0)
    judge = feature_networks.load(plan.judge)
    assert pictures.shape[1:] == judge.network.input_shape[1:]
    given = pictures
    if labels is not None:
        assert judge.kind == "classes"
        given = [pictures, np.eye(len(judge.names), dtype=np.float32)[labels]]
    logits, features = networks["discriminator"].predict(given, verbose=0)
    assert logits.shape == (12, 1)
    assert features.shape == ((12, 8, 8, 192) if labels is None else (12, 7, 7, 128))
    if "encoder" in networks:
        mean, log_variance = networks["encoder"].predict(pictures, verbose=0)
        assert mean.shape == log_variance.shape == (12, 64)


@pytest.mark.parametrize("name", tool.PLANS)
def test_only_generators_look_at_a_batch_as_a_whole(built, name):
    for part, network in built[name].items():
        kinds = {type(layer) for layer in network.layers}
        assert (keras.layers.BatchNormalization in kinds) == (part == "generator")


def test_a_generator_reaches_black_and_white_and_a_label_changes_its_picture():
    keras.utils.set_random_seed(0)
    generator = shipped_networks.generator((8, 8, 3), (6, 4), 5, hidden=7, classes=2)
    z = 1e3 * np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    one, two = (
        generator.predict([z, np.eye(2, dtype=np.float32)[np.full(9, i)]], verbose=0)
        for i in (0, 1)
    )
    assert one.shape == (9, 8, 8, 3)
    assert one.min() < -0.9 < 0.9 < one.max()
    assert np.abs(one - two).max() > 1e-4


def test_a_projection_adds_what_fits_the_class():
    discriminator = shipped_networks.discriminator((8, 8, 1), (4,), 6, classes=3)
    picture = np.random.default_rng(0).uniform(-1, 1, (3, 8, 8, 1)).astype(np.float32)
    picture[:] = picture[0]
    logits, _ = discriminator.predict([picture, np.eye(3, dtype=np.float32)], verbose=0)
    plain, _ = discriminator.predict([picture, np.zeros((3, 3), np.float32)], verbose=0)
    hidden = keras.Model(discriminator.inputs, discriminator.get_layer("leaky_hidden").output)
    features = hidden.predict([picture, np.zeros((3, 3), np.float32)], verbose=0)[0]
    vectors = np.asarray(discriminator.get_layer("class_vector").kernel)
    np.testing.assert_allclose((logits - plain)[:, 0], vectors @ features, rtol=1e-4, atol=1e-6)


# --- the pictures ----------------------------------------------------------------------------


def test_digits_come_from_the_two_parts_of_mnist(tmp_path):
    part, held_out = tool.digits((100, 50), tmp_path)
    data = datasets.load("mnist")
    np.testing.assert_array_equal(part.images, data.train.images[:100])
    np.testing.assert_array_equal(held_out.images, data.test.images[:50])
    np.testing.assert_array_equal(held_out.labels, data.test.labels[:50])


def test_characters_are_of_seed_1_and_held_out_of_seed_0(tmp_path):
    part, held_out = tool.PLANS["characters"].parts((20, 10), tmp_path)
    assert (len(part), len(held_out)) == (20, 10)
    for found, seed in ((part, 1), (held_out, 0)):
        for i in (0, 9):
            drawn = characters.character(int(found.labels[i]), seed, i)
            np.testing.assert_array_equal(found.images[i, ..., 0], drawn)


@pytest.mark.parametrize(("name", "set_name", "crop"), [("faces", "celeba", 150),
                                                        ("anime", "anime", None)])  # fmt: skip
def test_faces_are_held_out_as_the_lessons_show_them(tmp_path, monkeypatch, name, set_name, crop):
    part, held_out = tool.PLANS[name].parts((4, 3), tmp_path / "tool")
    monkeypatch.setattr(datasets, "DATA_FOLDER", tmp_path / "lesson")
    data = datasets.load(set_name, count=3, image_size=64, crop=crop)
    np.testing.assert_array_equal(held_out.images, data.images[:3])
    assert part.images.shape == (4, 64, 64, 3)
    assert part.labels is None
    assert np.abs(part.images[:3].astype(int) - held_out.images).mean() > 10


# --- the scores ------------------------------------------------------------------------------


@pytest.fixture
def examiner(shipped, pictures):
    """One that looks at 16 held-out pictures of 4×4 through the tiny classifier."""
    part = tool.Part(np.rint((pictures + 1) * 127.5).astype(np.uint8))
    return tool.Examiner.of("tiny", part, 16)


def test_the_held_out_pictures_are_at_no_distance_and_nothing_at_any(examiner):
    assert examiner.distance(examiner.images) == pytest.approx(0, abs=1e-6)
    assert examiner.distance(examiner.images * 0.2) > 0.01
    assert examiner.distance(np.full_like(examiner.images, np.nan)) == np.inf


def test_a_generator_is_chosen_by_some_z_and_scored_by_others(examiner, build):
    networks = {"generator": build.generator()}
    found = examiner.quick(networks)
    assert found == examiner.quick(networks)
    scores = examiner.full(networks, tool.Part(np.zeros((16, 4, 4, 1), np.uint8)))
    assert scores["frechet_distance"] != round(found, 4)
    assert (scores["samples"], scores["held_out"]) == (16, 16)


def autoencoder(build):
    keras.utils.set_random_seed(0)
    picture = keras.Input((4, 4, 1))
    x = keras.layers.Flatten()(picture)
    moments = [keras.layers.Dense(3)(x) for _ in range(2)]
    return {"generator": build.generator(), "encoder": keras.Model(picture, moments)}


def test_an_autoencoder_is_chosen_by_its_reconstructions_too(examiner, build):
    networks = autoencoder(build)
    alone = examiner.quick({"generator": networks["generator"]})
    codes = networks["encoder"].predict(examiner.images, verbose=0)[0]
    made = networks["generator"].predict(codes, verbose=0)
    expected = (alone + examiner.distance(made)) / 2
    assert examiner.quick(networks) == pytest.approx(expected, rel=1e-5)
    scores = examiner.full(networks, tool.Part(np.zeros((16, 4, 4, 1), np.uint8)))
    error = np.sqrt(np.square(made - examiner.images).mean())
    assert scores["reconstruction_error"] == pytest.approx(error, abs=1e-3)
    assert 0 <= scores["reconstruction_attributes_kept"] <= 1


def test_standardised_codes_lie_where_the_prior_does_and_reconstruct_the_same():
    keras.utils.set_random_seed(0)
    shape, random = (16, 16, 3), np.random.default_rng(0)
    networks = {
        "encoder": shipped_networks.encoder(shape, (4, 8), 6),
        "generator": shipped_networks.generator(shape, (8, 8, 4), 6),
    }
    for network in networks.values():  # as if trained: no bias, and no statistic, is 0 or 1
        for layer in network.layers:
            old = layer.get_weights()
            layer.set_weights([w + (w.ndim == 1) * random.uniform(0, 0.5, w.shape) for w in old])
    images = random.integers(0, 256, (200, *shape), np.uint8)
    before = tool.reconstructed(networks, to_float(images))
    _, log_variance = networks["encoder"].predict(to_float(images), verbose=0)
    shipped_networks.standardise_codes(**networks, images=to_float(images))
    assert before.std(axis=0).max() > 1e-3
    assert np.abs(tool.reconstructed(networks, to_float(images)) - before).max() < 1e-4
    mean, new = networks["encoder"].predict(to_float(images), verbose=0)
    codes = mean + np.exp(new / 2) * random.normal(size=(50, *mean.shape))
    assert np.abs(mean.mean(axis=0)).max() < 1e-4
    assert np.abs(codes.var(axis=(0, 1)) - 1).max() < 0.1
    assert np.ptp(log_variance - new, axis=0).max() < 1e-4  # a cloud is scaled as its middle is


def test_samples_are_of_all_classes_in_turn_and_the_same_again():
    generator = shipped_networks.generator((8, 8, 1), (6, 4), 5, classes=3)
    pictures, labels = tool.samples(generator, 7, seed=4)
    assert labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    np.testing.assert_array_equal(pictures, tool.samples(generator, 7, seed=4)[0])
    assert not np.array_equal(pictures, tool.samples(generator, 7, seed=5)[0])


def test_a_sheet_shows_samples_in_rows_and_originals_above_what_became_of_them(build, pictures):
    plain = np.asarray(tool.sheet({"generator": build.generator()}, pictures, 4, 3))
    assert plain.shape == (12, 16)
    made, _ = tool.samples(build.generator(), 12, tool.SHEET)
    pixels = np.rint((made[..., 0] + 1) * 127.5)
    np.testing.assert_array_equal(plain[:4, 4:8], pixels[1])
    np.testing.assert_array_equal(plain[4:8, :4], pixels[4])
    networks = autoencoder(build)
    both = np.asarray(tool.sheet(networks, pictures, 4, 8))
    back = np.rint((tool.reconstructed(networks, pictures)[..., 0] + 1) * 127.5)
    shown = np.rint((pictures[..., 0] + 1) * 127.5)
    np.testing.assert_array_equal(both[:4, 4:8], shown[1])
    np.testing.assert_array_equal(both[4:8, 4:8], back[1])
    np.testing.assert_array_equal(both[8:12, :4], shown[4])
    np.testing.assert_array_equal(both[12:16, :4], back[4])


# --- the time --------------------------------------------------------------------------------


def test_the_rate_stays_and_then_falls_to_nothing():
    assert [tool.rate_at(x) for x in (0.0, 0.2, tool.STEADY)] == [1, 1, 1]
    assert tool.rate_at((1 + tool.STEADY) / 2) == pytest.approx(0.5)
    assert tool.rate_at(1.0) == tool.rate_at(1.3) == pytest.approx(0)


def test_the_time_ends_early_enough_to_look_once_more(clock):
    timer = tool.Clock(end=clock.now + 100)
    assert timer.share(0) == 0  # nothing is compiled yet
    clock.now += 20
    timer.began, timer.chunk, timer.look = clock.now, 2.0, 6.0
    assert timer.share(10) == 0
    clock.now += 30
    assert timer.share(10) == pytest.approx(0.5)  # of the 60 s that are left for steps
    clock.now += 31
    assert timer.share(10) >= 1
    clock.now += 1_000
    assert timer.share(10) >= 1


def test_steps_end_it_too(clock):
    timer = tool.Clock(end=clock.now + 100, steps=50)
    assert timer.share(25) == 0.5
    timer.began = clock.now
    assert timer.share(25) == 0.5
    assert timer.share(50) == 1


class StandInTraining:
    """Counts its steps; each chunk takes 5 s, each look 1 s."""

    def __init__(self, clock, networks):
        self.clock, self.networks, self.step, self.rates = clock, networks, 0, []

    def run(self, rate):
        self.rates.append(rate)
        self.clock.now += 5
        self.step += 10
        return {"d_loss": 0.5}

    def settled(self):
        self.clock.now += 1
        return self.networks


def test_a_training_looks_now_and_then_keeps_the_best_and_ends_in_time(
    clock, tmp_path, build, capsys
):
    scores = iter([3.0, 2.0, 7.0, *[5.0] * 20])
    examiner = SimpleNamespace(quick=lambda _: next(scores), images=None)
    best = tool.Best("faces", tmp_path, {"data": "none"})
    training = StandInTraining(clock, {"generator": build.generator()})
    timer = tool.Clock(end=clock.now + 100)
    end = timer.end
    tool.train(training, tool.PLANS["faces"], timer, best, examiner, every=14.0)
    assert end - 10 < clock.now <= end
    card = json.loads((tmp_path / "faces.json").read_text(encoding="utf-8"))
    assert card["scores"] == {"frechet_distance": 2.0}
    assert card["steps_of_the_best"] == 40  # at 10 for the first time, then every three chunks
    assert training.rates[0] == tool.PLANS["faces"].rate
    assert 0 < training.rates[-1] < 0.2 * training.rates[0]
    assert capsys.readouterr().out.count("faces: step") == 7


# --- the files -------------------------------------------------------------------------------


def test_the_best_is_written_at_once_and_loads(tmp_path, monkeypatch, build, z, pictures):
    best = tool.Best("anime", tmp_path, {"data": "none"})
    examiner = SimpleNamespace(images=pictures)
    good, bad = build.generator(), build.generator()
    bad.set_weights([2 * w for w in bad.get_weights()])
    best.offer({"generator": bad}, np.inf, 1, examiner)
    best.offer({"generator": good}, 2.0, 2, examiner)
    for score in (3.0, np.nan, np.inf):
        best.offer({"generator": bad}, score, 3, examiner)
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"anime.keras", "anime.json", "anime.jpg"}
    monkeypatch.setattr(pretrained, "GENERATORS_FOLDER", tmp_path)
    np.testing.assert_allclose(pretrained.load("anime")(z), good(z), atol=1e-6)
    assert pretrained.card("anime")["steps_of_the_best"] == 2
    np.testing.assert_array_equal(best.weights["generator"][0], good.get_weights()[0])


@pytest.mark.parametrize("name", ["digits", "vae_gan"])
def test_stored_anew_the_numbers_are_the_same_and_the_card_is_right(
    built, tmp_path, monkeypatch, name
):
    examiner = SimpleNamespace(images=np.zeros((32, 64, 64, 3), np.float32))
    networks = {part: built[name][part] for part in tool.files_of(name)}
    tool.Best(name, tmp_path, {"data": "none"}).offer(networks, 1.0, 1, examiner)
    tool.main([name, "--store", "--out", str(tmp_path)])
    monkeypatch.setattr(pretrained, "GENERATORS_FOLDER", tmp_path)
    for part, stem in tool.files_of(name).items():
        card = pretrained.card(stem)
        content = (tmp_path / f"{stem}.keras").read_bytes()
        assert card["sha256"] == hashlib.sha256(content).hexdigest()
        assert card["stored"].startswith("saved anew")
        for a, b in zip(
            pretrained.load(stem).get_weights(), networks[part].get_weights(), strict=True
        ):
            np.testing.assert_array_equal(a, b)


def test_a_card_says_how_it_was_made():
    recipe = tool.PLANS["vae_gan"].recipe()
    assert "5 KL" in recipe["autoencoder"]
    assert "reconstructions" in recipe["chosen"]
    assert "autoencoder" not in tool.PLANS["faces"].recipe()
    assert tool.files_of("vae_gan") == {"encoder": "vae_gan_encoder", "generator":
                                        "vae_gan_generator"}  # fmt: skip
    assert tool.files_of("faces") == {"generator": "faces"}


# --- the command line ------------------------------------------------------------------------


def test_without_jax_training_is_refused_with_the_mend(tmp_path):
    with pytest.raises(SystemExit, match=r"needs jax and optax.*requirements-extras"):
        tool.main(["digits", "--out", str(tmp_path)])


def test_no_time_is_refused(capsys, tmp_path):
    with pytest.raises(SystemExit):
        tool.main(["digits", "--minutes", "0", "--out", str(tmp_path)])
    assert "--minutes is 0" in capsys.readouterr().err


@pytest.mark.skipif(
    not (importlib.util.find_spec("jax") and importlib.util.find_spec("optax")),
    reason="jax and optax, which train the generators that ship, are not installed",
)
def test_with_jax_the_tool_makes_a_generator_that_loads(tmp_path, monkeypatch):
    few = ["--count", "40", "60", "--samples", "50", "--steps", "5", "--quick", "--minutes", "9"]
    tool_file, out = ROOT / "tools" / "train_generator.py", str(tmp_path)
    subprocess.run(
        [sys.executable, tool_file, "digits", *few, "--out", out],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        check=True,
    )
    monkeypatch.setattr(pretrained, "GENERATORS_FOLDER", tmp_path)
    card = pretrained.card("digits")
    assert card["steps"] == 5
    assert card["classes"] == list("0123456789")
    pictures, _ = tool.samples(pretrained.load("digits"), 50, tool.SCORING)
    held_out = to_float(tool.digits((1, 60), tmp_path)[1].images)
    judge = feature_networks.load("digits")
    found = feature_distance(judge(pictures)[0], judge(held_out)[0])
    assert card["scores"]["frechet_distance"] == pytest.approx(found, rel=1e-2)


def feature_distance(a, b):
    from helpers import metrics

    return metrics.frechet_distance(a, b)

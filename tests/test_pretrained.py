"""The generators that ship: what comes back, what is refused, and that each is as on its card."""

import hashlib
import json
import warnings

import numpy as np
import pytest

from helpers import feature_networks, pretrained
from helpers._backend import keras

CARDS = sorted(file.stem for file in pretrained.GENERATORS_FOLDER.glob("*.json"))
shipped_ones = pytest.mark.skipif(not CARDS, reason="no generator has been trained yet")


@pytest.fixture
def folder(tmp_path, monkeypatch, build):
    """A folder with one small generator, ``"tiny"``, and its card."""
    generator = build.generator()
    generator.save(tmp_path / "tiny.keras")
    write_card(tmp_path, latent_dim=3, **pretrained.architecture(generator))
    monkeypatch.setattr(pretrained, "GENERATORS_FOLDER", tmp_path)
    return tmp_path


def write_card(folder, **changes):
    file = folder / "tiny.json"
    card = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    digest = hashlib.sha256((folder / "tiny.keras").read_bytes()).hexdigest()
    file.write_text(json.dumps({**card, "sha256": digest, **changes}), encoding="utf-8")


def test_a_generator_comes_back_as_it_was_saved(folder, build, z):
    found = pretrained.load("tiny", latent_dim=3)
    np.testing.assert_allclose(found(z), build.generator()(z), atol=1e-6)
    assert not found.compiled


def test_a_network_of_one_input_takes_it_without_a_warning(folder, z):
    inputs = keras.Input((3,))
    network = keras.Model(inputs, keras.layers.Dense(4)(inputs), name="of_one")
    network.save(folder / "tiny.keras")
    write_card(folder, **pretrained.architecture(network))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pretrained.load("tiny")
        np.testing.assert_allclose(found(z), network(z), atol=1e-6)
    assert found.name == "of_one"


def test_the_card_says_what_there_is_to_know(folder):
    card = pretrained.card("tiny")
    assert (card["inputs"], card["outputs"]) == ([[3]], [[4, 4, 1]])
    assert card["parameters"] == 3 * 8 + 8 * 16 + 16


@pytest.mark.parametrize("function", [pretrained.load, pretrained.card])
def test_an_unknown_generator_is_named_with_those_there_are(folder, function):
    with pytest.raises(ValueError, match=r"no shipped generator 'cats'\. There is: tiny\."):
        function("cats")


def test_a_file_that_is_missing_or_damaged_is_named_with_the_mend(folder):
    file = folder / "tiny.keras"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"tiny\.keras is not the file on its card.*git checkout"):
        pretrained.load("tiny")
    file.unlink()
    with pytest.raises(ValueError, match=r"tiny\.keras is missing.*git checkout"):
        pretrained.load("tiny")


def test_another_latent_size_is_refused_with_the_right_one(folder):
    with pytest.raises(ValueError, match=r"latent_dim is 64.*'tiny'.*with 3 numbers.*\(n, 3\)"):
        pretrained.load("tiny", latent_dim=64)


@pytest.mark.parametrize(
    "wrong", [{"inputs": [[4]]}, {"outputs": [[8, 8, 1]]}, {"parameters": 1_000}]
)
def test_a_network_of_another_architecture_is_refused(folder, wrong):
    write_card(folder, **wrong)
    with pytest.raises(ValueError, match=r"tiny\.keras is of another architecture.*git checkout"):
        pretrained.load("tiny")


def test_a_file_that_keras_cannot_read_is_named_with_the_version(folder):
    (folder / "tiny.keras").write_bytes(b"of a Keras to come")
    write_card(folder)
    version = keras.__version__.replace(".", r"\.")
    with pytest.raises(ValueError, match=rf"Keras {version} cannot read .*tiny\.keras.*make env"):
        pretrained.load("tiny")


# --- the files that ship ---------------------------------------------------------------------


@shipped_ones
def test_all_are_small_together_with_the_feature_networks():
    sizes = [file.stat().st_size for file in pretrained.GENERATORS_FOLDER.glob("*.keras")]
    sizes += [file.stat().st_size for file in feature_networks.WEIGHTS_FOLDER.glob("*.keras")]
    assert max(sizes) <= 4e6
    assert sum(sizes) <= 25e6


@shipped_ones
def test_those_that_are_promised_are_there():
    promised = {"digits", "characters", "faces", "anime", "vae_gan_encoder", "vae_gan_generator"}
    assert set(CARDS) == promised
    assert all(f'``"{name}"``' in pretrained.load.__doc__ for name in promised)


@pytest.mark.parametrize("name", CARDS)
def test_a_generator_that_ships_is_as_on_its_card(name):
    card, network = pretrained.card(name), pretrained.load(name)
    assert card["name"] == name
    assert {"data", "recipe", "command", "date", "machine", "scores", "stored"} <= set(card)
    assert 0 <= card["scores"]["frechet_distance"]
    given = [np.zeros((2, *shape), np.float32) for shape in card["inputs"]]
    made = network.predict(given[0] if len(given) == 1 else given, verbose=0)
    for outputs, shape in zip(made if isinstance(made, list) else [made], card["outputs"],
                              strict=True):  # fmt: skip
        assert outputs.shape == (2, *shape)
        assert np.isfinite(outputs).all()


@pytest.mark.parametrize("name", [name for name in CARDS if not name.endswith("_encoder")])
def test_a_generator_scores_about_as_on_its_card(name):
    import train_generator as tool

    card = pretrained.card(name)
    pictures, labels = tool.samples(pretrained.load(name), 500, seed=9)
    judge = feature_networks.load(card["feature_network"])
    _, found = judge(pictures)
    assert np.abs(pictures).max() <= 1
    if labels is not None:
        right = (found.argmax(axis=1) == labels).mean()
        assert right == pytest.approx(card["scores"]["class_accuracy"], abs=0.06)
    # different z, different pictures
    assert pictures.reshape(500, -1).std(axis=0).mean() > 0.1

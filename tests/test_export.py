"""What is saved for others is opened again, and gives what the network gives."""

import sys

import numpy as np
import pytest
import trained_in_pieces as pieces

from helpers import export
from helpers._backend import keras

layers = keras.layers


@pytest.fixture(params=[[(3,)], [(3,), (3,)]], ids=["one input", "two inputs"])
def network(request):
    keras.utils.set_random_seed(0)
    return pieces.maker(*request.param)


def test_a_network_and_its_weights_open_again(network, tmp_path, capsys):
    files = export.save_for_others(tmp_path, network, ("weights", "keras"))
    assert {name: file.name for name, file in files.items()} == {
        "keras": "generator.keras",
        "weights": "generator.weights.h5",
    }
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in files.values()}
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert "opened in safe mode, its outputs are equal" in said[0]
    assert "all weights and its outputs are equal" in said[1]
    loaded = keras.models.load_model(files["keras"])
    other = pieces.keras.models.clone_model(network)
    other.load_weights(files["weights"])
    for again in (loaded, other):
        for mine, theirs in zip(again.get_weights(), network.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_another_worker_than_the_chief_saves_somewhere_of_its_own(network, tmp_path, as_worker):
    as_worker(1)
    saved = export.save_for_others(tmp_path, network, ["keras"])
    assert list(tmp_path.iterdir()) == []
    assert keras.models.load_model(saved["keras"]).count_params() == network.count_params()


def test_onnx_gives_the_same_pictures_without_keras(network, tmp_path, capsys):
    for package in export.ONNX_PACKAGES.split():
        pytest.importorskip(package, reason=f"pip install {export.ONNX_PACKAGES}")
    import onnxruntime

    file = export.save_for_others(tmp_path, network, ["onnx"], name="mine")["onnx"]
    assert file == tmp_path / "mine.onnx"
    assert "run by onnxruntime, its outputs lie at most" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(file.read_bytes())
    inputs = [np.full((7, 3), 0.5, np.float32) for _ in network.inputs]  # any number of rows
    (pictures,) = session.run(
        None, {slot.name: x for slot, x in zip(session.get_inputs(), inputs, strict=True)}
    )
    expected = network(inputs if len(inputs) > 1 else inputs[0], training=False)
    np.testing.assert_allclose(pictures, expected, atol=1e-5)


def test_without_its_packages_onnx_names_them_after_the_others_are_saved(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match="pip install tf2onnx onnx onnxruntime"):
        export.save_for_others(tmp_path, pieces.maker(), ("onnx", "keras"))
    assert [file.name for file in tmp_path.iterdir()] == ["generator.keras"]


def test_a_network_that_safe_mode_refuses_is_not_saved(tmp_path):
    unsafe = keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: 2 * x)])
    (tmp_path / "generator.keras").write_text("an earlier one")
    with pytest.raises(ValueError, match=r"safe mode.*register_keras_serializable"):
        export.save_for_others(tmp_path, unsafe, ["keras"])
    assert (tmp_path / "generator.keras").read_text() == "an earlier one"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("wanted", ["keras", "weights"])
def test_a_file_that_gives_something_else_is_refused(tmp_path, monkeypatch, wanted):
    network = pieces.maker()
    save, save_weights = network.save, network.save_weights

    def another(file, save):
        network.set_weights([weight + 0.5 for weight in network.get_weights()])
        save(file)
        network.set_weights([weight - 0.5 for weight in network.get_weights()])

    monkeypatch.setattr(network, "save", lambda file: another(file, save))
    monkeypatch.setattr(network, "save_weights", lambda file: another(file, save_weights))
    with pytest.raises(ValueError, match=r"^generator\.\S+ gives numbers up to .* off"):
        export.save_for_others(tmp_path, network, [wanted])
    assert list(tmp_path.iterdir()) == []


def test_nan_is_not_taken_for_equal(tmp_path):
    network = pieces.maker()
    network.set_weights([np.full_like(weight, np.nan) for weight in network.get_weights()])
    with pytest.raises(ValueError, match="gives numbers up to nan off"):
        export.save_for_others(tmp_path, network, ["keras"])


def test_an_unknown_format_is_refused_before_anything_is_saved(tmp_path):
    with pytest.raises(ValueError, match="a format is 'h5'; there is: keras, weights, onnx"):
        export.save_for_others(tmp_path, pieces.maker(), ("keras", "h5"))
    assert list(tmp_path.iterdir()) == []

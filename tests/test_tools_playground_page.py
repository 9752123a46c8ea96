"""The tool that makes the playground page: what it fetches, finds, refuses and serves."""

import base64
import hashlib
import io
import json
import pathlib
import re
import shutil
import tarfile
import threading
import urllib.error
import urllib.request

import numpy as np
import playground_page as tool
import pytest
import trained_in_pieces as pieces

from helpers import export, pretrained, runs
from helpers._backend import keras

NAME = f"{tool.ORT}-{tool.ORT_VERSION}"


@pytest.fixture
def package(monkeypatch):
    """A package like npm's, which the tool takes for the right one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in (*tool.ORT_FILES, "ort.all.min.js"):
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    digest = base64.b64encode(hashlib.sha512(buffer.getvalue()).digest()).decode()
    monkeypatch.setattr(tool, "ORT_SHA512", digest)
    return buffer.getvalue()


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Put an npm on the path: ``npm(script)``; it gets what it is asked in $1, $2 and so on."""

    def stand_in(script):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return stand_in


@pytest.fixture
def generator(tmp_path):
    """The file of a generator whose first layer is Dense."""
    folder = tmp_path / "runs" / "my_lesson"
    folder.mkdir(parents=True)
    keras.utils.set_random_seed(0)
    layers = [keras.Input((5,)), keras.layers.Dense(12), keras.layers.Reshape((2, 2, 3))]
    runs.save_network(folder / "generator.keras", keras.Sequential(layers))
    return folder / "generator.keras"


# The package of onnxruntime-web -----------------------------------------------------------


def test_what_a_page_needs_is_taken_from_the_package_with_its_licence(tmp_path, package):
    (tmp_path / f"{NAME}.tgz").write_bytes(package)
    folder = tool.runtime(tmp_path)
    assert {file.name for file in folder.iterdir()} == {*tool.ORT_FILES, "LICENSE.txt"}
    assert (folder / tool.ORT_FILES[0]).read_text() == tool.ORT_FILES[0]
    notice = (folder / "LICENSE.txt").read_text()
    assert "Copyright (c) Microsoft Corporation" in notice
    assert tool.ORT_VERSION in notice


def test_npm_is_asked_for_this_version_once(tmp_path, package, npm):
    (tmp_path / "made.tgz").write_bytes(package)
    npm(f'echo "$@" >>{tmp_path}/asked; cp {tmp_path}/made.tgz {NAME}.tgz')
    cache = tmp_path / "cache"
    assert tool.runtime(cache) == tool.runtime(cache)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == [f"pack onnxruntime-web@{tool.ORT_VERSION} --silent"]


def test_without_npm_it_is_said_what_it_is_for_and_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(tool.CannotError, match=r"npm is not installed.*apt install npm.*\.tgz"):
        tool.runtime(tmp_path)


def test_what_npm_says_is_passed_on(tmp_path, npm):
    npm("echo no route to host >&2; exit 1")
    with pytest.raises(tool.CannotError, match=r"no route to host\. Is the internet there"):
        tool.runtime(tmp_path / "cache")


def test_another_package_is_refused_and_removed(tmp_path, package):
    (tmp_path / f"{NAME}.tgz").write_bytes(package + b" ")
    with pytest.raises(tool.CannotError, match="checksum differs"):
        tool.runtime(tmp_path)
    assert list(tmp_path.iterdir()) == []


# The generator and its directions -----------------------------------------------------------


def test_the_generator_of_lesson_6_comes_before_the_faces(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_RUNS", str(tmp_path))
    assert tool.default_generator() == "faces"
    left = tmp_path / tool.LESSON / "generator.keras"
    left.parent.mkdir()
    left.touch()
    assert tool.default_generator() == str(left)


def test_a_generator_by_its_name_and_by_its_file(generator, monkeypatch):
    monkeypatch.setattr(pretrained, "load", lambda name: f"the shipped {name}")
    network, file = tool.load("faces")
    assert (network, file) == ("the shipped faces", pretrained.GENERATORS_FOLDER / "faces.keras")
    assert tool.load(str(generator))[0].input_shape == (None, 5)


def test_a_generator_that_is_not_there_or_none_is_named(tmp_path):
    with pytest.raises(tool.CannotError, match=r"nobody.*Or give the path of a generator\.keras"):
        tool.load("nobody")
    with pytest.raises(tool.CannotError, match=r"not\.keras is not there"):
        tool.load(str(tmp_path / "not.keras"))
    (tmp_path / "text.keras").write_text("text")
    with pytest.raises(tool.CannotError, match=r"text\.keras is not a network"):
        tool.load(str(tmp_path / "text.keras"))


def names(generator, given=None):
    network, file = tool.load(str(generator))
    ways, source = tool.directions_of(network, file, given, 5)
    return list(ways), source


def test_directions_are_those_given_or_those_beside_or_the_first_layers(generator, tmp_path):
    assert names(generator) == ([f"direction {i}" for i in range(1, 6)], "its first layer (SeFa)")
    common, own = generator.with_name("directions.json"), generator.with_suffix(".directions.json")
    common.write_text('{"common": [1, 0, 0, 0, 0]}')
    assert names(generator) == (["common"], str(common))
    own.write_text('{"own": [1, 0, 0, 0, 0]}')
    assert names(generator) == (["own"], str(own))
    given = tmp_path / "given.json"
    given.write_text('{"given": [1, 0, 0, 0, 0]}')
    assert names(generator, given) == (["given"], str(given))


def test_without_a_dense_first_layer_there_are_elements_alone(tmp_path):
    layers = [keras.Input((5,)), keras.layers.Reshape((1, 1, 5)), keras.layers.Conv2D(3, 1)]
    runs.save_network(tmp_path / "generator.keras", keras.Sequential(layers))
    assert names(tmp_path / "generator.keras")[0] == []


# The page -------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, package):
    folder = tmp_path / "npm"
    folder.mkdir()
    (folder / f"{NAME}.tgz").write_bytes(package)
    return folder


@pytest.fixture
def no_onnx(monkeypatch):
    """Note what would be written as ONNX, without its packages."""
    saved = []

    def save(folder, network, formats):
        assert formats == ["onnx"]
        saved.append(folder)
        (folder / "generator.onnx").touch()

    monkeypatch.setattr(export, "save_for_others", save)
    return saved


def test_a_page_is_made_with_all_that_it_needs(tmp_path, generator, cache, no_onnx, capsys):
    out = tmp_path / "page"
    arguments = [str(generator), "--out", str(out), "--cache", str(cache), "--no-serve"]
    assert tool.main(arguments) == 0
    pages = {file.name for file in tool.SOURCES.iterdir()}
    made = {"generator.onnx", "directions.json", "about.json", "ort"}
    assert {file.name for file in out.iterdir()} == pages | made
    assert no_onnx == [out]
    about = json.loads((out / "about.json").read_text())
    assert about["title"] == "Playground: my_lesson"
    assert about["latent_dim"] == 5
    np.testing.assert_allclose(about["usual_length"], 2.13, atol=0.01)  # about √4.5
    ways = json.loads((out / "directions.json").read_text())
    assert [len(way) for way in ways.values()] == [5] * 5
    assert (out / "ort" / "LICENSE.txt").exists()
    said = capsys.readouterr().out
    assert f"Generator: {generator}" in said
    assert "its first layer (SeFa)" in said


def test_the_page_names_only_files_that_are_beside_it():
    pages = {file.name: file.read_text(encoding="utf-8") for file in tool.SOURCES.iterdir()}
    for name, text in pages.items():
        assert not re.search(r"\b(https?|wss?):", text), name
    beside = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', pages["index.html"])
    assert set(beside) == {*pages, f"ort/{tool.ORT_FILES[0]}"} - {"index.html"}


def test_what_cannot_be_is_said_in_a_line(tmp_path, generator, cache, no_onnx, capsys):
    (tmp_path / "d.json").write_text('{"a": [1, 2]}')
    bad = [str(generator), "--directions", str(tmp_path / "d.json"), "--cache", str(cache)]
    assert tool.main(bad) == 1
    assert "playground_page: " in (said := capsys.readouterr().err)
    assert "'a' has shape (2,)" in said
    assert tool.main([str(tmp_path / "no.keras")]) == 1
    assert "no.keras is not there" in capsys.readouterr().err


def test_a_generator_with_a_condition_is_refused(tmp_path, cache, no_onnx, capsys):
    runs.save_network(tmp_path / "two.keras", pieces.maker((3,), (3,)))
    assert tool.main([str(tmp_path / "two.keras"), "--cache", str(cache)]) == 1
    assert "takes z alone" in capsys.readouterr().err
    assert no_onnx == []


def test_without_its_packages_onnx_says_how_to_get_them(
    tmp_path, generator, cache, monkeypatch, capsys
):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    out = tmp_path / "page"
    assert tool.main([str(generator), "--out", str(out), "--cache", str(cache)]) == 1
    assert "pip install tf2onnx onnx onnxruntime" in capsys.readouterr().err


# Serving --------------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path):
    """The address of a folder with a file of each kind."""
    for name in ("index.html", "a.js", "a.mjs", "a.wasm", "a.onnx", "a.json"):
        (tmp_path / name).write_text("{}")
    with tool.server(tmp_path, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", server
        server.shutdown()


def test_files_are_served_with_the_types_that_browsers_want_and_never_old(served):
    address, _ = served
    types = {"": "text/html", "a.mjs": "text/javascript", "a.js": "text/javascript",
             "a.wasm": "application/wasm", "a.json": "application/json"}  # fmt: skip
    for name, kind in types.items():
        with urllib.request.urlopen(f"{address}/{name}", timeout=10) as answer:
            assert answer.headers["Content-Type"].split(";")[0] == kind
            assert answer.headers["Cache-Control"] == "no-cache"
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{address}/../secret", timeout=10)


def test_only_this_machine_is_answered_and_a_port_that_is_taken_is_left(served, tmp_path):
    _, server = served
    assert server.server_address[0] == "127.0.0.1"
    with tool.server(tmp_path, server.server_address[1]) as other:
        assert other.server_address[0] == "127.0.0.1"
        assert other.server_address[1] != server.server_address[1]


def test_the_address_is_printed_and_ctrl_c_ends_it(tmp_path, monkeypatch, capsys):
    def pressed(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tool.http.server.ThreadingHTTPServer, "serve_forever", pressed)
    tool.serve(tmp_path, 0)
    said = capsys.readouterr().out
    assert "Open http://127.0.0.1:" in said
    assert said.endswith("Stopped.\n")


def test_the_makefile_has_the_command(root):
    text = pathlib.Path(root / "Makefile").read_text()
    assert "tools/playground_page.py $(GENERATOR)" in text

"""Make a page on which a generator can be played with in a browser, without Python, and serve it.

    python tools/playground_page.py                          the generator of lesson 6, or faces
    python tools/playground_page.py anime                    another one that ships
    python tools/playground_page.py runs/…/generator.keras   your own

The generator is written as ONNX, and run by onnxruntime-web (Microsoft, MIT licence), which npm
fetches once into ``build/``; after that nothing needs the internet. Directions are read from
``<generator>.directions.json`` or ``directions.json`` beside the generator, a list of numbers for
each name; where there is none, those that the first layer stretches most are taken (SeFa). The
page is in ``build/playground``. Only this machine can open it; any static web server can show it
to others.
"""

import argparse
import base64
import functools
import hashlib
import http.server
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SOURCES = ROOT / "tools" / "playground"
LESSON = "06_latent_arithmetic"
PORT = 8765
DIRECTIONS = 6  # where none are given
REACH = 3.0

ORT = "onnxruntime-web"
ORT_VERSION = "1.30.0"
ORT_SHA512 = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
ORT_FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
ORT_NOTICE = f"""\
The ort*.js, ort*.mjs and ort*.wasm files beside this one are from {ORT} {ORT_VERSION}
(https://www.npmjs.com/package/{ORT}, https://github.com/microsoft/onnxruntime).

MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


class CannotError(Exception):
    """Something is missing; the text says what, and the mend."""


# ---------------------------------------------------------------------------- onnxruntime-web


def runtime(cache: pathlib.Path) -> pathlib.Path:
    """The folder with onnxruntime-web's files, fetched with npm unless they are there.

    Raises:
        CannotError: npm is missing or fails, or the package is not the one that was tried.
    """
    folder = cache / f"{ORT}-{ORT_VERSION}"
    if not (folder / "LICENSE.txt").exists():  # which is written last
        package = cache / f"{ORT}-{ORT_VERSION}.tgz"
        if not package.exists():
            fetch(cache)
        unpack(package, folder)
    return folder


def fetch(cache: pathlib.Path) -> None:
    """Let npm put the package into the cache."""
    npm = shutil.which("npm")
    if npm is None:
        raise CannotError(
            f"npm is not installed; it fetches {ORT}, which runs the generator in a browser, "
            "once. Get it with Node.js (Debian, Ubuntu: sudo apt install npm; macOS: brew "
            f"install node), or put {ORT}-{ORT_VERSION}.tgz, from a machine where `npm pack "
            f"{ORT}@{ORT_VERSION}` works, into {cache}."
        )
    cache.mkdir(parents=True, exist_ok=True)
    print(f"Fetching {ORT} {ORT_VERSION} with npm (33 MB, once) …", flush=True)
    done = subprocess.run(
        [npm, "pack", f"{ORT}@{ORT_VERSION}", "--silent"],
        cwd=cache,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not (cache / f"{ORT}-{ORT_VERSION}.tgz").exists():
        last = (done.stderr or done.stdout).strip()[-500:]
        raise CannotError(
            f"npm could not fetch {ORT}@{ORT_VERSION}: {last or 'it did not say why'}. Is the "
            "internet there? It is needed this once."
        )


def unpack(package: pathlib.Path, folder: pathlib.Path) -> None:
    """Take the files that a page needs out of the package, after a look at its checksum."""
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if digest != ORT_SHA512:
        package.unlink()
        raise CannotError(
            f"{package} was not the {ORT} {ORT_VERSION} that this page was tried with (its "
            "checksum differs), and was removed. Run this again to fetch it anew."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(package) as archive:
        for name in ORT_FILES:
            content = archive.extractfile(f"package/dist/{name}")
            assert content is not None  # for the checksum is right
            (folder / name).write_bytes(content.read())
    (folder / "LICENSE.txt").write_text(ORT_NOTICE, encoding="utf-8")


# ------------------------------------------------------------------ the generator, its directions


def default_generator() -> str:
    """What lesson 6 left, or else the faces that ship."""
    runs = pathlib.Path(os.environ.get("GAN_RUNS") or ROOT / "runs")
    left = runs / LESSON / "generator.keras"
    return str(left) if left.exists() else "faces"


def load(name: str) -> tuple[Any, pathlib.Path]:
    """A generator by its file or its name, and the file that it is in.

    Raises:
        CannotError: there is none.
    """
    from helpers import gans, pretrained, vaes  # noqa: F401  (their layers become known)
    from helpers._backend import keras

    file = pathlib.Path(name)
    if file.suffix != ".keras":
        file = pretrained.GENERATORS_FOLDER / f"{name}.keras"
        try:
            return pretrained.load(name), file
        except ValueError as error:
            raise CannotError(f"{error} Or give the path of a generator.keras.") from error
    if not file.exists():
        raise CannotError(f"{file} is not there; lessons leave one in runs/<lesson>/.")
    try:
        return keras.models.load_model(file, compile=False, safe_mode=True), file
    except (OSError, TypeError, ValueError) as error:
        raise CannotError(f"{file} is not a network that Keras opens: {error}") from error


def directions_of(
    generator: Any, file: pathlib.Path, given: pathlib.Path | None, latent_dim: int
) -> tuple[dict[str, Any], str]:
    """Directions by their names, and where they are from: given, beside the model, or SeFa's."""
    from helpers import directions, named_directions

    beside = [file.with_suffix(".directions.json"), file.with_name(named_directions.FILE)]
    for place in [given] if given else [path for path in beside if path.exists()]:
        return named_directions.load_directions(place, latent_dim), str(place)
    count = min(DIRECTIONS, latent_dim)
    try:
        found, _ = directions.closed_form(directions.first_weights(generator), count)
    except ValueError:  # its first layer is another than Dense: single elements have to do
        return {}, "nowhere: there are sliders for single elements alone"
    return {f"direction {i + 1}": way for i, way in enumerate(found)}, "its first layer (SeFa)"


# ----------------------------------------------------------------------------------- the page


def make(
    generator: str, out: pathlib.Path, cache: pathlib.Path, given: pathlib.Path | None = None
) -> None:
    """Write the page, the generator, its directions and onnxruntime-web's files into a folder.

    Raises:
        CannotError, ImportError, OSError, ValueError: what is missing or wrong, with the mend.
    """
    from helpers import export, latent, named_directions, runs
    from helpers.playground import Playground

    network, file = load(generator)
    play = Playground(network)  # says what is wrong with a generator that takes more than z
    ways, source = directions_of(network, file, given, play.latent_dim)
    ort = runtime(cache)
    out.mkdir(parents=True, exist_ok=True)
    export.save_for_others(out, network, ["onnx"])
    named_directions.save_directions(out / named_directions.FILE, ways, play.latent_dim)
    about = {
        "title": f"Playground: {file.stem if file.stem != 'generator' else file.parent.name}",
        "latent_dim": play.latent_dim,
        "usual_length": float(latent.shell(play.latent_dim).mean()),
        "reach": REACH,
    }
    runs.write_json(out / "about.json", about)
    for page in SOURCES.iterdir():
        shutil.copy(page, out)
    shutil.copytree(ort, out / "ort", dirs_exist_ok=True)
    print(f"Generator: {file}. Directions: {source}.")


# ------------------------------------------------------------------------------------- serving


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files with the types that browsers insist on, never an old one, without a line for each."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".onnx": "application/octet-stream",
    }

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def server(folder: pathlib.Path, port: int) -> http.server.ThreadingHTTPServer:
    """A server of a folder, for this machine alone; on another port if this one is taken."""
    handler = functools.partial(Handler, directory=str(folder))
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:
        return http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)


def serve(folder: pathlib.Path, port: int) -> None:
    """Serve a folder until Ctrl-C."""
    with server(folder, port) as ready:
        address = f"http://127.0.0.1:{ready.server_address[1]}/"
        print(f"Open {address} in a browser of this machine; Ctrl-C here stops it.", flush=True)
        try:
            ready.serve_forever()
        except KeyboardInterrupt:
            print("\nStopped.")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "generator",
        nargs="?",
        default=None,
        help="a .keras file or the name of one that ships; default: lesson 6's, or faces",
    )
    parser.add_argument("--directions", type=pathlib.Path, help="default: the file beside it")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "playground")
    parser.add_argument("--cache", type=pathlib.Path, default=ROOT / "build" / "npm",
                        help="where onnxruntime-web is kept; default: build/npm")  # fmt: skip
    parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}, or a free one")
    parser.add_argument(
        "--serve",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="serve the page; --no-serve only makes it",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Make the page and serve it; 1, after a line that says the mend, if that cannot be."""
    arguments = parse(argv)
    try:
        make(
            arguments.generator or default_generator(),
            arguments.out,
            arguments.cache,
            arguments.directions,
        )
    except (CannotError, ImportError, OSError, ValueError) as error:
        print(f"playground_page: {error}", file=sys.stderr)
        return 1
    if arguments.serve:
        serve(arguments.out, arguments.port)
    else:
        print(f"Made {arguments.out}; serve that folder over http to open it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

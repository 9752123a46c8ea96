"""The shape of the package: instant, quiet, arrows down only, small, and documented."""

import ast
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "helpers"
MODULES = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem != "__init__")

# A module may import those to its right, and any may import a leaf: so nothing imports widgets.
ORDER = """
    widgets playground named_directions clinic
    scores tstr reports intervals samples metrics pixels pretrained
    feature_networks
    colab runtime streaming datasets downloads sources prepare
    standins characters allographs portraits anime collage layouts image_set decoding readers
    inversion vae_models anime_models cycle_models models face_models classifiers cyclegan vaes
    gans losses adversarial training checkpoints
    replicas mid_epoch model_state archives export runs symptoms illnesses monitors statistics
    neighbours directions latent score_figures plotting
""".split()  # noqa: SIM905
LEAVES = ["checks", "files", "waiting", "_backend"]


def tree(module):
    return ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))


def imports(module):
    """The modules of helpers that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import, which this test cannot read"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in found if name.startswith("helpers.")}


def python(code, **environment):
    """Run code in a fresh process, in the repository's folder."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=FOLDER.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_importing_the_package_is_instant_and_loads_nothing():
    done = python("import json, sys; import helpers; print(json.dumps(sorted(sys.modules)))")
    modules = json.loads(done.stdout)
    loaded = {name.split(".")[0] for name in modules}
    assert "helpers" in loaded
    assert not loaded & {"tensorflow", "keras", "matplotlib", "numpy", "PIL", "pandas"}
    assert not [name for name in modules if name.startswith("helpers.")]


def test_pictures_and_profiles_do_not_load_tensorflow():
    done = python(
        "import sys; from helpers import datasets, runtime, plotting; print(*sys.modules)"
    )
    assert not {"tensorflow", "keras"} & set(done.stdout.split())


def test_training_code_loads_without_a_word_on_stderr():
    done = python("from helpers import training; print('loaded')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "loaded\n", "")


def test_tensorflow_is_not_heard_on_retracing_but_on_all_else():
    done = python(
        "from helpers._backend import tf; logger = tf.get_logger()\n"
        "logger.warning('5 out of the last 5 calls to <f> triggered tf.function retracing.')\n"
        "logger.warning('the disk is full')"
    )
    assert "retracing" not in done.stdout + done.stderr
    assert "the disk is full" in done.stdout + done.stderr


def test_on_another_keras_backend_training_is_refused_with_the_mend():
    fakes = "keras = types.ModuleType('keras'); keras.backend = types.SimpleNamespace"
    done = python(
        f"import sys, types; {fakes}(backend=lambda: 'jax'); sys.modules['keras'] = keras\n"
        "sys.modules['tensorflow'] = None\n"  # to import it is an error
        "from helpers import _backend; print(_backend.keras is keras, hasattr(_backend, 'no'))\n"
        "from helpers._backend import tf"
    )
    assert (done.returncode, done.stdout) == (1, "True False\n")
    assert "ImportError: Keras is running on 'jax'" in done.stderr
    assert "KERAS_BACKEND=tensorflow" in done.stderr


def test_networks_losses_and_scores_do_without_tensorflow_on_another_backend():
    done = python(
        "import keras; keras.backend.backend = lambda: 'another'\n"
        "from helpers import classifiers, face_models, feature_networks, losses, metrics, models\n"
        "from helpers import pretrained, _backend; print('tf' in vars(_backend))\n"
        "print(models.digit_generator(8).output_shape, float(losses.g_hinge([[1.0], [2.0]])))"
    )
    assert done.stdout == "False\n(None, 28, 28, 1) -1.5\n", done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_arrows_point_down(module):
    assert module in ORDER + LEAVES, f"give {module} its room in the design, and its place here"
    if module in LEAVES:
        assert imports(module) <= set(LEAVES)
    else:
        assert imports(module) <= {*ORDER[ORDER.index(module) + 1 :], *LEAVES}


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_longer_than_400_lines(module):
    assert len((FOLDER / f"{module}.py").read_text(encoding="utf-8").splitlines()) <= 400


def undocumented(node, where=""):
    """Names of the public classes, functions and methods without a docstring."""
    found = []
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.ClassDef, ast.FunctionDef)) or child.name.startswith("_"):
            continue
        if not ast.get_docstring(child):
            found.append(where + child.name)
        if isinstance(child, ast.ClassDef):
            found += undocumented(child, f"{child.name}.")
    return found


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_has_a_docstring(module):
    assert ast.get_docstring(tree(module))
    assert undocumented(tree(module)) == []


@pytest.mark.parametrize(
    "module", [name for name in MODULES if name not in ("_backend", "widgets")]
)
def test_every_module_has_its_tests(module):
    assert (pathlib.Path(__file__).parent / f"test_{module}.py").exists()


@pytest.mark.parametrize("module", MODULES)
def test_the_packages_own_page_says_what_each_module_is_for(module):
    page = ast.get_docstring(ast.parse((FOLDER / "__init__.py").read_text(encoding="utf-8")))
    assert re.search(rf"\b{module}\b", page)

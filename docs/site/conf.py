"""Sphinx's settings for the site; ``tools/build_site.py`` makes the folder that it reads."""

import json
import pathlib
import sys
from typing import Union

from docutils import nodes
from sphinx.ext.autodoc.mock import _MockObject

HERE = json.loads(pathlib.Path(__file__).with_name("site.json").read_text(encoding="utf-8"))
sys.path[:0] = [HERE["root"], f"{HERE['root']}/tools"]

from build_site import as_rst  # noqa: E402

project = "GAN notebooks"
author = "the gan-notebooks authors"
copyright = "the gan-notebooks authors, MIT licence"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
root_doc = "index"
exclude_patterns = ["_static"]
language = "en"
smartquotes_action = "D"  # dashes only: what is quoted may be code
highlight_language = "none"  # the README's blocks are shell, output and file trees

# ---------------------------------------------------------------------------------- lessons

nb_execution_mode = "off"  # the committed outputs are what a reader should see
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 4
suppress_warnings = [
    "misc.highlighting_failure",  # lines such as `!pip install` are no Python
    "ref.python",  # what one module takes from another has two names
]

# ------------------------------------------------------------------------------------- API

# Importing TensorFlow takes seconds and half a gigabyte in an environment that exists to lay out
# pages; what the pages show, signatures and docstrings, does not depend on it.
autodoc_mock_imports = [
    "HersheyFonts", "IPython", "PIL", "dicebear", "filelock", "fsspec", "helpers._backend",
    "ipywidgets", "joblib", "keras", "matplotlib", "onnx", "onnxruntime", "pandas", "psutil",
    "requests", "resvg_py", "scipy", "skimage", "tensorflow", "tf2onnx",
]  # fmt: skip
_MockObject.__or__ = lambda one, other: Union[one, other]  # noqa: UP007 - "Model | None" in hints
_MockObject.__ror__ = lambda one, other: Union[other, one]  # noqa: UP007
_call = _MockObject.__call__
_MockObject.__call__ = lambda mock, *args, **kwargs: (
    args[0] if args and isinstance(args[0], type) else _call(mock, *args, **kwargs)
)  # what decorates a class leaves it as it is
del _MockObject.__new__  # or every model had its signature
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes stand in the class's own text, not once more below it

# ------------------------------------------------------------------------------------ pages

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_favicon = "_static/icon.svg"
html_copy_source = True  # the button that downloads a lesson
html_show_sphinx = False
html_theme_options = {
    "home_page_in_toc": True,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_download_button": True,
    "use_fullscreen_button": False,
    "navbar_persistent": [],  # a second field to search in
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_theme_options |= HERE["theme"]  # buttons that lead to the repository

mathjax_path = "mathjax/tex-mml-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}  # a menu would need more files of MathJax


def rewrite(app, what, name, obj, options, lines):
    """Let docstrings, which are written to be read as they stand, be valid for Sphinx."""
    lines[:] = as_rst("\n".join(lines)).split("\n")


def shorten(app, what, name, obj, options, signature, result):
    """Let signatures say ``keras.Model``, wherever a module has it from."""
    return [text and text.replace("helpers._backend.", "") for text in (signature, result)]


def give_alt_texts(app, doctree):
    """Let every picture of a lesson have the alt text that its notebook has for it."""
    for cell in doctree.findall(nodes.container):
        texts = cell.get("cell_metadata", {}).get("alt", [])
        for image, text in zip(cell.findall(nodes.image), texts, strict=bool(texts)):
            image["alt"] = text


def setup(app):
    """See Sphinx."""
    app.connect("autodoc-process-signature", shorten)
    app.connect("doctree-read", give_alt_texts)
    app.connect("autodoc-process-docstring", rewrite)

"""Build the lessons as a website, from their committed outputs, into build/site.

    python tools/build_site.py              with the Python of the site's environment (make site)
    python tools/build_site.py --check      only look whether build/site is sound

Makes a folder for Sphinx that is laid out like the repository, so that links between its pages
hold, with the pages in it that are made of others: the reading list out of the lessons' papers,
the page of symptoms out of ``helpers.symptoms`` and the lessons' tables, and a page for each
module. Then Sphinx runs, and what it made is looked at: links, files from other machines, alt
texts, size. The exit code is 1 if something is wrong.
"""

import argparse
import ast
import importlib.metadata
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlsplit

import address
import alt_texts
import nbformat

ROOT = pathlib.Path(__file__).resolve().parent.parent
SITE = ROOT / "docs" / "site"  # settings, style and the pages that only the site has
MOST_MB = 60

PAGES = ("CONTRIBUTING.md", "SECURITY.md", "data/README.md", "assignments/README.md")
FILES = ("LICENSE", "docs/images")
MATHJAX = ("tex-mml-chtml.js", "output/chtml/fonts")

LATER = re.compile(r"\{(\w+)(?::[^{}]*)?\}")  # a number that a symptom's sentence has a place for
GROUPS = {
    "You read it in a message": r'^"[^"]*"$|^an error|NaN',
    "You compare losses, gradients and samples": "<br>",
    "You see it in a number or a curve": (
        r"\b(loss|losses|KL|penalty|norm|score|scores|likeness|gradient|curve|success)\b"
    ),
    "You see it in the pictures": (
        r"\b(samples?|pictures?|faces?|reconstruct\w*|planes|pattern|caricatures|glasses|class|"
        r"classes|alike|grey|worse|attribute|direction|translat\w*|colou?rs?|backgrounds?|shapes?)\b"
    ),
    "You notice it in what you do": "",
}


class CannotError(Exception):
    """Something is missing; the text says what, and the mend."""


# ------------------------------------------------------------------------------- the lessons


def lessons(root: pathlib.Path = ROOT) -> dict[pathlib.Path, nbformat.NotebookNode]:
    """All lessons in order, as they are stored."""
    paths = sorted((root / "notebooks").glob("*.ipynb"))
    return {path: nbformat.read(path, as_version=4) for path in paths}


def number(path: pathlib.Path) -> int:
    """A lesson's number, out of its name."""
    return int(path.name[:2])


def link(path: pathlib.Path, text: str = "") -> str:
    """A link to a lesson."""
    return f"[{text or number(path)}](notebooks/{path.name})"


def title(notebook: nbformat.NotebookNode) -> str:
    """A lesson's title, up to the colon."""
    return notebook.cells[0].source.splitlines()[0].lstrip("# ").split(":")[0]


def prose(notebook: nbformat.NotebookNode) -> str:
    """All that a lesson says between its cells of code."""
    return "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def section(notebook: nbformat.NotebookNode, heading: str) -> str:
    """What stands under a heading of the second level, or nothing."""
    found = re.search(rf"^## {heading}.*?$(.*?)(?=^## |\Z)", prose(notebook), re.M | re.S)
    return found[1].strip() if found else ""


def for_the_page(notebook: nbformat.NotebookNode, texts: Mapping[str, str]) -> None:
    """Change a lesson to what the site shows: alt texts where conf.py looks, no picture afar."""
    alt_texts.put(notebook, texts)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = tidy(cell.source)
        else:
            shown = alt_texts.pictures(cell)
            cell.metadata["alt"] = [o.metadata.get(kind, {}).get("alt", "") for o, kind in shown]


def tidy(text: str) -> str:
    """Markdown for the site: papers as links, the README as the start page, no picture afar."""
    text = re.sub(r"!\[([^\]]*)\]\(https?:[^)]*\)", r"\1", text)
    text = re.sub(r"(\]\((?:\.\./)*)README\.md", r"\1index.md", text)
    text = re.sub(r"(?<![\[/\d])arXiv:(\d{4}\.\d{4,5})", r"[\g<0>](https://arxiv.org/abs/\1)", text)
    return re.sub(r"(?<![\[/])doi:(10\.\S+\w)", r"[\g<0>](https://doi.org/\1)", text)


# -------------------------------------------------------------------------------- made pages


def reading_list(stored: Mapping[pathlib.Path, nbformat.NotebookNode]) -> str:
    """Every paper under the lessons' "Papers", once, with the lessons that cite it."""
    papers: dict[str, tuple[str, list[str]]] = {}
    others: dict[str, tuple[str, list[str]]] = {}
    for path, notebook in stored.items():
        for line in re.findall(r"^- (.+)$", section(notebook, "Papers"), re.M):
            known = re.search(r"arXiv:[\d.]+\d|doi:\S+\w", line)
            note = re.search(r"\*(.+?)\* \(([^)]*)\)", line)
            text = re.sub(r"(\*.+?\*) \([^)]*\)", r"\1", line) if note else line
            shelf = papers if re.search(r"\*.+\*.*\b(19|20)\d\d\b", line) else others
            _, cited = shelf.setdefault(known[0] if known else text, (text, []))
            cited.append(link(path) + (f" ({note[2]})" if note and shelf is papers else ""))
    lines = ["# Reading list", "", "Every paper that the lessons cite, by year.", ""]
    year = re.compile(r"\b(?:19|20)\d\d\b(?=[^*]*$)")
    for text, cited in sorted(papers.values(), key=lambda paper: year.findall(paper[0])[0]):
        word = "lesson" if len(cited) == 1 else "lessons"
        lines.append(f"- {tidy(text)} · {word} {', '.join(cited)}")
    lines += ["", "## Also used", ""]
    lines += [f"- {tidy(text)} · lesson {', '.join(cited)}" for text, cited in others.values()]
    return "\n".join([*lines, ""])


def symptoms(root: pathlib.Path = ROOT) -> list[tuple[str, str]]:
    """Name and sentence of each symptom that ``helpers.symptoms`` tells, read off its source.

    Read and not imported, because importing it takes TensorFlow.
    """
    names: dict[str, str] = {}
    told: list[tuple[str, str]] = []
    files = [root / "helpers" / name for name in ("illnesses.py", "symptoms.py")]
    source = "\n".join(file.read_text(encoding="utf-8") for file in files if file.exists())
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                names |= {t.id: v.value for t, v in zip(targets, values, strict=True)}
            case ast.Assign(targets=[ast.Name(id="SYMPTOMS")], value=ast.Tuple(elts=calls)):
                for name, says, *_ in (call.args for call in calls):
                    told.append((names[name.id] if isinstance(name, ast.Name) else name.value,
                                 says.value))  # fmt: skip
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(says))):
                names[name] = says
    return [*told, ("NaN", names["NOT_A_NUMBER"]), ("no GPU in use", names["IDLE_GPU"])]


def rows(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """Symptom, cause and mend of each row of a lesson's "What goes wrong".

    Where a table begins with the cause and has a column for each place to look at, as in lesson
    8, these together are the symptom. "The same" as in the row above is said in full, because
    rows are sorted anew.
    """
    table = re.findall(r"^\|(.+)\|$", section(notebook, "What goes wrong"), re.M)
    header, _, *cells = [[c.strip() for c in re.split(r"(?<!\\)\|", row)] for row in table]
    for above, row in itertools.pairwise(cells):
        row[-1] = above[-1] if row[-1] == "the same" else row[-1]
    if header[0] == "symptom":
        return cells
    return [
        ["<br>".join(f"{n}: {c}" for n, c in zip(header[1:-1], seen, strict=True)), cause, mend]
        for cause, *seen, mend in cells
    ]


def troubleshooting(stored: Mapping[pathlib.Path, nbformat.NotebookNode]) -> str:
    """What a training says of itself, and what one sees, each with its cause and its mend."""
    by_number = {number(path): path for path in stored}

    def linked(found: re.Match[str]) -> str:
        path = by_number.get(int(found[1]))
        return link(path, found[0]) if path else found[0]

    lines = [(SITE / "troubleshooting.md").read_text(encoding="utf-8")]
    lines += ["| name | sentence |", "|---|---|"]
    for name, says in symptoms():
        sentence = re.sub(r"lesson (\d)", linked, LATER.sub("…", says).replace("|", r"\|"))
        lines.append(f"| {name} | {sentence} |")
    groups: dict[str, list[str]] = {name: [] for name in GROUPS}
    for path, notebook in stored.items():
        for symptom, cause, mend in rows(notebook):
            group = next(g for g, words in GROUPS.items() if re.search(words, symptom))
            mend = re.sub(r"lesson (\d)", linked, tidy(mend))
            groups[group].append(f"| {symptom} | {tidy(cause)} | {mend} | {link(path)} |")
    for name, found in groups.items():
        lines += ["", f"## {name}", "", "| symptom | cause | mend | lesson |", "|---|---|---|---|"]
        lines += sorted(found, key=str.casefold)
    return "\n".join([*lines, ""])


def as_rst(text: str) -> str:
    """A docstring without what Sphinx would take for markup, and with its papers as links."""
    text = re.sub(r"(``[^`\n]+``)|(?<=``)(?=\w)", lambda m: m[1] or r"\ ", text)  # ``Model``s
    text = re.sub(r"(?<![`\w])\*(?=\w+[,)])", r"\*", text)  # (n, *shape)
    parts = re.split(r"(``[^`]+``)", text)
    parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]  # |a − b|
    paper = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
    return paper.sub(r"`arXiv:\1 <https://arxiv.org/abs/\1>`__", "".join(parts))


def modules(root: pathlib.Path = ROOT) -> dict[str, str]:
    """The modules of ``helpers`` that have a page, and the first line of each docstring."""
    found = {}
    for path in sorted((root / "helpers").glob("[!_]*.py")):
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found[path.stem] = as_rst(said.splitlines()[0])
    return found


def api(module: str) -> str:
    """The page of one module."""
    name = f"helpers.{module}"
    return f"{name}\n{'=' * len(name)}\n\n.. automodule:: {name}\n"


def api_index(root: pathlib.Path = ROOT) -> str:
    """The page before those of the modules."""
    source = (root / "helpers" / "__init__.py").read_text(encoding="utf-8")
    named, docstring = modules(root), as_rst(ast.get_docstring(ast.parse(source)) or "")
    docstring = re.sub(
        r"``(\w+)``", lambda m: f":doc:`{m[1]}`" if m[1] in named else m[0], docstring
    )
    listed = "".join(f"   {name}\n" for name in named)
    table = "".join(f"* :doc:`{name}`: {says}\n" for name, says in named.items())
    return (
        f"The helpers package\n===================\n\n{docstring}\n\nAll modules\n-----------\n\n"
        f"{table}\n.. toctree::\n   :hidden:\n\n{listed}"
    )


def start_page(stored: Mapping[pathlib.Path, nbformat.NotebookNode], pages: Sequence[str]) -> str:
    """The README, with the menu behind it."""
    menu = {
        "Lessons": [f"{title(nb)} <notebooks/{path.stem}>" for path, nb in stored.items()],
        "Look it up": ["glossary", "troubleshooting", "reading", "api/index"],
        "More": [page.removesuffix(".md") for page in pages],
    }
    trees = [
        f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(entries) + "\n```"
        for caption, entries in menu.items()
    ]
    return "\n\n".join([tidy((ROOT / "README.md").read_text(encoding="utf-8")), *trees, ""])


# ------------------------------------------------------------------------------ the folder


def theme() -> dict[str, Any]:
    """The theme's options that need the repository's address: buttons that lead there."""
    place = address.read(ROOT)
    if not place.colab_link(""):  # nowhere public yet, or where Colab cannot open it
        return {}
    return {
        "repository_url": place.url,
        "repository_branch": place.branch,
        "use_repository_button": True,
        "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    }


def mathjax() -> pathlib.Path:
    """The folder of MathJax, which a package of the site's environment brings."""
    package = importlib.metadata.distribution("sphinx-mathjax-offline")
    return pathlib.Path(str(package.locate_file("sphinx-mathjax-offline/static/mathjax")))


def write(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def stage(folder: pathlib.Path) -> None:
    """Make the folder that Sphinx reads."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SITE, folder)
    stored = lessons()
    pages = [page.relative_to(ROOT).as_posix() for page in sorted((ROOT / "docs").glob("*.md"))]
    pages += [page for page in PAGES if (ROOT / page).exists()]
    for page in pages:
        write(folder / page, tidy((ROOT / page).read_text(encoding="utf-8")))
    for path, notebook in stored.items():
        for_the_page(notebook, alt_texts.texts_of(path.stem))
        write(folder / "notebooks" / path.name, nbformat.writes(notebook))
    for name in FILES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    for name in MATHJAX:
        copy = shutil.copytree if (mathjax() / name).is_dir() else shutil.copy
        (folder / "_static" / "mathjax" / name).parent.mkdir(parents=True, exist_ok=True)
        copy(mathjax() / name, folder / "_static" / "mathjax" / name)
    write(folder / "index.md", start_page(stored, pages))
    write(folder / "reading.md", reading_list(stored))
    write(folder / "troubleshooting.md", troubleshooting(stored))
    write(folder / "api" / "index.rst", api_index())
    for module in modules():
        write(folder / "api" / f"{module}.rst", api(module))
    settings = {"root": str(ROOT), "theme": theme()}
    write(folder / "site.json", json.dumps(settings))


def build(source: pathlib.Path, out: pathlib.Path) -> None:
    """Let Sphinx make the site; a warning is an error."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going"]
    command += ["-d", str(source.with_name(f"{source.name}-doctrees")), str(source), str(out)]
    if subprocess.run(command, check=False).returncode:
        raise CannotError("Sphinx found the faults above.")
    for path in (out / "_static").glob("*macros.html"):  # the theme's own templates: no pages
        path.unlink()
    for path in out.rglob("*.html"):
        path.write_text(named_arrows(path.read_text(encoding="utf-8")), encoding="utf-8")
    for path, notebook in lessons().items():  # for those who want to run it, so without outputs
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        write(out / "_sources" / "notebooks" / path.name, nbformat.writes(notebook))


def named_arrows(page: str) -> str:
    """A page in which the menu's arrows say to a screen reader whose pages they unfold."""
    return re.sub(
        r">([^<>]+)</a><details([^>]*)><summary>",
        r'>\1</a><details\2><summary aria-label="\1: its pages">',
        page,
    )


# ------------------------------------------------------------------------------ its faults


class Page(HTMLParser):
    """What a page refers to, and what may be referred to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.files: list[str] = []  # which a browser fetches by itself
        self.ids: set[str] = set()
        self.mute: list[str] = []  # what a screen reader has no words for
        self.fold: str | None = None  # the words of what unfolds something, while it is read
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attributes}
        self.ids.update(has[name] for name in ("id", "name") if name in has)
        if tag in ("a", "area") and has.get("href"):
            self.links.append(has["href"])
        elif tag == "link" and "search" not in has.get("rel", ""):
            self.files.append(has.get("href", ""))
        elif has.get("src"):
            self.files.append(has["src"])
        if tag == "img" and not has.get("alt", "").strip():
            self.mute.append(f"no alt text for {has.get('src', '?')[-60:]}")
        if tag == "summary":
            self.fold = has.get("aria-label", "")

    handle_startendtag = handle_starttag

    def handle_data(self, data: str) -> None:
        if self.fold is not None:
            self.fold += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "summary" and self.fold is not None:
            if not self.fold.strip():
                self.mute.append("no name for what unfolds something")
            self.fold = None


def pages_of(folder: pathlib.Path) -> dict[pathlib.Path, Page]:
    """All pages of a site, read."""
    found = sorted(folder.rglob("*.html"))
    return {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in found}


def faults(folder: pathlib.Path) -> Iterator[str]:
    """What is wrong with a site that was built; nothing, if it may be shown."""
    pages = pages_of(folder)
    for path, page in pages.items():
        here = path.relative_to(folder.resolve())
        for name in page.files:
            if urlsplit(name).scheme in ("http", "https") or name.startswith("//"):
                yield f"{here} fetches {name} from another machine"
        for name in [*page.links, *page.files]:
            yield from (f"{here}: {fault}" for fault in faults_of_link(path, name, pages))
        yield from (f"{here}: {fault}" for fault in page.mute)
    for path in folder.rglob("*.css"):
        for name in re.findall(r"(?:url\(|@import )\s*['\"]?((?:https?:)?//[^'\")]+)",
                               path.read_text(encoding="utf-8")):  # fmt: skip
            yield f"{path.relative_to(folder)} fetches {name} from another machine"
    if (size := megabytes(folder)) > MOST_MB:
        yield f"the site has {size:.0f} MB, more than {MOST_MB}"


def faults_of_link(
    path: pathlib.Path, name: str, pages: Mapping[pathlib.Path, Page]
) -> Iterator[str]:
    """Whether a link leads to nothing, if it is one within the site."""
    parts = urlsplit(name)
    if parts.scheme or parts.netloc:
        return
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.exists():
        yield f"{name} leads nowhere"
    elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
        yield f"{name}: no such place in that page"


def megabytes(folder: pathlib.Path) -> float:
    """The size of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; the exit code is 0 or 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "site")
    parser.add_argument("--check", action="store_true", help="only look at what was built")
    arguments = parser.parse_args(argv)
    out = arguments.out.resolve()
    try:
        if not arguments.check:
            source = out.with_name(f"{out.name}-source")
            stage(source)
            build(source, out)
    except (CannotError, importlib.metadata.PackageNotFoundError) as error:
        print(f"build_site: {error}", file=sys.stderr)
        return 1
    found = list(faults(out))
    print("\n".join(found), file=sys.stderr)
    print(f"{out}: {len(pages_of(out))} pages, {megabytes(out):.0f} MB, {len(found)} faults")
    print(f"Open {out / 'index.html'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

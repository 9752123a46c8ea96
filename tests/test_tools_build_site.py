"""The site: its made pages say what the lessons say, and what is wrong with a site is found."""

import base64
import io
import pathlib
import re

import alt_texts
import build_site
import pytest
from nbformat import v4
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAPER = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


@pytest.fixture(scope="module")
def stored():
    return build_site.lessons()


def anchors(notebook):
    """The names that a lesson's headings have on the site."""
    prose = re.sub(r"^```.*?^```", "", build_site.prose(notebook), flags=re.M | re.S)
    plain = [re.sub(r"[^\w\- ]", "", h.lower()) for h in re.findall(r"^#{2,3} (.+)$", prose, re.M)]
    return [heading.strip().replace(" ", "-") for heading in plain]


def test_every_picture_of_a_lesson_can_be_shown(stored):
    for path, notebook in stored.items():
        for cell in notebook.cells:
            for output, kind in alt_texts.pictures(cell):
                data = io.BytesIO(base64.b64decode(output.data[kind]))
                with Image.open(data) as picture:
                    picture.load()
                    assert picture.get_format_mimetype() == kind, f"{path.name}, {cell.id}"


# ------------------------------------------------------------------------------- made pages


def test_every_paper_that_a_lesson_cites_is_in_the_reading_list_once(stored):
    page = build_site.reading_list(stored)
    for path, notebook in stored.items():
        cited = set(PAPER.findall(build_site.prose(notebook)))
        assert cited, f"{path.name} cites no paper"
        for paper in cited:
            (line,) = (line for line in page.splitlines() if f"abs/{paper})" in line)
            assert f"(notebooks/{path.name})" in line, f"{paper} of {path.name}"
    listed = re.findall(r"^- .*", page.split("## Also used")[0], re.M)
    years = [int(re.findall(r"\b(?:19|20)\d\d\b(?=[^*]*$)", line)[0]) for line in listed]
    assert years == sorted(years)


def test_a_paper_of_two_lessons_is_listed_with_both(tmp_path):
    papers = "## Papers\n\n- {}, *On Sea* ({}), 2014, arXiv:1411.1784\n- *Avatars* by D. Rawer"
    stored = {
        tmp_path / f"0{n}_x.ipynb": v4.new_notebook(
            cells=[v4.new_markdown_cell(papers.format(who, m))]
        )
        for n, who, m in ((1, "A. Bee", "tides"), (2, "A. Bee et al.", "waves"))
    }
    page = build_site.reading_list(stored)
    assert page.count("On Sea") == page.count("Avatars") == 1
    assert (
        "- A. Bee, *On Sea*, 2014, [arXiv:1411.1784](https://arxiv.org/abs/1411.1784) · lessons "
        "[1](notebooks/01_x.ipynb) (tides), [2](notebooks/02_x.ipynb) (waves)"
    ) in page
    assert page.index("## Also used") < page.index("Avatars")


def test_the_symptoms_read_off_the_source_are_those_that_are_told():
    from helpers import symptoms

    told = [(s.name, s.says) for s in symptoms.SYMPTOMS]
    told += [("NaN", symptoms.NOT_A_NUMBER), ("no GPU in use", symptoms.IDLE_GPU)]
    assert build_site.symptoms() == told


def test_all_rows_of_a_table_are_read():
    table = "| symptom | cause | mend |\n|---|---|---|\n| $\\|a\\|$ | b | c |\n| d | e | f |"
    text = f"## What goes wrong, and how\n\n{table}\n\n## Summary\n\n| g | h | i |"
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell(text)])
    assert build_site.rows(notebook) == [["$\\|a\\|$", "b", "c"], ["d", "e", "f"]]


def test_places_to_look_at_are_together_the_symptom():
    table = "| illness | losses | samples | mend |\n|---|---|---|---|\n| a | b | c | d |"
    text = f"## What goes wrong, and how\n\n{table}\n| e | f | g | the same |\n"
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell(text)])
    first, second = build_site.rows(notebook)
    assert first == ["losses: b<br>samples: c", "a", "d"]
    assert second == ["losses: f<br>samples: g", "e", "d"]


@pytest.mark.parametrize(
    ("symptom", "group"),
    [
        ('"the checkpoint … belongs to another training"', "You read it in a message"),
        ('"glasses" brings a beard', "You see it in the pictures"),
        ("losses: level<br>samples: noise", "You compare losses, gradients and samples"),
        ("$D$'s loss near 0, samples stay noise", "You see it in a number or a curve"),
        ("each step waits", "You notice it in what you do"),
    ],
)
def test_a_symptom_stands_where_one_sees_it(tmp_path, symptom, group):
    table = f"| symptom | cause | mend |\n|---|---|---|\n| {symptom} | b | c |"
    text = f"## What goes wrong, and how\n\n{table}"
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell(text)])
    page = build_site.troubleshooting({tmp_path / "01_x.ipynb": notebook})
    assert f"| {symptom} | b | c |" in page.split(f"## {group}\n")[1].split("\n## ")[0]


def test_every_symptom_of_the_lessons_is_on_the_page_of_troubles(stored):
    page = build_site.troubleshooting(stored)
    for name, _ in build_site.symptoms():
        assert f"\n| {name} | " in page
    for path, notebook in stored.items():
        rows = build_site.rows(notebook)
        assert len(rows) >= 4, f"{path.name} has hardly a table of what goes wrong"
        for row in rows:
            assert len(row) == 3, f"{path.name}: {row}"
            (line,) = (x for x in page.splitlines() if x.startswith(f"| {row[0]} |") and
                       x.endswith(f"| {build_site.link(path)} |"))  # fmt: skip
            assert len(re.findall(r"(?<!\\)\|", line)) == 5
    told = page.split("## What the training itself says")[1].split("\n## ")[0]
    assert not re.search(r"\{\w+(:.*?)?\}", told)


def test_the_start_page_leads_to_every_lesson_and_page(stored):
    page = build_site.start_page(stored, ["docs/metrics.md"])
    menu = "".join(re.findall(r"```\{toctree\}(.*?)```", page, re.S))
    places = re.findall(r"<?([\w/]+)>?$", menu, re.M)
    assert {f"notebooks/{path.stem}" for path in stored} <= {*places}
    assert {"glossary", "troubleshooting", "reading", "api/index", "docs/metrics"} <= {*places}


def test_the_places_that_the_glossary_names_exist(stored):
    text = (build_site.SITE / "glossary.md").read_text(encoding="utf-8")
    named = re.findall(r"\(notebooks/([\w.]+)#?([^)]*)\)", text)
    assert len(named) >= 50
    headings = {path.name: anchors(notebook) for path, notebook in stored.items()}
    for lesson, place in named:
        assert not place or place in headings[lesson], f"{lesson} has no heading {place}"
    terms = re.findall(r"^(\S.*)\n  ", text.split(":sorted:")[1], re.M)
    assert len(terms) == len(set(terms)) == len(named)
    assert set(re.findall(r"\{term\}`([^`]+)`", text)) <= set(terms)


def test_every_module_has_a_page():
    modules = build_site.modules()
    assert {"gans", "training", "runtime"} <= modules.keys()
    assert not [name for name in modules if name.startswith("_")]
    index = build_site.api_index()
    for name in modules:
        assert f"   {name}\n" in index
        assert f":doc:`{name}`" in index


@pytest.mark.parametrize(
    ("docstring", "rst"),
    [
        ("``keras.Model``s have it", r"``keras.Model``\ s have it"),
        ("in [-``limit``, ``limit``]", "in [-``limit``, ``limit``]"),
        ("mean of |a − b|, in ``a | b``", r"mean of \|a − b\|, in ``a | b``"),
        ("pictures (n, *shape)", r"pictures (n, \*shape)"),
        ("arXiv:1411.1784.", "`arXiv:1411.1784 <https://arxiv.org/abs/1411.1784>`__."),
        ("``plain`` *as it* is", "``plain`` *as it* is"),
    ],
)
def test_docstrings_become_valid_markup(docstring, rst):
    assert build_site.as_rst(docstring) == rst


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("[![Colab](https://a.b/c.svg)](https://d.e)", "[Colab](https://d.e)"),
        ("[so](../README.md#start), [data](../data/README.md)",
         "[so](../index.md#start), [data](../data/README.md)"),
        ("arXiv:1411.1784 and [arXiv:1411.1784](https://arxiv.org/abs/1411.1784)",
         "[arXiv:1411.1784](https://arxiv.org/abs/1411.1784) and "
         "[arXiv:1411.1784](https://arxiv.org/abs/1411.1784)"),
        ("doi:10.23915/distill.00003", "[doi:10.23915/distill.00003](https://doi.org/10.23915/distill.00003)"),
        ("![digits](docs/images/a.png)", "![digits](docs/images/a.png)"),
    ],
)  # fmt: skip
def test_markdown_is_made_fit_for_the_site(text, tidied):
    assert build_site.tidy(text) == tidied


def test_a_lesson_keeps_its_pictures_texts():
    picture = v4.new_output("display_data", data={"image/png": "aaaa", "text/plain": "a"})
    cell = v4.new_code_cell("plot()", outputs=[picture])
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# A"), cell])
    build_site.for_the_page(notebook, {cell.id: "A line that rises."})
    assert notebook.cells[1].metadata["alt"] == ["A line that rises."]


def test_the_theme_has_buttons_only_once_the_repository_has_an_address(monkeypatch):
    Address = build_site.address.Address
    monkeypatch.setattr(build_site.address, "read",
                        lambda _: Address(build_site.address.NONE_YET, "main"))  # fmt: skip
    assert build_site.theme() == {}
    monkeypatch.setattr(build_site.address, "read",
                        lambda _: Address("https://github.com/a/b", "v1"))  # fmt: skip
    theme = build_site.theme()
    assert (theme["repository_url"], theme["repository_branch"]) == ("https://github.com/a/b", "v1")
    assert "colab_url" in theme["launch_buttons"]


def test_an_arrow_of_the_menu_says_whose_pages_it_unfolds():
    menu = '<a href="#">What is here</a><details{}><summary><span></span></summary>'
    named = '<a href="#">What is here</a><details{}><summary aria-label="What is here: its pages">'
    for state in ("", ' open="open"'):
        assert build_site.named_arrows(menu.format(state)).startswith(named.format(state))
    written = "<details><summary>A solution</summary>"
    assert build_site.named_arrows(written) == written


# ---------------------------------------------------------------------------- faults of a site


@pytest.fixture
def site(tmp_path):
    """A sound site of two pages."""
    (tmp_path / "a").mkdir()
    (tmp_path / "style.css").write_text("a { background: url(b.png) }")
    (tmp_path / "b.png").write_bytes(b"png")
    (tmp_path / "index.html").write_text(
        '<link rel="stylesheet" href="style.css?v=1"><img src="b.png" alt="A dot.">'
        '<a href="a/page.html#here">a</a><a href="https://arxiv.org/abs/1">paper</a>'
        '<summary aria-label="a: its pages"><i></i></summary><summary>A solution</summary>'
    )
    (tmp_path / "a" / "page.html").write_text('<h1 id="here">b</h1><a href="../index.html">up</a>')
    return tmp_path


def test_a_sound_site_has_no_faults(site):
    assert list(build_site.faults(site)) == []


@pytest.mark.parametrize(
    ("addition", "fault"),
    [
        ('<script src="https://cdn.x/y.js"></script>', "fetches https://cdn.x/y.js from another"),
        ('<script src="//cdn.x/y.js"></script>', "fetches //cdn.x/y.js from another"),
        ('<link rel="stylesheet" href="https://f.x/y.css">', "fetches https://f.x/y.css"),
        ('<img src="https://f.x/y.png" alt="A dot.">', "fetches https://f.x/y.png"),
        ('<iframe src="http://f.x"></iframe>', "fetches http://f.x"),
        ('<script src="no.js"></script>', "no.js leads nowhere"),
        ('<a href="b/page.html">', "b/page.html leads nowhere"),
        ('<a href="a/page.html#there">', "a/page.html#there: no such place"),
        ('<a href="#there">', "#there: no such place"),
        ('<img src="b.png">', "no alt text for b.png"),
        ('<img src="b.png" alt=" ">', "no alt text for b.png"),
        ("<summary><i></i></summary>", "index.html: no name for what unfolds something"),
    ],
)
def test_each_fault_of_a_site_is_found(site, addition, fault):
    page = site / "index.html"
    page.write_text(page.read_text() + addition)
    (found,) = build_site.faults(site)
    assert fault in found


@pytest.mark.parametrize("rule", ["@import 'https://f.x/a.css'", "a { src: url('//f.x/a.woff') }"])
def test_a_style_that_fetches_from_another_machine_is_found(site, rule):
    (site / "style.css").write_text(rule)
    (found,) = build_site.faults(site)
    assert "style.css fetches" in found


def test_a_site_that_is_too_large_is_found(site, monkeypatch):
    monkeypatch.setattr(build_site, "MOST_MB", 0)
    (found,) = build_site.faults(site)
    assert "more than 0" in found

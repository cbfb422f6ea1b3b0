"""The programs on the pages of the documentation run; every question has its answer, every link its target."""

import re
import runpy
import unicodedata
from pathlib import Path

import jax
import pytest

PAGES = Path(__file__).parent.parent / "docs"
QUESTIONS = PAGES / "how-to"
STANDALONE = ("concepts.md", "coming-from.md", "extend.md")
"""Pages whose programs stand alone."""
FRAGMENTS = {"examples.md"}
"""Pages with pieces of programs, which are those of the examples."""
PROGRAM = re.compile(r"```python\n(.*?)```", flags=re.DOTALL)


def sections(page):
    """Headings of the second level, and the text below each."""
    text = page.read_text(encoding="utf-8")
    return [section.split("\n", 1) for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]]


def complete_programs():
    """Programs that stand alone: those of the questions, and of pages that say so."""
    for page in (*sorted(QUESTIONS.glob("*.md")), *(PAGES / name for name in STANDALONE)):
        for heading, text in sections(page):
            for number, program in enumerate(PROGRAM.findall(text)):
                yield pytest.param(program, id=f"{page.stem}: {heading} {number + 1}")


def anchor(heading):
    """What the site makes of a heading."""
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def prose(page):
    """A page without its programs."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture
def precision():
    """What a page does to the precision ends with the page."""
    before = jax.config.jax_enable_x64
    yield
    jax.config.update("jax_enable_x64", before)


EXPECTED_OUTPUT = [
    ("callbacks.md", r"# (\[ 0 25 50 75\])"),
    ("deployment.md", r"# (\(2, 1\) 0\.0)"),
    ("derivatives.md", r"```\n(pass over.*?)…"),
    ("domains.md", r"# (0\.4142)"),
    ("files.md", r"# (\(1, 2, 1\))"),
    ("how-it-works.md", r"```\n(pass over.*?)```"),
    ("logging.md", r"# (2 0\.5 0\.25)"),
    ("models.md", r"\(tuned\.module\)\)  # (\d)"),
    ("plots.md", r"```text\n(.*?)\n```"),
    ("resampling.md", r"# (\(1, 1, 20, 1\))"),
    ("search.md", r"# (32 0\.01)"),
    ("training.md", r"# (20)"),
    ("uncertainty.md", r"# (\(4, 300, 1, 40, 1\))"),
    ("when-training-fails.md", r"# (0\.56)"),
    ("weak-forms.md", r"# (\['volume', 'surface@right', 'dirichlet@left'\])"),
]


@pytest.mark.usefixtures("precision")
@pytest.mark.parametrize(("page", "shown"), EXPECTED_OUTPUT)
def test_programs_run(page, shown, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (PAGES / page).read_text(encoding="utf-8")
    namespace = {}
    for program in PROGRAM.findall(text):
        exec(compile(program, page, "exec"), namespace)
    printed = "\n" + capsys.readouterr().out
    assert f"\n{re.search(shown, text, flags=re.DOTALL)[1].rstrip()}\n" in printed


@pytest.mark.usefixtures("precision")
@pytest.mark.parametrize("program", list(complete_programs()))
def test_answers_hold(program, tmp_path, monkeypatch):
    assert "\nassert " in program or "\n    assert " in program
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "answer", "exec"), {"__name__": "answer"})


def test_every_question_has_a_program_and_a_warning_and_is_in_the_index():
    index = (QUESTIONS / "index.md").read_text(encoding="utf-8")
    for page in sorted(QUESTIONS.glob("*.md")):
        for heading, text in sections(page) if page.name != "index.md" else ():
            assert heading.startswith("How do I "), heading
            assert PROGRAM.search(text), heading
            assert "\nBeware: " in text, heading
            assert f"({page.name}#{anchor(heading)})" in index, heading


def test_every_page_with_programs_is_run():
    pages = {str(page.relative_to(PAGES)) for page in PAGES.rglob("*.md") if PROGRAM.search(page.read_text("utf-8"))}
    alone = {f"how-to/{page.name}" for page in QUESTIONS.glob("*.md")} | {*STANDALONE}
    assert pages <= alone | {page for page, _ in EXPECTED_OUTPUT} | FRAGMENTS | {"index.md"}


def test_every_page_is_in_the_menu():
    menu = (PAGES.parent / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page for page in PAGES.rglob("*.md") if f": {page.relative_to(PAGES)}\n" not in menu] == []


@pytest.mark.parametrize("page", sorted(PAGES.rglob("*.md")), ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!http)([^)\s]+)\)", prose(page)):
        path, _, place = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if file == PAGES / "gallery" / "index.md":
            continue  # docs/gallery.py makes it when the site is built
        assert file.is_file(), f"{page.name}: {target}"
        places = (
            [anchor(heading) for heading in re.findall(r"^#+ (.*)", prose(file), flags=re.MULTILINE)] if place else []
        )
        assert not place or place in places, f"{page.name}: {target}"


def test_the_home_page_shows_the_program_of_the_readme_and_what_it_draws():
    # tests/test_examples.py runs this program
    home = runpy.run_path(str(PAGES / "draw_home.py"))
    assert home["program"]() == PROGRAM.search((PAGES.parent / "README.md").read_text(encoding="utf-8"))[1]
    assert home["PICTURE"].read_bytes().startswith(b"\x89PNG")
    assert home["PICTURE"].stat().st_size < 200_000


def test_the_pictures_of_how_it_works_are_those_of_its_program():
    drawn = runpy.run_path(str(PAGES / "draw_passes.py"))
    pictures = {name: path.read_text(encoding="utf-8") for name, path in drawn["PICTURES"].items()}
    assert drawn["drawings"]() == pictures
    assert drawn["carried"](drawn["problem"]()[1]) == ["u", "∂x", "-1 ∂t + 0.01 ∂xx"]


def test_the_figures_of_performance_are_those_of_the_benchmarks():
    text = (PAGES / "performance.md").read_text(encoding="utf-8")
    figures = (PAGES.parent / "benchmarks" / "README.md").read_text(encoding="utf-8")
    included = re.findall(r'^--8<-- "benchmarks/README\.md:(\w+)"$', text, flags=re.MULTILINE)
    assert "measured" in included
    for name in included:
        assert figures.count(f"[start:{name}]") == figures.count(f"[end:{name}]") == 1
    assert not re.search(r"\d\.\d\d", text)  # no figure stands on the page itself


def test_files_that_the_architecture_names_are_there():
    text = (PAGES / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(jno/[\w/]+\.py)`", text))
    assert len(named) > 20
    assert [path for path in named if not (PAGES.parent / path).is_file()] == []


def test_the_picture_of_the_floors_is_that_of_the_contract():
    drawn = runpy.run_path(str(PAGES / "draw_floors.py"))
    assert drawn["PICTURE"].read_text(encoding="utf-8") == drawn["drawing"]()
    rooms = {room for floor in drawn["floors"]() for room in floor}
    source = {
        path.stem
        for path in (PAGES.parent / "jno").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert rooms == source - {"__init__"}

"""The programs on the pages of the documentation run."""

import re
import runpy
from pathlib import Path

import jax
import pytest

PAGES = Path(__file__).parent.parent / "docs"


@pytest.fixture
def precision():
    """What a page does to the precision ends with the page."""
    before = jax.config.jax_enable_x64
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.usefixtures("precision")
@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("callbacks.md", r"# (\[ 0 25 50 75\])"),
        ("deployment.md", r"# (\(2, 1\) 0\.0)"),
        ("derivatives.md", r"```\n(pass over.*?)…"),
        ("domains.md", r"# (0\.4142)"),
        ("files.md", r"# (\(1, 2, 1\))"),
        ("logging.md", r"# (2 0\.5 0\.25)"),
        ("models.md", r"\(tuned\.module\)\)  # (\d)"),
        ("plots.md", r"```text\n(.*?)\n```"),
        ("resampling.md", r"# (\(1, 1, 20, 1\))"),
        ("search.md", r"# (32 0\.01)"),
        ("training.md", r"# (20)"),
        ("uncertainty.md", r"# (\(4, 300, 1, 40, 1\))"),
        ("weak-forms.md", r"# (\['volume', 'surface@right', 'dirichlet@left'\])"),
    ],
)
def test_programs_run(page, shown, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (PAGES / page).read_text(encoding="utf-8")
    namespace = {}
    for program in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(program, page, "exec"), namespace)
    printed = "\n" + capsys.readouterr().out
    assert f"\n{re.search(shown, text, flags=re.DOTALL)[1].rstrip()}\n" in printed


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

"""Every example of the gallery reaches its number, draws its picture, and becomes a page and a notebook of the site."""

import ast
import importlib.util
import json
import re
import sys
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = {path.stem: path for path in sorted((ROOT / "examples" / "gallery").glob("*.py"))}
SHORT = {
    "allen_cahn": {"epochs": 15, "tolerance": 0.01},
    "bayesian_decay": {"draws": 200, "tolerance": 0.5},
    "cavity": {"mesh_size": 1 / 16, "tolerance": 0.02},
}
"""Parameters with which an example takes seconds, where its own take longer."""
QUICK = {"cantilever", "ground_state", "hanging_bar", "mesh_file", "radiation"}
"""Examples that take seconds as they are."""


def site_file(name):
    """The module `docs/<name>.py`."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


gallery = site_file("gallery")


@pytest.fixture(autouse=True)
def precision():
    """What an example does to the precision ends with it."""
    before = jax.config.jax_enable_x64
    yield
    jax.config.update("jax_enable_x64", before)


def parameters(source):
    """The lines of the cell of parameters, and where it ends."""
    cell = re.search(r'# %% tags=\["parameters"\]\n((?:.+\n)+)', source)
    return cell[1], cell.end()


def run(name, folder, monkeypatch, **changes):
    """Run an example in a folder with other parameters; it checks its number itself."""
    monkeypatch.chdir(folder)
    source = EXAMPLES[name].read_text(encoding="utf-8")
    _, end = parameters(source)
    injected = "".join(f"{key} = {value!r}\n" for key, value in changes.items())
    exec(compile(source[:end] + injected + source[end:], f"{name}.py", "exec"), {"__name__": "__main__"})
    picture = (folder / f"{name}.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 5_000


@pytest.mark.parametrize("name", sorted(SHORT.keys() | QUICK))
def test_short_form(name, tmp_path, monkeypatch):
    run(name, tmp_path, monkeypatch, **SHORT.get(name, {}))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - QUICK))
def test_whole_form(name, tmp_path, monkeypatch):
    run(name, tmp_path, monkeypatch)


# --- how the examples are written ------------------------------------------------------------------------------
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_states_its_equation_and_checks_its_number(name):
    source = EXAMPLES[name].read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 90
    docstring = ast.get_docstring(ast.parse(source))
    title, *blocks = docstring.split("\n\n")
    assert title.endswith((".", "?"))
    assert any(block.startswith("    ") for block in blocks), "the equation is indented"
    assert re.search(r"^assert .* < tolerance$", source, flags=re.MULTILINE)
    assert f'"{name}.png"' in source
    text, _ = parameters(source)
    names = {target.id for target in ast.walk(ast.parse(text)) if isinstance(target, ast.Name)}
    assert "tolerance" in names
    assert set(SHORT.get(name, {})) <= names


def test_every_example_has_a_section_picture_and_record():
    listed = [name for names in gallery.SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(gallery.examples())
    assert len(listed) >= 36
    recorded = json.loads(gallery.RECORDS.read_text(encoding="utf-8"))
    assert set(recorded) == set(EXAMPLES)
    for name in EXAMPLES:
        assert gallery.examples()[name].picture == gallery.PICTURES / f"{name}.webp", name
    assert sum(path.stat().st_size for path in gallery.PICTURES.iterdir()) < 3_000_000


# --- pages and notebooks ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["lorenz_inverse", "poisson", "inverse"])
def test_page(name):
    example = gallery.examples()[name]
    page = example.page(gallery.records())
    assert page.startswith(f"# {example.title}\n")
    assert example.source.rstrip("\n") in page
    assert f"[script]({name}.py)" in page
    assert (f"[notebook]({name}.ipynb)" in page) == (name != "inverse")  # which reads a file beside itself
    assert f"]({name}.md)" in gallery.index()


def test_notebooks_are_those_of_the_scripts():
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("jupytext")
    for name, example in gallery.examples().items():
        if example.reads_shipped_data:
            continue
        assert example.notebook() == example.notebook(), name
        notebook = nbformat.reads(example.notebook(), as_version=4)
        nbformat.validate(notebook)
        first, *code = notebook.cells
        assert first.cell_type == "markdown"
        assert first.source.startswith(f"# {example.title}\n")
        assert all(cell.cell_type == "code" for cell in code)
        ast.parse("\n".join(cell.source for cell in code))
        assert "__name__" not in code[-1].source


def execute(name, folder):
    """Run the notebook of an example in a kernel; its outputs."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("jupytext")
    pytest.importorskip("ipykernel")
    notebook = nbformat.reads(gallery.examples()[name].notebook(), as_version=4)
    options = {"timeout": 600, "kernel_name": "python3", "resources": {"metadata": {"path": str(folder)}}}
    nbclient.NotebookClient(notebook, **options).execute()
    return notebook.cells


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")  # of Jupyter's own packages
@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_notebook_runs_and_shows_its_picture(name, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND")  # the kernel chooses the one that shows pictures in notebooks
    *_, last = execute(name, tmp_path)
    shown = [kind for output in last.outputs for kind in output.get("data", {})]
    assert "image/png" in shown
    assert (tmp_path / f"{name}.png").is_file()

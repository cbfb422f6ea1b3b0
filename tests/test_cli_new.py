"""`jno new`: what it writes runs and reaches a small error; it overwrites nothing."""

import runpy
import shlex
from pathlib import Path

import jax
import numpy as np
import pytest
from helpers import one_line_error

import jno
from jno._cli import STARTERS, main

ROOT = Path(jno.__file__).parent.parent


SHORT = {"poisson": (300, 0.3), "time": (150, 0.1), "inverse": (400, 0.2), "operator": (200, 0.1), "weak": (150, 0.3)}
"""Epochs, and the error that is reached then; with the defaults it is far smaller."""
WHOLE = {"poisson": 1e-3, "time": 1e-3, "inverse": 0.01, "operator": 0.02, "weak": 5e-3}
"""Errors with the defaults."""


@pytest.fixture
def precision():
    before = jax.config.jax_enable_x64
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.usefixtures("precision")
@pytest.mark.parametrize(
    ("kind", "options", "bound"),
    [
        *((kind, {"epochs": epochs}, bound) for kind, (epochs, bound) in SHORT.items()),
        *(pytest.param(kind, {}, bound, marks=pytest.mark.slow) for kind, bound in WHOLE.items()),
    ],
)
def test_scripts_to_start_from(kind, options, bound, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "my problem", "--kind", kind]) == 0
    line = capsys.readouterr().out
    assert shlex.split(line.rpartition("run it: ")[2]) == ["python", "my problem.py"]
    errors = runpy.run_path("my problem.py")["main"](**options)
    assert np.max(errors) < bound
    (picture,) = tmp_path.glob("*.png")
    assert picture.stem == STARTERS[kind][0]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_kinds_are_the_scripts_that_are_shipped():
    shipped = {path.stem for path in (ROOT / "examples" / "starters").glob("*.py")}
    assert not shipped or shipped == {script for script, _ in STARTERS.values()}  # an installed package has no folder


def test_default_script_is_poisson(capsys, tmp_path):
    assert main(["new", str(tmp_path / "mine.py")]) == 0
    assert (tmp_path / "mine.py").read_text(encoding="utf-8").startswith('"""Poisson')


def test_scripts_overwrite_nothing(capsys, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("mine")
    for name in ("mine", "mine.py"):
        assert main(["new", str(tmp_path / name)]) == 2
        assert one_line_error(capsys) == f"jno: error: {file} exists; jno new overwrites nothing, choose another name"
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine.txt", "'mine.txt' is not the name of a Python script; give one such as heat or heat.py"),
        ("..", "'..' is not the name of a Python script; give one such as heat or heat.py"),
        ("operator", "operator.py would hide the Python module 'operator' from the script itself; choose another name"),
        ("jno.py", "jno.py would hide the Python module 'jno' from the script itself; choose another name"),
        ("optax", "optax.py would hide the Python module 'optax' from the script itself; choose another name"),
        ("no/such/mine", "no/such/mine.py: No such file or directory"),
    ],
)
def test_names_of_scripts_that_are_refused(name, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["new", name]) == 2
    assert one_line_error(capsys) == f"jno: error: {message}"
    assert list(tmp_path.iterdir()) == []


def test_unknown_kind(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["new", "mine", "--kind", "stokes"])
    assert stop.value.code == 2
    assert "argument --kind: invalid choice: 'stokes'" in capsys.readouterr().err

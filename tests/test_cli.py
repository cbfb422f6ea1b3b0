"""The console command: output, exit status, one-line errors, and what the wheel must contain."""

import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from helpers import EXTRAS_WITHOUT_CALLS, one_line_error

import jno
from jno._cli import DEMOS, load_example, main

ROOT = Path(jno.__file__).parent.parent


def test_info(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".jno.toml").write_text('[jno]\nseed = 7\ndiff_type = "forward"\n')
    assert main(["info"]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line.startswith(" "))
    assert rows["jno"] == jno.__version__
    assert rows["python"] == ".".join(map(str, sys.version_info[:3]))
    assert rows["backend"] == "cpu"
    assert rows["seed"] == "7"
    assert rows["file"].endswith(".jno.toml")
    assert rows["first-order"].split() == ["AD", "forward"]


def test_info_lists_the_packages_of_every_extra(capsys):
    assert main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    begin, end = lines.index("Optional packages"), lines.index("Devices")
    shown = {tuple(line.split()[:2]) for line in lines[begin + 1 : end]}
    project = ROOT / "pyproject.toml"
    if not project.is_file():
        pytest.skip("only the source tree has a pyproject.toml")
    extras = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    listed = {
        (requirement.partition(">=")[0], f"[{extra}]")
        for extra, requirements in extras.items()
        if extra not in EXTRAS_WITHOUT_CALLS
        for requirement in requirements
    }
    assert shown == listed
    assert any(line.split()[0] == "scikit-learn" and line.split()[2] != "not" for line in lines[begin + 1 : end])


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"jno {jno.__version__}\n"


def test_no_command_shows_help(capsys):
    assert main([]) == 2
    assert "info" in capsys.readouterr().out


def test_unknown_demo(capsys):
    assert main(["demo", "nosuch"]) == 2
    message = one_line_error(capsys)
    assert message.startswith(f"jno: error: there is no demo 'nosuch'; choose one of {', '.join(DEMOS)}, ")
    assert message.endswith(", variational_line")


def test_list_of_demos(capsys):
    assert main(["demo", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [tuple(line.split(maxsplit=1)) for line in lines]
    assert rows[: len(DEMOS)] == list(DEMOS.items())
    assert ("stiff", "A stiff equation: what a loss must be divided by.") in rows
    assert {name for name, _ in rows} == {*DEMOS, *(path.stem for path in (ROOT / "examples" / "gallery").glob("*.py"))}


def test_a_script_of_the_gallery(capsys, tmp_path, monkeypatch):
    script = tmp_path / "gallery" / "line.py"
    script.parent.mkdir()
    script.write_text('"""A line."""\nfrom pathlib import Path\nPath("line.png").write_text(__name__)\n')
    monkeypatch.setattr("jno._cli.SCRIPTS", (tmp_path / "none", script.parent))
    before = Path.cwd()
    assert main(["demo", "line", "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"line: A line.\npicture: {tmp_path / 'out' / 'line.png'}\n"
    assert (tmp_path / "out" / "line.png").read_text() == "__main__"
    assert Path.cwd() == before


@pytest.mark.parametrize(("option", "value"), [("--epochs", "3"), ("--data", "x.csv")])
def test_scripts_have_their_parameters_inside(capsys, option, value):
    assert main(["demo", "stiff", option, value]) == 2
    message = one_line_error(capsys)
    assert message.startswith(f"jno: error: {option} belongs to other demos; 'stiff' is a script with its parameters")
    assert message.endswith("stiff.py")


@pytest.mark.parametrize("extra", [["burgers"], ["--epochs", "3"], ["--out", "here"], ["--data", "x.csv"]])
def test_list_of_demos_goes_alone(capsys, extra):
    assert main(["demo", "--list", *extra]) == 2
    assert one_line_error(capsys) == "jno: error: --list runs no demo; leave out the name and the other options"


@pytest.mark.parametrize("text", ["0", "-3", "many", "1.5"])
def test_epochs_must_be_positive(capsys, text):
    with pytest.raises(SystemExit) as stop:
        main(["demo", "poisson", f"--epochs={text}"])
    assert stop.value.code == 2
    assert f"argument --epochs: '{text}' is not a positive integer" in capsys.readouterr().err


def test_unknown_option(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["demo", "poisson", "--colour", "red"])
    assert stop.value.code == 2
    assert "unrecognized arguments: --colour red" in capsys.readouterr().err


def test_data_belongs_to_inverse(capsys):
    assert main(["demo", "poisson", "--data", "x.csv"]) == 2
    assert (
        one_line_error(capsys)
        == "jno: error: --data belongs to the demos 'inverse' and 'fem_inverse'; 'poisson' reads no data"
    )


def test_default_demo_with_options(capsys, tmp_path):
    assert main(["demo", "--epochs", "3", "--out", str(tmp_path / "deep" / "er")]) == 0
    out = capsys.readouterr().out
    assert f"picture: {tmp_path / 'deep' / 'er' / 'poisson.png'}" in out
    assert "relative L2 error: " in out.splitlines()[-1]
    assert (tmp_path / "deep" / "er" / "poisson.png").is_file()
    assert (tmp_path / "deep" / "er" / "log.log").is_file()


def test_default_folder_follows_the_configuration(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("JNO_LOG_DIR", str(tmp_path / "elsewhere"))
    assert main(["demo", "poisson", "--epochs", "1"]) == 0
    assert (tmp_path / "elsewhere" / "poisson" / "poisson.png").is_file()


def test_folder_that_is_a_file(capsys, tmp_path):
    (tmp_path / "file").touch()
    assert main(["demo", "--out", str(tmp_path / "file")]) == 2
    assert one_line_error(capsys) == f"jno: error: {tmp_path / 'file'}: File exists"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "row 1, column x: missing; the first row must be x,t,u"),
        ("x,t,u\n0.5,0.5,warm\n", "row 2, column u: 'warm' is not a number"),
    ],
)
def test_bad_readings(capsys, tmp_path, text, message):
    file = tmp_path / "readings.csv"
    file.write_text(text)
    assert main(["demo", "inverse", "--data", str(file), "--out", str(tmp_path)]) == 2
    assert one_line_error(capsys) == f"jno: error: {file}: {message}"


def test_readings_that_do_not_exist(capsys, tmp_path):
    assert main(["demo", "inverse", "--data", str(tmp_path / "none.csv"), "--out", str(tmp_path)]) == 2
    assert one_line_error(capsys) == f"jno: error: {tmp_path / 'none.csv'}: No such file or directory"


def test_demos_are_described_by_their_own_names():
    for name in DEMOS:
        assert inspect.signature(load_example(name).main).parameters["out"].default == f"runs/{name}"


def test_epochs_belong_to_demos_that_train(capsys):
    assert main(["demo", "fem_elasticity", "--epochs", "3"]) == 2
    assert one_line_error(capsys) == (
        "jno: error: --epochs belongs to demos that train; 'fem_elasticity' solves its equations"
    )


def test_module_is_the_command():
    run = subprocess.run(
        [sys.executable, "-m", "jno", "demo", "nosuch"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert run.stderr.startswith(f"jno: error: there is no demo 'nosuch'; choose one of {', '.join(DEMOS)}, ")


def test_every_package_is_in_the_wheel():
    project = ROOT / "pyproject.toml"
    if not project.is_file():
        pytest.skip("only the source tree has a pyproject.toml")
    listed = tomllib.loads(project.read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    present = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "jno").rglob("__init__.py")}
    folders = {"jno._examples", "jno._examples.gallery", "jno._examples.starters"}
    assert set(listed) == present | folders, "complete [tool.setuptools] packages in pyproject.toml"

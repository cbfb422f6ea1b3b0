"""The distributions: built, looked at, installed into an empty environment; and what is said of packages that miss."""

import base64
import csv
import email.parser
import hashlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import processes
import pytest
from helpers import EXTRAS_WITHOUT_CALLS

ROOT = Path(__file__).parent.parent
FILE = ROOT / "pyproject.toml"
PROJECT = tomllib.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
pytestmark = pytest.mark.skipif(not PROJECT, reason="only the source tree has a pyproject.toml")

# --- missing extras ---------------------------------------------------------------------------------------------
MODULES = {"orbax-checkpoint": "orbax", "scikit-learn": "sklearn", "iree-base-compiler": "iree"}
MODULES["iree-base-runtime"] = "iree"
CALLS = {
    "gmsh": "jno.domain(lambda geometry: None)",
    "meshio": 'jno.domain("x.mesh")',
    "orbax-checkpoint": 'crux.solve(1, callbacks=[jno.callbacks.checkpoint("checkpoints")])',
    "blackjax": "jno.bayesian.pathfinder()(jax.random.PRNGKey(0), lambda at: 0.0, points, 1)",
    "nevergrad": 'crux.sweep(jno.np.tune.space().unique("epochs", [1, 2]), "NGOpt", 2)',
    "scikit-learn": 'history.plot("x.png")',
    "wandb": 'jno.loggers.wandb("x")',
    "tensorboardX": 'jno.loggers.tensorboard("x")',
    "cryptography": 'jno.save(1, "x.jno", private_key_path="x.pem")',
    "flatbuffers": 'net.export("x.stablehlo", points)',
    "jax2onnx": 'net.export("x.onnx", points)',
    "iree-base-compiler": "net.to_iree(points)",
    "iree-base-runtime": 'jno.iree.IREEModel("x", b"", "llvm-cpu", (((3, 1), "float32"),))(points)',
    "plotly": 'jno.domain.rect(mesh_size=0.5).export("x.html")',
    "h5py": 'jno.domain("x.med")',  # meshio asks for it, which must be there: the last
}
"""A call that needs each package of an extra."""
WITHOUT = """
import json, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])

Blocked.names = set(json.loads(sys.argv[1]))
sys.meta_path.insert(0, Blocked())
import foundax, jax, numpy as np, optax, jno
from jno.tuner import Outcome, Trial, TuningHistory

x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
net = jno.nn(foundax.mlp(1, hidden_dims=4, key=jax.random.PRNGKey(0))).optimizer(optax.adam(1e-3))
crux = jno.core([net(x).mse])
points = np.zeros((3, 1), np.float32)
labels = [{"width": number} for number in range(6)]
history = TuningHistory((Trial(n, l, l), Outcome(n, l, 1.0 + n, 0.5)) for n, l in enumerate(labels))
open("x.med", "wb").write(b"HDF")
open("x.mesh", "w").write("MeshVersionFormatted 2")
messages = {}
for package, call in json.loads(sys.argv[2]).items():
    try:
        Blocked.names = {"h5py"} if package == "h5py" else set(json.loads(sys.argv[1]))
        eval(call)
    except ImportError as error:
        messages[package] = str(error)
    except Exception as error:
        messages[package] = f"{type(error).__name__}: {error}"
print("RESULT " + json.dumps(messages))
"""


def packages(extra):
    return [requirement.partition(">=")[0] for requirement in PROJECT["project"]["optional-dependencies"][extra]]


def extras():
    return {
        package: extra
        for extra in PROJECT.get("project", {}).get("optional-dependencies", {})
        if extra not in EXTRAS_WITHOUT_CALLS
        for package in packages(extra)
    }


def test_every_package_of_an_extra_has_a_call_that_needs_it():
    assert set(CALLS) == set(extras())


def test_missing_packages_are_named_with_their_extra(tmp_path):
    names = sorted({MODULES.get(package, package) for package in extras()})
    messages = processes.result_of(processes.start(WITHOUT, json.dumps(names), json.dumps(CALLS), cwd=tmp_path))
    for package, extra in extras().items():
        assert f"pip install 'jno-jax[{extra}]'" in messages.get(package, "no error"), (package, messages.get(package))
        assert package in messages[package] or package.lower() in messages[package].lower()


def test_the_collection_of_extras_is_complete():
    collected = PROJECT["project"]["optional-dependencies"]["all"][0]
    assert collected == f"jno-jax[{','.join(dict.fromkeys(extras().values()))}]"


# --- distributions ----------------------------------------------------------------------------------------------
SOURCES = ("jno", "examples", "pyproject.toml", "README.md", "LICENSE")


def run(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=900, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Return the wheel, built from the sdist, and the sdist, built from a copy of the sources."""
    if importlib.util.find_spec("build") is None or int(version("setuptools").partition(".")[0]) < 77:
        pytest.skip("needs build and setuptools 77 or newer: pip install '.[dev]'")
    folder = tmp_path_factory.mktemp("distributions")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, folder / name)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(site_packages())}
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", folder, env=environment)
    (wheel,), (sdist,) = (folder / "dist").glob("*.whl"), (folder / "dist").glob("*.tar.gz")
    return wheel, sdist


def site_packages():
    """The folders of installed packages, without the source tree."""
    return [path for path in sys.path if Path(path).name == "site-packages"]


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def the_only(names, suffix):
    (name,) = [name for name in names if name.endswith(suffix)]
    return name


@pytest.mark.slow
def test_the_wheel_holds_the_library_and_nothing_else(distributions):
    files = contents(distributions[0])
    shipped = {name for name in files if ".dist-info/" not in name}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "jno").rglob("*.py")}
    examples = {
        f"jno/_{path.relative_to(ROOT).as_posix()}"
        for pattern in ("*.py", "gallery/*.py", "starters/*.py", "data/*.csv")
        for path in (ROOT / "examples").glob(pattern)
    }
    assert shipped == modules | examples | {"jno/py.typed"}


@pytest.mark.slow
def test_the_wheel_describes_itself(distributions):
    files = contents(distributions[0])
    about = email.parser.BytesParser().parsebytes(files[the_only(files, ".dist-info/METADATA")])
    project = PROJECT["project"]
    assert about.defects == []
    assert (about["Name"], about["Version"]) == (project["name"], project["version"])
    assert (about["License-Expression"], about["License-File"]) == ("Apache-2.0", "LICENSE")
    assert about["Requires-Python"] == project["requires-python"]
    assert about["Description-Content-Type"] == "text/markdown"
    assert about.get_payload().strip().startswith("# jNO")
    assert about.get_all("Provides-Extra") == list(project["optional-dependencies"])
    required = {
        line.partition(">")[0].partition(";")[0] for line in about.get_all("Requires-Dist") if "extra" not in line
    }
    assert required == {line.partition(">")[0] for line in project["dependencies"]}
    assert files[the_only(files, "/LICENSE")] == (ROOT / "LICENSE").read_bytes()
    assert files[the_only(files, "entry_points.txt")].decode().split() == [
        "[console_scripts]",
        "jno",
        "=",
        "jno._cli:main",
    ]


@pytest.mark.slow
def test_the_record_of_the_wheel_fits(distributions):
    files = contents(distributions[0])
    record = the_only(files, ".dist-info/RECORD")
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(files[record].decode()))}
    assert set(rows) == set(files)
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        assert name == record or rows[name] == [f"sha256={digest}", str(len(content))]


@pytest.mark.slow
def test_the_sdist_can_be_built_again(distributions):
    wheel, sdist = distributions  # the wheel is what was built from it
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "PKG-INFO",
        "jno/py.typed",
        "examples/starters/poisson.py",
    } <= names
    assert wheel.name.startswith(sdist.name.removesuffix(".tar.gz"))


@pytest.mark.slow
def test_the_index_would_take_them(distributions):
    pytest.importorskip("twine")
    run(sys.executable, "-m", "twine", "check", "--strict", *distributions)


TRIED = """
import importlib, json, pathlib, pkgutil, sys
import jno
names = [module.name for module in pkgutil.walk_packages(jno.__path__, "jno.") if "._examples" not in module.name]
for name in names:
    if name != "jno.__main__":
        importlib.import_module(name)
print("RESULT " + json.dumps({"file": jno.__file__, "version": jno.__version__, "modules": len(names)}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_they_are_installed_into_an_empty_environment(distributions, kind, tmp_path):
    wheel, sdist = distributions
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True, symlinks=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    (folder,) = environment.glob("lib/python*/site-packages")
    for bundled in folder.glob("setuptools*"):  # older Pythons bring one that is too old to build with
        shutil.rmtree(bundled)
    (folder / "dependencies.pth").write_text("\n".join(site_packages()))  # their own .pth files do not count then
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"JAX_PLATFORMS": "cpu"}
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    archive = wheel if kind == "wheel" else sdist
    run(python, "-m", "pip", "install", *offline, archive, cwd=tmp_path, env=variables)
    tried = run(python, "-c", TRIED, cwd=tmp_path, env=variables)
    result = json.loads(tried.splitlines()[-1].removeprefix("RESULT "))
    assert Path(result["file"]).is_relative_to(folder)
    assert result["version"] == PROJECT["project"]["version"]
    assert result["modules"] > 500
    command = python.with_name("jno")
    assert run(command, "--version", cwd=tmp_path, env=variables) == f"jno {result['version']}\n"
    assert "poisson" in run(command, "demo", "--list", cwd=tmp_path, env=variables)
    run(command, "new", "mine", "--kind", "weak", cwd=tmp_path, env=variables)
    assert (tmp_path / "mine.py").is_file()
    if kind == "wheel":
        run(command, "demo", "inverse", "--epochs", "2", cwd=tmp_path, env=variables)  # which reads package data
        assert (tmp_path / "runs" / "inverse" / "inverse.png").is_file()

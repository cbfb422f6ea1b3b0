"""The console command: `jno info`, `jno demo`, `jno new` and `jno inspect`."""

from __future__ import annotations

import argparse
import ast
import contextlib
import csv
import importlib.util
import inspect
import runpy
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from types import ModuleType
from typing import Any

DEMOS = {
    "poisson": "Poisson equation on the unit square, hard boundary condition",
    "poisson_engd": "the same to seven digits: energy natural gradients, soft boundary condition, float64",
    "burgers": "viscous Burgers equation with a steep front, soft initial and boundary conditions",
    "burgers_ssbroyden": "the same to four digits: self-scaled Broyden method after Adam, float64 (minutes)",
    "inverse": "diffusivity and source amplitude from noisy sensor readings (--data FILE)",
    "bpinn_poisson": "uncertainty: Poisson equation with noisy source and boundary values, Hamiltonian Monte Carlo",
    "deeponet": "operator learning over 200 conductivities, physics only",
    "darcy_fno": "operator learning from 500 solved permeability fields, Fourier neural operator",
    "fem_elasticity": "finite elements: plate with a hole in tension, stress concentration",
    "fem_cylinder_flow": "finite elements: steady flow around a cylinder, drag and lift (benchmark 2D-1)",
    "fem_inverse": "finite elements: a conductivity field from noisy temperature readings (--data FILE)",
    "fem_operator": "finite elements make the data of a neural operator on an L-shaped plate",
    "vpinn_poisson": "variational network: Poisson equation in weak form with a given flux",
}
SCRIPTS = (Path(__file__).parent / "_examples" / "gallery", Path(__file__).parent.parent / "examples" / "gallery")
"""Where the scripts of the gallery are: in the installed package, in the source tree around it."""
STARTERS = {
    "poisson": ("poisson", "Poisson's equation on a square, exact boundary condition"),
    "time": ("time_dependent", "the heat equation: initial values, boundary values, levels of time"),
    "inverse": ("inverse_problem", "an unknown coefficient from readings"),
    "operator": (
        "neural_operator",
        "a neural operator (DeepONet) from a load to the solution, trained by the equation",
    ),
    "weak": ("weak_form", "a weak form, solved by finite elements and by a network"),
}
"""Kinds of `jno new`: the script in `examples/starters` and what it solves."""
_PACKAGES = ("jax", "jaxlib", "equinox", "optax", "foundax", "paramax", "numpy", "scipy", "shapely", "matplotlib")
_OPTIONAL = {
    "mesh": ("gmsh", "h5py", "meshio"),
    "checkpoint": ("orbax-checkpoint",),
    "bayes": ("blackjax",),
    "tune": ("nevergrad", "scikit-learn"),
    "wandb": ("wandb",),
    "tensorboard": ("tensorboardX",),
    "sign": ("cryptography",),
    "export": ("flatbuffers", "jax2onnx"),
    "iree": ("iree-base-compiler", "iree-base-runtime"),
    "viz": ("plotly",),
}
"""Packages of every extra."""
_FAULT, _USAGE_ERROR = 1, 2
"""Exit statuses: a file is damaged or of no use; the command was not called as it can be."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with ``arguments`` (default: those of the process) and return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    commands = {"info": _info, "demo": _demo, "new": _new, "inspect": _inspect}
    if options.command is None:
        parser.print_help()
        return _USAGE_ERROR
    return commands[options.command](options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jno", description="Partial differential equations with neural networks in JAX."
    )
    parser.add_argument("--version", action="version", version=f"jno {_version('jno-jax')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("info", help="versions, devices and configuration")
    demo = commands.add_parser(
        "demo",
        help=f"solve a problem: {', '.join(DEMOS)}",
        description=f"Solve a problem and draw the result.\n\ndemos:\n{_listed(DEMOS)}\n\nscripts of the gallery: "
        "jno demo --list",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.add_argument("name", nargs="?", help="which one (default: poisson)")
    demo.add_argument("--list", action="store_true", help="show the names and the problems, and run none")
    demo.add_argument("--epochs", type=_positive, help="number of epochs (default: the demo's own)")
    demo.add_argument("--out", metavar="DIR", help="folder of the picture and the log (default: runs/NAME)")
    demo.add_argument(
        "--data", metavar="FILE", help="CSV file of sensor readings: `inverse` x, t, u; `fem_inverse` x, y, u"
    )
    kinds = {kind: text for kind, (_, text) in STARTERS.items()}
    new = commands.add_parser(
        "new",
        help=f"write a script to start from: {', '.join(kinds)}",
        description=f"Write a commented script to start from.\n\nkinds:\n{_listed(kinds)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument("name", help="name of the script, with or without .py; an existing file is never overwritten")
    new.add_argument("--kind", choices=list(kinds), default="poisson", help="which one (default: poisson)")
    inspected = commands.add_parser(
        "inspect",
        help="describe a mesh, a checkpoint, a saved problem or an exported function",
        description="Say what a file or a checkpoint directory holds: kind, sizes, versions, tags, signature. "
        "No code in it is run, a pickle is never read, and nothing is written.",
    )
    inspected.add_argument("file", help="the file or directory")
    return parser


def _listed(texts: Mapping[str, str]) -> str:
    return "\n".join(f"  {name:19}{text}" for name, text in texts.items())


def _positive(text: str) -> int:
    value = int(text) if text.isascii() and text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return value


# --- jno info -------------------------------------------------------------------------------------------------
def _info(options: argparse.Namespace) -> int:
    import jno

    python = ".".join(map(str, sys.version_info[:3]))
    sections = {
        "Versions": {"jno": jno.__version__, "python": python, **{name: _version(name) for name in _PACKAGES}},
        "Optional packages": {
            f"{package} [{extra}]": _version(package) for extra, packages in _OPTIONAL.items() for package in packages
        },
        "Devices": _devices(),
        "Configuration": _configuration(),
    }
    _print_sections(sections)
    return 0


def _print_sections(sections: Mapping[str, Mapping[str, object]]) -> None:
    width = max(len(name) for rows in sections.values() for name in rows)
    for title, rows in sections.items():
        print(title)
        for name, value in rows.items():
            print(f"  {name:<{width}}  {value}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _devices() -> dict[str, str]:
    import jax

    return {
        "backend": jax.default_backend(),
        "devices": ", ".join(str(device) for device in jax.devices()),
        "precision": "float64" if jax.config.read("jax_enable_x64") else "float32",
    }


def _configuration() -> dict[str, Any]:
    import jno
    from jno.utils import described_cache, get_compilation_cache, get_stop_on_nonfinite

    settings = jno.get_config().get("jno", {})
    return {
        "file": jno.get_config_path() or "none (./.jno.toml, ~/.jno/config.toml)",
        "seed": jno.get_seed(),
        "first-order AD": settings.get("diff_type", "default"),
        "second-order AD": settings.get("hessian_type", "default"),
        "stop at NaN": get_stop_on_nonfinite(),
        "runs": jno.get_runs_base_dir(),
        "keep compiled programs": get_compilation_cache(),
        "compiled programs": described_cache(),
    }


# --- jno demo -------------------------------------------------------------------------------------------------
def load_example(name: str) -> ModuleType:
    """The module `examples/<name>.py`, from the installed package or from the source tree around it."""
    path = _example_file(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"jno._examples.{name}", path)
    assert spec is not None  # as for every .py file
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _example_file(name: str) -> Path:
    package = Path(__file__).parent
    return next(path for path in (package / "_examples" / name, package.parent / "examples" / name) if path.is_file())


def _demo(options: argparse.Namespace) -> int:
    from jno.utils import get_runs_base_dir, start_configured_cache, user_path

    if options.list:
        if any(value is not None for value in (options.name, options.epochs, options.out, options.data)):
            return _fail("--list runs no demo; leave out the name and the other options")
        print(_listed(DEMOS | {name: _title(path) for name, path in _scripts().items()}))
        return 0
    name = options.name or "poisson"
    if name in _scripts():
        return _script(_scripts()[name], options)
    if name not in DEMOS:
        return _fail(f"there is no demo {name!r}; choose one of {', '.join([*DEMOS, *_scripts()])}")
    if options.data is not None and name not in ("inverse", "fem_inverse"):
        return _fail(f"--data belongs to the demos 'inverse' and 'fem_inverse'; {name!r} reads no data")
    example = load_example(name)
    if options.epochs is not None and "epochs" not in inspect.signature(example.main).parameters:
        return _fail(f"--epochs belongs to demos that train; {name!r} solves its equations")
    keywords: dict[str, Any] = {"out": str(user_path(options.out or Path(get_runs_base_dir()) / name))}
    if options.epochs is not None:
        keywords["epochs"] = options.epochs
    try:
        Path(keywords["out"]).mkdir(parents=True, exist_ok=True)
        if options.data is not None:
            keywords["sensors"] = example.read_sensors(user_path(options.data))
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}")
    except (ValueError, csv.Error) as error:
        return _fail(str(error))
    start_configured_cache(default=True)
    print(f"{name}: {DEMOS[name]}")
    example.main(**keywords)
    return 0


def _scripts() -> dict[str, Path]:
    """The scripts of the gallery by name."""
    folder = next((folder for folder in SCRIPTS if folder.is_dir()), SCRIPTS[0])
    return {path.stem: path for path in sorted(folder.glob("*.py"))}


def _title(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n", 1)[0]


def _script(path: Path, options: argparse.Namespace) -> int:
    """Run a script of the gallery in the folder where its picture shall be."""
    from jno.utils import get_runs_base_dir, start_configured_cache, user_path

    for option in ("epochs", "data"):
        if getattr(options, option) is not None:
            return _fail(
                f"--{option} belongs to other demos; {path.stem!r} is a script with its parameters inside: {path}"
            )
    folder = user_path(options.out or Path(get_runs_base_dir()) / path.stem)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}")
    start_configured_cache(default=True)
    print(f"{path.stem}: {_title(path)}")
    with contextlib.chdir(folder):
        runpy.run_path(str(path), run_name="__main__")
    print(f"picture: {folder / path.stem}.png")
    return 0


# --- jno new --------------------------------------------------------------------------------------------------
def _new(options: argparse.Namespace) -> int:
    from jno.utils import user_path

    path = user_path(options.name)
    if path.suffix not in ("", ".py") or path.name in ("", ".."):
        return _fail(f"{options.name!r} is not the name of a Python script; give one such as heat or heat.py")
    path = path.with_suffix(".py")
    if path.stem in {"jno", *sys.stdlib_module_names, *packages_distributions()}:
        return _fail(
            f"{path.name} would hide the Python module {path.stem!r} from the script itself; choose another name"
        )
    try:
        with path.open("x", encoding="utf-8") as script:
            script.write(_example_file(f"starters/{STARTERS[options.kind][0]}.py").read_text(encoding="utf-8"))
    except FileExistsError:
        return _fail(f"{path} exists; jno new overwrites nothing, choose another name")
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()  # what a full disk has taken of it
        return _fail(f"{error.filename}: {error.strerror}")
    print(f"wrote {path} ({STARTERS[options.kind][1]}); run it: python {shlex.quote(str(path))}")
    return 0


# --- jno inspect ----------------------------------------------------------------------------------------------
def _inspect(options: argparse.Namespace) -> int:
    from jno._inspection import describe, printable
    from jno.utils import quiet_console, shown_path, user_path

    path = user_path(options.file)
    try:
        with quiet_console():
            description = describe(path)
    except (ValueError, OSError, ImportError) as error:
        reason = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.strerror else str(error)
        return _fail(printable(" ".join(reason.split()), longest=1000), _FAULT)
    rows = {printable(name): printable(value) for name, value in description.rows.items()}
    _print_sections({printable(f"{shown_path(path)}: {description.title}"): rows})
    return 0 if description.fault is None else _fail(printable(description.fault, longest=1000), _FAULT)


def _fail(message: str, status: int = _USAGE_ERROR) -> int:
    print(f"jno: error: {message}", file=sys.stderr)
    return status

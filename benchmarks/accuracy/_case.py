"""What a case is: a problem, the settings it is solved with, and how far the result is from the reference."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import hashlib
import importlib
import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

import jno

CASES = Path(__file__).parent / "cases"

ORDER = (
    "burgers_1d_c",
    "poisson_2d_c",
    "wave_1d_c",
    "poisson_5d",
    "allen_cahn",
    "kdv",
    "helmholtz",
    "poisson_10d",
    "poisson_2d_cg",
    "cavity_re100",
    "inverse_diffusivity",
    "heat_2d_ms",
    "heat_2d_vc",
    "heat_2d_cg",
    "poisson_3d_cg",
    "cavity_re1000",
    "deeponet_burgers",
    "ns_2d_cg",
    "bayesian_reaction",
    "fno_darcy",
)
"""The rows of the table, from top to bottom."""


class Limit(jno.Callback):
    """Ends training when the process has used so much processor time since it started, imports and compiling included.

    Args:
        seconds: the limit.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.excluded = 0.0
        self.steps = 0

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What is done inside does not count: a data set is made once, as a reference is."""
        start = time.process_time()
        try:
            yield
        finally:
            self.excluded += time.process_time() - start

    @property
    def used(self) -> float:
        """Processor seconds that count."""
        return time.process_time() - self.excluded

    def on_epoch_end(self, *, epoch: Any, **_: Any) -> bool:
        """Whether the time is over."""
        self.steps = int(epoch) + 1
        return self.used >= self._seconds

    def until(self, share: float) -> jno.Callback:
        """The limit of one ``solve`` of several: this share of the time, counted from the start as well."""
        return _Stage(self, share * self._seconds)


class _Stage(jno.Callback):
    def __init__(self, whole: Limit, seconds: float) -> None:
        self._whole = whole
        self._seconds = seconds

    def on_epoch_end(self, **_: Any) -> bool:
        """Whether the time of the stage, or of all, is over; its steps are steps of the whole."""
        over = self._whole.on_epoch_end(epoch=self._whole.steps)
        return over or self._whole.used >= self._seconds


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a case returns when its training has ended.

    Attributes:
        models: the trained models, whose weights are counted.
        points: collocation points of a step, of all tags together.
        loss: the total loss at the end.
        error: computes the relative L2 error; what this takes is not counted.
        coverage: of a posterior, the share of points at which its central 95 % contain the solution.
    """

    models: Sequence[Any]
    points: int
    loss: float
    error: Callable[[], float]
    coverage: Callable[[], float] | None = None

    @property
    def parameters(self) -> int:
        """Number of trained weights."""
        leaves = [leaf for model in self.models for leaf in jax.tree_util.tree_leaves(model.module)]
        return sum(leaf.size for leaf in leaves if isinstance(leaf, jax.Array))


@dataclasses.dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes:
        title: its name in the table.
        published: the best relative L2 error of PINNacle (arXiv 2306.08827) or of the source that the file names, None
            for a problem that has none.
        goal: the error that the row is to reach, None for a tenth of ``published``.
        train: from a seed and the limit of processor time; states the problem, trains, and returns.
        seconds: limit of processor time of a run.
        parts: functions that ``train`` shares with other cases; their lines count, too.
    """

    title: str
    train: Callable[[int, Limit], Trained]
    published: float | None = None
    goal: float | None = None
    seconds: float = 120.0
    parts: Sequence[Callable[..., Any]] = ()

    @property
    def target(self) -> float | None:
        """The error that counts as won."""
        if self.goal is None and self.published is not None:
            return self.published / 10
        return self.goal

    @property
    def lines(self) -> int:
        """Lines of code, without comments and docstrings, that state the problem and train."""
        sources = [inspect.getsource(function) for function in (self.train, *self.parts)]
        return sum(len(ast.unparse(without_docstrings(source)).splitlines()) for source in sources)


def load(name: str) -> Case:
    """The case of a file."""
    case = importlib.import_module(f"benchmarks.accuracy.cases.{name}").CASE
    assert isinstance(case, Case)
    return case


def settings_digest(name: str) -> str:
    """Of the code of a case and of the modules beside it that it imports; comments and docstrings do not count."""
    sources = [(CASES / f"{name}.py").read_text()]
    sources += [path.read_text() for path in sorted(CASES.glob("_*.py")) if f"from .{path.stem} import" in sources[0]]
    trees = [ast.dump(without_docstrings(source)) for source in sources]
    return hashlib.sha256("\n".join(trees).encode()).hexdigest()[:16]


def relative_l2(values: Float[np.ndarray, " N"], reference: Float[np.ndarray, " N"]) -> float:
    """``|values - reference| / |reference|`` over points of equal weight."""
    difference = np.linalg.norm(np.ravel(values) - np.ravel(reference))
    return float(difference / np.linalg.norm(np.ravel(reference)))


def without_docstrings(source: str) -> ast.Module:
    """The code without what changes nothing."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:] or [ast.Pass()]
    return tree

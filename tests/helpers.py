"""Problems with known derivatives, the scheme strings of the specification, and short ways to evaluate."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

import foundax
import jax
import numpy as np
import optax

import jno
from jno.compiler import Program

try:
    from jax.extend.core import jaxprs_in_params
except ImportError:  # before JAX 0.10
    from jax.core import jaxprs_in_params

AD = "automatic_differentiation"
FD = "finite_difference"
FIRST_ORDER = (AD, f"{AD}:forward", f"{AD}:reverse")
COMPOSITIONS = tuple(f"{AD}:{name}" for name in ("fwd-over-rev", "fwd-over-fwd", "rev-over-rev", "rev-over-fwd"))
SECOND_ORDER = (*FIRST_ORDER, *COMPOSITIONS)
FD_SUB_SCHEMES = ("lsq", "least_squares", "uniform", "inverse_distance", "cotangent", "area_weighted")
FD_SCHEMES = (FD, *(f"{FD}:{name}" for name in FD_SUB_SCHEMES))


@dataclasses.dataclass(frozen=True)
class Field:
    """A scalar field of two coordinates.

    ``build(m, x, y)`` writes it with the functions of a namespace ``m`` (``numpy`` or ``jno.np``); ``first`` and
    ``second`` are derivatives worked out by hand: ``(f_x, f_y)`` and ``(f_xx, f_xy, f_yy)``.
    """

    name: str
    build: Callable[..., Any]
    first: Callable[..., tuple[Any, Any]]
    second: Callable[..., tuple[Any, Any, Any]]

    def hessian(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """``(N, 2, 2)`` from coordinates ``(N,)``."""
        xx, xy, yy = self.second(x, y)
        return np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2)


def _wave_first(x, y):
    s, e = 2 * x + y, np.exp(x * y)
    return e * (2 * np.cos(s) + y * np.sin(s)), e * (np.cos(s) + x * np.sin(s))


def _wave_second(x, y):
    sin, cos, e = np.sin(2 * x + y), np.cos(2 * x + y), np.exp(x * y)
    xx = e * (-4 * sin + 4 * y * cos + y**2 * sin)
    xy = e * (2 * x * cos + x * y * sin - sin + y * cos)
    return xx, xy, e * (-sin + 2 * x * cos + x**2 * sin)


def _front_first(x, y):
    u = np.tanh(x - 2 * y)
    return (1 - u**2) * x**3 + 3 * x**2 * u, -2 * (1 - u**2) * x**3


def _front_second(x, y):
    u = np.tanh(x - 2 * y)
    q = 1 - u**2
    xx = -2 * u * q * x**3 + 6 * x**2 * q + 6 * x * u
    return xx, 4 * u * q * x**3 - 6 * x**2 * q, -8 * u * q * x**3


WAVE = Field("wave", lambda m, x, y: m.sin(2 * x + y) * m.exp(x * y), _wave_first, _wave_second)
FRONT = Field("front", lambda m, x, y: m.tanh(x - 2 * y) * x**3, _front_first, _front_second)
FIELDS = (WAVE, FRONT)

EXTRAS_WITHOUT_CALLS = {"all", "cuda", "docs", "dev", "dist", "bench", "accuracy"}
"""Extras that no function of the library asks for: a collection, another jaxlib, tools."""


def unit_square(mesh_size: float = 0.25, samples: int = 1, time: Any = None) -> Any:
    """A square of a few cells that is no special case: both ranges differ."""
    domain = jno.domain.rect((0.0, 1.0), (0.0, 1.0), mesh_size=mesh_size, time=time)
    return domain if samples == 1 else samples * domain


def square_fields(mesh_size: float) -> tuple[Any, tuple[Any, Any], tuple[np.ndarray, ...]]:
    """`unit_square`, its interior variables, and their coordinates ``(N,)``."""
    domain = unit_square(mesh_size)
    x, y, _ = domain.variable("interior")
    return domain, (x, y), coordinates(domain, "interior")


def mlp(inputs: int, outputs: int = 1, width: int = 8, layers: int = 2, seed: int = 0, name: str = "") -> Any:
    """A small tanh network in the trace."""
    module = foundax.mlp(inputs, output_dim=outputs, hidden_dims=width, num_layers=layers, key=jax.random.PRNGKey(seed))
    return jno.nn(module, name=name)


def evaluate(expressions: Any, domain: Any = None, **options: Any) -> Any:
    """NumPy values of one expression, or of a list of them compiled together (initial weights)."""
    nodes = expressions if isinstance(expressions, list) else [expressions]
    values = jno.core(nodes, domain=domain).eval(nodes, **options)
    if len(nodes) > 1:
        return [np.asarray(value) for value in values]
    return np.asarray(values) if expressions is nodes[0] else [np.asarray(values)]


def close(actual: Any, expected: Any, tolerance: float = 2e-5) -> None:
    """Equal shapes; entries equal relative to the largest one: single precision, second derivatives."""
    expected = np.asarray(expected)
    assert np.shape(actual) == expected.shape
    np.testing.assert_allclose(actual, expected, atol=tolerance * max(1.0, np.abs(expected).max()), rtol=0)


def gradient_and_hessian(module: Any, points: Any) -> tuple[np.ndarray, np.ndarray]:
    """``(N, D, k)`` and ``(N, D, k, k)`` of a module by plain JAX."""
    at = lambda p: module(p[None])[0]  # noqa: E731
    both = jax.jit(jax.vmap(lambda p: (jax.jacfwd(at)(p), jax.hessian(at)(p))))
    gradient, hessian = both(points)
    return np.asarray(gradient), np.asarray(hessian)


def coordinates(domain: Any, tag: str) -> tuple[np.ndarray, ...]:
    """Float64 coordinates ``(N,)`` of the first sample at the first time level."""
    points = np.asarray(domain.context[tag], dtype=np.float64)[0, 0]
    return tuple(points[:, i] for i in range(points.shape[1]))


def jaxpr_of(expressions: list[Any], domain: Any) -> Any:
    """What one evaluation of the expressions together traces to."""
    program = Program(expressions, domain)
    modules = {model.layer_id: model.module for model in program.models}
    return jax.make_jaxpr(lambda data: program(modules, data))(program.data).jaxpr


def count_primitive(jaxpr: Any, name: str) -> int:
    """Number of equations of one primitive, inner jaxprs included."""
    total = 0
    for equation in jaxpr.eqns:
        total += equation.primitive.name == name
        for inner in jaxprs_in_params(equation.params):
            total += count_primitive(inner, name)
    return total


def function_calls(action: Callable[[], Any]) -> int:
    """Number of calls of functions, Python's and others, that an action takes: its work, whatever the machine."""
    total = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal total
        total += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(before)
    return total


def final_loss(build, loss, start, steps):
    """Compiled training with a cosine schedule: peak rate to final loss."""
    decay = optax.cosine_decay_schedule(1.0, steps)

    @jax.jit
    def run(rate):
        optimizer = build(lambda step: rate * decay(step))

        def step(carry, _):
            params, state = carry
            updates, state = optimizer.update(jax.grad(loss)(params), state, params)
            return (optax.apply_updates(params, updates), state), None

        return loss(jax.lax.scan(step, (start, optimizer.init(start)), length=steps)[0][0])

    return run


def compilations(action):
    """How many functions XLA compiles while ``action`` runs."""
    seen: list[Any] = []

    def listen(event, *_: Any, **__: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        action()
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    return len(seen)


def one_line_error(capsys: Any) -> str:
    """What a command wrote to its error stream, which must be one line."""
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1, "an error is one line"
    return captured.err.rstrip("\n")

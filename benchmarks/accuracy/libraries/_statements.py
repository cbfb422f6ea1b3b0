"""The cases that other libraries can express; points, constants and references are those of the case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.stats import qmc

from .._case import relative_l2
from ..cases import _poisson_nd as cube
from ..cases import allen_cahn as phases
from ..cases import burgers_1d_c as burgers
from ..cases import helmholtz as sines
from ..cases import kdv as dispersive
from ..cases import poisson_2d_c as holes
from ..cases import wave_1d_c as waves
from ._statement import Points, Prescribed, Statement, Values

π = np.pi


def grid(first: Values, second: Values) -> Points:
    """The points of two coordinates, the first of which runs fastest."""
    return np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)


def columns(points: Any, count: int = 2) -> list[Any]:
    """The coordinates, each as an array (..., 1)."""
    return [points[..., axis : axis + 1] for axis in range(count)]


def burgers_1d_c() -> Statement:
    places, times = np.linspace(-1, 1, 201), np.linspace(0.01, 1, 100)

    def inputs(m: Any, points: Any) -> list[Any]:
        x, t = columns(points)
        return [x, m.asinh(burgers.STRETCH * x) / np.arcsinh(burgers.STRETCH), 2 * t - 1]

    def solution(m: Any, points: Any, network: Any) -> Any:
        x, t = columns(points)
        return -m.sin(π * x) + t * (1 - x**2) * network

    return Statement(
        layers=[3, *[burgers.WIDTH] * burgers.LAYERS, 1],
        points=burgers.collocation,
        inputs=inputs,
        solution=solution,
        residual=lambda m, points, d: d(1) + d() * d(0) - burgers.NU * d(0, 0),
        error=lambda predict: relative_l2(predict(grid(places, times)), burgers.cole_hopf(places, times)),
    )


def poisson_2d_c() -> Statement:
    def points(seed: int) -> Points:
        candidates = qmc.Halton(2, rng=seed).random(2 * holes.INSIDE) - 0.5
        return candidates[holes.inside(candidates)][: holes.INSIDE]

    def prescribed(seed: int) -> Prescribed:
        sides, circles = holes.square(holes.SIDES), holes.circles(holes.CIRCLE)
        assert len(sides) == len(circles), "one mean for both counts them alike only where there are as many of both"
        values = np.repeat([1.0, 0.0], [len(sides), len(circles)])
        return Prescribed(np.concatenate([sides, circles]), values, 2 * holes.BOUNDARY)

    def error(predict: Callable[[Points], Values]) -> float:
        side = (np.arange(100) + 0.5) / 100 - 0.5
        inner = grid(side, side)[holes.inside(grid(side, side))]
        return relative_l2(predict(inner), holes.harmonic_series()(inner))

    return Statement(
        layers=[2, *[holes.WIDTH] * holes.LAYERS, 1],
        points=points,
        inputs=lambda m, at: [holes.SCALE * column for column in columns(at)],
        residual=lambda m, at, d: d(0, 0) + d(1, 1),
        prescribed=prescribed,
        error=error,
    )


def wave_1d_c() -> Statement:
    side = np.linspace(0, 1, 101)

    def inputs(m: Any, points: Any) -> list[Any]:
        x, t = columns(points)
        return [waves.SCALE_X * (2 * x - 1), waves.SCALE_T * (2 * t - 1)]

    def solution(m: Any, points: Any, network: Any) -> Any:
        x, t = columns(points)
        return m.sin(π * x) + 0.5 * m.sin(4 * π * x) + t**2 * x * (1 - x) * network

    def error(predict: Callable[[Points], Values]) -> float:
        x, t = grid(side, side).T
        exact = np.sin(π * x) * np.cos(2 * π * t) + 0.5 * np.sin(4 * π * x) * np.cos(8 * π * t)
        return relative_l2(predict(grid(side, side)), exact)

    return Statement(
        layers=[2, *[waves.WIDTH] * waves.LAYERS, 1],
        activation="sin",
        points=lambda seed: qmc.Sobol(2, rng=seed).random(waves.POINTS),
        inputs=inputs,
        solution=solution,
        residual=lambda m, points, d: d(1, 1) - 4 * d(0, 0),
        error=error,
    )


def poisson_5d() -> Statement:
    per_face = 80

    def prescribed(seed: int) -> Prescribed:
        points = cube.faces(5, per_face, np.random.default_rng(seed))
        return Prescribed(points, cube.exact(points), 100.0)

    def error(predict: Callable[[Points], Values]) -> float:
        points = np.random.default_rng(12345).random((10_000, 5))
        return relative_l2(predict(points), cube.exact(points))

    def residual(m: Any, points: Any, d: Any) -> Any:
        source = sum(m.sin(π / 2 * column) for column in columns(points, 5))
        return sum(d(axis, axis) for axis in range(5)) + π**2 / 4 * source

    return Statement(
        layers=[5, 64, 1],
        points=lambda seed: qmc.Sobol(5, rng=seed).random(2048),
        inputs=lambda m, points: [2 * column - 1 for column in columns(points, 5)],
        residual=residual,
        prescribed=prescribed,
        error=error,
    )


def allen_cahn() -> Statement:
    def inputs(m: Any, points: Any) -> list[Any]:
        x, t = columns(points)
        return [m.cos(π * x), m.tanh(phases.SHARPNESS * m.cos(π * x)), 2 * t - 1]

    def solution(m: Any, points: Any, network: Any) -> Any:
        x, t = columns(points)
        length = m.sqrt(4 * phases.DIFFUSION * t)
        s = (1 - x) / length
        kink = 2 * length * (m.exp(-(s**2)) / np.sqrt(π) - s * m.erfc(s))
        return x**2 * m.cos(π * x) + kink + t * network

    def error(predict: Callable[[Points], Values]) -> float:
        times = np.linspace(0.01, 1, 100)
        x, coarse = phases.split_steps(times, 1e-3)
        reference = (4 * phases.split_steps(times, 5e-4)[1] - coarse) / 3
        half = (x > 0) & (x < 1)
        return relative_l2(predict(grid(x[half], times)), reference[:, half])

    return Statement(
        layers=[3, *[phases.WIDTH] * phases.LAYERS, 1],
        points=phases.collocation,
        inputs=inputs,
        solution=solution,
        residual=lambda m, points, d: d(1) - phases.DIFFUSION * d(0, 0) - 5 * (d() - d() ** 3),
        error=error,
    )


def kdv() -> Statement:
    def inputs(m: Any, points: Any) -> list[Any]:
        x, t = columns(points)
        return [m.cos(π * x), m.sin(π * x), 2 * t - 1]

    def solution(m: Any, points: Any, network: Any) -> Any:
        x, t = columns(points)
        return m.cos(π * x) + t * network

    def error(predict: Callable[[Points], Values]) -> float:
        times = np.linspace(0.01, 1, 100)
        x, reference = dispersive.spectral(times)
        return relative_l2(predict(grid(x, times)), reference)

    return Statement(
        layers=[3, *[dispersive.WIDTH] * dispersive.LAYERS, 1],
        points=lambda seed: qmc.Sobol(2, rng=seed).random(dispersive.POINTS) * (2, 1) - (1, 0),
        inputs=inputs,
        solution=solution,
        residual=lambda m, points, d: d(1) + d() * d(0) + dispersive.DISPERSION * d(0, 0, 0),
        error=error,
    )


def helmholtz() -> Statement:
    def solution(m: Any, points: Any, network: Any) -> Any:
        x, y = columns(points)
        return (1 - x**2) * (1 - y**2) * network

    def residual(m: Any, points: Any, d: Any) -> Any:
        x, y = columns(points)
        return d(0, 0) + d(1, 1) + d() - (1 - 17 * π**2) * m.sin(π * x) * m.sin(4 * π * y)

    def error(predict: Callable[[Points], Values]) -> float:
        side = np.linspace(-1, 1, 101)
        x, y = grid(side, side).T
        return relative_l2(predict(grid(side, side)), np.sin(π * x) * np.sin(4 * π * y))

    return Statement(
        layers=[2, *[sines.WIDTH] * sines.LAYERS, 1],
        activation="sin",
        points=lambda seed: 2 * qmc.Sobol(2, rng=seed).random(sines.POINTS) - 1,
        inputs=lambda m, points: [π * column for column in columns(points)],
        solution=solution,
        residual=residual,
        error=error,
    )


_ALL = (burgers_1d_c, poisson_2d_c, wave_1d_c, poisson_5d, allen_cahn, kdv, helmholtz)

STATEMENTS: Mapping[str, Callable[[], Statement]] = {statement.__name__: statement for statement in _ALL}
"""By the name of the case."""

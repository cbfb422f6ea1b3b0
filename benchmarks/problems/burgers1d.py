"""Burgers' equation in space and time with hard initial and boundary conditions."""

import jno
from jno import np

from .._case import Built, Size
from ..kernels import burgers1d as kernel
from ._parts import mlp, points_of, problem_of, rectangle


def build(size: Size) -> Built:
    # Space-time points: t is the second coordinate of a rectangle, so that one step sees all of them.
    dom, x, t = rectangle(size, x_range=(-1.0, 1.0))
    net, weights = mlp(size)
    u = -np.sin(np.pi * x) + t * (1 - x**2) * net(x, t)
    crux = jno.core([(u.d(t) + u * u.d(x) - kernel.VISCOSITY * u.d2(x)).mse])
    return Built(crux, u, weights, {"points": points_of(dom)})


PROBLEM = problem_of(kernel, build, blocks=10, full=Size(points=10_000), quick=Size(points=60, width=16, depth=2))

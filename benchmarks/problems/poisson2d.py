"""Poisson's equation with a hard boundary condition."""

import jno
from jno import np

from .._case import Built, Size
from ..kernels import poisson2d as kernel
from ._parts import mlp, points_of, problem_of, rectangle


def build(size: Size) -> Built:
    dom, x, y = rectangle(size)
    net, weights = mlp(size)
    u = net(x, y) * x * (1 - x) * y * (1 - y)
    f = 2 * np.pi**2 * np.sin(np.pi * x) * np.sin(np.pi * y)
    crux = jno.core([(u.laplacian(x, y) + f).mse])
    return Built(crux, u, weights, {"points": points_of(dom)})


PROBLEM = problem_of(kernel, build, full=Size(points=790), quick=Size(points=50, width=16, depth=2))

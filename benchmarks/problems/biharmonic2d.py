"""The biharmonic equation: derivatives of order four."""

import jno
from jno import np

from .._case import Built, Size
from ..kernels import _fourth
from ..kernels import biharmonic2d as kernel
from ._parts import mlp, points_of, problem_of, rectangle


def build(size: Size) -> Built:
    dom, x, y = rectangle(size)
    net, weights = mlp(size)
    u = net(x, y)
    f = np.sin(np.pi * x) * np.sin(np.pi * y)
    crux = jno.core([(u.laplacian(x, y).laplacian(x, y) - f).mse])
    return Built(crux, u, weights, {"points": points_of(dom)})


PROBLEM = problem_of(kernel, build, _fourth.VARIANTS, full=Size(points=790), quick=Size(points=30, width=8, depth=2))

"""Poisson's equation with a hard boundary condition."""

import jno
from jno import np

from .._case import NESTED, Built, Problem, Size, onepass
from ..kernels import _mlp
from ..kernels import poisson2d as kernel
from ._parts import mlp, points_of, rectangle


def build(size: Size) -> Built:
    dom, x, y = rectangle(size)
    net, weights = mlp(size)
    u = net(x, y) * x * (1 - x) * y * (1 - y)
    f = 2 * np.pi**2 * np.sin(np.pi * x) * np.sin(np.pi * y)
    crux = jno.core([(u.laplacian(x, y) + f).mse])
    return Built(crux, u, weights, {"points": points_of(dom)})


PROBLEM = Problem(
    id="poisson2d",
    build=build,
    kernels={NESTED: kernel.nested, **onepass(kernel.onepass, _mlp.VARIANTS)},
    forward=kernel.forward,
    full=Size(points=790),
    quick=Size(points=50, width=16, depth=2),
)

"""A Hamilton–Jacobi–Bellman equation in fifty dimensions: gradient and Laplacian along many directions."""

import jno
from jno import np

from .._case import BLOCKED, NESTED, Built, Problem, Size, onepass
from ..kernels import _many
from ..kernels import hjb_d50 as kernel
from ..kernels._blocks import blocked
from ._parts import cloud, mlp, points_of


def build(size: Size) -> Built:
    dom, x = cloud(size, lambda random, shape: random.normal(size=shape))
    net, weights = mlp(size)
    u = net(*x)
    push = np.sum(u.grad(*x) ** 2, axis=-1, keepdims=True)
    cost = sum(coordinate**2 for coordinate in x) / size.dimension**2
    crux = jno.core([(u.laplacian(*x) - push + cost - 1).mse])
    return Built(crux, u, weights, {"points": points_of(dom)})


PROBLEM = Problem(
    id="hjb_d50",
    build=build,
    kernels={
        f"{NESTED} vmapped": kernel.vmapped,
        f"{NESTED} looped": kernel.looped,
        **onepass(kernel.onepass, _many.VARIANTS),
        BLOCKED: blocked(kernel.onepass(_many.VARIANTS["separate"]), count=10),
    },
    forward=kernel.forward,
    full=Size(points=500, width=128, depth=3, dimension=50),
    quick=Size(points=20, width=8, depth=2, dimension=4),
)

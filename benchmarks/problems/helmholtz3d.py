"""Helmholtz' equation in the unit cube with a hard boundary condition: throughput."""

import jno
from jno import np

from .._case import Built, Size
from ..kernels import helmholtz3d as kernel
from ._parts import cloud, mlp, points_of, problem_of


def build(size: Size) -> Built:
    dom, (x, y, z) = cloud(size, lambda random, shape: random.uniform(size=shape))
    net, weights = mlp(size)
    u = net(x, y, z) * x * (1 - x) * y * (1 - y) * z * (1 - z)
    waves = np.sin(np.pi * x) * np.sin(np.pi * y) * np.sin(np.pi * z)
    f = (kernel.WAVE_NUMBER**2 - 3 * np.pi**2) * waves
    crux = jno.core([(u.laplacian(x, y, z) + kernel.WAVE_NUMBER**2 * u - f).mse])
    return Built(crux, u, weights, {"points": points_of(dom)})


PROBLEM = problem_of(
    kernel,
    build,
    blocks=20,
    full=Size(points=20_000, width=128, depth=5, dimension=3),
    quick=Size(points=60, width=16, depth=2, dimension=3),
)

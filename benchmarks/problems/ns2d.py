"""Steady Navier–Stokes, three outputs of one network, ten derivative terms."""

import jno
from jno import np

from .._case import Built, Size
from ..kernels import ns2d as kernel
from ._parts import mlp, points_of, problem_of, rectangle


def build(size: Size) -> Built:
    dom, x, y = rectangle(size)
    net, weights = mlp(size, outputs=3)
    fields = net(x, y)
    u, v, p = fields[..., 0:1], fields[..., 1:2], fields[..., 2:3]
    nu = kernel.VISCOSITY
    fx, fy = np.sin(np.pi * x) * np.cos(np.pi * y), -np.cos(np.pi * x) * np.sin(np.pi * y)
    constraints = [
        (u * u.d(x) + v * u.d(y) + p.d(x) - nu * (u.d2(x) + u.d2(y)) - fx).mse,
        (u * v.d(x) + v * v.d(y) + p.d(y) - nu * (v.d2(x) + v.d2(y)) - fy).mse,
        (u.d(x) + v.d(y)).mse,
    ]
    return Built(jno.core(constraints), fields, weights, {"points": points_of(dom)})


PROBLEM = problem_of(kernel, build, full=Size(points=790), quick=Size(points=50, width=16, depth=2))

"""Weak forms beside scikit-fem, SciPy's factorisation and hand-written JAX, in a process with 64-bit numbers.

``python -m benchmarks._weak ROW [cells per side]`` prints one row as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from ._one_thread import processor_seconds, row_in_own_process

ROWS = ("fem2d_p1", "fem2d_p2_elasticity", "fem3d_p1", "fem_inverse", "vpinn")
_FULL = {"fem2d_p1": 316, "fem2d_p2_elasticity": 158, "fem3d_p1": 45, "fem_inverse": 100, "vpinn": 32}
QUICK = {"fem2d_p1": 8, "fem2d_p2_elasticity": 6, "fem3d_p1": 4, "fem_inverse": 8, "vpinn": 6}


def weak_row(name: str, size: int | None = None) -> dict[str, Any]:
    """One row, measured in a process of one thread."""
    return row_in_own_process("_weak", name, size or _FULL[name], x64=True)


def _first(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def _scikit_mesh(domain: Any) -> Any:
    import numpy as np
    import skfem

    mesh = domain.mesh
    kind = skfem.MeshTri if mesh.dimension == 2 else skfem.MeshTet
    return kind(np.ascontiguousarray(mesh.points.T), np.ascontiguousarray(np.sort(mesh.cells, axis=1).T))


def _assembly(terms: Callable[[], Any], domain: Any, element: Any, form: Any) -> dict[str, Any]:
    """Residual and matrix, first and again; the default solution beside a bare factorisation."""
    import numpy as np
    import scipy.sparse.linalg as sparse
    import skfem

    import jno

    built, problem = _first(lambda: jno.fem(terms()))
    solved, solution = _first(problem.solve)
    start = np.zeros(problem.dofs)
    weights = (1.0, 0.0, 0.0)

    def assembled() -> None:
        problem._residual(start, 0.0)
        problem._matrix(start, weights)

    def of_scikit() -> Any:
        return skfem.asm(form, skfem.Basis(mesh, element))

    mesh = _scikit_mesh(domain)
    assembled()
    ours, theirs = processor_seconds(assembled), processor_seconds(of_scikit, 2)
    matrix = problem.A_sparse.tocsc()
    options = {"permc_spec": "MMD_AT_PLUS_A", "options": {"SymmetricMode": True}, "diag_pivot_thresh": 0.0}
    right = problem.b

    def again() -> None:
        problem._direct.forget()
        problem.solve()

    error = float(np.abs(problem.A_sparse @ solution - right).max() / np.abs(right).max())
    row = {
        "unknowns": problem.dofs,
        "residual and matrix / scikit-fem basis and matrix": ours / theirs,
        "first call, processor s": built + solved,
        "whole solve again, processor s": processor_seconds(again, 2),
        "temporary MB": problem._temporary_bytes() / 2**20,
        "residual": error,
    }
    if problem._method == "direct":
        bare = processor_seconds(lambda: sparse.splu(matrix, **options).solve(right), 2)
        entries = problem._matrix(start, weights)

        def default() -> None:
            problem._direct.forget()
            problem._direct.solve_on_host(entries, right, transposed=False)

        row["default solve / bare SuperLU"] = processor_seconds(default, 2) / bare
    return row


def _fem2d_p1(size: int) -> dict[str, Any]:
    import skfem
    from skfem.helpers import dot, grad

    import jno

    domain = jno.domain.rect(mesh_size=1 / size)
    x, y, _ = domain.variable("interior")
    edge = domain.variable("boundary")
    u, v = domain.fem_symbols()
    form = skfem.BilinearForm(lambda u, v, _: dot(grad(u), grad(v)))
    return _assembly(
        lambda: [u.d(x) * v.d(x) + u.d(y) * v.d(y) - x * v, u(*edge) - 0.0], domain, skfem.ElementTriP1(), form
    )


def _fem2d_p2_elasticity(size: int) -> dict[str, Any]:
    import skfem
    from skfem.helpers import ddot, sym_grad, trace

    import jno
    from jno import np

    domain = jno.domain.rect(mesh_size=1 / size)
    x, y, _ = domain.variable("interior")
    edge = domain.variable("boundary")
    u, v = domain.fem_symbols((2,), ("u", "v"), order=2)

    def terms() -> list[Any]:
        strain, virtual = np.symgrad(u, [x, y]), np.symgrad(v, [x, y])
        energy = 2.0 * np.inner(strain, virtual, n_contract=2) + np.trace(strain) * np.trace(virtual)
        return [energy - v[1], u(*edge) - 0.0]

    def stress(u: Any, v: Any, _: Any) -> Any:
        return 2 * ddot(sym_grad(u), sym_grad(v)) + trace(sym_grad(u)) * trace(sym_grad(v))

    return _assembly(terms, domain, skfem.ElementVector(skfem.ElementTriP2()), skfem.BilinearForm(stress))


def _fem3d_p1(size: int) -> dict[str, Any]:
    import skfem
    from skfem.helpers import dot, grad

    import jno

    domain = jno.domain.cube(mesh_size=1 / size)
    x, y, z, _ = domain.variable("interior")
    faces = domain.variable("boundary")
    u, v = domain.fem_symbols()
    form = skfem.BilinearForm(lambda u, v, _: dot(grad(u), grad(v)))

    def terms() -> list[Any]:
        return [u.d(x) * v.d(x) + u.d(y) * v.d(y) + u.d(z) * v.d(z) - x * v, u(*faces) - 0.0]

    return _assembly(terms, domain, skfem.ElementTetP1(), form)


def _fem_inverse(size: int) -> dict[str, Any]:
    """Value and gradient of a misfit by a nodal coefficient, beside the value."""
    import jax
    import jax.numpy as jnp

    import jno

    domain = jno.domain.rect(mesh_size=1 / size)
    x, y, _ = domain.variable("interior")
    edge = domain.variable("boundary")
    u, v = domain.fem_symbols()
    nodal, _ = domain.fem_symbols()
    k = jno.np.parameter(nodal, name="k").initialize(1.0)
    problem = jno.fem([k * (u.d(x) * v.d(x) + u.d(y) * v.d(y)) - x * v, u(*edge) - 0.0])
    solution = problem.solve().problem
    module = k.model.module

    def misfit(values: jax.Array) -> jax.Array:
        modules = {k.model.layer_id: type(module)(values)}
        return jnp.sum((solution.value(modules, {}) - 0.1) ** 2)

    forward, both = jax.jit(misfit), jax.jit(jax.value_and_grad(misfit))
    values = [1.0 + 0.01 * i * jnp.ones(problem.dofs) for i in range(1, 9)]
    jax.block_until_ready((forward(values[0]), both(values[0])))

    def over(function: Callable[[jax.Array], Any]) -> Callable[[], None]:
        def run() -> None:
            for at in values:
                problem._direct.forget()
                jax.block_until_ready(function(at))

        return run

    return {
        "unknowns": problem.dofs,
        "value and gradient / value": processor_seconds(over(both), 3) / processor_seconds(over(forward), 3),
    }


def _vpinn(size: int) -> dict[str, Any]:
    """A step of a variational network beside the same residual written by hand."""
    import foundax
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    import jno

    domain = jno.domain.rect(mesh_size=1 / size)
    x, y, _ = domain.variable("interior")
    edge = domain.variable("boundary")
    net = jno.nn(foundax.mlp(2, hidden_dims=32, num_layers=3, activation=jax.nn.tanh, key=jax.random.PRNGKey(0)))
    net.dtype(jnp.float64).optimizer(optax.adam(1e-3))
    w = net(x, y) * x * (1 - x) * y * (1 - y)
    v = domain.test_function()
    f = 2 * (x * (1 - x) + y * (1 - y))
    weak = jno.fem([w.d(x) * v.d(x) + w.d(y) * v.d(y) - f * v, w(*edge[:2]) - 0.0])
    free = np.flatnonzero(weak.problem.form.system.free)
    mesh = domain.mesh
    corners = mesh.points[mesh.cells]
    edges = np.moveaxis(corners[:, 1:] - corners[:, :1], 1, 2)
    inverse = np.linalg.inv(edges)
    gradients = np.einsum("ik,ekd->eid", np.array([[-1.0, -1], [1, 0], [0, 1]]), inverse)
    area = np.abs(np.linalg.det(edges)) / 2
    rule = weak.problem.form.system.terms[0].integral
    reference, weights = rule._places[0], rule._rule_weights
    points = corners[:, :1] + np.einsum("qk,edk->eqd", reference, edges)
    phi = np.stack([1 - reference.sum(1), reference[:, 0], reference[:, 1]])
    flat = jnp.asarray(points.reshape(-1, 2))

    def by_hand(module: Any) -> jax.Array:
        def value(p: jax.Array) -> jax.Array:
            a, b = p[:, :1], p[:, 1:]
            return jax.vmap(module)(a, b) * a * (1 - a) * b * (1 - b)

        ones, zeros = jnp.ones((len(flat), 1)), jnp.zeros((len(flat), 1))
        by_x = jax.jvp(value, (flat,), (jnp.concatenate([ones, zeros], 1),))[1]
        by_y = jax.jvp(value, (flat,), (jnp.concatenate([zeros, ones], 1),))[1]
        slope = jnp.concatenate([by_x, by_y], 1).reshape(*points.shape)
        source = 2 * jnp.sum(flat * (1 - flat), 1).reshape(points.shape[:2])
        local = jnp.einsum("eqd,eid,q,e->ei", slope, gradients, weights, area)
        local -= jnp.einsum("eq,iq,q,e->ei", source, phi, weights, area)
        vector = jnp.zeros(len(mesh.points)).at[mesh.cells].add(local)
        return jnp.mean(vector[free] ** 2)

    jno.core([weak.mse], domain=domain)
    module = net.module

    def of_jno(network: Any) -> jax.Array:
        return jnp.mean(weak.problem.value({net.layer_id: network}, {}) ** 2)

    def step(loss: Callable[[Any], jax.Array]) -> Callable[[], None]:
        import equinox as eqx

        compiled = eqx.filter_jit(eqx.filter_value_and_grad(loss))
        jax.block_until_ready(compiled(module))
        return lambda: jax.block_until_ready(compiled(module))

    difference = float(abs(of_jno(module) - by_hand(module)) / by_hand(module))
    return {
        "quadrature points": len(flat),
        "difference of the losses": difference,
        "step / by hand": processor_seconds(step(of_jno)) / processor_seconds(step(by_hand)),
    }


_MEASURES = dict(zip(ROWS, (_fem2d_p1, _fem2d_p2_elasticity, _fem3d_p1, _fem_inverse, _vpinn), strict=True))

if __name__ == "__main__":
    print(json.dumps(_MEASURES[sys.argv[1]](int(sys.argv[2]))))

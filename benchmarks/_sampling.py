"""Speed of `core.solve` on a sampled network, relative to the same kernel in a `lax.scan` over a loss by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import jno

from ._case import Size
from ._measure import Effort, Seconds, device_clock, ratio, timed
from .kernels import _mlp, poisson2d
from .problems._parts import mlp, points_of, rectangle

_SCALE = 100.0
_SIZE = Size(points=400, width=32)
_FEW = 20


@dataclasses.dataclass(frozen=True)
class _Sampler:
    """A kernel with options under which both competitors do the same work: the trees of NUTS are cut at one depth."""

    name: str
    options: dict[str, Any]

    @property
    def factory(self) -> Callable[..., Any]:
        import blackjax

        factories = {"nuts": blackjax.nuts, "hmc": blackjax.hmc, "mala": blackjax.mala, "sgld": blackjax.sgld}
        return factories[self.name]


_SAMPLERS = (
    _Sampler("nuts", {"step_size": 1e-4, "max_num_doublings": 3}),
    _Sampler("hmc", {"step_size": 1e-4, "num_integration_steps": 8}),
    _Sampler("mala", {"step_size": 1e-8}),
    _Sampler("sgld", {"step_size": 1e-8}),
)


def sampling_row(effort: Effort | None = None) -> dict[str, Any]:
    """How many times as fast as the scan, by wall time and by processor time."""
    found = {}
    for sampler in _SAMPLERS:
        speed = ratio(*reversed(_measured(_Solve(sampler), _Scan(sampler), effort or Effort())))
        found[f"{sampler.name}: speed of solve / scan, wall"] = speed.wall
        found[f"{sampler.name}: speed of solve / scan, processor"] = speed.processor
    return found


def _measured(solve: _Solve, scan: _Scan, effort: Effort) -> tuple[list[Seconds], list[Seconds]]:
    """Blocks of equally many transitions in turn: `solve` is called once per block, as by a user."""
    scan.advance(_FEW)
    step = timed(lambda: scan.advance(_FEW)).per(_FEW)
    count = max(_FEW, round(effort.block_seconds / device_clock(step)))
    for _ in range(2):
        solve.advance(_FEW)  # going on compiles once more than beginning
    scan.advance(count)
    blocks: tuple[list[Seconds], list[Seconds]] = ([], [])
    for number in range(effort.rounds):
        for runner, durations in list(zip((solve, scan), blocks, strict=True))[:: 1 if number % 2 == 0 else -1]:
            durations.append(timed(lambda runner=runner: runner.advance(count)).per(count))
    return blocks


class _Solve:
    def __init__(self, sampler: _Sampler) -> None:
        domain, x, y = rectangle(_SIZE)
        net, self.weights = mlp(_SIZE)
        options = sampler.options if sampler.name == "sgld" else {"adapt": False, **sampler.options}
        net.bayesian(sampler.factory, warmup=0, keep=500, likelihood_scale=_SCALE, **options)
        u = net(x, y) * x * (1 - x) * y * (1 - y)
        f = 2 * jno.np.pi**2 * jno.np.sin(jno.np.pi * x) * jno.np.sin(jno.np.pi * y)
        self.crux, self.points = jno.core([(u.laplacian(x, y) + f).mse]), points_of(domain)

    def advance(self, count: int) -> None:
        self.crux.solve(count)


class _Scan:
    """What one would write by hand, with the losses of the history."""

    def __init__(self, sampler: _Sampler) -> None:
        other = _Solve(sampler)
        loss = poisson2d.onepass(_mlp.VARIANTS["separate"])
        data = {"points": other.points}

        def density(weights: Any) -> Any:
            leaves = jax.tree_util.tree_leaves(weights)
            return -_SCALE * loss(weights, data) - sum(jnp.sum((leaf / 10) ** 2) for leaf in leaves) / 2

        if sampler.name == "sgld":
            algorithm = sampler.factory(lambda weights, _: jax.grad(density)(weights))
            step_size = sampler.options["step_size"]
            step: Any = lambda key, state: algorithm.step(key, state, None, step_size)  # noqa: E731
        else:
            size = sum(leaf.size for leaf in jax.tree_util.tree_leaves(other.weights))
            metric = {} if sampler.name == "mala" else {"inverse_mass_matrix": jnp.ones(size)}
            algorithm = sampler.factory(density, **metric, **sampler.options)
            step = lambda key, state: algorithm.step(key, state)[0]  # noqa: E731

        def one(state: Any, key: Any) -> tuple[Any, Any]:
            state = step(key, state)
            return state, state if sampler.name == "sgld" else (state.position, state.logdensity)

        self._run = jax.jit(lambda state, keys: jax.lax.scan(one, state, keys))
        self._state = algorithm.init(other.weights)
        self._key = jax.random.PRNGKey(0)
        self._draws: Any = None

    def advance(self, count: int) -> None:
        self._key, own = jax.random.split(self._key)
        self._state, self._draws = jax.block_until_ready(self._run(self._state, jax.random.split(own, count)))

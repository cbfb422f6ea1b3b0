"""Gaussian approximations of a posterior: one interface over Blackjax's variational factories."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jno.trace import Variational

from ._factories import check_options, factory_name, parameters_of
from ._kernels import Key, Target


class GaussianApproximation:
    """A factory ``(logdensity_fn, optimizer, num_samples) -> (init, step, sample)`` with its options.

    Args:
        record: the request.
        name: of the model.

    Raises:
        ValueError: a factory of another form, unknown or missing options.
    """

    def __init__(self, record: Variational, name: str) -> None:
        self._record = record
        self._called = f"{name}.vi({factory_name(record.factory)})"
        parameters = parameters_of(record.factory)
        density = next(iter(parameters), "")
        if "logdensity" not in density or "optimizer" not in parameters:
            raise ValueError(
                f"{self._called}: a factory for vi() takes (logdensity_fn, optimizer, num_samples), this one "
                f"({', '.join(parameters)})" + ("; kernels are for bayesian()" if "logdensity" in density else "")
            )
        options = {n: p for n, p in parameters.items() if n != density}
        check_options(self._called, options, record.options, supplied=("optimizer", "num_samples"))

    def init(self, position: PyTree) -> Any:
        """The state before the first step."""
        state = self._algorithm(lambda _: jnp.zeros(())).init(position)
        scale = [name for name in ("rho", "chol_params") if name in state._fields]
        if "mu" not in state._fields or not scale:
            raise ValueError(
                f"{self._called}: init_log_std= and init_mu_at_position= need a state with 'mu' and 'rho' or "
                f"'chol_params', this one has {', '.join(state._fields)}"
            )
        mean = position if self._record.init_mu_at_position else jax.tree_util.tree_map(jnp.zeros_like, position)
        return state._replace(mu=mean, **{scale[0]: self._log_scale(scale[0], state._asdict()[scale[0]], position)})

    def step(self, key: Key, target: Target, state: PyTree) -> Any:
        """The state after one step on the evidence lower bound."""
        return self._algorithm(target).step(key, state)[0]

    def sample(self, key: Key, state: PyTree, count: int) -> Any:
        """Draws with a leading axis."""
        return self._algorithm(lambda _: jnp.zeros(())).sample(key, state, count)

    def _log_scale(self, name: str, fresh: PyTree, position: PyTree) -> PyTree:
        """Logarithms of the standard deviations; of a Cholesky factor the diagonal comes first."""
        if name == "rho":
            return jax.tree_util.tree_map(lambda leaf: jnp.full_like(leaf, self._record.init_log_std), fresh)
        size = sum(leaf.size for leaf in jax.tree_util.tree_leaves(position))
        return fresh.at[:size].set(self._record.init_log_std)

    def _algorithm(self, target: Target) -> Any:
        return self._record.factory(
            target, optimizer=self._record.optimizer, num_samples=self._record.num_samples, **self._record.options
        )

"""Records of models whose parameters are random variables; the floors above act on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from jno.utils import Key, refusal, require_bool, require_callable, require_int, require_number

from ._optimizer_forms import is_transformation


@runtime_checkable
class StartsFromLogDensity(Protocol):
    """An initializer that looks at the log density of the posterior, such as `jno.bayesian.pathfinder`."""

    requires_logdensity: bool

    def __call__(self, key: Key, logdensity: Callable[..., Any], position: Any, num_chains: int) -> Any:
        """Positions with a leading axis of chains, and keywords for the kernel."""


@dataclasses.dataclass(frozen=True)
class Sampling:
    """The request of `Model.bayesian`."""

    factory: Any
    prior: Any
    warmup: int
    keep: int
    thin: int
    adapt: bool
    num_chains: int
    init_jitter: float | int
    likelihood_scale: float | int
    options: dict[str, Any]

    def __post_init__(self) -> None:
        require_callable(self.factory, "bayesian(kernel_factory)")
        _check_prior(self.prior, "bayesian")
        _check_counts("bayesian", 1, keep=self.keep, thin=self.thin, num_chains=self.num_chains)
        _check_counts("bayesian", 0, warmup=self.warmup)
        _check_numbers("bayesian", likelihood_scale=self.likelihood_scale, init_jitter=self.init_jitter)
        require_bool(self.adapt, "bayesian(adapt)", subject="it")
        if self.init_jitter < 0:
            raise ValueError(f"bayesian(init_jitter={self.init_jitter!r}): it must not be negative")


@dataclasses.dataclass(frozen=True)
class Variational:
    """The request of `Model.vi`."""

    factory: Any
    prior: Any
    optimizer: Any
    num_samples: int
    posterior_draws: int
    likelihood_scale: float | int
    init_log_std: float | int
    init_mu_at_position: bool
    options: dict[str, Any]

    def __post_init__(self) -> None:
        require_callable(self.factory, "vi(factory)")
        _check_prior(self.prior, "vi")
        _check_counts("vi", 1, num_samples=self.num_samples, posterior_draws=self.posterior_draws)
        _check_numbers("vi", likelihood_scale=self.likelihood_scale, init_log_std=self.init_log_std)
        require_bool(self.init_mu_at_position, "vi(init_mu_at_position)", subject="it")
        if not is_transformation(self.optimizer):
            raise TypeError(
                f"vi(optimizer={self.optimizer!r}): expected an optax transform with its learning rate, such as "
                "optax.adam(1e-2)"
            )


Posterior = Sampling | Variational


def _check_prior(prior: object, method: str) -> None:
    if prior is not None:
        require_callable(prior, f"{method}(prior)")


def _check_counts(method: str, minimum: int, **counts: object) -> None:
    for name, count in counts.items():
        require_int(count, f"{method}({name})", minimum=minimum, subject="it")


def _check_numbers(method: str, *, likelihood_scale: object, **numbers: object) -> None:
    for name, number in numbers.items():
        require_number(number, f"{method}({name})", subject="it")
    if require_number(likelihood_scale, f"{method}(likelihood_scale)", subject="it") <= 0:
        raise ValueError(refusal(f"{method}(likelihood_scale)", likelihood_scale, "positive"))

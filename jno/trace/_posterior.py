"""What was asked of a model whose parameters are a random variable; the floors above act on the record."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Protocol, runtime_checkable

from ._optimizer_forms import is_transformation


@runtime_checkable
class StartsFromLogDensity(Protocol):
    """An initializer that looks at the log density of the posterior, such as `jno.bayesian.pathfinder`."""

    requires_logdensity: bool

    def __call__(self, key: Any, logdensity: Any, position: Any, num_chains: int) -> Any:
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
        _check_callables("bayesian", kernel_factory=self.factory, prior=self.prior)
        _check_counts("bayesian", 1, keep=self.keep, thin=self.thin, num_chains=self.num_chains)
        _check_counts("bayesian", 0, warmup=self.warmup)
        _check_numbers("bayesian", likelihood_scale=self.likelihood_scale, init_jitter=self.init_jitter)
        if not isinstance(self.adapt, bool):
            raise TypeError(f"bayesian(adapt={self.adapt!r}): it must be True or False")
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
        _check_callables("vi", factory=self.factory, prior=self.prior)
        _check_counts("vi", 1, num_samples=self.num_samples, posterior_draws=self.posterior_draws)
        _check_numbers("vi", likelihood_scale=self.likelihood_scale, init_log_std=self.init_log_std)
        if not isinstance(self.init_mu_at_position, bool):
            raise TypeError(f"vi(init_mu_at_position={self.init_mu_at_position!r}): it must be True or False")
        if not is_transformation(self.optimizer):
            raise TypeError(
                f"vi(optimizer={self.optimizer!r}): expected an optax transform with its learning rate, such as "
                "optax.adam(1e-2)"
            )


Posterior = Sampling | Variational


def _check_callables(method: str, **given: Any) -> None:
    for name, value in given.items():
        if not callable(value) and not (name == "prior" and value is None):
            raise TypeError(f"{method}({name}={value!r}): expected a function, got {type(value).__name__}")


def _check_counts(method: str, least: int, **given: Any) -> None:
    for name, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{method}({name}={value!r}): it must be an integer of at least {least}")


def _check_numbers(method: str, **given: Any) -> None:
    for name, value in given.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise ValueError(f"{method}({name}={value!r}): it must be a finite number")
    if given["likelihood_scale"] <= 0:
        raise ValueError(f"{method}(likelihood_scale={given['likelihood_scale']!r}): likelihood_scale must be positive")

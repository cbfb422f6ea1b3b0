"""Transition kernels: one interface over what Blackjax's factories return."""

from __future__ import annotations

import abc
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, ArrayLike, Float, Int, PyTree

from jno.trace import Sampling
from jno.utils import Key as Key

from ._factories import WINDOW_OPTIONS, check_options, factory_name, library, parameters_of, window_options

Target: TypeAlias = Callable[[PyTree], Any]
"""The log density of a position (a pytree)."""

Tuning: TypeAlias = dict[str, Any]
"""The arrays that window adaptation changes, by name."""

Facts: TypeAlias = dict[str, Any]
"""Arrays that describe a transition, by name."""

TUNED = ("step_size", "inverse_mass_matrix")
"""What window adaptation chooses."""

SUPPORTED = (
    "kernels that are supported: of Blackjax nuts, hmc, multinomial_hmc, dynamic_hmc, mala, barker, ghmc, mclmc, "
    "adjusted_mclmc, adjusted_mclmc_dynamic, normal_random_walk and rmh, and sgld, sghmc and sgnht, which take "
    "mini-batches; and functions (logdensity_fn, **options) or (grad_estimator, **options) whose result has "
    "init(position) and step(key, state, ...)"
)
"""What to use, for messages."""

_FACTS = ("is_divergent", "acceptance_rate", "energy")
"""What of a transition's information is kept."""


class Kernel(abc.ABC):
    """One transition of a Markov chain, as pure functions."""

    exact: ClassVar[bool]
    """Whether it needs the log density itself, which must not be random, or only an unbiased gradient."""
    adapts: bool = False
    """Whether window adaptation tunes it."""

    @abc.abstractmethod
    def init(self, key: Key, target: Target, position: PyTree, tuning: Tuning) -> PyTree:
        """The state of a chain at ``position``."""

    @abc.abstractmethod
    def step(
        self, key: Key, target: Target, state: PyTree, tuning: Tuning, count: int | Int[Array, ""]
    ) -> tuple[PyTree, Facts]:
        """The next state, and facts about the transition with number ``count``."""

    @abc.abstractmethod
    def tuning(self, position: PyTree) -> Tuning:
        """The arrays that adaptation changes, before it."""

    def taken(self, suggested: Tuning) -> Tuning:
        """What of an initializer's suggestions replaces arrays of the tuning: what the user has left open."""
        return {}

    def adapted(self, key: Key, target: Target, position: PyTree, start: Tuning, steps: int) -> tuple[PyTree, Tuning]:
        """Position and tuning after ``steps`` steps of window adaptation, for kernels that it tunes."""
        raise ValueError(f"{type(self).__name__} has nothing to adapt")


def kernel_of(record: Sampling, name: str) -> Kernel:
    """The kernel of a request for the model ``name``.

    Raises:
        ValueError: a factory whose first argument is neither a log density nor a gradient, or which builds something
            else, unknown or missing options.
        ImportError: Blackjax is not installed.
    """
    parameters = parameters_of(record.factory)
    density = next(iter(parameters), "")
    called = f"{name}.bayesian({factory_name(record.factory)})"
    options = {n: p for n, p in parameters.items() if n != density}
    if "estimator" in density and "logdensity" not in density:
        return StochasticGradientKernel(record, called, options)
    if "logdensity" in density and not {"grad", "estimator"} & set(density.split("_")) and "optimizer" not in options:
        return LogDensityKernel(record, called, options)
    raise ValueError(
        f"{called}: the first argument of a kernel factory is named 'logdensity_fn' or 'grad_estimator', that of this "
        f"one {density!r}" + (" beside an optimizer: use vi()" if "optimizer" in options else "") + f"; {SUPPORTED}"
    )


class LogDensityKernel(Kernel):
    """Kernels that evaluate the log density: ``factory(logdensity_fn, **options) -> (init, step)``."""

    exact = True

    def __init__(self, record: Sampling, called: str, parameters: dict[str, inspect.Parameter]) -> None:
        self._factory = record.factory
        self._called = called
        tuned = [name for name in TUNED if name in parameters]
        may_adapt = record.adapt and record.warmup > 0 and len(tuned) == len(TUNED)
        check_options(
            called, parameters, record.options, supplied=tuple(tuned), also=WINDOW_OPTIONS if may_adapt else ()
        )
        self._window = window_options(record.options)
        needed = [n for n in tuned if n in record.options or _is_needed(parameters[n])]
        # a default that is not a number is left to the factory
        self._tuned = {n: record.options.get(n, _number(parameters[n])) for n in tuned}
        self._tuned = {n: value for n, value in self._tuned.items() if value is not None or n in needed}
        self._options = {n: v for n, v in record.options.items() if n not in (*self._window, *tuned)}
        self._left_open = self._tuned.keys() - record.options.keys()
        # kernels with a number by default take variances, no covariances
        self._diagonal = "inverse_mass_matrix" in self._tuned and "inverse_mass_matrix" not in needed
        self.adapts = may_adapt and len(needed) == len(TUNED) and "acceptance_rate" in self._probed()
        if "step_size" in self._tuned and self._tuned["step_size"] is None and not self.adapts:
            raise ValueError(
                f"{called} requires a step_size: give step_size=..., or adapt=True and warmup > 0 to a kernel with an "
                "acceptance rate, step_size and inverse_mass_matrix, such as blackjax.nuts"
            )
        if self._window and not self.adapts:
            raise ValueError(f"{called}: {', '.join(self._window)} are options of window adaptation, which is not done")

    def _probed(self) -> Facts:
        """The facts about a transition, seen on a density of one number."""
        normal, position = lambda x: -jnp.sum(x**2) / 2, jnp.zeros(1)
        tuning = {"step_size": jnp.ones(()), "inverse_mass_matrix": jnp.ones(1)}

        def transition(key: Key) -> Facts:
            state = self.init(key, normal, position, tuning)
            return self.step(key, normal, state, tuning, 0)[1]

        return jax.eval_shape(transition, jax.random.PRNGKey(0))

    def tuning(self, position: PyTree) -> Tuning:
        """Step size and inverse mass matrix, as far as the kernel has them."""
        flat, _ = ravel_pytree(position)
        tuning, dense = {}, self._window.get("is_mass_matrix_diagonal") is False
        for name, value in self._tuned.items():
            value = 1.0 if value is None else value
            value = jnp.asarray(value, flat.dtype)
            if name == "inverse_mass_matrix" and not value.ndim:  # a multiple of the identity
                value = value * (jnp.eye(flat.size) if dense else jnp.ones(flat.size)).astype(flat.dtype)
            tuning[name] = value
        matrix = tuning.get("inverse_mass_matrix")
        if matrix is not None and matrix.shape not in ((flat.size,), (flat.size, flat.size)):
            raise ValueError(
                f"{self._called}: inverse_mass_matrix has shape {matrix.shape}; for {flat.size} sampled numbers it "
                f"must be a number, ({flat.size},) or ({flat.size}, {flat.size})"
            )
        return tuning

    def taken(self, suggested: Tuning) -> Tuning:
        """See `Kernel.taken`."""
        taken = {name: value for name, value in suggested.items() if name in self._left_open}
        matrix = taken.get("inverse_mass_matrix")
        if matrix is not None and self._diagonal and jnp.ndim(matrix) > 1:
            taken["inverse_mass_matrix"] = jnp.diagonal(matrix)
        return taken

    def init(self, key: Key, target: Target, position: PyTree, tuning: Tuning) -> PyTree:
        """See `Kernel.init`."""
        return _begun(self.algorithm(target, tuning), position, key)

    def step(
        self, key: Key, target: Target, state: PyTree, tuning: Tuning, count: int | Int[Array, ""]
    ) -> tuple[PyTree, Facts]:
        """See `Kernel.step`."""
        state, info = self.algorithm(target, tuning).step(key, state)
        return state, _facts(info)

    def adapted(self, key: Key, target: Target, position: PyTree, start: Tuning, steps: int) -> tuple[PyTree, Tuning]:
        """Stan's window adaptation, by Blackjax."""
        matrix = start["inverse_mass_matrix"]
        options = {"is_mass_matrix_diagonal": matrix.ndim < 2, **self._window}
        adaptation = library().window_adaptation(
            _Algorithm(self),
            target,
            initial_step_size=start["step_size"],
            initial_inverse_mass_matrix=matrix,
            adaptation_info_fn=lambda state, info, _: (),
            **options,
        )
        (state, tuned), _ = adaptation.run(key, position, steps)
        return state.position, {name: tuned[name] for name in start}

    def algorithm(self, target: Target, tuning: Tuning) -> _SamplingAlgorithm:
        """What the factory builds for a log density and a tuning."""
        return _checked(self._factory(target, **tuning, **self._options), self._called)


@runtime_checkable
class _SamplingAlgorithm(Protocol):
    """What a factory builds."""

    init: Callable[..., Any]
    step: Callable[..., Any]


def _checked(algorithm: object, called: str) -> _SamplingAlgorithm:
    """What a factory has built, if it is a kernel.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(algorithm, _SamplingAlgorithm):
        raise ValueError(f"{called} builds {type(algorithm).__name__}, which is no kernel; {SUPPORTED}")
    return algorithm


def _begun(algorithm: _SamplingAlgorithm, position: PyTree, key: Key) -> PyTree:
    """The first state; some kernels draw a part of it."""
    takes_key = len(inspect.signature(algorithm.init).parameters) > 1
    return algorithm.init(position, key) if takes_key else algorithm.init(position)


def _number(parameter: inspect.Parameter) -> float | int | None:
    """The default of a parameter if it is a number."""
    return parameter.default if isinstance(parameter.default, int | float) else None


def _is_needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is inspect.Parameter.empty


class _Algorithm:
    """A kernel in the form window adaptation takes."""

    def __init__(self, kernel: LogDensityKernel) -> None:
        self._kernel = kernel

    def init(self, position: PyTree, target: Target) -> PyTree:
        """State at a position; the tuning does not enter it."""
        return self._kernel.init(jax.random.PRNGKey(0), target, position, self._kernel.tuning(position))

    def build_kernel(self) -> Callable[..., Any]:
        """The transition with step size and inverse mass matrix as arguments."""

        def transition(
            key: Key, state: PyTree, target: Target, step_size: ArrayLike, inverse_mass_matrix: ArrayLike
        ) -> PyTree:
            tuning = {"step_size": step_size, "inverse_mass_matrix": inverse_mass_matrix}
            return self._kernel.algorithm(target, tuning).step(key, state)

        return transition


class StochasticGradientKernel(Kernel):
    """Kernels that need a gradient only: ``factory(grad_estimator, **options)``, whose step takes the step size."""

    exact = False

    def __init__(self, record: Sampling, called: str, parameters: dict[str, inspect.Parameter]) -> None:
        self._factory = record.factory
        self._called = called
        options = dict(record.options)
        algorithm = self._factory(lambda position, minibatch: position, **_taken(parameters, options))
        algorithm = _checked(algorithm, called)
        stepping = list(inspect.signature(algorithm.step).parameters.values())[3:]
        self._step_options = {p.name: options.pop(p.name) for p in stepping if p.name in options}
        needed = [p.name for p in stepping if _is_needed(p) and p.name not in self._step_options]
        if "step_size" in needed:
            raise ValueError(f"{called} requires a step_size: a number, or a schedule of the number of transitions")
        if needed:
            raise ValueError(f"{called}: its step needs {', '.join(needed)}; give them as keywords")
        check_options(called, parameters, options, also=tuple(p.name for p in stepping))
        self._options = options

    def tuning(self, position: PyTree) -> Tuning:
        """Nothing is tuned."""
        return {}

    def init(self, key: Key, target: Target, position: PyTree, tuning: Tuning) -> PyTree:
        """See `Kernel.init`."""
        return _begun(self._algorithm(target), position, key)

    def step(
        self, key: Key, target: Target, state: PyTree, tuning: Tuning, count: int | Int[Array, ""]
    ) -> tuple[PyTree, Facts]:
        """See `Kernel.step`."""
        options = {n: value(count) if callable(value) else value for n, value in self._step_options.items()}
        return self._algorithm(target).step(key, state, None, **options), {}

    def _algorithm(self, target: Target) -> _SamplingAlgorithm:
        # the mini-batch is part of the target already
        gradient = lambda position, minibatch: jax.grad(target)(position)  # noqa: E731
        return _checked(self._factory(gradient, **self._options), self._called)


def _taken(parameters: dict[str, inspect.Parameter], options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name in parameters}


@runtime_checkable
class _NamedFields(Protocol):
    """A named tuple, which Blackjax's states and information are."""

    def _asdict(self) -> dict[str, Any]: ...


def _facts(info: PyTree) -> Facts:
    fields = info._asdict() if isinstance(info, _NamedFields) else {}
    return {name: fields[name] for name in _FACTS if name in fields}


def position_of(state: PyTree) -> Any:
    """The position in a kernel's state: a field of it, or the state itself."""
    fields = state._asdict() if isinstance(state, _NamedFields) else {}
    return fields.get("position", state)


def log_density_of(state: PyTree) -> Float[Array, ""] | None:
    """The log density of the position, if the state holds it."""
    fields = state._asdict() if isinstance(state, _NamedFields) else {}
    return fields.get("logdensity")

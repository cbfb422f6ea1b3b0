"""Several optimizers one after the other, as one transform."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree

from jno.trace import is_transformation
from jno.utils import is_integer, is_number

from ._forms import as_transformation
from ._limited_memory import with_pairs_of_one_loss


@dataclasses.dataclass(frozen=True)
class Stage:
    """One optimizer, and when it hands over to the next; the last one goes on to the end of training.

    Attributes:
        optimizer: an optax transform.
        steps: most steps; None for no limit.
        tolerance: it ends when the loss is at most this.
        patience: it ends when so many steps have not improved the best loss by a share of ``improvement``.
        improvement: see ``patience`` (default 0.01).

    Example:
        >>> import jno, optax
        >>> search = jno.optimizers.Stage(optax.adam(1e-2), steps=2000, patience=500)
        >>> polish = jno.optimizers.Stage(optax.lbfgs())
        >>> search.ends, polish.ends
        (True, False)
        >>> optimizer = jno.optimizers.stages([search, polish])
    """

    optimizer: Any
    steps: Any = None
    tolerance: Any = None
    patience: Any = None
    improvement: Any = 0.01

    def __post_init__(self) -> None:
        if not is_transformation(self.optimizer):
            raise TypeError(
                f"stages: {self.optimizer!r} must be an optax transform; build it first, e.g. optax.adam(1e-3)"
            )
        for name, value in (("steps", self.steps), ("patience", self.patience)):
            if value is not None and not is_integer(value, 1):
                raise ValueError(f"stages: {name}={value!r} of a stage must be an integer of at least 1, or None")
        if self.tolerance is not None and not (is_number(self.tolerance) and self.tolerance >= 0):
            raise ValueError(f"stages: tolerance={self.tolerance!r} of a stage must be a number of at least 0, or None")
        if not (is_number(self.improvement) and 0 <= self.improvement < 1):
            raise ValueError(f"stages: improvement={self.improvement!r} of a stage must be at least 0 and below 1")

    @property
    def ends(self) -> bool:
        """Whether anything ends it."""
        return not self.steps is self.tolerance is self.patience is None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class StagesState:
    """Which stage it is, how many steps it has made, its best loss and the steps since, and the states of all."""

    stage: Int[Array, ""]
    steps: Int[Array, ""]
    best: Float[Array, ""]
    since: Int[Array, ""]
    began: Int[Array, " S"]
    """Steps made by all stages before each began; -1 for one that has not."""
    states: tuple[Any, ...]


def stages(entries: Sequence[object]) -> optax.GradientTransformationExtraArgs:
    """Several optimizers one after the other, in one ``solve``.

    Each begins with a fresh state at the weights that the one before has reached. The last one trains to the end of
    `core.solve`, whose number of epochs counts for all of them together. The state of all is one pytree, so that
    checkpoints and repeated calls go on in the stage they are in.

    Args:
        entries: in their order, `Stage`, pairs ``(optimizer, steps)``, or an optimizer alone, which only the
            last may be. Nothing may end the last one: ``core.solve`` says by its epochs and ``until`` when training
            ends.

    Returns:
        a transform; ``update`` needs ``params`` and, for stages with ``tolerance`` or ``patience``, ``value``.

    Raises:
        TypeError: an entry that is neither, or an optimizer that is not an optax transform.
        ValueError: no entries; numbers out of range; a stage before the last that nothing ends, or a last one that
            something ends; in an update, a missing ``value``.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> from jno.optimizers import ssbroyden, stages
        >>> loss = lambda x: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        >>> optimizer = stages([(optax.adam(1e-2), 20), ssbroyden()])
        >>> def step(carry, _):
        ...     x, state = carry
        ...     value, grad = jax.value_and_grad(loss)(x)
        ...     updates, state = optimizer.update(grad, state, x, value=value, grad=grad, value_fn=loss)
        ...     return (optax.apply_updates(x, updates), state), value
        >>> x = jnp.array([-1.2, 1.0])
        >>> (x, state), _ = jax.lax.scan(step, (x, optimizer.init(x)), length=80)
        >>> bool(loss(x) < 1e-8), state.began.tolist()
        (True, [0, 20])
    """
    parts = _checked(entries)
    transforms = [with_pairs_of_one_loss(as_transformation(part.optimizer, "stages")) for part in parts]
    sequence = _Sequence(tuple(parts), tuple(transforms))
    return optax.GradientTransformationExtraArgs(sequence.init, sequence.update)


@dataclasses.dataclass(frozen=True, eq=False)
class _Sequence:
    """The transform that `stages` returns: the stages, and the transform of each."""

    parts: tuple[Stage, ...]
    transforms: tuple[optax.GradientTransformationExtraArgs, ...]

    def init(self, params: PyTree) -> StagesState:
        """The first stage has begun."""
        began = jnp.full(len(self.parts), -1, jnp.int32).at[0].set(0)
        states = tuple(transform.init(params) for transform in self.transforms)
        return StagesState(jnp.int32(0), jnp.int32(0), jnp.float32(jnp.inf), jnp.int32(0), began, states)

    def update(
        self, updates: PyTree, state: StagesState, params: PyTree | None = None, **extra_args: Any
    ) -> tuple[PyTree, StagesState]:
        """One step of the stage that it is time for."""
        value = extra_args.get("value")
        if params is None or (self._reads_value and value is None):
            raise ValueError(
                "stages: the parameters are needed, and the loss where a stage has a tolerance or patience; call "
                "update(gradients, state, params, value=loss)"
            )
        state = self._handed_over(state, params, value)

        def at(number: int) -> Any:
            def branch(states: tuple[Any, ...]) -> tuple[PyTree, tuple[Any, ...]]:
                step, new = self.transforms[number].update(updates, states[number], params, **extra_args)
                step = _like(step, updates)
                return step, (*states[:number], _like(new, states[number]), *states[number + 1 :])

            return branch

        step, states = jax.lax.switch(state.stage, [at(number) for number in range(len(self.parts))], state.states)
        return step, dataclasses.replace(state, steps=state.steps + 1, states=states)

    @property
    def _reads_value(self) -> bool:
        return any(part.tolerance is not None or part.patience is not None for part in self.parts)

    def _handed_over(self, state: StagesState, params: PyTree, value: Any) -> StagesState:
        """The state at the beginning of a step: in the next stage where the present one has ended."""
        loss = state.best if value is None else jnp.asarray(value, state.best.dtype)
        share = jnp.asarray([part.improvement for part in self.parts], state.best.dtype)[state.stage]
        improved = loss < (1 - share) * state.best
        best, since = jnp.where(improved, loss, state.best), jnp.where(improved, 0, state.since + 1)
        ended = self._ended(state, loss, since)
        stage = state.stage + ended
        began = jnp.where(ended, state.began.at[stage].set(_total(state)), state.began)
        return StagesState(
            stage,
            jnp.where(ended, 0, state.steps),
            jnp.where(ended, loss, best),
            jnp.where(ended, 0, since),
            began,
            self._begun(state.states, stage, ended, params),
        )

    def _ended(self, state: StagesState, loss: Float[Array, ""], since: Int[Array, ""]) -> Bool[Array, ""]:
        """Whether the present stage has ended, which the last one never does."""
        none = jnp.iinfo(jnp.int32).max
        steps = jnp.asarray([part.steps or none for part in self.parts])[state.stage]
        patience = jnp.asarray([part.patience or none for part in self.parts])[state.stage]
        tolerances = [-1.0 if part.tolerance is None else part.tolerance for part in self.parts]
        ended = (state.steps >= steps) | (since >= patience)
        ended |= loss <= jnp.asarray(tolerances, loss.dtype)[state.stage]
        return ended & (state.stage < len(self.parts) - 1)

    def _begun(
        self, states: tuple[Any, ...], stage: Int[Array, ""], ended: Bool[Array, ""], params: PyTree
    ) -> tuple[Any, ...]:
        """The states, that of the stage which begins now fresh: some remember the weights they began with."""

        def fresh(number: int) -> Any:
            begins = ended & (stage == number)
            return jax.lax.cond(begins, lambda: self.transforms[number].init(params), lambda: states[number])

        return (states[0], *(fresh(number) for number in range(1, len(self.parts))))


def _total(state: StagesState) -> Int[Array, ""]:
    """Steps of all stages so far: those before the present one, and its own."""
    return state.began[state.stage] + state.steps


def _like(new: PyTree, old: PyTree) -> PyTree:
    """In the types of another pytree, so that all stages return the same."""
    return jax.tree_util.tree_map(lambda a, b: jnp.asarray(a, jnp.result_type(b)), new, old)


def _checked(entries: object) -> list[Stage]:
    if not isinstance(entries, Sequence) or isinstance(entries, str | bytes):
        raise TypeError(f"stages({entries!r}): it must be a list such as [(optax.adam(1e-3), 2000), ssbroyden()]")
    if not entries:
        raise ValueError("stages([]): give at least one optimizer")
    parts = [_stage(entry) for entry in entries]
    endless = [number for number, part in enumerate(parts[:-1]) if not part.ends]
    if endless:
        raise ValueError(
            f"stages: nothing ends stage {endless[0]}, so that the ones after it would never begin; give it steps, "
            "tolerance or patience"
        )
    if parts[-1].ends:
        raise ValueError(
            "stages: steps, tolerance or patience of the last stage would end nothing, since core.solve says when "
            "training ends; leave them out, give the number of epochs, or solve(..., until=...)"
        )
    return parts


def _stage(entry: object) -> Stage:
    if isinstance(entry, Stage):
        return entry
    if is_transformation(entry):
        return Stage(entry)
    if isinstance(entry, tuple) and len(entry) == 2:
        return Stage(*entry)
    raise TypeError(f"stages: {entry!r} must be a Stage, an optax transform, or a pair (optimizer, steps)")

"""Magnitude/direction decoupling of weight matrices."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float, PyTree

from ._checks import Rate, require_rate
from ._forms import as_transformation

Latents: TypeAlias = dict[str, Float[Array, " _"]]
"""The numbers behind the gains of one leaf by axis; empty for a leaf that is not a matrix."""

AXES = ("row", "col")


def _inverse_softplus(gain: Array) -> Array:
    return gain + jnp.log(-jnp.expm1(-gain))


GAIN_MAPS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "softplus": (jax.nn.softplus, _inverse_softplus),
    "exp": (jnp.exp, jnp.log),
}
"""Maps onto positive numbers, with their inverses."""


class MDState(NamedTuple):
    """States of the base optimizer and of Adam for the gains; ``latents`` has an entry per leaf."""

    base: Any
    gains: Any
    latents: tuple[Latents, ...]


@dataclasses.dataclass(frozen=True)
class MDOptimizer:
    """What `md` returns: `md_decouple` with its arguments, built by `transform`.

    Its updates are not proportional to a learning rate.  Therefore it is not a transform: a driver that multiplies
    updates by a scale must leave them as they are (the rate belongs into ``base``).

    Args:
        base: optax transform for the directions.
        gain_lr: learning rate of the gains.
        gain_axis: axes with gains.
        gain_map: ``"softplus"`` or ``"exp"``.

    Raises:
        TypeError: a base that is not an optax transform.
        NotImplementedError: the axis ``"scalar"``.
        ValueError: an unknown axis or map, a negative ``gain_lr``.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from jno.optimizers import MDOptimizer
        >>> transform = MDOptimizer(optax.adam(1e-3)).transform()
        >>> transform.init(jnp.array([[3.0, 4.0]])).latents[0]["row"].shape
        (1,)
    """

    base: Any
    gain_lr: Rate = 1e-3
    gain_axis: str | Sequence[str] = AXES
    gain_map: str = "softplus"

    def __post_init__(self) -> None:
        self.transform()

    def transform(self) -> optax.GradientTransformationExtraArgs:
        """The optax transform."""
        return md_decouple(self.base, gain_lr=self.gain_lr, gain_axis=self.gain_axis, gain_map=self.gain_map)


def md(
    base: object, *, gain_lr: Rate = 1e-3, gain_axis: str | Sequence[str] = AXES, gain_map: str = "softplus"
) -> MDOptimizer:
    """Train the directions of the weight matrices by ``base`` and their magnitudes by gains.

    See `md_decouple` for what it computes.

    Args:
        base: optax transform, for example ``optax.adam(1e-3)``.
        gain_lr: learning rate of the gains, a number or a schedule.
        gain_axis: ``"row"``, ``"col"`` or both.
        gain_map: ``"softplus"`` or ``"exp"``.

    Returns:
        a marker that ``model.optimizer(...)`` understands.

    Raises:
        TypeError: a base that is not an optax transform.
        NotImplementedError: the axis ``"scalar"``.
        ValueError: an unknown axis or map, a negative ``gain_lr``.

    Example:
        >>> import optax
        >>> from jno.optimizers import md
        >>> md(optax.adam(1e-3), gain_axis="row", gain_map="exp").gain_axis
        'row'
    """
    return MDOptimizer(base, gain_lr, gain_axis, gain_map)


def md_decouple(
    base_optimizer: object,
    *,
    gain_lr: Rate = 1e-3,
    gain_axis: str | Sequence[str] = AXES,
    gain_map: str = "softplus",
) -> optax.GradientTransformationExtraArgs:
    """Magnitude/direction decoupling: a step in gains and directions of the matrices instead of their entries.

    Every matrix leaf ``W`` of shape ``(m, n)`` is a product of positive gains and a direction,

        W = diag(r) V diag(c),      r = map(a),   c = map(b)

    with ``r`` of shape ``(m,)`` and ``c`` of shape ``(n,)``; without an axis its gains are 1. Only ``a`` and ``b`` are
    stored, ``V`` is what makes the product ``W``. At first the gains of the first axis in ``gain_axis`` are the norms
    of the rows (columns) of ``W``, so that those of ``V`` have norm 1 (the gain of a zero row is 1), and the gains of
    the other axis are 1. From the gradient ``G`` of ``W`` follow those of the factors,

        dV = diag(r) G diag(c)      da = map'(a) ∘ rowsum(G ∘ V diag(c))      db = map'(b) ∘ colsum(G ∘ diag(r) V)

    One step moves ``V`` by ``base_optimizer`` and ``(a, b)`` by Adam with the rate ``gain_lr``, both from the old
    values, and the update is ``diag(r₊) V₊ diag(c₊) - W``. A step of the direction is thus relative to the magnitude
    of its row: with ``gain_lr=0`` it is ``diag(r) U diag(c)``, where ``U`` is the update of the base for ``dV``.

    ``V`` is not normalised again, the product only splits the step. Leaves that are not matrices are trained by
    ``base_optimizer`` as they are. A base that needs ``grad``, ``value_fn`` or ``residual_fn`` gets them in terms of
    the directions. Updates must be applied as they are: another factor would undo the decoupling.

    Args:
        base_optimizer: optax transform for the directions and all other leaves.
        gain_lr: learning rate of the gains, a number or a schedule.
        gain_axis: ``"row"``, ``"col"`` or both.
        gain_map: ``"softplus"`` or ``"exp"``; with ``"exp"`` a step changes gains by a factor.

    Returns:
        a transform whose ``update`` needs ``params``; ``None`` leaves are allowed.

    Raises:
        TypeError: a base that is not an optax transform.
        NotImplementedError: the axis ``"scalar"``.
        ValueError: an unknown axis or map, a negative ``gain_lr``; ``update`` without ``params``.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> from jno.optimizers import md_decouple
        >>> target = jnp.array([[100.0, 200.0], [0.01, 0.02]])
        >>> loss = lambda w: jnp.sum((w / target - 1.0) ** 2)
        >>> optimizer = md_decouple(optax.adam(1e-2), gain_lr=1e-2, gain_map="exp")
        >>> w = jnp.ones((2, 2))
        >>> state = optimizer.init(w)
        >>> @jax.jit
        ... def step(w, state):
        ...     updates, state = optimizer.update(jax.grad(loss)(w), state, w)
        ...     return optax.apply_updates(w, updates), state
        >>> for _ in range(1000):
        ...     w, state = step(w, state)
        >>> bool(loss(w) < 1e-3)
        True

    Source: the split follows T. Salimans, D. P. Kingma, "Weight normalization", 2016, arXiv:1602.07868 (there the
    direction is normalised within the network; here the network keeps its matrices).
    """
    base = as_transformation(base_optimizer, "md: the base")
    axes = _axes(gain_axis)
    if not isinstance(gain_map, str) or gain_map not in GAIN_MAPS:
        raise ValueError(f"md: unknown gain_map {gain_map!r}, allowed are {', '.join(GAIN_MAPS)}")
    require_rate("md", "gain_lr", gain_lr)
    split = _Decoupling(base, optax.adam(gain_lr), axes, gain_map)
    return optax.GradientTransformationExtraArgs(split.init, split.update)


@dataclasses.dataclass(frozen=True, eq=False)
class _Decoupling:
    """The transform that `md_decouple` returns: transforms of directions and gains, and what gains there are."""

    base: optax.GradientTransformationExtraArgs
    adam: optax.GradientTransformation
    axes: tuple[str, ...]
    gain_map: str

    def init(self, params: PyTree) -> MDState:
        """Gains from the norms of the matrices, and the states of both transforms."""
        latents = tuple(_first_latents(leaf, self.axes, self.gain_map) for leaf in jax.tree.leaves(params))
        directions = _map(_quotient, params, _factors(latents, self.gain_map))
        return MDState(self.base.init(directions), self.adam.init(latents), latents)

    def update(
        self, updates: PyTree, state: MDState, params: PyTree | None = None, **extra_args: Any
    ) -> tuple[PyTree, MDState]:
        """A step of directions and gains, as one of the matrices."""
        if params is None:
            raise ValueError("md: the parameters are needed, call update(gradients, state, params)")
        factors, pull_back = jax.vjp(lambda latents: _factors(latents, self.gain_map), state.latents)
        directions = _map(_quotient, params, factors)
        direction_gradient = _map(_product, updates, factors)
        pairs = zip(jax.tree.leaves(updates), jax.tree.leaves(directions), factors, strict=True)
        (latent_gradient,) = pull_back([None if f is None else _sum_like(g * v, f) for g, v, f in pairs])

        extra_args = _arguments_in_directions(extra_args, factors)
        direction_updates, base_state = self.base.update(direction_gradient, state.base, directions, **extra_args)
        latent_updates, gain_state = self.adam.update(latent_gradient, state.gains, state.latents)

        latents = optax.apply_updates(state.latents, latent_updates)
        new_directions = jax.tree.map(jnp.add, directions, direction_updates)
        new = _map(_product, new_directions, _factors(latents, self.gain_map))
        return jax.tree.map(jnp.subtract, new, params), MDState(base_state, gain_state, latents)


def _axes(gain_axis: Any) -> tuple[str, ...]:
    axes = tuple(gain_axis) if isinstance(gain_axis, list | tuple) else (gain_axis,)
    if not all(isinstance(axis, str) for axis in axes):
        raise ValueError(f"md: gain_axis must be 'row', 'col' or both, got {gain_axis!r}")
    if "scalar" in axes:
        raise NotImplementedError("md: one gain per matrix (gain_axis 'scalar') is not implemented; use 'row' or 'col'")
    if not axes or len(set(axes)) < len(axes) or not set(axes) <= set(AXES):
        raise ValueError(f"md: gain_axis must be 'row', 'col' or both, got {gain_axis!r}")
    return axes


def _first_latents(leaf: ArrayLike, axes: tuple[str, ...], gain_map: str) -> Latents:
    """Norms along the first axis, ones along the other."""
    if jnp.ndim(leaf) != 2:
        return {}
    _, inverse = GAIN_MAPS[gain_map]
    latents = {}
    for number, axis in enumerate(axes):
        norms = jnp.linalg.norm(leaf, axis=1 if axis == "row" else 0)
        gains = jnp.where(norms > 0, norms, 1.0) if number == 0 else jnp.ones_like(norms)
        latents[axis] = inverse(gains)
    return latents


def _factors(latents: tuple[Latents, ...], gain_map: str) -> list[Float[Array, "_ _"] | None]:
    """For each leaf what multiplies its direction, ``(m, n)``, ``(m, 1)`` or ``(1, n)``; ``None`` for other leaves."""
    gain, _ = GAIN_MAPS[gain_map]
    factors: list[Array | None] = []
    for leaf in latents:
        gains = [gain(leaf["row"])[:, None]] if "row" in leaf else []
        gains += [gain(leaf["col"])[None, :]] if "col" in leaf else []
        factors.append(functools.reduce(jnp.multiply, gains) if gains else None)
    return factors


def _map(function: Callable[[Any, Any], Any], tree: PyTree, factors: list[Array | None]) -> PyTree:
    """The tree with ``function(leaf, factor)`` where there is a factor."""
    leaves, structure = jax.tree.flatten(tree)
    mapped = [leaf if f is None else function(leaf, f) for leaf, f in zip(leaves, factors, strict=True)]
    return jax.tree.unflatten(structure, mapped)


def _product(leaf: Array, factor: Array) -> Array:
    return leaf * factor


def _quotient(leaf: Array, factor: Array) -> Array:
    return leaf / factor


def _sum_like(matrix: Float[Array, "_ _"], factor: Float[Array, "_ _"]) -> Float[Array, "_ _"]:
    """Sums over the axes along which the factor was repeated."""
    repeated = tuple(axis for axis in (0, 1) if factor.shape[axis] == 1)
    return jnp.sum(matrix, axis=repeated, keepdims=True)


def _arguments_in_directions(extra_args: dict[str, Any], factors: list[Array | None]) -> dict[str, Any]:
    """What a base asks for, the gradient and functions of the parameters, in terms of the directions."""
    extra_args = dict(extra_args)
    if extra_args.get("grad") is not None:
        extra_args["grad"] = _map(_product, extra_args["grad"], factors)
    for name in ("value_fn", "residual_fn"):
        if extra_args.get(name) is not None:
            extra_args[name] = _in_directions(extra_args[name], factors)
    return extra_args


def _in_directions(value_fn: Callable[..., Any], factors: list[Array | None]) -> Callable[..., Any]:
    """A function of the parameters as one of the directions, the gains held."""

    @functools.wraps(value_fn)
    def function(directions: PyTree, *args: Any, **keywords: Any) -> Any:
        return value_fn(_map(_product, directions, factors), *args, **keywords)

    return function

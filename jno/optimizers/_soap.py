"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import DTypeLike
from jaxtyping import Array, ArrayLike, Bool, Int, PyTree

from jno.utils import FLAG, FLOATING, Kind, SharedDocumentation, checked, is_integral, quoted

from ._checks import Rate, is_fraction, is_not_negative, require, require_rate
from ._eigenbasis import Bases, Precision, axes_to_rotate, first_basis, refreshed_basis, rotate, second_moment


class SoapState(NamedTuple):
    """Moments of the gradient; ``moments`` and ``bases`` have an entry per leaf, with an entry per axis."""

    steps: Int[Array, ""]
    mu: PyTree
    nu: PyTree
    moments: tuple[Bases, ...]
    bases: tuple[Bases, ...]


def _is_precision(value: object) -> bool:
    return isinstance(value, jax.lax.Precision) or (isinstance(value, str) and value in _PRECISIONS)


_PRECISIONS = ("default", "high", "highest", "bfloat16", "tensorfloat32", "float32", "fastest")
_PRECISION = Kind(f"a jax.lax.Precision or one of {quoted(_PRECISIONS)}", _is_precision)

_checked_options = checked(
    correct_bias=FLAG, precondition_1d=FLAG, precision=_PRECISION, mu_dtype=FLOATING, qr_dtype=FLOATING
)


class _DecayState(NamedTuple):
    started: Bool[Array, ""]


_documented = SharedDocumentation(
    {
        "b1": "decay of the first moment.",
        "b2": "decay of the second moment.",
        "shampoo_beta": "decay ``β``; a negative number means ``b2``.",
        "eps": "added to the root of the second moment.",
        "correct_bias": "whether the moments are corrected for their start at zero.",
        "precondition_frequency": "steps between two refreshes of the eigenbases.",
        "max_precond_dim": "longer axes are not rotated.",
        "precondition_1d": "whether vectors are rotated.",
        "precision": "of the matrix products.",
        "mu_dtype": "type of the stored first moment; ``None`` is that of the parameters.",
        "qr_dtype": "type of the eigen- and QR decompositions; ``None`` is that of the parameters.",
    },
    raises={"ValueError": "a number outside its range."},
)


@_documented
@_checked_options
def soap(
    learning_rate: Rate = 3e-3,
    b1: ArrayLike = 0.95,
    b2: ArrayLike = 0.95,
    shampoo_beta: ArrayLike = -1,
    eps: ArrayLike = 1e-8,
    weight_decay: ArrayLike = 0.0,
    correct_bias: bool = True,
    precondition_frequency: int = 10,
    max_precond_dim: int = 10000,
    precondition_1d: bool = False,
    precision: Precision = jax.lax.Precision.HIGHEST,
    mu_dtype: DTypeLike | None = None,
    qr_dtype: DTypeLike | None = jnp.float32,
) -> optax.GradientTransformation:
    """SOAP with a learning rate and decoupled weight decay, ``W₊ = W - learning_rate (N + weight_decay W)``.

    ``N`` is the direction of `scale_by_soap`. The first step initialises the eigenbases and moves nothing.

    Args:
        learning_rate: a number or an optax schedule of the step (the first, zero step counts).
        weight_decay: decoupled decay, of all leaves.

    Returns:
        a transform; ``update`` needs ``params`` only for ``weight_decay``.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> from jno.optimizers import soap
        >>> loss = lambda w: jnp.sum((w - 1.0) ** 2)
        >>> optimizer = soap(optax.exponential_decay(0.1, 50, 0.5))
        >>> w = jnp.zeros((3, 2))
        >>> state = optimizer.init(w)
        >>> update = jax.jit(optimizer.update)
        >>> for _ in range(200):
        ...     updates, state = update(jax.grad(loss)(w), state, w)
        ...     w = optax.apply_updates(w, updates)
        >>> bool(loss(w) < 1e-3)
        True

    Source: N. Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", 2024, arXiv:2409.11321.
    """
    require_rate("soap", "learning_rate", learning_rate)
    require("soap", "weight_decay", weight_decay, is_not_negative, "at least 0")
    direction = scale_by_soap(
        b1=b1,
        b2=b2,
        shampoo_beta=shampoo_beta,
        eps=eps,
        correct_bias=correct_bias,
        precondition_frequency=precondition_frequency,
        max_precond_dim=max_precond_dim,
        precondition_1d=precondition_1d,
        precision=precision,
        mu_dtype=mu_dtype,
        qr_dtype=qr_dtype,
    )
    decays = not (isinstance(weight_decay, int | float) and weight_decay == 0)
    decay = [_decay_after_first_step(weight_decay)] if decays else []
    return optax.chain(direction, *decay, optax.scale_by_learning_rate(learning_rate))


@_documented
@_checked_options
def scale_by_soap(
    b1: ArrayLike = 0.95,
    b2: ArrayLike = 0.95,
    shampoo_beta: ArrayLike = -1,
    eps: ArrayLike = 1e-8,
    correct_bias: bool = True,
    precondition_frequency: int = 10,
    max_precond_dim: int = 10000,
    precondition_1d: bool = False,
    precision: Precision = jax.lax.Precision.HIGHEST,
    mu_dtype: DTypeLike | None = None,
    qr_dtype: DTypeLike | None = jnp.float32,
) -> optax.GradientTransformation:
    """The direction of SOAP (without sign, learning rate or decay).

    For a matrix ``W`` of shape ``(m, n)`` with gradient ``G``, at every step but the first

        M ← b1 M + (1 - b1) G                      G' = Q_Lᵀ G Q_R
        V ← b2 V + (1 - b2) G' ∘ G'                M' = Q_Lᵀ M Q_R
        N = Q_L (M' / (sqrt(V) + eps)) Q_Rᵀ
        L ← β L + (1 - β) G Gᵀ                     R ← β R + (1 - β) Gᵀ G

    with Adam's bias correction of ``M`` and ``V``. ``Q_L`` (``m × m``) and ``Q_R`` (``n × n``) are eigenvectors of
    ``L`` and ``R``: decomposed at the first step, which returns zero, and then refreshed every
    ``precondition_frequency`` steps by one step of orthogonal iteration ``Q ← QR(L Q)``. Before it the columns of
    ``Q`` are sorted by their eigenvalues ``diag(Qᵀ L Q)`` (the iteration converges to sorted eigenvectors) and ``V``
    is permuted with them; the paper's pseudo code leaves the order.

    Tensors with more axes have one matrix per axis. Scalars, axes of length 1, axes longer than ``max_precond_dim``
    and, unless ``precondition_1d``, vectors are not rotated; without any rotation the direction is Adam's.

    Returns:
        a transform over pytrees of any shapes; ``None`` leaves are allowed.

    Example:
        >>> import jax.numpy as jnp
        >>> from jno.optimizers import scale_by_soap
        >>> optimizer = scale_by_soap()
        >>> w = jnp.ones((3, 2))
        >>> state = optimizer.init(w)
        >>> initial, state = optimizer.update(w, state)
        >>> following, state = optimizer.update(w, state)
        >>> float(abs(initial).max()), [basis.shape for basis in state.bases[0]]
        (0.0, [(3, 3), (2, 2)])

    Source: N. Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", 2024, arXiv:2409.11321, algorithm 3.
    """
    require("soap", "b1", b1, is_fraction, "in [0, 1)")
    require("soap", "b2", b2, is_fraction, "in [0, 1)")
    require("soap", "shampoo_beta", shampoo_beta, lambda beta: beta < 1, "below 1 (a negative number means b2)")
    require("soap", "eps", eps, is_not_negative, "at least 0")
    for name, count, least in (
        ("precondition_frequency", precondition_frequency, 1),
        ("max_precond_dim", max_precond_dim, 0),
    ):
        if not is_integral(count, least):
            raise ValueError(f"soap: {name} must be at least {least}, got {count!r}; it is an integer")
    beta = b2 if isinstance(shampoo_beta, int | float) and shampoo_beta < 0 else shampoo_beta
    rule = _Soap(
        b1=b1,
        b2=b2,
        beta=beta,
        eps=eps,
        correct_bias=correct_bias,
        frequency=precondition_frequency,
        rotated=lambda shape: axes_to_rotate(shape, max_precond_dim, precondition_1d),
        precision=precision,
        mu_dtype=mu_dtype,
        qr_dtype=qr_dtype,
    )
    # outside of jit, lax.cond would be compiled at every call
    return optax.GradientTransformation(rule.init, jax.jit(rule.update))


@dataclasses.dataclass(frozen=True)
class _Soap:
    b1: ArrayLike
    b2: ArrayLike
    beta: ArrayLike
    eps: ArrayLike
    correct_bias: bool
    frequency: ArrayLike
    rotated: Callable[[tuple[int, ...]], tuple[bool, ...]]
    precision: Precision
    mu_dtype: DTypeLike | None
    qr_dtype: DTypeLike | None

    def init(self, params: PyTree) -> SoapState:
        def per_axis(build: Callable[[int, np.dtype], Array], leaf: ArrayLike) -> Bases:
            shape, dtype = jnp.shape(leaf), jnp.result_type(leaf)
            axes = zip(shape, self.rotated(shape), strict=True)
            return tuple(build(size, dtype) if rotated else None for size, rotated in axes)

        leaves = jax.tree.leaves(params)
        return SoapState(
            steps=jnp.int32(0),
            mu=jax.tree.map(lambda leaf: jnp.zeros_like(leaf, dtype=self.mu_dtype), params),
            nu=jax.tree.map(jnp.zeros_like, params),
            moments=tuple(per_axis(lambda n, dtype: jnp.zeros((n, n), dtype), leaf) for leaf in leaves),
            bases=tuple(per_axis(lambda n, dtype: jnp.eye(n, dtype=dtype), leaf) for leaf in leaves),
        )

    def update(self, updates: PyTree, state: SoapState, params: PyTree | None = None) -> tuple[PyTree, SoapState]:
        gradients, tree = jax.tree.flatten(updates)
        directions, state = jax.lax.cond(state.steps == 0, self._initialise, self._advance, gradients, state)
        return jax.tree.unflatten(tree, directions), state

    def _initialise(self, gradients: list[Array], state: SoapState) -> tuple[list[Array], SoapState]:
        moments = self._accumulated(gradients, state)
        bases = jax.tree.map(lambda moment: first_basis(moment, self.qr_dtype or moment.dtype), moments)
        nothing = [jnp.zeros_like(gradient) for gradient in gradients]
        return nothing, state._replace(steps=state.steps + 1, moments=moments, bases=bases)

    def _advance(self, gradients: list[Array], state: SoapState) -> tuple[list[Array], SoapState]:
        """Adam in the current bases; the bases are refreshed after the step."""
        mu_scale = 1 - self.b1**state.steps if self.correct_bias else 1.0
        nu_scale = 1 - self.b2**state.steps if self.correct_bias else 1.0
        mus, tree = jax.tree.flatten(state.mu)
        nus = jax.tree.leaves(state.nu)
        directions = []
        for i, (g, bases) in enumerate(zip(gradients, state.bases, strict=True)):
            mu = (self.b1 * mus[i] + (1 - self.b1) * g).astype(g.dtype)
            square = rotate(g, bases, self.precision) ** 2
            nus[i] = (self.b2 * nus[i] + (1 - self.b2) * square).astype(nus[i].dtype)
            adam = rotate(mu, bases, self.precision) / mu_scale / (jnp.sqrt(nus[i] / nu_scale) + self.eps)
            directions.append(rotate(adam.astype(g.dtype), bases, self.precision, back=True))
            mus[i] = mu.astype(mus[i].dtype)
        new = SoapState(
            state.steps + 1,
            jax.tree.unflatten(tree, mus),
            jax.tree.unflatten(tree, nus),
            self._accumulated(gradients, state),
            state.bases,
        )
        due = state.steps % self.frequency == 0
        return directions, jax.lax.cond(due, self._refreshed, lambda state: state, new)

    def _accumulated(self, gradients: list[Array], state: SoapState) -> tuple[Bases, ...]:
        def new(gradient: Array, axis: int, old: Array | None) -> Array | None:
            if old is None:
                return None
            moment = self.beta * old + (1 - self.beta) * second_moment(gradient, axis, self.precision)
            return jnp.asarray(moment, old.dtype)

        leaves = zip(gradients, state.moments, strict=True)
        return tuple(tuple(new(g, axis, old) for axis, old in enumerate(olds)) for g, olds in leaves)

    def _refreshed(self, state: SoapState) -> SoapState:
        nus, tree = jax.tree.flatten(state.nu)
        bases = [list(leaf) for leaf in state.bases]
        for i, moments in enumerate(state.moments):
            for axis, (moment, basis) in enumerate(zip(moments, state.bases[i], strict=True)):
                if moment is not None and basis is not None:
                    dtype = self.qr_dtype or moment.dtype
                    bases[i][axis], order = refreshed_basis(moment, basis, dtype, self.precision)
                    nus[i] = jnp.take(nus[i], order, axis=axis)
        return state._replace(nu=jax.tree.unflatten(tree, nus), bases=tuple(map(tuple, bases)))


def _decay_after_first_step(weight_decay: ArrayLike) -> optax.GradientTransformation:
    """Add ``weight_decay`` times the parameters, except at the first step, which moves nothing."""

    def init(params: PyTree) -> _DecayState:
        del params
        return _DecayState(jnp.bool_(False))

    def update(updates: PyTree, state: _DecayState, params: PyTree | None = None) -> tuple[PyTree, _DecayState]:
        if params is None:
            raise ValueError("soap: weight_decay needs the parameters, call update(gradients, state, params)")
        rate = jnp.where(state.started, weight_decay, 0.0)
        decayed = jax.tree.map(lambda u, p: u + (rate * p).astype(u.dtype), updates, params)
        return decayed, _DecayState(jnp.bool_(True))

    return optax.GradientTransformation(init, update)

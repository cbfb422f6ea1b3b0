"""Energy natural gradients for any optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from jno.compiler import models_of
from jno.optimizers import engd
from jno.trace import Model, NetworkGradient, Node
from jno.utils import Callback

from ._training_problem import Leaves


class EnergyNaturalGradient(Callback):
    """Replace the gradient of one model by the natural one, before the model's optimizer sees it.

    What `jno.optimizers.engd` takes as a step is handed over as the gradient, so that ``optax.sgd(1.0)`` takes that
    step and another rate, or momentum, goes its own way with it.  Other models keep their gradients.  Every epoch is
    one device call; where the step itself is wanted, the optimizer is faster.

    Args:
        gram_terms: what the metric is made of: the expressions whose mean squares are constraints, constraints
            themselves or their positions; ``residual.grad(net)`` says whose parameters are meant, where the residual
            contains several trained models.
        gram_interval: steps after which the metric is computed anew.  Default 1.
        rcond: eigenvalues below ``rcond`` times the largest count as zero.  Default None: machine precision.
        line_search: choose the length of the step as `jno.optimizers.engd` does.  Default False.

    Raises:
        TypeError: ``gram_terms`` are not a sequence of positions and expressions.
        ValueError: no ``gram_terms``, a masked gradient, an option out of range; when training begins: terms of several
            trained models or of none; in the first epoch: a term that belongs to no constraint.

    Example:
        >>> import jno, optax
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> p = jno.np.parameter(()).optimizer(optax.sgd(1.0))
        >>> residual = p * x - 3 * x
        >>> crux = jno.core([residual.mse])
        >>> _ = crux.solve(1, callbacks=[jno.callbacks.engd([residual])])
        INFO: compiling
        INFO: epoch ...
        >>> round(float(p.model.module.value), 4)
        3.0

    Source: J. Müller, M. Zeinhofer, "Achieving high accuracy with PINNs via energy natural gradient descent", ICML
    2023.
    """

    def __init__(
        self, gram_terms: Any, gram_interval: int = 1, rcond: float | None = None, line_search: bool = False
    ) -> None:
        is_list = isinstance(gram_terms, Sequence) and not isinstance(gram_terms, str | bytes)
        if gram_terms is None:
            raise TypeError("engd(gram_terms=None): gram_terms must be a list of constraints, or of expressions")
        terms: Sequence[Any] = gram_terms if is_list else [gram_terms]
        masked = [term for term in terms if isinstance(term, NetworkGradient) and term.mask is not None]
        if masked:
            raise ValueError(f"engd(gram_terms=...): {masked[0]!r} is masked; give the gradient by the whole network")
        self._terms = tuple(terms)
        plain = [_residual(term) for term in terms] if is_list else gram_terms
        self._transform = engd(plain, gram_interval=gram_interval, rcond=rcond, line_search=line_search)
        self._layer = -1
        self._state: Any = None
        self._update = jax.jit(self._natural)

    def on_solve_begin(self, **kw: Any) -> None:
        """Find the model, and forget the metric of earlier runs.

        Raises:
            ValueError: terms of several trained models, or of none.
        """
        trained = kw["trainable"]
        models = {model.layer_id: model for term in self._terms for model in _models(term, kw["constraint_exprs"])}
        candidates = [model for layer, model in models.items() if layer in trained]
        if len(candidates) != 1:
            names = ", ".join(repr(model.model_key) for model in candidates) or "none"
            raise ValueError(
                f"engd(gram_terms=...): the terms must depend on one trained model; they depend on {names}. Name one "
                "by residual.grad(net), or give each model its own optimizer, net.optimizer(jno.optimizers.engd())"
            )
        self._layer, self._state = candidates[0].layer_id, None

    def on_before_update(self, **kw: Any) -> Any:
        """The gradients, with the natural one in the place of the model's."""
        gradients, trained, layer = kw["grads"], kw["trainable"], self._layer
        frozen = {number: leaves for number, leaves in trained.items() if number != layer}
        if self._state is None:
            self._state = self._transform.init(trained[layer])
        step, self._state = self._update(
            gradients[layer], self._state, trained[layer], _LossOfOne(kw["value_fn"], frozen, layer)
        )
        return {**gradients, layer: step}

    def _natural(self, gradient: PyTree, state: PyTree, leaves: PyTree, loss: _LossOfOne) -> tuple[PyTree, PyTree]:
        updates, state = self._transform.update(gradient, state, leaves, value_fn=loss)
        return jax.tree_util.tree_map(lambda leaf: -leaf, updates), state


class _LossOfOne(eqx.Module):
    """The loss as a function of one model's leaves."""

    loss: Any
    frozen: Leaves
    """The leaves of all models but this one."""
    layer: int = eqx.field(static=True)

    def __call__(self, leaves: PyTree) -> Float[Array, ""]:
        loss: Array = self.loss({**self.frozen, self.layer: leaves})
        return loss

    def residuals(self, leaves: PyTree, *terms: Sequence[int | Node]) -> Float[Array, " R"]:
        """The vector whose squares add up to the loss, or the part of it that belongs to these terms."""
        residuals: Array = self.loss.residuals({**self.frozen, self.layer: leaves}, *terms)
        return residuals

    def jacobian(self, leaves: PyTree, *terms: Sequence[int | Node]) -> Float[Array, "R P"]:
        """Derivatives of the residuals by the leaves, flattened as by `jax.flatten_util.ravel_pytree`."""
        vector, unravel = ravel_pytree(leaves)
        matrix: Array = self.loss.jacobian(lambda v: {**self.frozen, self.layer: unravel(v)}, vector, *terms)
        return matrix


def _residual(term: object) -> object:
    return term.target if isinstance(term, NetworkGradient) else term


def _models(term: int | Node, constraints: Sequence[Node]) -> list[Model]:
    """The models that a term names or depends on."""
    if isinstance(term, NetworkGradient):
        return [term.model]
    if isinstance(term, int):
        if not 0 <= term < len(constraints):
            raise ValueError(
                f"engd(gram_terms=...): there is no constraint {term}; positions are 0 to {len(constraints) - 1}"
            )
        term = constraints[term]
    return list(models_of([term]))

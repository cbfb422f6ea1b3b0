"""Trainable arrays."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jno.trace import Model, ModelCall
from jno.utils import Key, is_integer


class Parameter(eqx.Module):
    """An array that is trained."""

    value: Float[Array, ...]

    def __call__(self) -> Float[Array, ...]:
        """The array."""
        return self.value


def user_leaves(leaves: PyTree) -> PyTree:
    """Leaves of a module as users see them: of a parameter its array, of a network the pytree."""
    return leaves.value if isinstance(leaves, Parameter) else leaves


def with_leaves(module: PyTree, leaves: PyTree) -> PyTree:
    """The module with the leaves that `user_leaves` gave in place of its own."""
    if isinstance(module, Parameter):
        return eqx.tree_at(lambda parameter: parameter.value, module, leaves)
    return eqx.combine(leaves, module)


def parameter(shape: tuple[int, ...] | int = (), *, key: Key | None = None, name: str | None = None) -> ModelCall:
    """A trainable array, zero until ``initialize`` is called.

    It stands for unknown coefficients of inverse problems.  In expressions a vector ``(n,)`` with ``n > 1`` acts as
    a column ``(n, 1)``; index it, ``p[0] * x``, to use single entries.

    Args:
        shape: shape of the array; ``()`` is a scalar.
        key: random key used by ``initialize`` with a callable and without a key.
        name: display name; default ``parameter_<id>``.

    Returns:
        a call node with the methods of `Model` (``optimizer``, ``initialize``, ``freeze``, ...).

    Raises:
        ValueError: a negative or non-integer dimension.

    >>> import optax, jno
    >>> k = jno.np.parameter((1,), name="k").initialize(0.5).optimizer(optax.adam(1e-2))
    """
    dims = (shape,) if isinstance(shape, int) else tuple(shape)
    if not all(is_integer(size, 0) for size in dims):
        raise ValueError(f"parameter(shape={shape!r}): dimensions must be non-negative integers")
    model = Model(Parameter(jnp.zeros(dims)))
    model.name = name or f"parameter_{model.layer_id}"
    model.default_key = key
    return ModelCall(model, ())

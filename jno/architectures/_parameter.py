"""Trainable arrays."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jno.elements import lagrange, number_dofs
from jno.trace import Field, FieldValue, Model, ModelCall
from jno.utils import KEY, TEXT, Key, checked, is_integer


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


_MOST_NUMBERS = 2**36


@checked(key=KEY, name=TEXT)
def parameter(shape: Any = (), *, key: Key | None = None, name: str | None = None) -> ModelCall:
    """A trainable array, zero until ``initialize`` is called.

    It stands for unknown coefficients of inverse problems.  In expressions a vector ``(n,)`` with ``n > 1`` acts as
    a column ``(n, 1)``; index it, ``p[0] * x``, to use single entries.

    Args:
        shape: shape of the array; ``()`` is a scalar. A symbol of `domain.fem_symbols`: one value for every node of its
            elements, a field that the terms of `jno.fem` take at any point.
        key: random key used by ``initialize`` with a callable and without a key.
        name: display name; default ``parameter_<id>``.

    Returns:
        a call node with the methods of `Model` (``optimizer``, ``initialize``, ``freeze``, ...).

    Raises:
        ValueError: a negative or non-integer dimension.

    Example:
        >>> import optax, jno
        >>> k = jno.np.parameter((1,), name="k").initialize(0.5).optimizer(optax.adam(1e-2))
    """
    if isinstance(shape, FieldValue):
        model = _parameter_of((_nodes(shape.field) * shape.field.components,), key, name)
        model.space = shape.field
        return ModelCall(model, ())
    dims = tuple(shape) if isinstance(shape, list | tuple) else (shape,)
    if not all(is_integer(size, 0) for size in dims):
        raise ValueError(f"parameter(shape={shape!r}): dimensions must be non-negative integers")
    if math.prod(dims) > _MOST_NUMBERS:
        raise ValueError(f"parameter(shape={shape!r}): these are more than {_MOST_NUMBERS} numbers")
    return ModelCall(_parameter_of(dims, key, name), ())


def _parameter_of(dims: tuple[int, ...], key: Key | None, name: str | None) -> Model:
    model = Model(Parameter(jnp.zeros(dims)))
    model.name = name or f"parameter_{model.layer_id}"
    model.default_key = key
    return model


def _nodes(field: Field) -> int:
    """Number of nodes of a field on the mesh of its domain."""
    mesh = field.domain.geometry.mesh
    if mesh is None:
        raise ValueError(
            f"parameter({field.name!r}): a nodal field needs a mesh and the domain has none; call "
            "domain.build_mesh(mesh_size) first"
        )
    return number_dofs(lagrange(mesh.dimension, field.order), mesh.points, mesh.cells).count

"""Flax modules as Equinox modules."""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from jno.utils import Key


@dataclasses.dataclass
class InputShapes:
    """Where a lazy module leaves the shapes it was called with."""

    inputs: tuple[Any, ...] | None = None


class FlaxLinen(eqx.Module):
    """A Linen module with its variables; without them (before the first core is built) it records input shapes."""

    linen: Any = eqx.field(static=True)
    variables: Any
    seen: InputShapes = eqx.field(static=True)

    def __call__(self, *inputs: Array, key: Key | None = None) -> Any:
        """Apply the module; ``key`` feeds the ``dropout`` stream."""
        rngs = None if key is None else {"dropout": key}
        if self.variables is None:
            self.seen.inputs = tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in inputs)
            return self.linen.init_with_output({"params": jax.random.key(0), **(rngs or {})}, *inputs)[0]
        return self.linen.apply(self.variables, *inputs, rngs=rngs)

    def initialized(self, key: Key) -> FlaxLinen:
        """The module with fresh variables for the recorded input shapes."""
        assert self.seen.inputs is not None, "the module was never called"
        zeros = [jnp.zeros(s.shape, s.dtype) for s in self.seen.inputs]
        return FlaxLinen(self.linen, self.linen.init({"params": key, "dropout": key}, *zeros), InputShapes())


class FlaxNNX(eqx.Module):
    """An NNX module split into its graph (static) and its state (arrays)."""

    graph: Any = eqx.field(static=True)
    state: Any

    def __call__(self, *inputs: Array) -> Any:
        """Merge and apply."""
        from flax import nnx

        return nnx.merge(self.graph, self.state)(*inputs)


def wrap_linen(module: Any) -> FlaxLinen:
    """Lazy adapter: Linen modules learn their input width from the first call."""
    return FlaxLinen(module, None, InputShapes())


def wrap_nnx(module: Any) -> FlaxNNX:
    """Adapter of an already initialised module."""
    from flax import nnx

    graph, state = nnx.split(module)
    return FlaxNNX(graph, state)


def is_uninitialized(module: object) -> bool:
    """Whether the module, or a part of it, still waits for input shapes."""
    parts = jax.tree_util.tree_leaves(module, is_leaf=lambda node: isinstance(node, FlaxLinen))
    return any(isinstance(part, FlaxLinen) and part.variables is None for part in parts)


def initialized_parts(module: Any, key: Key) -> Any:
    """The module with fresh variables where it waited for input shapes."""
    return jax.tree_util.tree_map(
        lambda part: part.initialized(key) if isinstance(part, FlaxLinen) and part.variables is None else part,
        module,
        is_leaf=lambda node: isinstance(node, FlaxLinen),
    )

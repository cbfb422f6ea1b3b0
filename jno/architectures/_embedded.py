"""`Embedded`: a network between an embedding of its coordinates and a scale of its outputs."""

from __future__ import annotations

import inspect
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
from jaxtyping import Array, Float, PyTree, Shaped

from jno.lora import adapter_settings
from jno.utils import Key

from ._coordinate_embedding import CoordinateEmbedding, Numbers


class Embedded(eqx.Module):
    """``offset + magnitude * network(embedding(coordinates))``, what `jno.nn.embed` makes.

    Attributes:
        network: the module that is trained; its leaves are all that this module has.
        embedding: what its inputs are.
        magnitude: of every output, or one of all.
        offset: of every output, or one of all.
    """

    network: Any
    embedding: CoordinateEmbedding = eqx.field(static=True)
    magnitude: Numbers = eqx.field(static=True)
    offset: Numbers = eqx.field(static=True)

    def __call__(self, *coordinates: Shaped[Array | np.ndarray, "... _"], key: Key | None = None) -> Float[Array, ...]:
        """The scaled outputs.

        Args:
            *coordinates: columns ``(N, …)`` of all points, or numbers ``(…)`` of one.
            key: of a network that takes one, for dropout.

        Raises:
            ValueError: another number of coordinates than the embedding has.
        """
        count, expected = sum(array.shape[-1] for array in coordinates), len(self.embedding.periods)
        if count != expected:
            raise ValueError(
                f"the network was embedded for {expected} coordinate(s) and is called with {count}; embed(inputs=...) "
                "names one entry for every column of the call, in its order"
            )
        columns = [jnp.asarray(array, jnp.result_type(array, float)) for array in coordinates]
        network = paramax.unwrap(self.network)  # in a core it has been done already
        output = call_with_key(network, self.embedding(*columns), key)
        if set(self.magnitude) != {1.0}:
            output = output * _constant(self.magnitude, output)
        return output + _constant(self.offset, output) if any(self.offset) else output

    def settings(self) -> dict[str, Any]:
        """What is computed besides the network, as plain data."""
        return {**self.embedding.settings(), "magnitude": list(self.magnitude), "offset": list(self.offset)}


def module_settings(module: PyTree) -> dict[str, dict[str, Any]]:
    """What adapters and embeddings compute with besides arrays, by their path in a module.

    Two modules of equal arrays and settings compute the same.
    """
    flat, _ = jax.tree_util.tree_flatten_with_path(module, is_leaf=lambda node: isinstance(node, Embedded))
    embedded = [(path, node) for path, node in flat if isinstance(node, Embedded)]
    settings = {
        jax.tree_util.keystr(path, simple=True, separator="/"): {"embedding": type(node).__name__, **node.settings()}
        for path, node in embedded
    }
    return {**adapter_settings(module), **settings}


def call_with_key(network: PyTree, inputs: Float[Array, "... S"], key: Key | None) -> Float[Array, ...]:
    """The network at its inputs; it gets the key if it has a use for one."""
    takes_key = key is not None and "key" in inspect.signature(type(network).__call__).parameters
    return network(inputs, key=key) if takes_key else network(inputs)


def _constant(numbers: Numbers, output: Array) -> Array:
    return jnp.asarray(np.asarray(numbers[0] if len(numbers) == 1 else numbers), output.dtype)

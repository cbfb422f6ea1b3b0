"""The arrays of a weak problem at a state: pure functions of its system, compiled once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._build import WeakForm
from ._integral import State


class CompiledForm:
    """Residual, matrix and load of a weak problem, with its modules and data as they are when it is asked.

    Args:
        form: the problem.
    """

    def __init__(self, form: WeakForm) -> None:
        self._form = form
        self._jitted: dict[object, Callable[..., Any]] = {}

    def inputs(self) -> tuple[dict[int, Any], dict[str, Array]]:
        """The modules as they are, and the data of the only sample.

        Raises:
            ValueError: the data has several.
        """
        context = self._form.domain.context
        for leaf in self._form.data:
            count = len(context[leaf.tag])
            if count > 1:
                raise ValueError(
                    f"FEM: the data {leaf.tag!r} has a row for each of {count} samples, and there are as many matrices "
                    "and residuals; take solve(), whose value has all samples"
                )
        modules = {model.layer_id: eqx.nn.inference_mode(model.module) for model in self._form.models}
        rows = {leaf.tag: jnp.asarray(np.asarray(context[leaf.tag])[0]) for leaf in self._form.data}
        return modules, rows

    def prescribed(self, time: float) -> Float[np.ndarray, " N"]:
        """The prescribed values at their places."""
        system = self._form.system
        return np.asarray(system.values(jnp.asarray(time, system.dtype), *self.inputs()))

    def residual(self, u: Float[np.ndarray, " N"], time: float) -> Float[np.ndarray, " N"]:
        """The residual of the terms; derivatives by time are zero."""
        system = self._form.system

        def residual(vector: Array, at: Array, modules: Mapping[int, Any], data: Mapping[str, Any]) -> Array:
            zero = jnp.zeros_like(vector)
            return system.residual(State((vector, zero, zero), at, modules, data))

        arguments = (jnp.asarray(u, system.dtype), jnp.asarray(time, system.dtype))
        return np.asarray(self.run("residual", residual, *arguments, *self.inputs()))

    def matrix(self, u: Float[np.ndarray, " N"], weights: Sequence[float], time: float = 0.0) -> Any:
        """The derivative of the residual as a `scipy.sparse.csr_array`.

        Args:
            u: where.
            weights: of the derivatives by the unknown, its rate and its acceleration.
            time: when.
        """
        from scipy.sparse import csr_array

        system, pattern = self._form.system, self._form.system.pattern

        def matrix(vector: Array, at: Array, scale: Array, modules: Any, data: Any) -> Array:
            zero = jnp.zeros_like(vector)
            return system.matrix(State((vector, zero, zero), at, modules, data), scale)

        arguments = (jnp.asarray(value, system.dtype) for value in (u, time, np.asarray(weights)))
        entries = np.asarray(self.run("matrix", matrix, *arguments, *self.inputs()))
        return csr_array((entries, pattern.columns, pattern.starts), shape=(pattern.size, pattern.size))

    def load(self, time: float) -> Float[np.ndarray, " N"]:
        """Right-hand side of a problem in time, with what prescribed unknowns and their derivatives add to it."""
        system = self._form.system

        def load(at: Array, modules: Mapping[int, Any], data: Mapping[str, Any]) -> Array:
            fixed, rate = jax.jvp(lambda time: system.values(time, modules, data), (at,), (jnp.ones_like(at),))
            residual = system.residual(State((fixed, rate, jnp.zeros_like(fixed)), at, modules, data))
            return jnp.where(system.prescribed, fixed, -residual)

        return np.asarray(self.run("load", load, jnp.asarray(time, system.dtype), *self.inputs()))

    def run(self, name: object, function: Callable[..., Any], *arguments: Any) -> Any:
        """The value of a pure function, compiled once for a name and a structure of its arguments.

        A network may have got adapters or another precision since the last call.
        """
        arrays, rest = eqx.partition(arguments, eqx.is_array)
        key = (name, jax.tree_util.tree_structure(arrays), _shapes(arrays), *jax.tree_util.tree_leaves(rest))
        if key not in self._jitted:
            # the arrays of the mesh become inputs: as constants the compiler would copy and hash them
            converted = eqx.filter_closure_convert(function, *arguments)
            self._jitted[key] = eqx.filter_jit(jax.tree_util.tree_map(_on_device, converted))
        return self._jitted[key](*arguments)


def _shapes(arrays: Any) -> tuple[tuple[tuple[int, ...], object], ...]:
    return tuple((leaf.shape, leaf.dtype) for leaf in jax.tree_util.tree_leaves(arrays))


def _on_device(leaf: object) -> object:
    # not jax.numpy.asarray, which compiles a program for every shape
    return jax.device_put(leaf) if isinstance(leaf, np.ndarray) else leaf

"""Networks compiled by IREE: `IREEModel`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.typing import ArrayLike

from jno.utils import from_extra, is_integer, require_one_of

from ._function import ArrayFunction
from ._stablehlo import exported

__all__ = ["IREEModel"]

DRIVERS = {
    "llvm-cpu": "local-task",
    "vmvx": "local-task",
    "cuda": "cuda",
    "rocm": "hip",
    "vulkan-spirv": "vulkan",
    "metal-spirv": "metal",
}
"""Backend of the compiler → driver of the run time."""

_NEED = "IREE models need iree-base-compiler and iree-base-runtime"


class IREEModel:
    """A network compiled for one kind of device, for arrays of fixed shape.

    `jno.save` and `jno.load` keep it with the compiled module inside; running it needs ``iree-base-runtime``, neither
    the network nor the compiler.

    Args:
        name: name of the network.
        module: the compiled module, a VM FlatBuffer as in a ``.vmfb`` file.
        target_backend: what it was compiled for.
        inputs: ``(shape, dtype name)`` of every argument.

    Example:
        >>> import foundax, jax, jax.numpy as jnp, jno
        >>> net = jno.nn(foundax.mlp(2, hidden_dims=8, num_layers=1, key=jax.random.PRNGKey(0)))
        >>> model = net.to_iree((jnp.zeros((16, 2)),))  # doctest: +SKIP
        >>> model(jnp.ones((16, 2))).shape  # doctest: +SKIP
        (16, 1)

    Source: IREE, https://iree.dev
    """

    def __init__(
        self, name: str, module: bytes, target_backend: str, inputs: tuple[tuple[tuple[int, ...], str], ...]
    ) -> None:
        self.name = name
        self.module = module
        self.target_backend = target_backend
        self.inputs = inputs

    def __call__(self, *arrays: ArrayLike) -> np.ndarray:
        """The network's values for arrays of the shapes it was compiled for, as a NumPy array.

        Raises:
            ImportError: the IREE run time is not installed.
            ValueError: another number of arrays, another shape, or a type that would lose its kind.
        """
        inputs = [np.asarray(array) for array in arrays]
        shapes = [shape for shape, _ in self.inputs]
        kinds = [np.dtype(name) for _, name in self.inputs]
        fits = [array.shape for array in inputs] == shapes and all(
            np.can_cast(array.dtype, kind, "same_kind") for array, kind in zip(inputs, kinds, strict=True)
        )
        if not fits:
            got = ", ".join(f"{array.dtype.name}{list(array.shape)}" for array in inputs)
            expected = ", ".join(f"{name}{list(shape)}" for shape, name in self.inputs)
            raise ValueError(f"{self.name} was compiled for ({expected}), got ({got})")
        result = self._main(*(array.astype(kind) for array, kind in zip(inputs, kinds, strict=True)))
        return np.asarray(result)

    @functools.cached_property
    def _main(self) -> Any:
        with from_extra("iree", _NEED):
            import iree.runtime as runtime
        return runtime.load_vm_flatbuffer(self.module, driver=DRIVERS[self.target_backend]).main

    def __reduce__(self) -> Any:
        return (IREEModel, (self.name, self.module, self.target_backend, self.inputs))

    def __repr__(self) -> str:
        inputs = ", ".join(f"{name}{list(shape)}" for shape, name in self.inputs)
        return f"IREEModel({self.name}: ({inputs}), {self.target_backend}, {len(self.module):,} bytes)"


def checked_options(target_backend: str, optimization_level: int) -> None:
    """Raise on a backend or level that IREE does not have."""
    require_one_of(target_backend, "to_iree(target_backend)", DRIVERS)
    if not is_integer(optimization_level) or optimization_level not in range(4):
        raise ValueError(f"to_iree(optimization_level={optimization_level!r}): allowed are 0, 1, 2 and 3")


def compiled(function: ArrayFunction, target_backend: str, optimization_level: int) -> IREEModel:
    """The function for the shapes of its sample arguments."""
    with from_extra("iree", _NEED):
        import iree.compiler as compiler
    specs = [argument.spec(None) for argument in function.arguments]
    flags = [f"--iree-opt-level=O{optimization_level}", "--iree-input-demote-f64-to-f32=false"]
    if target_backend == "llvm-cpu":
        flags.append("--iree-llvmcpu-target-cpu=generic")
    try:
        module = compiler.compile_str(
            exported(function, specs, ("cpu",)).mlir_module(),
            target_backends=[target_backend],
            input_type="stablehlo",
            extra_args=flags,
        )
    except compiler.CompilerToolError as error:
        said = str(error).partition("\n\nInvoked with")[0]
        hint = "; it has few functions in double precision: " + _SINGLE if _is_double(specs) else ""
        raise ValueError(
            f"IREE cannot compile {function.name} for {target_backend!r}{hint}. It says: {said}"
        ) from error
    inputs = tuple((tuple(spec.shape), spec.dtype.name) for spec in specs)
    return IREEModel(function.name, module, target_backend, inputs)


_SINGLE = "set dtype(jnp.float32) and give sample_inputs of that type"


def _is_double(specs: Sequence[jax.ShapeDtypeStruct]) -> bool:
    return any(spec.dtype.name == "float64" for spec in specs)

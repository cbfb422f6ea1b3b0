"""StableHLO files: what `jax.export` serialises, for `jax.export.deserialize`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import jax
from jax import export
from jaxtyping import Array

from jno.utils import InconclusiveDimensionOperation, from_extra, quoted

from ._function import ArrayFunction, TypedShape

PLATFORMS = ("cpu", "cuda", "tpu")
"""Lowered for by default; none of the devices is needed for that."""

ALLOWED_PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def checked_platforms(platforms: Any) -> tuple[str, ...]:
    """The platforms as a tuple.

    Raises:
        ValueError: none, or an unknown one.
    """
    names = tuple(platforms) if isinstance(platforms, list | tuple) else (platforms,)
    if not names or not all(isinstance(name, str) for name in names) or not set(names) <= set(ALLOWED_PLATFORMS):
        raise ValueError(f"export(platforms={platforms!r}): a selection of {quoted(ALLOWED_PLATFORMS)} is needed")
    return names


def stablehlo_bytes(function: ArrayFunction, platforms: tuple[str, ...]) -> tuple[bytes, Sequence[TypedShape]]:
    """The serialised function over a symbolic number of rows, and the types of its results.

    Raises:
        ImportError: flatbuffers, with which JAX serialises, is not installed.
    """
    with from_extra("export", "StableHLO files need flatbuffers"):
        import flatbuffers  # noqa: F401
    lowered = exported(function, function.symbolic(), platforms)
    return bytes(lowered.serialize()), lowered.out_avals


def exported(
    function: ArrayFunction, specs: Sequence[jax.ShapeDtypeStruct], platforms: tuple[str, ...]
) -> export.Exported:
    """The lowered function.

    Raises:
        ValueError: something in it cannot leave this process (a call back to Python), has no implementation on one of
            the platforms, or needs to know the number of rows.
    """

    def call(*arrays: Array) -> Array | tuple[Array, ...]:
        return function.call(*arrays)

    call.__name__ = function.name
    try:
        with _without_source_locations():
            return export.export(jax.jit(call), platforms=platforms)(*specs)
    except (NotImplementedError, TypeError, ValueError, InconclusiveDimensionOperation) as error:
        raise ValueError(
            f"{function.name} cannot be exported for {', '.join(platforms)}: {error}. Calls back to Python (callbacks, "
            "debug prints, NumPy inside jno.fn) stay in this process; what is missing on one platform may exist on "
            "others: choose platforms=(...,)"
        ) from error


@contextlib.contextmanager
def _without_source_locations() -> Iterator[None]:
    """Files hold no paths of the machine that wrote them, and equal weights give equal files."""
    name = "jax_traceback_in_locations_limit"
    before = jax.config.values[name]
    jax.config.update(name, 0)
    try:
        yield
    finally:
        jax.config.update(name, before)

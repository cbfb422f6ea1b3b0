"""ONNX files, through `jax2onnx`."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core as jex

from jno.utils import from_extra

from ._function import ArrayFunction, TypedShape, differs


def onnx_bytes(function: ArrayFunction) -> tuple[bytes, Sequence[TypedShape]]:
    """The serialised ONNX model and the types of its results; its values agree with JAX's on the sample arguments.

    Raises:
        ImportError: jax2onnx is not installed.
        ValueError: jax2onnx has no counterpart of a primitive, or what it wrote computes something else.
    """
    with from_extra("export", "ONNX files need jax2onnx"):
        import jax2onnx

    specs = function.symbolic()
    # jax2onnx replaces functions of jax.numpy while it traces; what is traced already is left alone.
    closed: Any = jax.make_jaxpr(function.call)(*specs)
    names = [argument.name for argument in function.arguments]
    count = len(closed.out_avals)
    try:
        with _without_remarks():
            model = jax2onnx.to_onnx(
                lambda *arrays: jex.jaxpr_as_fun(closed)(*arrays),
                specs,
                model_name=function.name,
                enable_double_precision=any(aval.dtype == jnp.float64 for aval in [*specs, *closed.out_avals]),
                input_names=names,
                output_names=["output"] if count == 1 else [f"output_{number}" for number in range(count)],
            )
    except Exception as error:  # the converter raises what its own assumptions happen to break
        raise ValueError(
            f"{function.name} cannot be written as ONNX; jax2onnx says: {error}. Export it as 'stablehlo' instead"
        ) from error
    content = model.SerializeToString()
    _compare(function, content)
    return content, closed.out_avals


@contextlib.contextmanager
def _without_remarks() -> Iterator[None]:
    """The converter logs a line for every intermediate value whose type it does not note down; nothing is lost."""
    logger = logging.getLogger("onnx_ir")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _compare(function: ArrayFunction, content: bytes) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    # arguments that nothing depends on may be missing in the model
    inputs = {entry.name for entry in session.get_inputs()}
    feed = {a.name: np.asarray(a.sample) for a in function.arguments if a.name in inputs}
    expected = jax.tree_util.tree_leaves(jax.jit(function.call)(*function.samples))
    for ours, theirs in zip(expected, session.run(None, feed), strict=True):
        if ours.shape != theirs.shape or differs(ours, theirs):
            raise ValueError(
                f"{function.name}: the ONNX model computes other values than JAX (shapes {tuple(theirs.shape)} and "
                f"{tuple(ours.shape)}); this is a fault of the conversion. Export it as 'stablehlo' instead"
            )

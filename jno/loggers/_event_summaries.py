"""Summaries, the contents of TensorBoard's events, as protocol buffers."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int


def scalars(numbers: dict[str, float]) -> Any:
    """Return a summary with one number per tag."""
    # not tensorboardX.summary.scalar: it rewrites tags, and two names could become one
    from tensorboardX.proto.summary_pb2 import Summary

    return Summary(value=[Summary.Value(tag=tag, simple_value=number) for tag, number in numbers.items()])


def text(tag: str, content: str) -> Any:
    """Return a summary with a text, which TensorBoard shows as Markdown."""
    from tensorboardX.summary import text as text_summary

    return text_summary(tag, content)


def restart() -> Any:
    """Return what makes TensorBoard hide the events of this and later steps that were written before."""
    from tensorboardX.proto.event_pb2 import SessionLog

    return SessionLog(status=SessionLog.SessionStatus.START)


def histogram(
    array: Float[np.ndarray, ...], counts: Int[np.ndarray, " bins"], edges: Float[np.ndarray, " bins+1"]
) -> Any:
    """Return the histogram of the finite entries of an array from its counts and edges."""
    from tensorboardX.proto.summary_pb2 import HistogramProto

    finite = array[np.isfinite(array)]
    with np.errstate(over="ignore"):
        squares = float(np.square(finite).sum())
    return HistogramProto(
        min=finite.min(),
        max=finite.max(),
        num=finite.size,
        sum=finite.sum(),
        sum_squares=squares,
        # only right edges: an empty first bin has the left one
        bucket_limit=edges.tolist(),
        bucket=[0, *counts.tolist()],
    )

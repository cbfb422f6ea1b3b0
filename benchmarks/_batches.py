"""Time of a step on a mini-batch, where there is more and more to draw it from, in a process of one thread.

``python -m benchmarks._batches ROW [smallest number]`` prints one row as JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from ._one_thread import row_in_own_process

ROWS = ("point_batches", "sample_batches")
SMALLEST = {"point_batches": 10_000, "sample_batches": 2_000}
_BATCH = 512
_ROUNDS = 9
_BLOCK_SECONDS = 0.5


def batches_row(name: str, smallest: int | None = None) -> dict[str, Any]:
    """One row, measured in a process of one thread."""
    return row_in_own_process("_batches", name, smallest or SMALLEST[name])


def _network(inputs: int) -> Any:
    import foundax
    import jax
    import optax

    import jno

    module = foundax.mlp(inputs, hidden_dims=64, num_layers=4, activation=jax.nn.tanh, key=jax.random.key(0))
    return jno.nn(module).optimizer(optax.adam(1e-3))


def _points(count: int) -> Callable[[int], Any]:
    """Steps of −Δu = f on a batch of so many random points of a square."""
    import jno

    domain = jno.domain.rect(mesh_size=0.1)
    x, y, _ = domain.variable("interior", sample=(count, "uniform"))
    u = _network(2)(x, y) * x * (1 - x) * y * (1 - y)
    f = 2 * jno.np.pi**2 * jno.np.sin(jno.np.pi * x) * jno.np.sin(jno.np.pi * y)
    crux = jno.core([(u.laplacian(x, y) + f).mse])
    return lambda steps: crux.solve(steps, point_batch=_BATCH)


def _samples(count: int) -> Callable[[int], Any]:
    """Steps of a regression on a batch of so many samples of eight numbers."""
    import numpy as np

    import jno

    domain = count * jno.domain.line(mesh_size=0.5)
    rows = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    a, b = domain.variable("a", rows), domain.variable("b", np.sin(rows.sum(axis=1, keepdims=True)))
    crux = jno.core([(_network(8)(a) - b).mse])
    return lambda steps: crux.solve(steps, batchsize=_BATCH)


def _processor_seconds(steps_of: Callable[[int], Any], count: int) -> float:
    start = time.process_time()
    steps_of(count)
    return (time.process_time() - start) / count


def _row(name: str, smallest: int) -> dict[str, Any]:
    """Steps of three sizes, each ten times the one before, in turn."""
    import jno

    jno.logger(log_print=(False, False))
    build = {"point_batches": _points, "sample_batches": _samples}[name]
    sizes = [smallest, 10 * smallest, 100 * smallest]
    problems = [build(size) for size in sizes]
    for solve in problems:
        solve(2)
    estimate = min(_processor_seconds(problems[0], 20) for _ in range(3))
    count = max(20, round(_BLOCK_SECONDS / estimate))
    blocks: list[list[float]] = [[] for _ in sizes]
    for turn in range(_ROUNDS):
        for place in range(len(sizes)) if turn % 2 == 0 else reversed(range(len(sizes))):
            blocks[place].append(_processor_seconds(problems[place], count))
    row: dict[str, Any] = {f"step of {sizes[0]:,}, processor ms": 1e3 * statistics.median(blocks[0])}
    for size, block in zip(sizes[1:], blocks[1:], strict=True):
        ratios = [seconds / first for seconds, first in zip(block, blocks[0], strict=True)]
        row[f"step of {size:,} / step of {sizes[0]:,}"] = statistics.median(ratios)
    return row


if __name__ == "__main__":
    print(json.dumps(_row(sys.argv[1], int(sys.argv[2]))))

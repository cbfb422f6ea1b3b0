"""Rows that are measured in a process of their own with one thread."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

SINGLE_THREADED = {
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
"""Environment of a process that computes with one thread."""


def row_in_own_process(module: str, *arguments: object, x64: bool = False) -> dict[str, Any]:
    """The JSON that ``python -m benchmarks.<module> <arguments>`` prints last.

    Args:
        module: name of the module in this package.
        arguments: of its command line.
        x64: compute with 64-bit numbers.
    """
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    environment = {**os.environ, **SINGLE_THREADED, **({"JAX_ENABLE_X64": "1"} if x64 else {})}
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    row: dict[str, Any] = json.loads(output.stdout.splitlines()[-1])
    return row


def processor_seconds(function: Callable[[], Any], repetitions: int = 5) -> float:
    """The least processor time of some calls."""
    best = float("inf")
    for _ in range(repetitions):
        start = time.process_time()
        function()
        best = min(best, time.process_time() - start)
    return best

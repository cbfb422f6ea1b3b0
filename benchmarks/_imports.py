"""What `import jno` adds to importing jax, equinox and optax."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

_PROGRAM = """
import time
import jax, equinox, optax
start = time.perf_counter()
import jno
print(time.perf_counter() - start)
"""


def import_seconds(repetitions: int) -> float:
    """Median over fresh interpreters."""
    _fresh_interpreter()  # writes byte code, fills the disk cache
    return statistics.median(_fresh_interpreter() for _ in range(repetitions))


def _fresh_interpreter() -> float:
    # with byte code, as an installed package has it
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-c", _PROGRAM], check=True, capture_output=True, text=True, env=environment)
    return float(done.stdout)

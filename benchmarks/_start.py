"""From the start of a process to the first epoch, without and with kept programs, and what a call of `solve` costs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ._case import Size
from ._measure import Effort, interleaved
from ._one_thread import SINGLE_THREADED
from ._runners import BARE, SOLVE, competitors
from .problems import PROBLEMS

_STARTS = 3

_CLOCK = """
import json, time
stages, begun = {}, time.process_time()
def stage(name):
    global begun
    now = time.process_time()
    stages[name], begun = now - begun, now
"""
_JNO = """
import foundax, jax, optax, jno
jno.logger(log_print=(False, False))
jno.setup("start.py", compilation_cache=True)
stage("import")
x, y, _ = jno.domain.rect(mesh_size=0.036).variable("interior")
net = jno.nn(foundax.mlp(2, hidden_dims=64, num_layers=4, key=jax.random.PRNGKey(0))).optimizer(optax.adam(1e-3))
stage("network")
u = net(x, y) * x * (1 - x) * y * (1 - y)
f = 2 * jno.np.pi**2 * jno.np.sin(jno.np.pi * x) * jno.np.sin(jno.np.pi * y)
crux = jno.core([(u.laplacian(x, y) + f).mse])
stage("core")
crux.solve(1)
stage("first epoch")
print(json.dumps(stages))
"""
_BY_HAND = """
import foundax, jax, jax.numpy as jnp, numpy as np, optax
for name, value in {
    "jax_compilation_cache_dir": FOLDER,
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}.items():
    jax.config.update(name, value)
from benchmarks.kernels import _mlp, poisson2d
from benchmarks._steps import BareLoop
stage("import")
points = np.random.default_rng(0).uniform(size=(841, 2)).astype(np.float32)
module = foundax.mlp(2, hidden_dims=64, num_layers=4, key=jax.random.PRNGKey(0))
layers = _mlp.layers_of([*module.hidden_layers, module.output_layer])
stage("network")
loss = poisson2d.onepass(_mlp.VARIANTS["separate"])
stage("core")
BareLoop(lambda weights, data, key: loss(weights, data), layers, {"points": points}).losses(1)
stage("first epoch")
print(json.dumps(stages))
"""


def start_row() -> dict[str, Any]:
    """Processor seconds by stage, and their ratios to the script written by hand; each the median of fresh starts."""
    figures: dict[str, Any] = {}
    totals: dict[tuple[str, str], float] = {}
    for name, program in (("jno", _JNO), ("by hand", _BY_HAND)):
        starts = [_cold_and_warm(program) for _ in range(_STARTS)]
        for number, kind in enumerate(("cold", "warm")):
            stages = {stage: statistics.median(start[number][stage] for start in starts) for stage in starts[0][number]}
            totals[name, kind] = sum(stages.values())
            figures |= {f"{name}, {kind}: {stage} s": seconds for stage, seconds in stages.items()}
    return {
        "warm / cold": totals["jno", "warm"] / totals["jno", "cold"],
        "cold, jno / by hand": totals["jno", "cold"] / totals["by hand", "cold"],
        "warm, jno / by hand": totals["jno", "warm"] / totals["by hand", "warm"],
        **figures,
    }


def _cold_and_warm(program: str) -> list[dict[str, float]]:
    """Two starts, of which the first finds no compiled programs."""
    with tempfile.TemporaryDirectory() as folder:
        return [_start(program, Path(folder)) for _ in range(2)]


def _start(program: str, folder: Path) -> dict[str, float]:
    cached = ("JAX_COMPILATION", "JAX_PERSISTENT", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(cached)}
    environment |= {
        "XDG_CACHE_HOME": str(folder),
        "XLA_FLAGS": SINGLE_THREADED["XLA_FLAGS"],
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    text = _CLOCK + program.replace("FOLDER", repr(str(folder)))
    done = subprocess.run(
        [sys.executable, "-c", text], check=True, capture_output=True, text=True, env=environment, cwd=folder
    )
    stages: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return stages


# --- repeated calls ---------------------------------------------------------------------------------------------
class _OneByOne:
    """A runner whose every step is a call of its own."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner

    def advance(self, count: int) -> None:
        for _ in range(count):
            self._runner.advance(1)

    def losses(self, count: int) -> list[float]:
        return [self._runner.losses(1)[0] for _ in range(count)]

    def temporary_bytes(self) -> int | None:
        return None


def calls_row(effort: Effort | None = None) -> dict[str, Any]:
    """Milliseconds that a call of `solve(1)` costs beside the same step in a bare loop, by both clocks."""
    size = Size(points=50, width=8, depth=2)
    runners = {
        contestant.name: _OneByOne(contestant.start(size))
        for contestant in competitors(PROBLEMS["poisson2d"])
        if contestant.name in (SOLVE, BARE)
    }
    blocks = interleaved(runners, effort or Effort(block_seconds=0.2))
    pairs = list(zip(blocks[SOLVE], blocks[BARE], strict=True))
    return {
        "solve(1) beside its step, wall ms": 1e3 * statistics.median(a.wall - b.wall for a, b in pairs),
        "processor ms": 1e3 * statistics.median(a.processor - b.processor for a, b in pairs),
    }

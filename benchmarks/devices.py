"""What each of several devices does in a step: counted in the compiled programs, since a machine with two cores cannot
show it by time.

``python -m benchmarks.devices [--quick]`` compiles the step of two problems for 1, 2, 4 and 8 forced host devices and
prints, for one device and one step, the floating-point operations and bytes that XLA counts, and the collective
operations with their bytes; then what follows for 8 and 64 GPUs by `predicted`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from ._case import Size
from ._collectives import Collective, collectives_of_loop

COUNTS = (1, 2, 4, 8)
CASES = {
    "points": ("poisson2d", Size(points=4096), Size(points=256, width=16, depth=2)),
    "samples": (
        "deeponet",
        Size(points=256, width=64, depth=3, samples=64, batch=64),
        Size(points=64, width=16, depth=2, samples=16, batch=16),
    ),
}
"""What is shared out -> the problem, its size, and a tiny one.  One sample: its points; several: these."""


@dataclasses.dataclass(frozen=True)
class Work:
    """What one device does in a step.

    Attributes:
        operations: floating-point operations.
        bytes_accessed: that its operations read and write, by XLA's count.
        collectives: what it exchanges with the others.
        parameters: trained numbers.
    """

    operations: float
    bytes_accessed: float
    collectives: tuple[Collective, ...]
    parameters: int

    @property
    def exchanged(self) -> int:
        """Bytes of the results of the collective operations."""
        return sum(collective.size for collective in self.collectives)


def work_on(case: str, count: int, *, quick: bool = False) -> Work:
    """The work of one of ``count`` devices, compiled in a process of its own.

    Args:
        case: a name of `CASES`.
        count: number of forced host devices.
        quick: the tiny size.
    """
    command = [sys.executable, "-m", "benchmarks.devices", "--case", case, *(["--quick"] if quick else [])]
    flags = f"--xla_force_host_platform_device_count={count}"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    fields = json.loads(output.splitlines()[-1])
    return Work(**{**fields, "collectives": tuple(Collective(**entry) for entry in fields["collectives"])})


def _work_here(case: str, quick: bool) -> Work:
    """The work of one of the devices of this process."""
    import equinox as eqx
    import jax

    import jno

    from ._runners import traced_step
    from .problems import PROBLEMS

    jno.logger(log_print=(False, False))
    name, full, tiny = CASES[case]
    built = PROBLEMS[name].build(tiny if quick else full)
    step, state, data = traced_step(lambda: built.crux.solve(1))
    compiled = step.compiled(state, data)
    analysis = compiled.cost_analysis()
    leaves = jax.tree_util.tree_leaves(eqx.filter(built.crux.models, eqx.is_inexact_array))
    return Work(
        float(analysis["flops"]),
        float(analysis["bytes accessed"]),
        collectives_of_loop(compiled.as_text()),
        sum(leaf.size for leaf in leaves),
    )


@dataclasses.dataclass(frozen=True)
class Machine:
    """What a prediction assumes of the machine; none of it is measured.

    Attributes:
        rate: floating-point operations a second that one GPU reaches on such networks.
        bandwidth: bytes a second between two GPUs.
        latency: seconds that a collective operation takes beside its bytes.
    """

    rate: float
    bandwidth: float
    latency: float


ONE_NODE = Machine(rate=20e12, bandwidth=300e9, latency=15e-6)
"""Eight GPUs with NVLink."""
SEVERAL_NODES = Machine(rate=20e12, bandwidth=40e9, latency=40e-6)
"""64 GPUs with one 400 Gb/s adapter each."""


def predicted(
    shared: float, everywhere: float, exchanged: float, collectives: int, count: int, machine: Machine
) -> float:
    """Seconds of a step on several devices that compute and exchange one after the other, all-reductions in a ring.

    T(P) = (S / P + E) / r + n l + 2 (P - 1) / P · B / b, the last two only for P > 1.

    Args:
        shared: S, operations that are shared out.
        everywhere: E, operations that every device does.
        exchanged: B, bytes that are added up over the devices.
        collectives: n, the number of collective operations.
        count: P, the number of devices.
        machine: r, b and l.
    """
    computing = (shared / count + everywhere) / machine.rate
    if count == 1:
        return computing
    return computing + collectives * machine.latency + 2 * (count - 1) / count * exchanged / machine.bandwidth


def predictions(single: Work, eight: Work, growth: int) -> dict[str, float]:
    """Efficiency T(1) / (P T(P)) for 8 and 64 GPUs, where there are ``growth`` times the points or samples.

    Args:
        single: the work of the only device.
        eight: the work of one of eight; the two say how much is shared out, and that grows.
        growth: how many times as many points or samples.
    """
    everywhere = max(0.0, (8 * eight.operations - single.operations) / 7)
    shared = growth * (single.operations - everywhere)
    alone = predicted(shared, everywhere, 0, 0, 1, ONE_NODE)
    machines: Mapping[int, Machine] = {8: ONE_NODE, 64: SEVERAL_NODES}
    times = {
        count: predicted(shared, everywhere, eight.exchanged, len(eight.collectives), count, machine)
        for count, machine in machines.items()
    }
    return {"T(1) ms": 1e3 * alone} | {f"efficiency of {count}": alone / (count * t) for count, t in times.items()}


def _report(quick: bool) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for case in CASES:
        works = {count: work_on(case, count, quick=quick) for count in COUNTS}
        for count, work in works.items():
            kinds = [collective.kind for collective in work.collectives]
            report[f"{case} on {count}"] = {
                "operations": work.operations,
                "share of one device": work.operations / works[1].operations,
                "bytes, share of one device": work.bytes_accessed / works[1].bytes_accessed,
                "collectives": {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
                "bytes exchanged": work.exchanged,
                "bytes of the parameters": 4 * work.parameters,
            }
        for growth in (1, 100, 10_000):
            report[f"{case}, {growth} times as many, predicted"] = predictions(works[1], works[8], growth)
    return report


def main(arguments: list[str] | None = None) -> None:
    """Print the counts as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.devices", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    parser.add_argument("--case", choices=list(CASES), help="count on the devices of this process only")
    options = parser.parse_args(arguments)
    if options.case is not None:
        print(json.dumps(dataclasses.asdict(_work_here(options.case, options.quick))))
    else:
        print(json.dumps(_report(options.quick), indent=2))


if __name__ == "__main__":
    main()

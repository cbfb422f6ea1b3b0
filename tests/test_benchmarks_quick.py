"""The benchmarks run, and jNO computes the same losses as the hand-written kernels."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*arguments):
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_quick_run_agrees_with_the_kernels():
    done = run("--quick")
    assert done.returncode == 0, done.stderr
    assert "poisson2d, burgers1d, ns2d, deeponet: jNO and all kernels compute the same losses" in done.stdout


def test_unknown_id_is_refused():
    done = run("--quick", "poisson3d")
    assert done.returncode == 2
    assert "unknown id poisson3d; allowed: poisson2d, burgers1d, ns2d, deeponet, import, overhead" in done.stderr


@pytest.fixture
def benchmark_modules(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import _agreement, _case, _measure

    return _agreement, _case, _measure


def test_a_wrong_kernel_is_reported(benchmark_modules, monkeypatch):
    agreement, case, _ = benchmark_modules
    losses = {"jno solve": [1.0] * 11, "same": [1.0 + 9e-6] * 11, "wrong": [1.0 + 2e-5] + [1.0 + 4e-4] * 10}

    class Fixed:
        def __init__(self, name):
            self.name = name

        def start(self, size):
            assert (size.batch, size.samples) == (None, 4)
            return self

        def losses(self, count):
            return losses[self.name][:count]

    monkeypatch.setattr(agreement, "competitors", lambda problem: [Fixed(name) for name in losses])
    problem = case.Problem("toy", None, None, {}, None, None, None)
    messages = agreement.disagreements(problem, case.Size(points=1, samples=50, batch=4))
    assert len(messages) == 2
    assert "toy: after 0 steps the loss of 'wrong' is 1.00002" in messages[0]
    assert "after 10 steps" in messages[1]
    assert "allowed 3e-04" in messages[1]


def test_ratio_pairs_the_rounds(benchmark_modules):
    _, _, measure = benchmark_modules
    machine = [1.0, 10.0, 2.0]  # how busy others keep it
    slow = [measure.Seconds(3 * load, 3.0) for load in machine]
    fast = [measure.Seconds(2 * load, 1.0) for load in machine]
    assert measure.ratio(slow, fast) == measure.Seconds(1.5, 3.0)


def test_interleaving_reverses_every_second_round(benchmark_modules):
    _, _, measure = benchmark_modules
    calls = []

    class Counting:
        def __init__(self, name):
            self.name = name

        def advance(self, count):
            calls.append((self.name, count))
            sum(range(20_000))

    effort = measure.Effort(rounds=2, block_seconds=0.0, fewest_steps=5)
    blocks = measure.interleaved({"a": Counting("a"), "b": Counting("b")}, effort)
    assert calls[-4:] == [("a", 5), ("b", 5), ("b", 5), ("a", 5)]
    assert len(blocks["a"]) == len(blocks["b"]) == 2

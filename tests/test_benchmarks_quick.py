"""The benchmarks run, and jNO computes the same losses as the hand-written kernels."""

import importlib
import itertools
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks._batches import ROWS, batches_row
from benchmarks._weak import QUICK, weak_row

ROOT = Path(__file__).parent.parent
PROBLEMS = "poisson2d, burgers1d, ns2d, biharmonic2d, helmholtz3d, hjb_d50, deeponet, fno2d"


def run(*arguments):
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_quick_run_agrees_with_the_kernels():
    done = run("--quick")
    assert done.returncode == 0, done.stderr
    assert f"{PROBLEMS}: jNO and all kernels compute the same losses" in done.stdout


def test_unknown_id_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--quick", "poisson3d"])
    assert f"unknown id poisson3d; allowed: {PROBLEMS}, import, overhead, domain, " in capsys.readouterr().err


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
    problem = case.Problem("toy", None, {}, None, None, None)
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


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def network(*sizes):
    random = np.random.default_rng(0)
    return [
        (jnp.asarray(random.normal(size=(a, b))), jnp.asarray(random.normal(size=b)))
        for a, b in itertools.pairwise(sizes)
    ]


def assert_same_loss_and_gradient(kernel, other, weights, points):
    data = {"points": jnp.asarray(points)}
    value, gradient = jax.value_and_grad(kernel)(weights, data)
    other_value, other_gradient = jax.value_and_grad(other)(weights, data)
    np.testing.assert_allclose(value, other_value, rtol=1e-11)
    for part, expected in zip(jax.tree.leaves(gradient), jax.tree.leaves(other_gradient), strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-9, atol=1e-9 * max(1.0, float(jnp.abs(expected).max())))


@pytest.mark.parametrize(
    "variant", ["directions stacked", "directions separate", "partials stacked", "partials separate"]
)
def test_one_pass_of_order_four_equals_nested_jvp(module, variant):
    kernel, fourth = module("kernels.biharmonic2d"), module("kernels._fourth")
    with jax.enable_x64(True):
        points = np.random.default_rng(1).uniform(size=(5, 2))
        one = kernel.onepass(fourth.VARIANTS[variant])
        assert_same_loss_and_gradient(one, kernel.nested, network(2, 4, 4, 1), points)


def test_blocks_add_up_to_the_same_loss_and_gradient(module):
    kernel, many, blocks = module("kernels.hjb_d50"), module("kernels._many"), module("kernels._blocks")
    with jax.enable_x64(True):
        points = np.random.default_rng(1).normal(size=(6, 3))
        blocked = blocks.blocked(kernel.onepass(many.VARIANTS["separate"]), count=3)
        assert_same_loss_and_gradient(blocked, kernel.vmapped, network(3, 4, 4, 1), points)


def test_libraries_that_are_missing_have_no_rows(module, monkeypatch):
    libraries = module("libraries")
    monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda name: None)
    assert libraries.missing() == ["deepxde", "jinns"]
    assert libraries.starts("poisson2d") == {}


def rows_of(module, steps):
    measure = module("_measure")
    one = measure.Seconds(1.0, 1.0)
    return {
        name: measure.Row(one, one, [measure.Seconds(step, step)], None if name == "jno bare step" else 100 * step)
        for name, step in steps.items()
    }


def test_summary_compares_with_every_group_and_with_the_fastest_pass(module):
    report, measure = module("_report"), module("_measure")
    steps = {
        "jno solve": 6,
        "jno bare step": 5,
        "nested vmapped": 4,
        "nested looped": 3,
        "onepass a": 2,
        "onepass b": 1,
    }
    evaluation = dict.fromkeys(["jno eval", "kernel"], measure.Seconds(1.0, 1.0))
    found = report.summary(rows_of(module, steps), evaluation, evaluated=10)
    solve = {key: cell["wall"] for key, cell in found["ratios"].items() if key.startswith("solve")}
    assert solve == {
        "solve / nested vmapped": 1.5,
        "solve / nested looped": 2.0,
        "solve / onepass": 6.0,
        "solve / bare step": 1.2,
    }
    assert found["plain"]["memory / onepass"] == 6.0
    assert "memory / bare step" not in found["plain"]
    assert found["plain"]["best onepass"] == "b"


def test_ratio_rows_of_different_problems_are_merged(module):
    cells = [{"solve / module": 1, "eval / kernel": 1}, {"solve / nested": 1, "eval / kernel": 1}]
    assert module("_report")._keys(cells) == ["solve / module", "solve / nested", "eval / kernel"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_rows_of_mini_batches_are_measured(name):
    """The steps run; what they cost is not looked at."""
    row = batches_row(name, 520)
    assert len(row) == 3
    assert all(value > 0 for value in row.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fem2d_p1", "fem_inverse", "vpinn"])
def test_rows_of_weak_forms_are_measured(name):
    """The numbers agree with the competitor's; what they cost is not looked at."""
    row = weak_row(name, QUICK[name])
    assert row.get("residual", 0.0) < 1e-10
    assert row.get("difference of the losses", 0.0) < 1e-10
    assert all(value > 0 for key, value in row.items() if "/" in key)


def test_the_floor_of_a_step_is_its_matrix_products(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import _case, _scaling

    size = _case.Size(points=7, width=5, depth=4)
    products = _scaling.Products(size)
    program = products._step.lower(products._streams, products._matrices).as_text()
    assert program.count("stablehlo.dot_general") == _scaling.products_per_step(size) == 36
    products.advance(2)


@pytest.mark.slow
def test_starts_are_measured_by_stage(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import _start

    for program in (_start._JNO, _start._BY_HAND):
        cold, warm = _start._cold_and_warm(program)
        assert list(cold) == list(warm) == ["import", "network", "core", "first epoch"]

"""What the benchmarks count of several devices, and the script for a GPU."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks._collectives import Collective, collectives_of_loop
from benchmarks.devices import CASES, ONE_NODE, Machine, Work, predicted, predictions, work_on

ROOT = Path(__file__).parent.parent

MODULE = """
HloModule jit_step, entry_computation_layout={()->f32[]}

%sum (a: f32[], b: f32[]) -> f32[] {
  ROOT %add.1 = f32[] add(%a, %b)
}

%inner (p: (s32[], f32[4])) -> (s32[], f32[4]) {
  %gathered = f32[4]{0} all-gather(%x), channel_id=1, dimensions={0}
}

%inside (p: (s32[], f32[4])) -> pred[] {
  ROOT %less = pred[] compare(%i, %n), direction=LT
}

%body.1_spmd (p: (s32[], f32[2,3])) -> (s32[], f32[2,3]) {
  %start = (f32[2,3]{1,0}, bf16[5]{0}, /*index=2*/f32[]) all-reduce-start(%a, %b, %c), to_apply=%sum
  %done = (f32[2,3]{1,0}, bf16[5]{0}, /*index=2*/f32[]) all-reduce-done(%start)
  %loop = (s32[], f32[4]) while(%t), condition=%inside, body=%inner, backend_config={"known_trip_count":{"n":"3"}}
}

%goes_on (p: (s32[], f32[2,3])) -> pred[] {
  ROOT %compared = pred[] compare(%i, %n), direction=LT
}

ENTRY %main (p: f32[2,3]) -> f32[2,3] {
  %once = f32[100]{0} all-gather(%p), channel_id=9, dimensions={0}
  ROOT %while.1 = (s32[], f32[2,3]) while(%tuple), condition=%goes_on, body=%body.1_spmd
}
"""


def test_collectives_of_one_step_are_read():
    assert collectives_of_loop(MODULE) == (Collective("all-reduce", 24 + 10 + 4), *[Collective("all-gather", 16)] * 3)
    with pytest.raises(ValueError, match="has 0 loops"):
        collectives_of_loop(MODULE.replace(" while(", " call("))


def test_predictions_are_those_of_the_formula():
    machine = Machine(rate=1e12, bandwidth=1e9, latency=1e-5)
    assert predicted(8e9, 1e9, 5e6, 3, 1, machine) == 9e-3
    assert predicted(8e9, 1e9, 5e6, 3, 4, machine) == pytest.approx(3e-3 + 3e-5 + 2 * 3 / 4 * 5e-3)
    single, several = Work(1e9, 0, (), 10), Work(1e9 / 8, 0, (Collective("all-reduce", 40),), 10)
    shares = [predictions(single, several, growth)["efficiency of 8"] for growth in (1, 10, 1000)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1, abs=0.01)
    alone = 1e9 / ONE_NODE.rate
    ideal = alone / 8 + ONE_NODE.latency + 2 * 7 / 8 * 40 / ONE_NODE.bandwidth
    assert shares[0] == pytest.approx(alone / 8 / ideal)
    half = Work(9 / 16 * 1e9, 0, (), 10)  # of eight devices: half of the work is done by all
    assert predictions(single, half, 1)["efficiency of 8"] == pytest.approx(1 / 8 / (9 / 16))


@pytest.mark.slow
def test_points_are_shared_out():
    """Twice the devices, half the work; one all-reduction a step, of so many bytes however many devices there are."""
    single, two, eight = (work_on("points", count, quick=True) for count in (1, 2, 8))
    assert single.collectives == ()
    for work, count in ((two, 2), (eight, 8)):
        # what does not depend on points, such as the optimizer, is done by all: 16 numbers a parameter at most
        assert single.operations / count <= work.operations <= single.operations / count + 32 * work.parameters
        assert [collective.kind for collective in work.collectives] == ["all-reduce"]
        assert 4 * work.parameters < work.exchanged < 4 * 4 * work.parameters
    assert two.exchanged == eight.exchanged
    assert eight.bytes_accessed < two.bytes_accessed / 3 < single.bytes_accessed / 5


@pytest.mark.slow
def test_samples_are_shared_out():
    """What belongs to a sample is; the trunk, which all samples share, is computed by every device."""
    single, two, eight = (work_on("samples", count, quick=True) for count in (1, 2, 8))
    assert single.collectives == ()
    assert [collective.kind for collective in eight.collectives] == ["all-reduce"]
    shared, everywhere = 2 * (single.operations - two.operations), 2 * two.operations - single.operations
    assert shared > 0
    assert eight.operations == pytest.approx(everywhere + shared / 8, rel=0.1)


def test_every_case_has_two_sizes():
    for _, full, tiny in CASES.values():
        assert full.points % 8 == tiny.points % 8 == 0
        assert dataclasses.astuple(full) > dataclasses.astuple(tiny) or full.points > tiny.points


# --- the script for a GPU ---------------------------------------------------------------------------------------
bash = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


def script(*arguments, **variables):
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHON": sys.executable, "PYTHONPATH": str(ROOT), **variables}
    command = ["bash", str(ROOT / "benchmarks" / "gpu.sh"), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=3600, check=False)


@bash
def test_without_a_gpu_the_script_says_so(tmp_path):
    done = script(tmp_path)
    assert done.returncode == 3
    assert "JAX finds no GPU here (its backend is 'cpu'), so there is nothing to measure." in done.stderr
    assert "try the script with --tiny" in done.stderr
    done = script(tmp_path, PYTHON="false")
    assert done.returncode == 2
    assert "cannot import jno; set PYTHON to an interpreter" in done.stderr
    assert list(tmp_path.glob("*.json")) == []


@bash
@pytest.mark.slow
def test_the_script_runs_every_part(tmp_path):
    # most of it is compiling, and the figures of tiny sizes mean nothing
    done = script("--tiny", tmp_path, JAX_DISABLE_MOST_OPTIMIZATIONS="true")
    assert done.returncode == 0, done.stdout + done.stderr
    results = {path.stem: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    problems = {path.stem for path in (ROOT / "benchmarks" / "problems").glob("[a-z]*.py")}
    assert set(results) == problems | {"fresh_points", "sampling", "calls"}
    for name, result in results.items():
        assert result["machine"]["device"]
        assert name in result["results"]


def test_what_has_no_tiny_size_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--tiny", "poisson2d", "domain"])
    assert "--tiny has no sizes for domain; name other ids" in capsys.readouterr().err

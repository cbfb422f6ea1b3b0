"""The cache of compiled programs between runs of these tests: two writers, damaged entries, its size and its place."""

import os
import subprocess
import sys
from pathlib import Path

import compilations
import jax
import numpy as np
import processes
import pytest

PROGRAM = """
import sys, warnings
import compilations
compilations.configure(compilations.cache_directory(), optimized=False)
import jax, jax.monitoring, numpy as np
events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
for power in range(6):
    f = jax.jit(lambda x: x**power + power)
    assert float(f(np.float32(2.0))) == 2.0**power + power
print(events.count(compilations._HIT_EVENT))
"""


def start(folder):
    environment = os.environ | {"JNO_TEST_CACHE": str(folder), "PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_processes_write_at_once_and_damaged_entries_only_warn(tmp_path):
    for process in [start(tmp_path) for _ in range(2)]:
        _, errors = processes.finished(process)
        assert process.returncode == 0, errors
    entries = list(tmp_path.rglob("*-cache"))
    assert len(entries) == 6
    entries[0].write_bytes(entries[0].read_bytes()[:40])
    process = start(tmp_path)
    found, errors = processes.finished(process)
    assert process.returncode == 0, errors
    assert int(found) == 5
    assert errors.count("Error reading persistent compilation cache entry for 'jit") == 1


def test_the_entries_read_longest_ago_go_first(tmp_path):
    for age, name in enumerate("dcba"):
        path = tmp_path / f"{name}-cache"
        path.write_bytes(bytes(100))
        os.utime(path, (1e9 - age, 1e9 - 1000))
    (tmp_path / "other").write_bytes(bytes(1000))
    assert compilations.prune(tmp_path, 250) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c-cache", "d-cache", "other"]
    assert compilations.prune(tmp_path / "none", 250) == 0


def test_a_damaged_entry_is_deleted(tmp_path):
    for name in ("jit_f-12", "jit_f-34", "jit_g-56"):
        (tmp_path / f"{name}-cache").write_bytes(b"")
    compilations.forget(tmp_path, "Error reading persistent compilation cache entry for 'jit_f': ZstdError: torn")
    compilations.forget(tmp_path, "another warning about 'jit_g'")
    assert [path.name for path in tmp_path.iterdir()] == ["jit_g-56-cache"]


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({}, "home/.cache/jno/tests"),
        ({"XDG_CACHE_HOME": "caches"}, "caches/jno/tests"),
        ({"XDG_CACHE_HOME": "caches", "JNO_TEST_CACHE": "mine"}, "mine"),
    ],
)
def test_its_place(variables, place, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    for name in ("XDG_CACHE_HOME", "JNO_TEST_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    found = compilations.cache_directory()
    assert found.parent == tmp_path / place
    monkeypatch.setenv("JNO_TEST_CACHE", "off")
    assert compilations.cache_directory() is None


def test_memory_is_released():
    double = jax.jit(lambda x: 2 * x)
    double(np.float32(1.0))
    assert double._cache_size() == 1
    compilations.release()
    assert double._cache_size() == 0
    assert double(np.float32(1.0)) == 2.0

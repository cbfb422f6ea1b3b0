"""Programs in fresh processes: what differs between processes is not seen in one."""

import contextlib
import json
import os
import pathlib
import resource
import subprocess
import sys

ROOT = str(pathlib.Path(__file__).parents[1])
PATIENCE = 1800
"""Seconds until a program counts as hanging: ten times what the longest takes, for a machine may be busy."""


def start(program, *arguments, cwd=None, without=("JNO_",), **environment):
    """A process that runs a Python program on the CPU, without the variables that begin as in ``without``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(without)}
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env={**inherited, "JAX_PLATFORMS": "cpu", "PYTHONPATH": ROOT, **environment},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process, timeout=PATIENCE):
    """Standard output and errors of a process that has ended; one that does not is killed, for no test would."""
    try:
        return process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:  # not read to its end, which its own children may keep open
                stream.close()
        raise


def result_of(process, timeout=PATIENCE):
    """What the program has printed as JSON after ``RESULT``."""
    output, _ = finished(process, timeout)
    assert process.returncode == 0, output
    (result,) = [line for line in output.splitlines() if line.startswith("RESULT ")]
    return json.loads(result.removeprefix("RESULT "))


@contextlib.contextmanager
def longest_file(size):
    """Within the block this process cannot make files longer than so many bytes: pytest's own output may be one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

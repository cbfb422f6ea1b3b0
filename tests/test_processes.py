"""The programs that tests run in processes of their own."""

import subprocess

import processes
import pytest


def test_a_program_that_hangs_does_not_outlive_its_test():
    process = processes.start("import time; time.sleep(1000)")
    with pytest.raises(subprocess.TimeoutExpired):
        processes.result_of(process, timeout=0.1)
    assert process.poll() is not None

"""What a run costs."""

import subprocess
import sys

import pytest
import torch

from ganopt.profiling import peak_memory

CPU = torch.device("cpu")
STARTED_BY_A_LARGE_PROCESS = """
import subprocess, sys
large = bytearray(b"1") * 1_000_000_000
print(subprocess.check_output([sys.executable, "-c", sys.argv[1]], text=True))
"""
PEAK = "import torch; from ganopt.profiling import peak_memory; print(peak_memory(torch.device('cpu')))"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak is getrusage's")
def test_the_peak_of_a_process_is_not_that_of_the_one_that_started_it():
    command = [sys.executable, "-c", STARTED_BY_A_LARGE_PROCESS, PEAK]
    assert int(subprocess.check_output(command, text=True)) < 1_000_000_000


def test_the_peak_stays_when_memory_is_given_back():
    before = peak_memory(CPU)
    del (block := [b"1" * 300_000_000])[0]
    assert not block
    assert peak_memory(CPU) >= before + 150_000_000

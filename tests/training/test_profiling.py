"""What a run costs."""

import subprocess
import sys

import pytest
import torch

from ganopt.models.networks import build_critic, build_generator, count_parameters
from ganopt.training import methods
from ganopt.training.profiling import cost_of_drawing, cost_of_training, follow_trial, peak_memory, reset_peak_memory

CPU = torch.device("cpu")
STARTED_BY_A_LARGE_PROCESS = """
import subprocess, sys
large = bytearray(b"1") * 1_000_000_000
print(subprocess.check_output([sys.executable, "-c", sys.argv[1]], text=True))
"""
PEAK = "import torch; from ganopt.training.profiling import peak_memory; print(peak_memory(torch.device('cpu')))"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak is getrusage's")
def test_the_peak_of_a_process_is_not_that_of_the_one_that_started_it():
    command = [sys.executable, "-c", STARTED_BY_A_LARGE_PROCESS, PEAK]
    assert int(subprocess.check_output(command, text=True)) < 1_000_000_000


def test_the_peak_stays_when_memory_is_given_back():
    reset_peak_memory(CPU)
    before = peak_memory(CPU)
    del (block := [b"1" * 300_000_000])[0]
    assert not block
    assert peak_memory(CPU) >= before + 150_000_000


def test_a_generator_costs_what_its_layers_say():
    cost = cost_of_drawing(build_generator("big/32@32"), CPU, repeats=2)
    generator = build_generator("big/32@32")
    operations, side = 0, 1
    for layer in generator.layers:
        kernel, stride = layer[0].kernel_size[0], layer[0].stride[0]
        operations += 2 * side * side * layer[0].in_channels * layer[0].out_channels * kernel * kernel
        side = side * stride if stride > 1 else kernel
    assert cost.operations == operations
    assert cost.parameters == count_parameters(generator)
    assert cost.latency > 0 and cost.throughput > 0


def test_a_step_costs_its_weights_gradients_moments_and_activations(pictures):
    recipe = methods.recipe(
        "wgan-gp", generator="big/32@32", critic="critic/16", batch=4, n_critic=1, steps=1, device="cpu"
    )
    cost = cost_of_training(recipe, pictures, repeats=1)
    generator, critic = count_parameters(build_generator("big/32@32")), count_parameters(build_critic("critic/16@32"))
    assert cost.gradients == 4 * max(generator, critic)
    assert 4 * (2 * generator + critic) <= cost.weights <= 4 * (2 * generator + critic) + 20_000  # statistics of norms
    assert 8 * (generator + critic) <= cost.optimiser <= 8 * (generator + critic) + 1_000  # and the counts of steps
    assert cost.activations > 4 * 4 * 3 * 32 * 32
    assert cost.epoch_seconds == pytest.approx(25 * cost.seconds)


def test_frozen_layers_cost_neither_gradients_nor_moments(pictures, source):
    common = {"batch": 4, "n_critic": 1, "steps": 1, "device": "cpu", "source": str(source)}
    whole = cost_of_training(methods.recipe("transfer", freeze_g=0, freeze_d=0, **common), pictures, repeats=1)
    frozen = cost_of_training(methods.recipe("transfer", freeze_g=2, freeze_d=2, **common), pictures, repeats=1)
    assert frozen.gradients < whole.gradients and frozen.optimiser < whole.optimiser
    assert frozen.activations < whole.activations and frozen.weights < whole.weights


def test_a_trial_measures_in_a_process_of_its_own_and_says_what_is_wrong(source, refuses):
    recipe = methods.recipe(
        "wgan-gp", generator="big/64@32", critic="critic/64", batch=2, n_critic=1, steps=1, device="cpu"
    )
    *_, cost = follow_trial(recipe, OMP_NUM_THREADS="1")
    assert cost.threads == 1 and cost.batch == 2 and cost.seconds > 0 and cost.peak > 10_000_000
    alone = methods.recipe(
        "distill", teacher=str(source), generator="big/64@32", critic="kd-critic/64", alpha=0.0, batch=2, steps=1
    )
    assert [*follow_trial(alone, OMP_NUM_THREADS="1")][-1].seconds > 0
    with refuses("nobody"):
        list(follow_trial(methods.recipe("distill", teacher="nobody", steps=1)))


def test_a_trial_has_a_time_limit(refuses):
    with refuses("Estimating took longer than 0.5 s"):
        list(follow_trial(methods.recipe("wgan-gp", steps=1), 0.5))

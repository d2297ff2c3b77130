import pytest
import torch

from ganopt.models.latents import latents
from ganopt.models.networks import build_generator, can_inherit, parse_architecture
from ganopt.models.pruning import inherit_channels


@pytest.fixture
def teacher():
    """A generator whose norms have scales and statistics of their own."""
    torch.manual_seed(5)
    network = build_generator("big/8@32")
    for stage in network.layers[:-1]:
        torch.nn.init.uniform_(stage[1].weight, 0.2, 2)
        stage[1].running_mean.uniform_(-0.1, 0.1)
    return network.eval()


def test_a_student_as_wide_as_its_teacher_is_its_copy(teacher):
    student = build_generator("big/8@32").eval()
    inherit_channels(student, teacher)
    z = latents([0, 1, 2])
    assert torch.equal(student(z), teacher(z))


def test_a_thin_student_gets_the_channels_that_are_used(teacher):
    """Only half of each stage's channels are read further on: these are inherited, and the pictures stay the same."""
    for index, stage in enumerate(teacher.layers[:-1]):
        unread = torch.randperm(stage[0].out_channels)[: stage[0].out_channels // 2]
        teacher.layers[index + 1][0].weight.data[unread] = 0
    student = build_generator("big/16@32").eval()
    inherit_channels(student, teacher)
    z = latents([0, 1, 2])
    assert torch.allclose(student(z), teacher(z), atol=1e-5)


@pytest.mark.parametrize("name", ["big/4@32", "kd/8@32", "big/8@64", "shuffle/8@32"])
def test_a_student_that_does_not_fit_is_refused(teacher, refuses, name):
    with refuses("cannot start from the channels"):
        inherit_channels(build_generator(name), teacher)


def test_a_shuffles_channels_cannot_be_chosen():
    assert can_inherit(parse_architecture("kd/8"), parse_architecture("kd/4"))
    assert not can_inherit(parse_architecture("shuffle/8"), parse_architecture("shuffle/4"))

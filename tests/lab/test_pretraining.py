"""Pre-training: gradients of several tasks, the tasks themselves, and few labels after it."""

import pytest
import torch

from ganopt.lab.encoders import pretext
from ganopt.lab.experiments.pretraining import ACCURACY, BOTH
from ganopt.lab.registry import find_experiment

EXPERIMENT = find_experiment("pretraining")


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_encoder_s_gradient_is_the_tasks_sum_and_each_head_has_only_its_own():
    tasks, x = pretext.Tasks([*pretext.LOSSES], 16, 0).double(), torch.randn(6, 3, 16, 16, dtype=torch.float64)

    def gradients(losses: list[torch.Tensor], module: torch.nn.Module) -> list[torch.Tensor | None]:
        total = torch.stack(losses).sum()
        return [*torch.autograd.grad(total, [*module.parameters()], allow_unused=True, retain_graph=True)]

    losses = tasks.losses(x, chance())
    together = gradients([*losses.values()], tasks.encoder)
    apart = [gradients([loss], tasks.encoder) for loss in losses.values()]
    for whole, parts in zip(together, zip(*apart, strict=True), strict=True):
        assert torch.allclose(whole, sum(parts), rtol=0, atol=1e-12)
    for task, head in tasks.heads.items():
        own = gradients([losses[task]], head)
        assert all(map(torch.equal, gradients([*losses.values()], head), own))
        others = [loss for name, loss in losses.items() if name != task]
        assert gradients(others, head) == [None] * len(own)


@pytest.mark.parametrize("side", [16, 32, 64])
def test_two_patches_lie_as_they_are_labelled_with_a_gap(side):
    rows = torch.arange(side).view(1, 1, side, 1).expand(200, 1, side, side)
    x = torch.cat((rows, rows.transpose(2, 3), rows), 1).float()  # rows, columns
    middle, other, positions, corners = pretext.patches(x, chance())
    size = middle.shape[-1]
    assert set(positions.tolist()) == set(range(8)) and len(set(map(tuple, corners[:, 0].tolist()))) > 3
    apart = other[:, :2, 0, 0] - middle[:, :2, 0, 0]
    for index, (row, column) in enumerate(pretext.POSITIONS):
        for axis, direction in enumerate((row - 1, column - 1)):
            steps = apart[positions == index, axis]
            assert (steps.abs() < size).all() if not direction else (direction * steps >= size + pretext.GAP).all()


def test_a_turned_picture_is_turned_back_by_its_label():
    x = torch.rand(20, 3, 8, 8, generator=chance())
    turned, quarters = pretext.turned(x, chance())
    back = [each.rot90(-int(times), (1, 2)) for each, times in zip(turned, quarters, strict=True)]
    assert torch.equal(torch.stack(back), x) and set(quarters.tolist()) == {0, 1, 2, 3}


def test_from_scratch_overtakes_a_frozen_encoder_with_many_labels():
    *_, frame = EXPERIMENT.frames(EXPERIMENT.parse("iterations=60,objects=192,repeats=1"))
    curves = {name: [value for _, value in curve] for name, curve in frame.series[ACCURACY].items()}
    assert curves["from scratch"][-1] > curves[BOTH][-1] > curves[BOTH][0]


def test_more_and_more_tasks_have_a_curve(tmp_path, draw_faces, cache):
    for name in ("cats", "dogs"):
        draw_faces(tmp_path / name, 60)
    text = f"tasks=one to three,iterations=5,folder={tmp_path},side=16,objects=120,repeats=1"
    *_, frame = EXPERIMENT.frames(EXPERIMENT.parse(text))
    [curve] = frame.series["Accuracy with 10 labels a class against the number of tasks"].values()
    assert [count for count, _ in curve] == [1, 2, 3] and frame.progress == 1


def test_pictures_of_one_class_are_refused(tmp_path, draw_faces, cache, refuses):
    draw_faces(tmp_path / "cats", 70)
    with refuses("of one class"):
        [*EXPERIMENT.frames(EXPERIMENT.parse(f"folder={tmp_path},side=16"))]

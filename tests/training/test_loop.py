"""A run is the same however often it is stopped, killed and resumed; it spoils nothing and explains its failures."""

import copy
import dataclasses
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganopt.data import image_folder
from ganopt.models import weights, zoo
from ganopt.models.latents import latents
from ganopt.models.sampling import draw
from ganopt.training import loop, methods, run_folder
from ganopt.training import step as training
from ganopt.training.losses import LOSSES, gradient_penalty, zero_centred_penalty
from ganopt.training.methods import new_state
from ganopt.training.recipe_text import describe
from ganopt.training.recipes import Recipe
from ganopt.training.state import State

STEPS, SAVE_EVERY, PREVIEW_EVERY = 12, 4, 5
TINY = {
    "generator": "big/64@32",
    "critic": "critic/16",
    "batch": 5,
    "steps": STEPS,
    "save_every": SAVE_EVERY,
    "preview_every": PREVIEW_EVERY,
    "device": "cpu",
}
FROM_SOURCE = {"source": "SOURCE", "freeze_d": 2, "n_critic": 2}
STUDENT = {"teacher": "SOURCE", "critic": "kd-critic/16"}
CASES: dict[str, tuple[str, dict]] = {
    "wgan-gp": ("wgan-gp", {"n_critic": 3}),
    "dcgan": ("dcgan", {}),
    "r1": ("r1", {"critic": "plain-critic/16", "penalty_every": 3}),
    "r3": ("r3", {"critic": "plain-critic/16"}),
    "transfer": ("transfer", FROM_SOURCE),
    "distill-0.05": ("distill", STUDENT),
    "distill-0": ("distill", {**STUDENT, "alpha": 0.0, "pixel": "l1"}),
    "distill-1": ("distill", {**STUDENT, "alpha": 1.0}),
    "distill-feature": ("distill", {**STUDENT, "feature": 0.5, "inherit": True, "generator": "big/64@32"}),
    "distill-critic": (
        "distill",
        {**STUDENT, "critic": "critic/16", "inherit_critic": True, "generator": "shuffle/64@32"},
    ),
    "channels-last": ("r1", {"channels_last": True, "augment": ("cutout",), "flip": False, "ema": 0.0}),
}


def make(case: str, source: Path | None = None, /, **settings) -> Recipe:
    """The recipe of a case; those that start from another model start from `source`."""
    method, own = CASES[case]
    own = {key: str(source) if value == "SOURCE" else value for key, value in own.items()}
    values = {**TINY, **own, **settings}
    if method == "transfer":
        del values["generator"]  # it is the source's
    return methods.recipe(method, **values)


@pytest.fixture(scope="module")
def few(pictures: Tensor) -> Tensor:
    """So few pictures that a run goes through them several times, and never in whole batches."""
    return pictures[:23].clone()


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, few: Tensor, source: Path) -> Callable[[str], Path]:
    """The folder of the whole run of a case, trained once."""
    folders: dict[str, Path] = {}

    def folder_of(case: str) -> Path:
        if case not in folders:
            folders[case] = tmp_path_factory.mktemp(case) / "run"
            consume(loop.train(make(case, source), folders[case], few))
        return folders[case]

    return folder_of


def consume(steps: Iterator[loop.Step], count: int | None = None) -> list[loop.Step]:
    """All steps of a run, or the first `count`, after which it is stopped."""
    done = []
    for step in steps:
        done.append(step)
        if len(done) == count:
            break
    steps.close()
    return done


def counters(folder: Path) -> dict:
    with safe_open(folder / "state.safetensors", framework="pt") as file:
        return {key: value for key, value in json.loads(file.metadata()["counters"]).items() if key != "seconds"}


def metrics(folder: Path) -> list[dict]:
    """The log but for what is of the machine."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("seconds", "memory")} for line in lines]


def tensors_equal(first: Path, second: Path) -> bool:
    """The same names, and each tensor the same to the last bit."""
    a, b = load_file(first), load_file(second)
    return a.keys() == b.keys() and all(
        a[key].dtype == b[key].dtype and a[key].numpy().tobytes() == b[key].numpy().tobytes() for key in a
    )


def visible_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name[0] != "."}


def assert_same_run(first: Path, second: Path) -> None:
    """Two folders hold one and the same run, but for the time it took."""
    assert counters(first) == counters(second)
    assert metrics(first) == metrics(second)
    assert visible_files(first) == visible_files(second)
    for name in visible_files(first):
        if name.endswith(".safetensors"):
            assert tensors_equal(first / name, second / name), name
        elif name.endswith((".png", ".json")):
            assert (first / name).read_bytes() == (second / name).read_bytes(), name


STOPS = [(case, (1, 6, 8, 11)) for case in CASES]  # before, between and at saves, and after the last one
STOPS += [("dcgan", (SAVE_EVERY,)), ("dcgan", (6,))]


@pytest.mark.parametrize(("case", "stops"), STOPS, ids=str)
def test_a_stopped_and_resumed_run_equals_the_straight_one(case, stops, few, source, straight, tmp_path):
    folder, expected = tmp_path / "run", straight(case)
    torch.manual_seed(99)  # of no consequence
    before = torch.get_rng_state()
    run, done = loop.train(make(case, source), folder, few), 0
    for stop in stops:
        done += len(consume(run, stop - done))
        assert counters(folder)["step"] == stop == done
        run = loop.resume(folder, few)
    assert [step.step for step in consume(run)] == list(range(done + 1, STEPS + 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert [line["step"] for line in metrics(folder)] == list(range(1, STEPS + 1))
    assert_same_run(folder, expected)


@pytest.mark.parametrize("case", ["wgan-gp", "distill-0.05"])
def test_what_a_kill_left_in_the_log_is_cut_off(case, few, source, straight, tmp_path):
    folder = tmp_path / "run"
    consume(loop.train(make(case, source), folder, few), 6)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 7, "generator": 1.0}\n{"step": 8, "gen')
    consume(loop.resume(folder, few))
    assert_same_run(folder, straight(case))


def test_a_run_killed_before_its_first_save_starts_anew(few, straight, tmp_path):
    folder = tmp_path / "run"
    consume(loop.train(make("dcgan"), folder, few), 3)
    for path in folder.glob("*.safetensors"):
        path.unlink()
    assert consume(loop.resume(folder, few))[0].step == 1
    assert_same_run(folder, straight("dcgan"))


@pytest.mark.parametrize("unsaved", ["generator.safetensors", "critic.safetensors"])
def test_a_run_killed_between_the_files_of_its_last_save_is_completed(unsaved, few, straight, tmp_path, monkeypatch):
    folder, save = tmp_path / "run", weights.save

    def killed(network, path, *rest):
        if path.name == unsaved and counters(folder)["step"] == STEPS:
            raise KeyboardInterrupt
        save(network, path, *rest)

    monkeypatch.setattr(weights, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        consume(loop.train(make("dcgan"), folder, few))
    monkeypatch.undo()
    consume(loop.resume(folder, few))
    assert_same_run(folder, straight("dcgan"))


def test_a_finished_run_goes_on_with_another_budget(few, straight, tmp_path):
    folder = tmp_path / "run"
    consume(loop.train(make("r1", steps=6), folder, few))
    assert consume(loop.resume(folder, few)) == []
    assert [step.step for step in consume(loop.resume(folder, few, {"steps": STEPS}))] == list(range(7, STEPS + 1))
    assert tensors_equal(folder / "state.safetensors", straight("r1") / "state.safetensors")
    assert run_folder.read_recipe(folder).steps == STEPS


def snapshots(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("snapshots/*"))


@pytest.mark.parametrize("case", ["dcgan", "wgan-gp", "transfer", "distill-0"])
def test_snapshots_are_kept_evenly_however_often_the_run_is_stopped(case, few, source, tmp_path):
    recipe = make(case, source, snapshots=3)
    consume(loop.train(recipe, tmp_path / "straight", few))
    assert snapshots(tmp_path / "straight") == ["0000004.safetensors", "0000008.safetensors", "0000012.safetensors"]
    steps = {line["step"] for line in metrics(tmp_path / "straight")}
    assert steps >= {int(Path(name).stem) for name in snapshots(tmp_path / "straight")}
    run = loop.train(recipe, tmp_path / "resumed", few)
    for count in (3, 1, 3, 2):
        consume(run, count)
        run = loop.resume(tmp_path / "resumed", few)
    consume(run)
    assert_same_run(tmp_path / "resumed", tmp_path / "straight")


def test_a_snapshot_is_the_moving_average_of_its_step_as_float16(few, tmp_path):
    consume(loop.train(make("r1", snapshots=3), tmp_path / "long", few))
    for steps in (4, 8, 12):
        folder = tmp_path / str(steps)
        consume(loop.train(make("r1", steps=steps), folder, few))
        stored = load_file(tmp_path / "long" / "snapshots" / f"{steps:07}.safetensors")
        for name, value in load_file(folder / "generator.safetensors").items():
            assert torch.equal(stored[name], value.half() if value.is_floating_point() else value)
    recipe = json.loads(weights.read_metadata(tmp_path / "long" / "snapshots" / "0000004.safetensors")["recipe"])
    assert recipe["method"] == "r1" and weights.load(tmp_path / "long" / "snapshots" / "0000004.safetensors")


@pytest.mark.parametrize(("steps", "count"), [(22, 22), (7, 3), (2, 5), (3, 1)])
def test_there_are_as_many_snapshots_as_asked_for_and_as_there_are_steps(steps, count, few, tmp_path):
    consume(loop.train(make("dcgan", steps=steps, snapshots=count), tmp_path, few))
    expected = [step for step in range(1, steps + 1) if step * count // steps > (step - 1) * count // steps]
    assert len(expected) == min(steps, count) and expected[-1] == steps
    assert snapshots(tmp_path) == [f"{step:07}.safetensors" for step in expected]


def test_a_snapshot_that_a_kill_left_is_dropped_where_the_run_goes_on_before_it(few, tmp_path):
    consume(loop.train(make("dcgan", snapshots=3), tmp_path, few), 6)
    shutil.copy(tmp_path / "snapshots" / "0000004.safetensors", tmp_path / "snapshots" / "0000007.safetensors")
    consume(loop.resume(tmp_path, few))
    assert snapshots(tmp_path) == ["0000004.safetensors", "0000008.safetensors", "0000012.safetensors"]


@pytest.mark.parametrize("case", CASES)
def test_the_same_seed_is_the_same_run_and_another_is_not(case, few, source, tmp_path):
    for number, seed in enumerate((0, 0, 1)):
        consume(loop.train(make(case, source, seed=seed, steps=1), tmp_path / str(number), few))
    first, same, other = (tmp_path / str(number) / "generator.safetensors" for number in range(3))
    assert tensors_equal(first, same) and not tensors_equal(first, other)


@pytest.mark.parametrize("case", CASES)
def test_a_run_folder_holds_its_files_and_no_others(case, straight, source):
    folder = straight(case)
    judged = {"critic.safetensors"} if case != "distill-0" else set()
    kinds = ("previews", "verdicts") if judged else ("previews",)
    previews = {f"{kind}/{step:07}.png" for kind in kinds for step in (0, 5, 10)}
    files = {"config.json", "metrics.jsonl", "state.safetensors", "generator.safetensors"} | judged | previews
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == files
    expected = methods.resolved(make(case, source))
    assert run_folder.read_recipe(folder) == dataclasses.replace(expected, flip=expected.flip is not False)
    metadata = weights.read(folder / "generator.safetensors")[1]
    assert json.loads(metadata["recipe"])["method"] == make(case, source).method
    assert metadata["architecture"] == expected.generator


def read_state(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of a saved state; frozen layers, which average and generator share, lie there once."""
    state = load_file(folder / "state.safetensors")
    generator = {key: value for key, value in state.items() if key.startswith("generator.")}
    return {key.replace("generator.", "average.", 1): value for key, value in generator.items()} | state


@pytest.mark.parametrize("case", CASES)
def test_the_saved_weights_are_those_of_the_state(case, straight):
    state = read_state(straight(case))
    for file, part in (("generator", "average"), ("critic", "critic")):
        if (straight(case) / f"{file}.safetensors").exists():
            stored = load_file(straight(case) / f"{file}.safetensors")
            assert all(torch.equal(state[f"{part}.{key}"], value) for key, value in stored.items())


@pytest.mark.parametrize("case", CASES)
def test_the_log_tells_each_step_and_finite_losses(case, straight):
    epoch_steps = methods.method_of(run_folder.read_recipe(straight(case))).epoch_steps
    for index, line in enumerate(metrics(straight(case)), start=1):
        assert line["step"] == index and line["epoch"] == index / epoch_steps
        assert line["progress"] == pytest.approx(index / STEPS)
        assert math.isfinite(line["generator"]) and ("critic" in line) == (case != "distill-0")
    seconds = [json.loads(line)["seconds"] for line in (straight(case) / "metrics.jsonl").read_text().splitlines()]
    assert seconds == sorted(seconds) and seconds[0] > 0


def test_steps_say_what_they_did(few, tmp_path):
    steps = consume(loop.train(make("dcgan"), tmp_path / "run", few))
    assert [step.step for step in steps if step.saved] == [4, 8, 12]
    assert [step.step for step in steps if step.preview is not None] == [5, 10]
    assert all(step.memory > 2**20 for step in steps)
    assert steps[-1].progress == 1 and steps[0].progress == pytest.approx(1 / STEPS)
    assert not any(step.saved for step in loop.train(make("dcgan"), None, few))


@pytest.mark.parametrize("case", ["dcgan", "r1"])
def test_previews_are_the_six_fixed_faces_of_the_average(case, few, tmp_path):
    steps = consume(loop.train(make(case, steps=PREVIEW_EVERY), tmp_path, few))
    faces = draw(weights.load(tmp_path / "generator.safetensors"), latents(range(6)))
    assert faces.shape == (6, 3, 32, 32) and torch.equal(steps[-1].preview, faces)
    image = Image.open(tmp_path / "previews" / "0000005.png")
    assert image.size == (6 * 32, 32) and image.mode == "RGB"
    for index, face in enumerate(faces):
        part = image.crop((32 * index, 0, 32 * index + 32, 32))
        assert part.tobytes() == face.permute(1, 2, 0).contiguous().numpy().tobytes()


def test_the_first_preview_is_of_the_source_before_training(source, few, tmp_path):
    settings = {"source": str(source), "batch": 4, "steps": 1, "freeze_g": 1, "freeze_d": 1, "n_critic": 1}
    consume(loop.train(methods.recipe("transfer", device="cpu", **settings), tmp_path, few))
    (path,) = (tmp_path / "previews").iterdir()
    shown = np.asarray(Image.open(path)).reshape(32, 6, 32, 3).transpose(1, 3, 0, 2)
    faces = draw(weights.load(source / "generator.safetensors"), latents(range(6)))
    assert path.name == "0000000.png" and np.array_equal(shown, faces.numpy())


@pytest.mark.parametrize(
    ("case", "n_critic", "images_a_step"), [("wgan-gp", 8, 40), ("dcgan", 2, 10), ("r1", 1, 5), ("r3", 1, 5)]
)
def test_critic_updates_and_pictures_are_counted(case, n_critic, images_a_step, few, monkeypatch):
    calls, update_critics = [], training.update_critics
    monkeypatch.setattr(training, "update_critics", lambda *args: calls.append(args) or update_critics(*args))
    steps = consume(loop.train(make(case, n_critic=n_critic, steps=3), None, few))
    assert len(calls) == 3 * n_critic
    assert [step.images for step in steps] == [images_a_step, 2 * images_a_step, 3 * images_a_step]


def test_a_lazy_penalty_is_taken_every_few_critic_updates(few):
    steps = consume(loop.train(make("r1", penalty_every=3), None, few))
    assert [step.step for step in steps if "penalty" in step.losses] == [1, 4, 7, 10]
    steps = consume(loop.train(make("r1", penalty=0.0), None, few))
    assert not any("penalty" in step.losses for step in steps)


def critic_loss_by_hand(state: State) -> Tensor:
    """The critic's whole loss of its next update, in one piece; draws from the state as an update does."""
    settings, critic = state.recipe.critics[0], state.critics[0].network
    fake = state.generator(state.latents()).detach()
    real = state.real_batch()
    loss = LOSSES[settings.loss].critic(critic.scores(real), critic.scores(fake))
    if settings.loss == "wgan-gp":
        mix = torch.rand(state.recipe.batch, 1, 1, 1, generator=state.random)
        return loss + settings.penalty * gradient_penalty(critic, real, fake, mix)
    penalty = zero_centred_penalty(critic, real)
    if settings.loss == "r3":
        penalty = penalty + zero_centred_penalty(critic, fake)
    return loss + settings.penalty * settings.penalty_every * penalty


@pytest.mark.parametrize(("case", "batch"), [("wgan-gp", 4), ("r1", 7), ("r3", 7), ("r3", 8)])
def test_the_critic_learns_its_loss_and_its_penalty_together(case, batch, few):
    settings = {"batch": batch, "augment": (), "penalty": 2.0, "beta1": 0.0, "n_critic": 1}
    state, by_hand = (new_state(make(case, **settings), few) for _ in range(2))
    critic_loss_by_hand(by_hand).backward()
    training.update_critics(state, *training.draw_without_gradients(state, 1), number=0)
    [critic], [other] = state.critics, by_hand.critics
    for parameter, same in zip(critic.network.parameters(), other.network.parameters(), strict=True):
        # with beta1 = 0, Adam's mean is the gradient itself
        gradient = critic.optimiser.state[parameter]["exp_avg"]
        torch.testing.assert_close(gradient, same.grad, rtol=1e-3, atol=1e-5)


def test_without_an_adversarial_term_nothing_real_is_needed(source):
    steps = consume(loop.train(make("distill-0", source)))
    assert len(steps) == STEPS and steps[-1].images == 0
    assert set(steps[-1].losses) == {"imitation", "generator"}


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        ({"steps": 3}, 3),
        ({"steps": None, "images": 16}, 4),
        ({"steps": None, "minutes": 1e-6}, 1),
        ({"steps": 7, "images": 10, "minutes": 60.0}, 2),
    ],
)
def test_a_run_ends_when_its_first_budget_is_spent(budget, steps, few, tmp_path):
    done = consume(loop.train(make("dcgan", **budget), tmp_path, few))
    assert len(done) == steps and done[-1].progress >= 1 and done[-1].saved
    assert counters(tmp_path)["step"] == steps


def test_each_picture_is_seen_once_an_epoch(pictures):
    state = new_state(make("dcgan", batch=4, flip=False), pictures[:12].clone())
    for _ in range(3):
        seen = torch.cat([state.real_batch() for _ in range(3)])
        assert len(seen.unique(dim=0)) == 12
        assert seen.min() >= -1 and seen.max() <= 1


def test_flips_mirror_pictures_only_if_asked(pictures):
    one = pictures[:1].repeat(40, 1, 1, 1)
    kept = new_state(make("dcgan", batch=40, flip=False), one).real_batch()
    mixed = new_state(make("dcgan", batch=40, flip=True), one).real_batch()
    assert len(kept.unique(dim=0)) == 1 and len(mixed.unique(dim=0)) == 2
    assert any(torch.equal(picture, kept[0].flip(2)) for picture in mixed)


def test_the_average_moves_and_follows_the_generator(few):
    state = new_state(make("dcgan", ema=0.3), few)
    expected = {key: value.clone().double() for key, value in state.generator.state_dict().items()}
    start = copy.deepcopy(expected)
    for step in range(6):
        training.train_step(state)
        state.step += 1
        decay = min(0.3, (1 + step) / (10 + step))
        for key, value in state.generator.state_dict().items():
            expected[key] = decay * expected[key] + (1 - decay) * value if value.is_floating_point() else value
    for key, value in state.average.state_dict().items():
        torch.testing.assert_close(value.double(), expected[key].double(), rtol=1e-5, atol=1e-7)
    moving = [key for key, value in state.average.state_dict().items() if not torch.equal(value.double(), start[key])]
    assert len(moving) == len(expected)


def test_without_an_average_the_generator_itself_is_saved(straight):
    state = load_file(straight("channels-last") / "state.safetensors")  # its ema is 0
    for key, value in state.items():
        if key.startswith("generator."):
            assert torch.equal(state[key.replace("generator.", "average.", 1)], value)


@pytest.mark.parametrize(("freeze_g", "freeze_d"), [(0, 2), (2, 3), (3, 0)])
def test_frozen_layers_stay_the_sources_to_the_last_bit(freeze_g, freeze_d, few, source, tmp_path):
    recipe = make("transfer", source, freeze_g=freeze_g, freeze_d=freeze_d, steps=2)
    consume(loop.train(recipe, tmp_path, few))
    state = read_state(tmp_path)
    for file, part, frozen in (
        ("generator", "generator", freeze_g),
        ("generator", "average", freeze_g),
        ("critic", "critic", freeze_d),
    ):
        for key, value in load_file(source / f"{file}.safetensors").items():
            now, layer = state[f"{part}.{key}"], int(key.split(".")[1])
            if layer < frozen:
                assert now.numpy().tobytes() == value.numpy().tobytes(), (part, key)
            elif value.is_floating_point():
                assert not torch.equal(now, value), (part, key)


def test_frozen_layers_have_no_gradients_nor_moments_nor_copies(few, source):
    state = new_state(make("transfer", source), few)
    training.train_step(state)
    for network, optimiser, frozen in (
        (state.generator, state.optimiser, 2),
        (state.critics[0].network, state.critics[0].optimiser, 2),
    ):
        assert not any(parameter.requires_grad for parameter in network.layers[:frozen].parameters())
        assert all(parameter.grad is None for parameter in network.layers[:frozen].parameters())
        assert all(parameter.requires_grad for parameter in network.layers[frozen:].parameters())
        assert {id(p) for p in optimiser.state} == {id(p) for p in network.layers[frozen:].parameters()}
    for mine, own in zip(state.average.layers[:2].parameters(), state.generator.layers[:2].parameters(), strict=True):
        assert mine.data_ptr() == own.data_ptr()


def test_a_transfer_starts_from_its_source(few, source):
    state = new_state(make("transfer", source), few)
    for network, name in (
        (state.generator, "generator"),
        (state.critics[0].network, "critic"),
        (state.average, "generator"),
    ):
        for key, value in load_file(source / f"{name}.safetensors").items():
            assert torch.equal(network.state_dict()[key], value)


def test_the_seed_of_a_transfer_is_that_of_its_widening(few, source):
    weights = [
        new_state(make("transfer", source, widen=2, seed=seed), few).generator.stages[1][0].weight for seed in (1, 1, 2)
    ]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_a_transfer_can_widen_its_source_and_go_on(few, source, tmp_path):
    state = new_state(make("transfer", source, widen=2), few)
    assert state.recipe.generator == "big/16@32"
    z = latents(range(4))
    state.generator.eval()
    assert torch.allclose(state.generator(z), zoo.load(source)(z), atol=1e-5)
    consume(loop.train(make("transfer", source, widen=2, steps=2), tmp_path / "run", few))
    assert zoo.load(tmp_path / "run").architecture.divisor == 16


def test_a_transfer_can_grow_its_source_and_go_on(few, source, tmp_path):
    recipe = make("transfer", source, grow=True, freeze_g=2, steps=2)
    state = new_state(recipe, few)
    assert state.recipe.generator == "big-res/32@32"
    z = latents(range(4))
    state.generator.eval()
    assert torch.equal(state.generator(z), zoo.load(source)(z))
    consume(loop.train(recipe, tmp_path / "run", few))
    trained, frozen = zoo.load(tmp_path / "run").state_dict(), state.generator.state_dict()
    changed = {name.split(".")[1] for name in trained if not torch.equal(trained[name], frozen[name])}
    assert changed == {"2", "3"}  # the stages that were not frozen


def test_a_student_can_start_from_a_trained_model(few, source, tmp_path, refuses):
    recipe = make("distill-0.05", source, generator="big/32@32", start=str(source), steps=2)
    student = new_state(recipe, few).generator
    assert all(torch.equal(value, student.state_dict()[name]) for name, value in zoo.load(source).state_dict().items())
    consume(loop.train(recipe, tmp_path / "run", few))
    with refuses("is a big/32@32, but the student a big/64@32; use the same"):
        new_state(make("distill-0.05", source, generator="big/64@32", start=str(source)), few)


def test_a_student_can_start_from_a_model_that_is_grown(few, source):
    student = new_state(make("distill-0.05", source, generator="big-res/32@32", start=str(source)), few).generator
    z = latents(range(4))
    assert torch.equal(student.eval()(z), zoo.load(source)(z))


def test_a_transfer_reads_pictures_of_its_sources_side(source, draw_faces, tmp_path):
    draw_faces(tmp_path / "faces", 16, (48, 48))
    recipe = methods.recipe(
        "transfer", source=str(source), data=str(tmp_path / "faces"), freeze_d=2, n_critic=1, batch=4, steps=1
    )
    assert len(consume(loop.train(recipe))) == 1


@pytest.mark.parametrize("case", ["distill-0.05", "distill-0", "distill-1", "distill-feature"])
def test_the_teacher_stays_as_it_was(case, few, source):
    state = new_state(make(case, source), few if case != "distill-0" else None)
    networks = list(state.frozen.values())
    assert len(networks) == (2 if case == "distill-feature" else 1)
    before = [{key: value.clone() for key, value in network.state_dict().items()} for network in networks]
    for _ in range(3):
        training.train_step(state)
    for network, tensors in zip(networks, before, strict=True):
        assert all(torch.equal(value, tensors[key]) for key, value in network.state_dict().items())
        assert all(parameter.grad is None for parameter in network.parameters()) and not network.training


def test_a_students_critic_goes_on_from_its_teachers(few, source, refuses, tmp_path):
    state = new_state(make("distill-critic", source, critic="kd-critic/16"), few)
    before = load_file(source / "critic.safetensors")
    assert state.recipe.critics[0].architecture == "critic/16@32" and state.critics[0].network.training
    assert all(torch.equal(value, before[key]) for key, value in state.critics[0].network.state_dict().items())
    training.train_step(state)
    assert not any(torch.equal(value, before[key]) for key, value in state.critics[0].network.state_dict().items())
    alone = shutil.copyfile(source / "generator.safetensors", tmp_path / "alone.safetensors")
    with refuses("alone.safetensors"):
        new_state(make("distill-critic", teacher=str(alone)), few)


def test_a_student_comes_to_resemble_its_teacher(source):
    state = new_state(make("distill-0", source, lr_g=1e-2, pixel="mse"), None)
    losses = [training.train_step(state)["imitation"].item() for _ in range(60)]
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


@pytest.mark.parametrize(
    ("case", "channels_last"),
    [("wgan-gp", True), ("r1", False), ("r3", True), ("distill-feature", True), ("transfer", False)],
)
def test_other_arithmetic_runs_and_keeps_weights_in_float32(case, channels_last, few, source, tmp_path):
    settings = {"precision": "bfloat16", "channels_last": channels_last}
    consume(loop.train(make(case, source, **settings, steps=2), tmp_path, few), 1)
    last = consume(loop.resume(tmp_path, few))[-1]
    assert last.step == 2 and all(math.isfinite(value) for value in last.losses.values())
    tensors = [value for value in load_file(tmp_path / "state.safetensors").values() if value.is_floating_point()]
    assert tensors and all(value.dtype == torch.float32 and value.isfinite().all() for value in tensors)


def test_bfloat16_is_another_arithmetic(few, straight, tmp_path):
    consume(loop.train(make("r1", precision="bfloat16", steps=6), tmp_path, few))
    losses = [line["critic"] for line in metrics(straight("r1"))]
    assert [line["critic"] for line in metrics(tmp_path)] != losses[:6]


KILLED_RUN = """
import json, sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from ganopt.training import loop
from ganopt.training.recipe_text import parse

torch.set_num_threads(1)
folder, pictures = Path(sys.argv[1]), load_file(sys.argv[2])["pictures"]
if (folder / "config.json").exists():
    run = loop.resume(folder, pictures)
else:
    run = loop.train(parse(json.loads(sys.argv[3])), folder, pictures)
for step in run:
    print(step.step, flush=True)
"""


def kill_run(command: list[str], moment: Callable[[], bool]) -> int:
    """Start a run, kill it as soon as it trains and the moment has come; return its exit status."""
    environment = os.environ | {"PYTHONPATH": str(Path(loop.__file__).parents[2])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline()
        while process.poll() is None and not moment():
            pass
        process.kill()
    return process.returncode


def after_looks(count: int) -> Callable[[], bool]:
    """True from the `count`-th time that it is asked: a moment that has nothing to do with what the run is at."""
    looks = iter(range(count))
    return lambda: next(looks, None) is None


def while_writing(folder: Path, name: str) -> Callable[[], bool]:
    """True while a file of the run is being written."""
    left_over = set(os.listdir(folder)) if folder.exists() else set()
    return lambda: any(entry.startswith(f".{name}.") and entry not in left_over for entry in os.listdir(folder))


def assert_undamaged(folder: Path) -> None:
    """Every file of a run that has been killed can be read."""
    for path in folder.rglob("*"):
        if path.name[0] == ".":
            continue
        if path.suffix == ".safetensors":
            assert load_file(path)
        elif path.suffix == ".png":
            Image.open(path).load()
        elif path.suffix == ".json":
            json.loads(path.read_text())


def test_a_run_killed_three_times_ends_as_the_straight_one(pictures, tmp_path):
    recipe = make("dcgan", steps=30, save_every=1, preview_every=2)
    consume(loop.train(recipe, tmp_path / "straight", pictures))
    folder, script, file = tmp_path / "killed", tmp_path / "run.py", tmp_path / "pictures.safetensors"
    script.write_text(KILLED_RUN)
    save_file({"pictures": pictures}, file)
    command = [sys.executable, str(script), str(folder), str(file), json.dumps(describe(recipe))]
    for aim in (None, "state.safetensors", "generator.safetensors"):
        moment = while_writing(folder, aim) if aim else after_looks(random.randrange(3000))
        assert kill_run(command, moment) == -signal.SIGKILL
        assert_undamaged(folder)
    reached = counters(folder)["step"]
    steps = consume(loop.resume(folder, pictures))
    assert 0 < reached < 30 and [step.step for step in steps] == list(range(reached + 1, 31))
    assert_same_run(folder, tmp_path / "straight")


def test_a_second_run_in_a_folder_is_refused(few, straight, refuses):
    before = (straight("dcgan") / "state.safetensors").read_bytes()
    with refuses("already contains a run", "resume it"):
        loop.train(make("dcgan"), straight("dcgan"), few)
    assert (straight("dcgan") / "state.safetensors").read_bytes() == before


def test_changed_pictures_are_refused(few, pictures, tmp_path, refuses):
    consume(loop.train(make("dcgan"), tmp_path, few), 2)
    changed = few.clone()
    changed[3, 0, 0, 0] ^= 1
    for other in (changed, few.flip(0), pictures[:24]):
        with refuses("pictures have changed"):
            loop.resume(tmp_path, other)
    assert counters(tmp_path)["step"] == 2


@pytest.mark.parametrize(
    "config",
    [None, "", "no json", "[]", "5", "{}", '{"recipe": "stylegan"}', '{"recipe": "r1", "steps": 5, "generator": 5}'],
)
def test_a_folder_without_a_readable_run_is_one_sentence(config, few, tmp_path, refuses):
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with refuses():
        loop.resume(tmp_path, few)


@pytest.mark.parametrize("length", [0, 100, 5000, -1])
def test_a_damaged_state_is_one_sentence(length, few, tmp_path, refuses):
    consume(loop.train(make("dcgan"), tmp_path, few), 1)
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:length])
    with refuses(str(tmp_path)):
        loop.resume(tmp_path, few)


@pytest.mark.parametrize("name", ["generator.safetensors", "foreign.safetensors"])
def test_a_state_that_is_none_is_one_sentence(name, few, tmp_path, refuses):
    consume(loop.train(make("dcgan"), tmp_path, few), 1)
    save_file({"x": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    (tmp_path / name).rename(tmp_path / "state.safetensors")
    with refuses(str(tmp_path)):
        loop.resume(tmp_path, few)


def test_a_state_of_other_networks_is_one_sentence(few, tmp_path, refuses):
    consume(loop.train(make("dcgan"), tmp_path, few), 1)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"generator": "big/32@32"}))
    with refuses():
        loop.resume(tmp_path, few)


@pytest.mark.parametrize("case", ["dcgan", "wgan-gp", "r1", "r3"])
def test_a_run_that_diverges_is_one_sentence(case, few, tmp_path, refuses):
    run = loop.train(make(case, lr_d=1e30, lr_g=1e30), tmp_path, few)
    with refuses("The run diverged", "lower the learning rates"):
        consume(run)
    assert all(math.isfinite(line["generator"]) for line in metrics(tmp_path))


def test_a_poisoned_source_is_one_sentence(few, source, tmp_path, refuses):
    for name in ("generator", "critic"):
        tensors, metadata = weights.read(source / f"{name}.safetensors")
        tensors["layers.3.0.bias"].fill_(math.nan)
        save_file(tensors, tmp_path / f"{name}.safetensors", metadata)
    with refuses("has weights that are NaN or infinite"):
        loop.train(make("transfer", tmp_path), None, few)


@pytest.mark.parametrize("folder", ["/dev/null/x", "/dev/null/x/y", "/dev/null"])
def test_a_folder_that_cannot_be_written_is_one_sentence(folder, few, refuses):
    with refuses("/dev/null", "cannot be written"):
        loop.train(make("dcgan"), Path(folder), few)


def test_a_log_that_cannot_be_written_is_one_sentence(few, tmp_path, refuses):
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    with refuses("disk is full", "metrics.jsonl"):
        consume(loop.train(make("dcgan"), tmp_path, few))


def test_a_full_disk_is_one_sentence_and_spoils_nothing(small_disk, few, straight, refuses):
    disk = small_disk("1m")
    folder, filler = disk / "run", disk / "filler"
    consume(loop.train(make("dcgan"), folder, few), SAVE_EVERY)
    status = os.statvfs(disk)
    filler.write_bytes(bytes((status.f_bavail - 4) * status.f_frsize))
    with refuses("disk is full", "safetensors"):
        consume(loop.resume(folder, few))
    assert_undamaged(folder)
    assert counters(folder)["step"] == SAVE_EVERY
    assert not list(folder.rglob(".*"))
    filler.unlink()
    consume(loop.resume(folder, few))
    assert_same_run(folder, straight("dcgan"))


def test_a_run_without_pictures_is_one_sentence(tmp_path, refuses):
    with refuses("needs pictures", "--data"):
        loop.train(make("dcgan"))
    with refuses("There is no folder"):
        loop.train(make("dcgan", data=str(tmp_path / "nowhere")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_reads_its_folder_and_tells_strangers_only_the_name_of_it(draw_faces, tmp_path, refuses):
    faces, folder = tmp_path / "home" / "faces", tmp_path / "run"
    paths = draw_faces(faces / "cat", 16) + draw_faces(faces / "dog", 3)
    consume(loop.train(make("dcgan", data=str(faces), classes="cat"), folder))
    stored = run_folder.read_recipe(folder)
    assert (
        new_state(stored, torch.from_numpy(image_folder.load(faces, 32).pictures[:16])).data_hash
        == counters(folder)["data"]
    )
    for name in ("generator", "critic"):
        recipe = json.loads(weights.read(folder / f"{name}.safetensors")[1]["recipe"])
        assert recipe["data"] == "faces" and recipe["classes"] == "cat" and str(tmp_path) not in json.dumps(recipe)
    assert consume(loop.resume(folder)) == []
    paths[0].write_bytes(paths[1].read_bytes())
    with refuses("pictures have changed"):
        loop.resume(folder)


def test_pictures_that_do_not_fit_are_one_sentence(few, refuses):
    with refuses("23 pictures are too few for batches of 24"):
        loop.train(make("dcgan", batch=24), None, few)
    with refuses("use ones of 64 pixels"):
        loop.train(make("dcgan", generator="big/64@64"), None, few)


@pytest.mark.parametrize(
    ("case", "settings", "fragments"),
    [
        ("transfer", {"freeze_g": 4}, ["big/32@32 has 4 layers"]),
        ("transfer", {"widen": 3}, ["big/32@32 cannot be widened 3 times"]),
        ("transfer", {"grow": True, "widen": 3}, ["big/32@32 cannot be widened 3 times"]),
        ("transfer", {"freeze_d": 4}, ["critic/16@32 has 4 layers"]),
        ("transfer", {"source": "/nowhere/at/all"}, ["/nowhere/at/all"]),
        ("distill-0.05", {"generator": "kd/16@64"}, ["teacher draws 32 pixels", "student 64"]),
        ("distill-0.05", {"teacher": "/nowhere/at/all"}, ["/nowhere/at/all"]),
        ("distill-feature", {"generator": "kd/16@32"}, ["kd/16@32", "big/32@32"]),
        ("dcgan", {"device": "abacus"}, ["The device 'abacus' is not available here"]),
        ("dcgan", {"device": "meta"}, ["The device 'meta' is not available here"]),
        ("dcgan", {"device": "hpu"}, ["The device 'hpu' is not available here"]),
    ],
)
def test_what_does_not_fit_together_is_refused_before_the_first_step(
    case, settings, fragments, few, source, tmp_path, refuses
):
    with refuses(*fragments):
        loop.train(make(case, source, **settings), tmp_path / "run", few)
    assert not (tmp_path / "run").exists()


def test_any_uint8_pictures_will_do(few):
    across = few.transpose(2, 3)
    assert not across.is_contiguous()
    assert len(consume(loop.train(make("dcgan", steps=1), None, across))) == 1


@pytest.mark.parametrize(("label", "flip", "mirrored"), [("7", None, False), ("cat", None, True), ("7", True, True)])
def test_letters_and_digits_are_mirrored_only_if_asked_for(label, flip, mirrored, draw_faces, tmp_path):
    draw_faces(tmp_path / "set" / label, 16, (32, 32))
    recipe = methods.recipe(
        "r1", data=str(tmp_path / "set"), generator="big/64@32", critic="plain-critic/64", flip=flip, steps=1
    )
    consume(loop.train(recipe, tmp_path / "run"))
    assert run_folder.read_recipe(tmp_path / "run").flip == mirrored


def test_nothing_is_built_or_saved_of_a_critic_that_alpha_0_does_not_use(few, source, tmp_path):
    recipe = make("distill-0", source, inherit_critic=True, critic="critic")  # a large one, had it been built
    assert new_state(recipe, None).critics == []
    consume(loop.train(recipe, tmp_path))
    assert not any(name.startswith(("critic", "optimiser_d")) for name in load_file(tmp_path / "state.safetensors"))


def test_learning_rates_fall_to_zero_in_the_last_share_of_the_budget(few):
    state = new_state(make("dcgan", lr_g=0.1, lr_d=0.2, lr_decay=0.5), few)
    rates = []
    for progress in (0.0, 0.5, 0.75, 1.0):
        state.decay_rates(progress)
        rates.append((state.optimiser.param_groups[0]["lr"], state.critics[0].optimiser.param_groups[0]["lr"]))
    expected = [(0.1, 0.2), (0.1, 0.2), (0.05, 0.1), (0.0, 0.0)]  # half-way down a cosine is half
    assert all(pair == pytest.approx(each) for pair, each in zip(rates, expected, strict=True))


def test_a_resumed_run_goes_on_with_its_falling_rates(few, tmp_path):
    recipe = make("dcgan", lr_decay=1.0, steps=6)
    consume(loop.train(recipe, tmp_path / "whole", few))
    consume(loop.train(recipe, tmp_path / "parts", few), 3)
    consume(loop.resume(tmp_path / "parts", few))
    whole, parts = (weights.read(tmp_path / name / "generator.safetensors")[0] for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)

"""What the critics say at each preview: their own scores, and the training stays the same to the last bit."""

import pytest
import torch
from safetensors.torch import load_file

from ganopt.models import weights
from ganopt.models.latents import FIXED_SEEDS, latents
from ganopt.models.sampling import draw, from_bytes
from ganopt.runs import timelapse
from ganopt.training import loop, methods
from ganopt.training.methods import new_state
from ganopt.training.run_folder import read_counters
from ganopt.training.step import judge, last_pictures, train_step

TINY = {"generator": "big/64@32", "batch": 5, "steps": 4, "save_every": 4, "device": "cpu"}


def trained(recipe, folder, pictures):
    for _ in loop.train(recipe, folder, pictures):
        pass
    return folder


def whole_state(folder) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in load_file(folder / "state.safetensors").items()}


CASES = {
    "a loss on logits": ("r1", {"critic": "plain-critic/16", "flip": True}),
    "BatchNorm and a frozen network in a critic": ("r1", {"critic": "plain-critic/16,projected", "steps": 2}),
    "augmented": ("wgan-gp", {"critic": "critic/16", "augment": ("color", "translation"), "n_critic": 2}),
    "compared with real pictures": ("r3", {"critic": "plain-critic/16"}),
}


@pytest.mark.parametrize("case", CASES)
def test_training_is_the_same_whether_critics_are_asked_at_each_step_or_never(case, pictures, tmp_path):
    method, own = CASES[case]
    often, never = (
        trained(methods.recipe(method, **TINY | own, preview_every=every), tmp_path / str(every), pictures[:23])
        for every in (1, 100)
    )
    steps = own.get("steps", TINY["steps"])
    assert len(list((often / "verdicts").iterdir())) == steps + 1 and len(list((never / "verdicts").iterdir())) == 1
    assert whole_state(often) == whole_state(never)


@pytest.mark.parametrize(
    ("loss", "are_probabilities"), [("r1", True), ("dcgan", True), ("wgan-gp", False), ("hinge", False), ("r3", False)]
)
def test_verdicts_are_those_of_the_saved_critic_on_the_faces_and_the_last_batch(
    loss, are_probabilities, pictures, tmp_path
):
    recipe = methods.recipe("r1", **TINY, critic=f"plain-critic/16:loss={loss}", preview_every=4)
    folder = trained(recipe, tmp_path / "run", pictures[:23])
    real, (verdicts,) = timelapse.read_verdicts(folder / "previews" / "0000004.png")
    critic = weights.load(folder / "critic.safetensors").eval()
    faces = draw(weights.load(folder / "generator.safetensors"), latents(FIXED_SEEDS))
    for shown, said in ((faces, verdicts.generated), (real, verdicts.real)):
        with torch.no_grad():
            scores = critic.scores(from_bytes(shown)).mean(1)
        expected = scores.sigmoid() if are_probabilities else scores
        assert said == pytest.approx(expected.tolist(), abs=1e-5)
    assert (verdicts.critic, verdicts.are_probabilities) == ("plain-critic/16@32", are_probabilities)
    counters, order = read_counters(folder), load_file(folder / "state.safetensors")["order"]
    batch = order[counters["cursor"] - 5 : counters["cursor"]]
    assert torch.equal(real, pictures[:23][batch])


def test_a_critic_with_frozen_layers_is_as_before_after_it_was_asked(pictures, source):
    recipe = methods.recipe("transfer", source=str(source), freeze_g=1, freeze_d=1, batch=5, steps=1, device="cpu")
    state = new_state(recipe, pictures)
    assert torch.equal(last_pictures(state, 6), pictures[:6])  # no batch was drawn yet
    train_step(state)
    network = state.critics[0].network
    before = [module.training for module in network.modules()]
    values = {name: value.clone() for name, value in state.tensors().items()}
    judge(state, pictures[:6], pictures[:6])
    assert [module.training for module in network.modules()] == before and False in before and True in before
    assert all(torch.equal(value, state.tensors()[name]) for name, value in values.items())


def test_a_run_of_an_earlier_version_or_a_damaged_file_has_no_verdicts(pictures, tmp_path):
    folder = trained(methods.recipe("r1", **TINY, critic="plain-critic/16"), tmp_path / "run", pictures[:23])
    (file,) = (folder / "verdicts").iterdir()
    preview = folder / "previews" / file.name
    assert timelapse.read_verdicts(preview)
    for content in (b"<script>", file.read_bytes()[:200], preview.read_bytes()):
        file.write_bytes(content)
        assert timelapse.read_verdicts(preview) is None
    file.unlink()
    assert timelapse.read_verdicts(preview) is None

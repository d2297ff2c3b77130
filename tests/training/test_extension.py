"""What is registered from outside of the package: networks, a loss and a method train, draw and are measured.

A tab stands on the page.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import pytest
import torch
from torch import Tensor, nn

from ganopt import draw, latents, load, recipe, resume, train
from ganopt.cli.parser import main
from ganopt.metrics.evaluation import Plan, evaluate
from ganopt.models import weights
from ganopt.models.networks import KINDS, Critic, Generator, register
from ganopt.models.sampling import inference_copy
from ganopt.training import methods
from ganopt.training.losses import LOSSES, AdversarialLoss, squared_gradient_norm
from ganopt.training.methods import METHODS, Method
from ganopt.training.recipes import Recipe, setting
from ganopt.training.recipes.critics import OWN_DEFAULTS
from ganopt.training.step import adversarial_loss
from ganopt.ui import TABS, build_app, requests
from ganopt.ui.api import add_endpoint


class ToyGenerator(Generator):
    """A linear layer, and a residual whose norm comes behind its activation: nothing that can be folded."""

    def __init__(self, side: int):
        super().__init__()
        self.side = side
        self.coarse = nn.Sequential(nn.Flatten(), nn.Linear(100, 48), nn.Unflatten(1, (3, 4, 4)))
        self.fine = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(3))

    @property
    def stages(self) -> nn.Sequential:
        return nn.Sequential(self.coarse, self.fine)

    def forward(self, z: Tensor) -> Tensor:
        x = nn.functional.interpolate(self.coarse(z), size=self.side)  # (N, 3, 4, 4) -> (N, 3, side, side)
        return torch.tanh(x + self.fine(x))


class ToyCritic(Critic):
    """Three scores a picture."""

    def __init__(self, side: int):
        super().__init__()
        self.body = nn.Sequential(nn.AvgPool2d(8), nn.Flatten())
        self.head = nn.Linear(3 * (side // 8) ** 2, 3)

    def features(self, x: Tensor) -> Tensor:
        return self.body(x)

    def scores(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


@dataclass(frozen=True, kw_only=True)
class Calm(Recipe):
    """An adversarial loss, and a wish for pale pictures."""

    calm: float = setting(0.1, "weight of the wish for pale pictures", low=0)


def _generator_loss(state, z: Tensor, fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    wish = fake.square().mean()
    return adversarial_loss(state, fake) + state.recipe.calm * wish, {"wish": wish}


def _build_toys(address, tab: gr.Tab, device: torch.device, scratch) -> None:
    """A tab with a heading and an endpoint."""
    gr.Markdown("Toys are drawn here.")

    def toy(count: int = 1) -> str:
        """Draw some toys."""
        return f"{count} toys on {device}"

    add_endpoint("toy", toy, "draw")


@pytest.fixture(autouse=True)
def toys() -> Iterator[None]:
    """All of them registered, for one test."""
    registries: list[tuple[dict, dict]] = [
        (registry, dict(registry)) for registry in (KINDS, LOSSES, METHODS, OWN_DEFAULTS, TABS)
    ]
    register("toy", "generator", sides=(32,))(lambda architecture: ToyGenerator(architecture.side))
    register("toy-critic", "critic", sides=(32,))(lambda architecture: ToyCritic(architecture.side))
    OWN_DEFAULTS["toy-critic"] = {"lr": 3e-4}
    LOSSES["margin"] = AdversarialLoss(
        critic=lambda real, fake: (1 - real).relu().mean() + (1 + fake).relu().mean(),
        generator=lambda real, fake: -fake.mean(),
    )
    methods.register(
        Method(
            name="calm",
            title="From scratch, calmly",
            recipe=Calm,
            defaults={"critic": "toy-critic", "loss": "margin", "lr_g": 5e-4},
            generator_loss=_generator_loss,
            labels={"calm": "Calmness"},
        )
    )
    TABS["Toys"] = _build_toys
    yield
    for registry, before in registries:
        registry.clear()
        registry.update(before)


def calm(folder: Path, **settings) -> Calm:
    return recipe(
        "calm",
        **{"data": str(folder), "generator": "toy@32", "calm": 0.2}
        | {"batch": 4, "steps": 6, "save_every": 3, "preview_every": 3, "device": "cpu"}
        | settings,
    )


def test_they_stand_on_the_command_line(capsys, draw_faces, tmp_path, monkeypatch):
    with pytest.raises(SystemExit):
        main(["train", "--recipe", "calm", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "--calm CALM weight of the wish for pale pictures (default: 0.1)" in printed and "margin" in printed
    critics = "plain-critic/64,toy-critic:0.5"
    argv = ["train", "--recipe", "calm", "--calm", "0.3", "--generator", "toy@32", "--critic", critics, "--steps", "2"]
    draw_faces(tmp_path / "faces", 20, (32, 32))
    argv += ["--data", str(tmp_path / "faces"), "--device", "cpu"]
    main([*argv, "--dry-run"])
    values = json.loads(capsys.readouterr().out)
    assert (values["method"], values["calm"]) == ("calm", 0.3)
    assert [(each["architecture"], each["loss"], each["lr"]) for each in values["critics"]] == [
        ("plain-critic/64@32", "margin", 2e-4),
        ("toy-critic@32", "margin", 3e-4),
    ]
    monkeypatch.setenv("GANOPT_RUNS", str(tmp_path / "runs"))
    main(argv)
    lines = [json.loads(line) for line in (tmp_path / "runs" / "calm-1" / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 2 and {"wish", "critic", "critic_toy-critic"} <= lines[-1].keys()


def test_they_stand_on_the_page(draw_faces, tmp_path, three_models, monkeypatch):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(three_models))
    draw_faces(tmp_path / "faces", 20, (32, 32))
    values = [component["props"] for component in build_app("cpu").get_config_file()["components"]]
    choices = {each["label"]: each["choices"] for each in values if each.get("choices") and each.get("label")}
    assert ("From scratch, calmly", "calm") in map(tuple, choices["Method"])
    assert ("toy-critic", "toy-critic") in map(tuple, choices["Second critic"])
    assert "Calmness" in [each.get("label") for each in values]
    settings = {"calm": 0.3, "second_critic": "toy-critic"}
    request = requests.from_api("calm", 1, str(tmp_path / "faces"), "", "toy", 32, settings)
    made = requests.make_recipe(request, public=False)
    assert isinstance(made, Calm) and made.calm == 0.3
    assert [(each.kind, each.weight) for each in made.critics] == [("toy-critic", 1.0), ("toy-critic", 0.5)]


def test_a_tab_stands_on_the_page_with_its_endpoint(tmp_path, three_models, monkeypatch):
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(three_models))
    page = build_app("cpu")
    components = [component["props"] for component in page.get_config_file()["components"]]
    assert [each["label"] for each in components if each.get("id") == "toys"] == ["Toys"]
    assert "Toys are drawn here." in [each.get("value") for each in components]
    assert "Draw some toys." in page.get_api_info()["named_endpoints"]["/toy"]["description"]
    assert page.fns[next(key for key, fn in page.fns.items() if fn.api_name == "toy")].fn(3) == "3 toys on cpu"


def test_they_train_and_are_resumed_to_the_bit(draw_faces, tmp_path):
    draw_faces(tmp_path / "faces", 20, (32, 32))
    steps = list(train(calm(tmp_path / "faces"), tmp_path / "straight"))
    assert {"critic", "real", "fake", "wish", "generator"} <= steps[-1].losses.keys() and steps[-1].preview is not None
    list(train(calm(tmp_path / "faces", steps=3), tmp_path / "resumed"))
    assert [step.step for step in resume(tmp_path / "resumed", budget={"steps": 6})] == [4, 5, 6]
    straight, resumed = (weights.load(tmp_path / name / "generator.safetensors") for name in ("straight", "resumed"))
    for one, other in zip(straight.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_they_draw_and_are_measured(draw_faces, tmp_path, extractor):
    draw_faces(tmp_path / "faces", 60, (32, 32))
    list(train(calm(tmp_path / "faces"), tmp_path / "run"))
    generator = load(tmp_path / "run")
    faces = draw(generator, latents(range(3)))
    assert faces.shape == (3, 3, 32, 32)
    assert torch.equal(draw(inference_copy(generator, torch.device("cpu")), latents(range(3))), faces)
    plan = Plan(models=(str(tmp_path / "run"),), reference=tmp_path / "faces", count=50, repeats=1)
    scores = [update.score for update in evaluate(plan, extractor) if update.score]
    assert scores[-1].fid > 0


def test_a_penalty_of_three_scores_is_that_of_their_mean():
    critic, pictures = ToyCritic(32), torch.randn(2, 3, 32, 32)
    (slope,) = torch.autograd.grad(critic.scores(x := pictures.clone().requires_grad_()).mean(dim=1).sum(), x)
    assert torch.allclose(squared_gradient_norm(critic, pictures), slope.square().sum(dim=(1, 2, 3)))


def test_a_critic_without_stages_cannot_be_frozen(draw_faces, tmp_path, refuses):
    draw_faces(tmp_path / "faces", 20, (32, 32))
    list(train(calm(tmp_path / "faces", steps=1), tmp_path / "run"))
    with refuses("toy-critic@32 has 0 layers", "--freeze-d 0"):
        train(
            methods.recipe(
                "transfer", source=str(tmp_path / "run"), data=str(tmp_path / "faces"), freeze_g=1, freeze_d=1, steps=1
            )
        )


def test_what_is_registered_twice_is_refused():
    with pytest.raises(ValueError, match="taken"):
        register("big", "generator")
    with pytest.raises(ValueError, match="already"):
        methods.register(METHODS["r1"])

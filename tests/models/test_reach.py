"""What is said of a face that was found, beside seeds and held-out photographs."""

import dataclasses

import pytest
import torch

from ganopt.models import zoo
from ganopt.models.latents import latents, reach
from ganopt.models.latents.inversion import SEEDS, Search
from ganopt.models.sampling import draw, inference_copy


def search(distance: float) -> Search:
    z, seeds = torch.zeros(100, 1, 1), torch.linspace(0.5, 0.7, len(SEEDS))
    return Search(z, torch.zeros(3, 32, 32, dtype=torch.uint8), distance, 1.0, 3, seeds)


@pytest.fixture
def record(tmp_path, monkeypatch):
    reach.write(tmp_path / reach.FILE, "dogs", {"distances": [0.1], "seeds": 0.6})
    reach.write(tmp_path / reach.FILE, "cats", {"distances": [0.2, 0.3, 0.4, 0.5], "seeds": 0.6})
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path))


def test_a_distance_is_compared_with_seeds_and_held_out_photographs(record):
    seeds, photographs = reach.say(search(0.25), "cats")
    assert seeds == "Distance 0.25. The nearest of the seeds 0-63, 3, is at 0.50, an average one at 0.60."
    assert photographs.endswith("end at 0.35 on average; 3 of 4 are farther than this one.")
    assert "farther than all 4: the model cannot draw it" in reach.say(search(0.6), "cats")[1]
    assert len(reach.say(search(0.25), "run:mine")) == 1
    _, cut_off = reach.say(dataclasses.replace(search(0.25), is_cut_off=True), "cats")
    assert cut_off.startswith("The time was up before the search had ended")


def test_photographs_are_measured_one_after_the_other(source, pictures):
    generator = inference_copy(zoo.load(source), torch.device("cpu"))
    first, second = reach.measure(generator, torch.stack([pictures[0], draw(generator, latents([0]))[0]]))
    assert [len(each["distances"]) for each in (first, second)] == [1, 2]
    assert second["distances"][0] < 0.1 < second["distances"][1] == first["distances"][0]
    assert second["seeds"] > 0

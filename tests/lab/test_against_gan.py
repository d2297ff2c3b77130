"""Autoencoder, variational autoencoder and GAN in one table, and the record that the page shows."""

import json

import pytest
import torch

from ganopt.lab.encoders import against_gan
from ganopt.lab.experiments.autoencoder import EXPERIMENT
from ganopt.lab.release import FINISHED, table
from ganopt.models.networks import build_generator, count_parameters
from ganopt.ui import lab_view


@pytest.fixture(scope="module")
def alike() -> torch.Tensor:
    """Squares of two sizes on grey, uint8 (160, 3, 32, 32)."""
    chance = torch.Generator().manual_seed(0)
    faces = torch.full((160, 3, 32, 32), 128, dtype=torch.uint8)
    for face in faces:
        side = 10 + 8 * int(torch.randint(2, (1,), generator=chance))
        face[:, 16 - side // 2 : 16 + side // 2, 16 - side // 2 : 16 + side // 2] = 230
    return faces


@pytest.mark.parametrize("is_variational", [False, True])
def test_an_autoencoder_s_decoder_draws_what_it_was_shown(alike, is_variational, monkeypatch):
    monkeypatch.setattr(against_gan, "_shares", lambda steps: (step / steps for step in range(int(steps))))
    decoder, codes, steps = against_gan.train_autoencoder(alike, 40, is_variational)
    assert codes.shape == (160, 100) and steps == 40 and not decoder.training
    drawn = against_gan.draw(decoder, codes[:, :, None, None]).float()
    assert (drawn - alike.float()).abs().mean() < (alike.float().mean(0) - alike.float()).abs().mean()


def test_the_table_has_a_row_for_each_and_the_same_generator(alike, extractor):
    rows = against_gan.compare(alike, 40, 0.3, extractor)
    assert [row[0] for row in rows][1:] == ["autoencoder", "variational autoencoder", "GAN"]
    assert all(len(row) == len(against_gan.HEADS) for row in rows) and rows[0][4] == "" and int(rows[3][4]) > 0
    assert float(rows[0][1].split()[0]) < min(float(row[1].split()[0]) for row in rows[1:])  # the same squares are near


def test_the_card_shows_the_record():
    found = json.loads((FINISHED / "autoencoder.table.json").read_text())
    size = count_parameters(build_generator(against_gan.GENERATOR))
    assert f"{size:,} values" in found["title"] and tuple(found["heads"]) == against_gan.HEADS
    shown = lab_view.words(EXPERIMENT)
    assert table("autoencoder") in shown and all(f"| {' | '.join(row)} |" in shown for row in found["rows"])
    assert table("gan-1d") == ""

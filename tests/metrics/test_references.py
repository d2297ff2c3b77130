"""The references that come with the project."""

import pytest
import torch
from safetensors.torch import save_file

from ganopt.metrics import references
from ganopt.metrics.features import finish, of_folder
from ganopt.metrics.fid import frechet_distance
from ganopt.metrics.sliced_wasserstein import sliced_wasserstein
from ganopt.thesis import release


class TestReferences:
    def test_those_that_come_with_the_project(self):
        assert references.names() == ["cats", "dogs"]
        samples, others = zip(*map(references.load, references.names()), strict=True)
        for sample, other in zip(samples, others, strict=True):
            assert sample.count == len(sample.rows) == 500 and sample.rows.shape == other.rows.shape == (500, 2048)
            assert sample.rows.dtype == torch.float32
        cats, dogs = samples
        assert 10 < frechet_distance(cats.gaussian, others[0].gaussian) < 40
        assert frechet_distance(cats.gaussian, dogs.gaussian) > 40
        swd = [sum(sliced_wasserstein(cats.patches, other.patches)) / 4 for other in (others[0], dogs)]
        assert 5 < swd[0] < 20 < swd[1]

    def test_one_is_shipped_and_found(self, tmp_path, faces, draw_faces, thin_inception, extractor, monkeypatch):
        monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path / "checkpoints"))
        assert references.names() == []
        draw_faces(tmp_path / "training", 40)
        release.ship_reference("drawings", faces, tmp_path / "training", str(thin_inception))
        assert references.names() == ["drawings"]
        sample, others = references.load("drawings")
        expected = finish(of_folder(faces, extractor))
        assert (sample.name, sample.count, others.count) == ("drawings", 12, 12)
        assert torch.equal(sample.rows, expected.rows.half().float())
        assert abs(frechet_distance(sample.gaussian, others.gaussian)) > 1e-3
        assert torch.allclose(sample.patches, expected.patches, rtol=1e-3, atol=1e-3)

    @pytest.mark.parametrize("name", ["cat", "", "../cats", "*", "cats.safetensors"])
    def test_other_names_are_refused_with_those_there_are(self, refuses, name):
        with refuses(f"Unknown reference '{name}'", "cats, dogs"):
            references.load(name)

    @pytest.mark.parametrize("content", [b"", b"version https://git-lfs", None])
    def test_a_damaged_one_is_refused(self, tmp_path, monkeypatch, refuses, content):
        monkeypatch.setenv("GANOPT_CHECKPOINTS", str(tmp_path))
        path = tmp_path / "reference-cats.safetensors"
        save_file({"reference": torch.zeros(2, 2)}, path)
        if content is not None:
            path.write_bytes(content)
        with refuses("reference-cats.safetensors", "restore it"):
            references.load("cats")

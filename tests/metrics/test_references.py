"""The references that come with the project."""

import pytest
import torch
from safetensors.torch import save_file

from ganopt.metrics import references
from ganopt.metrics.features import finish, load_extractor, of_folder
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
            rounded, other_rounded = references.load(sample.name, "bfloat16")
            assert rounded.hash != sample.hash and rounded.count == other_rounded.count == 500
            assert 0 < (rounded.rows - sample.rows).norm() < 0.05 * sample.rows.norm()
            expected = frechet_distance(sample.gaussian, other.gaussian)
            assert frechet_distance(rounded.gaussian, other_rounded.gaussian) == pytest.approx(expected, rel=0.005)
        cats, dogs = samples
        assert 10 < frechet_distance(cats.gaussian, others[0].gaussian) < 40
        assert frechet_distance(cats.gaussian, dogs.gaussian) > 40
        floors = [sum(references.swd_floor("cats", count)) / 4 for count in (50, 100, 500, 2000)]
        assert 25 < floors[0] < 45 and floors[0] > floors[1] > floors[2] == floors[3] and 8 < floors[2] < 20
        assert sum(sliced_wasserstein(cats.patches, dogs.patches)) / 4 > 1.5 * floors[2]

    def test_one_is_shipped_and_found(
        self, tmp_path, faces, draw_faces, thin_inception, extractor, monkeypatch, refuses
    ):
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
        assert sliced_wasserstein(sample.patches, expected.patches) == [0, 0, 0, 0]
        first = finish(of_folder(tmp_path / "training", extractor))
        assert sum(references.swd_floor("drawings", 12)) > 0 and references.swd_floor("drawings", 11) is None
        assert first.count == 40
        rounded = references.load("drawings", "bfloat16")[0]
        seen = finish(of_folder(faces, load_extractor(torch.device("cpu"), "bfloat16", str(thin_inception))))
        assert torch.equal(rounded.rows, seen.rows.half().float()) and not torch.equal(rounded.rows, sample.rows)
        assert rounded.hash != sample.hash and torch.equal(rounded.patches, sample.patches)
        (tmp_path / "checkpoints/bfloat16-reference-drawings.safetensors").unlink()
        with refuses("drawings was not measured in bfloat16", "--precision float32"):
            references.load("drawings", "bfloat16")

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

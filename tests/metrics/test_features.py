"""Samples of features: of models, folders and zip files, and their cache."""

import os
import tempfile
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ganopt.data import image_folder
from ganopt.data.decode import decode_whole
from ganopt.metrics import features
from ganopt.metrics.features import Extractor, finish, of_folder, of_model, of_path
from ganopt.metrics.fid import fit, frechet_distance
from ganopt.metrics.sliced_wasserstein import content_keys, resized
from ganopt.models import weights, zoo
from ganopt.models.latents import latents
from ganopt.models.networks import Generator, build_generator
from ganopt.models.sampling import draw, inference_copy, save_png, to_image

CPU = torch.device("cpu")
MODULES = ("inception", "inception_weights", "extraction", "features", "fid", "sliced_wasserstein")
SEEING = [f"metrics/{name}.py" for name in MODULES]


class Counting(nn.Module):
    """The network, which counts the pictures that it sees."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network, self.digest, self.seen = network, network.digest, 0

    def forward(self, pictures: Tensor) -> Tensor:
        self.seen += len(pictures)
        return self.network(pictures)


@pytest.fixture
def counting(extractor) -> Extractor:
    return Extractor(Counting(extractor.network), CPU, "float32")


@pytest.fixture
def model(tmp_path) -> str:
    """A run folder with a generator of 32 pixels."""
    weights.save(random_generator(5), tmp_path / "run/generator.safetensors")
    return str(tmp_path / "run")


def random_generator(seed: int) -> Generator:
    """One whose pictures differ."""
    torch.manual_seed(seed)
    generator = build_generator("big/32@32")
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(10 if parameter.ndim > 1 else 1)
    return generator


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class TestModel:
    def test_its_faces_are_those_of_its_png_files(self, few, model, tmp_path, extractor):
        seeds = range(7, 27)
        for seed, picture in zip(
            seeds, draw(inference_copy(zoo.load(model), torch.device("cpu")), latents(seeds)), strict=True
        ):
            save_png(to_image(picture), tmp_path / f"png/{seed:04}.png")
        drawn, read = finish(of_model(model, seeds, extractor)), finish(of_folder(tmp_path / "png", extractor))
        assert torch.allclose(drawn.rows, read.rows, atol=1e-6) and drawn.rows.std(dim=0).norm() > 0.01
        assert abs(frechet_distance(drawn.gaussian, read.gaussian)) < 1e-6
        assert (drawn.name, drawn.count, drawn.seeds) == (model, 20, "7-26")
        assert (read.name, read.count, read.seeds) == ("png", 20, "")

    def test_other_seeds_or_other_weights_are_another_sample(self, model, counting):
        first = finish(of_model(model, range(10), counting))
        assert counting.network.seen == 10
        assert torch.equal(first.rows, finish(of_model(model, range(10), counting)).rows)
        assert counting.network.seen == 10
        other = finish(of_model(model, range(10, 20), counting))
        weights.save(random_generator(6), Path(model) / "generator.safetensors")
        third = finish(of_model(model, range(10), counting))
        assert counting.network.seen == 30
        assert len({first.hash, other.hash, third.hash}) == 3
        assert not torch.allclose(first.rows, other.rows) and not torch.allclose(first.rows, third.rows)

    def test_what_is_no_model_is_refused(self, extractor, refuses):
        with refuses("Unknown model 'nobody'"):
            finish(of_model("nobody", range(10), extractor))


class TestFolder:
    def test_pictures_of_any_size_keep_their_order(self, few, tmp_path, draw_face, extractor):
        sizes = [(48, 48), (48, 48), (64, 40), (48, 48), (33, 97), (64, 40), (64, 40)] * 2
        for index, size in enumerate(sizes):
            path = tmp_path / f"faces/{index % 3}/{index:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            draw_face(index, size).save(path)
        (tmp_path / "faces/0/00.png.cat").write_text("9 12 20 28 20 20 30 10 12 8 4 14 8 26 8 32 4 30 12")
        sample = finish(of_folder(tmp_path / "faces", extractor))
        alone = []
        for name in image_folder.find(tmp_path / "faces"):
            picture = torch.from_numpy(decode_whole(str(tmp_path / "faces" / name)))
            alone.append(extractor.network(picture[None]))
        assert torch.allclose(sample.rows, torch.cat(alone), atol=1e-5)
        assert sample.count == len(sizes)

    def test_large_pictures_are_seen_one_by_one(self, faces, counting, monkeypatch):
        whole = finish(of_folder(faces, counting))
        (faces / "face011.png").unlink()
        monkeypatch.setattr(features, "LARGEST_BATCH", 10_000)  # bytes: a face has 7,000
        assert list(of_folder(faces, counting)) == [1] * 11
        sample = finish(of_folder(faces, counting))
        assert torch.allclose(sample.rows, whole.rows[:11], atol=1e-5)

    def test_pictures_that_cannot_be_read_are_left_out(self, faces, extractor):
        alone = finish(of_folder(faces, extractor))
        content = (faces / "face000.png").read_bytes()
        (faces / "face0000.png").write_bytes(content[: len(content) // 2])
        (faces / "text.jpg").write_text("no picture")
        (faces / "gone.png").symlink_to(faces / "nowhere.png")
        for _ in range(2):  # the second from the cache
            sample = finish(of_folder(faces, extractor))
            assert sample.count == 12 and torch.allclose(sample.rows, alone.rows, atol=1e-5)
            assert sample.hash != alone.hash
            assert sample.drawn.startswith("3 cannot be read, the first because ") and alone.drawn == ""
        (faces / "text.jpg").unlink()
        (faces / "face0000.png").unlink()  # a link that leads nowhere has no content that changes the hash
        assert finish(of_folder(faces, extractor)).drawn.startswith("1 cannot be read")

    def test_too_few_are_refused(self, tmp_path, draw_faces, extractor, cache, refuses):
        folder = tmp_path / "cats"
        with refuses("no folder", "cats"):
            finish(of_folder(folder, extractor))
        draw_faces(folder, 49)
        with refuses("cats contains 49 pictures", "at least 50"):
            finish(of_folder(folder, extractor))
        (folder / "text.png").write_text("no picture")
        for _ in range(2):
            with refuses("Only 49 pictures in cats can be read", "at least 50"):
                finish(of_folder(folder, extractor))
        assert not files(cache)
        draw_faces(folder, 50)
        assert finish(of_folder(folder, extractor)).count == 50

    def test_none_that_can_be_read_are_refused(self, few, tmp_path, extractor, cache, refuses):
        for index in range(10):
            (tmp_path / f"{index}.png").write_text("no picture")
        with refuses("Only 0 pictures"):
            finish(of_folder(tmp_path, extractor))
        assert not files(cache)

    def test_some_can_be_drawn_with_a_seed(self, faces, extractor):
        whole, chosen = finish(of_folder(faces, extractor)), []
        for seed in (3, 4):
            part, numbers = finish(of_folder(faces, extractor, 10, seed)), image_folder.drawn(12, 10, seed)
            assert part.count == 10 and torch.allclose(part.rows, whole.rows[numbers], atol=1e-5)
            assert part.drawn == f"10 of 12 pictures, drawn with seed {seed}" and whole.drawn == ""
            chosen.append(numbers)
        assert chosen[0] != chosen[1]

    def test_the_folder_one_is_in_has_a_name(self, faces, extractor, monkeypatch):
        monkeypatch.chdir(faces)
        assert finish(of_folder(Path("."), extractor)).name == "faces"


class TestCache:
    def test_an_unchanged_folder_is_not_seen_again(self, faces, counting):
        steps, first = [], None
        extraction = of_folder(faces, counting)
        while first is None:
            try:
                steps.append(next(extraction))
            except StopIteration as end:
                first = end.value
        assert sum(steps) == counting.network.seen == 12 and len(steps) > 1
        extraction = of_folder(faces, counting)
        assert list(extraction) == [12]
        again = finish(of_folder(faces, counting))
        assert counting.network.seen == 12
        assert again.hash == first.hash and torch.equal(again.rows, first.rows)
        assert frechet_distance(again.gaussian, first.gaussian) == pytest.approx(0, abs=1e-6)

    def test_a_changed_folder_is_seen_again(self, faces, counting, draw_face):
        hashes = [finish(of_folder(faces, counting)).hash]
        stat = (faces / "face003.png").stat()
        draw_face(99).save(faces / "face003.png")
        os.utime(faces / "face003.png", ns=(stat.st_atime_ns, stat.st_mtime_ns))
        hashes.append(finish(of_folder(faces, counting)).hash)
        assert counting.network.seen == 24
        (faces / "face001.png").unlink()
        hashes.append(finish(of_folder(faces, counting)).hash)
        assert counting.network.seen == 24 + 11
        (faces / "face000.png").rename(faces / "z.png")  # another order
        hashes.append(finish(of_folder(faces, counting)).hash)
        assert counting.network.seen == 24 + 22 and len(set(hashes)) == 4
        faces.rename(faces.with_name("moved"))
        assert finish(of_folder(faces.with_name("moved"), counting)).name == "moved"
        assert counting.network.seen == 24 + 22

    def test_another_network_or_precision_sees_for_itself(self, faces, counting, extractor):
        first = finish(of_folder(faces, counting)).hash
        rounded = Extractor(counting.network, CPU, "bfloat16")
        assert finish(of_folder(faces, rounded)).hash != first and counting.network.seen == 24
        counting.network.digest = "another"
        assert finish(of_folder(faces, counting)).hash != first and counting.network.seen == 36

    @pytest.mark.parametrize("module", ["models/networks.py", "models/sampling.py", *image_folder.DECODING, *SEEING])
    def test_other_code_sees_for_itself(self, module, faces, counting, cache, other_code):
        first = finish(of_folder(faces, counting))
        other_code(module)
        again = finish(of_folder(faces, counting))
        assert counting.network.seen == 24 and len(files(cache)) == 2
        assert again.hash == first.hash  # which is of the pictures
        other_code("ui/theme.py")
        finish(of_folder(faces, counting))
        assert counting.network.seen == 24

    @pytest.mark.parametrize("damage", ["empty", "text", "cut", "others"])
    def test_a_damaged_file_is_made_again(self, faces, counting, cache, damage):
        first = finish(of_folder(faces, counting))
        [path] = files(cache)
        content = path.read_bytes()
        if damage == "others":
            save_file({"numbers": torch.zeros(3)}, path)
        else:
            path.write_bytes({"empty": b"", "text": b"contain NaN or infinity", "cut": content[:-100]}[damage])
        again = finish(of_folder(faces, counting))
        assert counting.network.seen == 24 and torch.equal(first.rows, again.rows)
        assert path.read_bytes() == content

    def test_a_cache_that_cannot_be_written_loses_nothing(self, faces, extractor, monkeypatch, capsys):
        kept = finish(of_folder(faces, extractor))
        monkeypatch.setenv("GANOPT_CACHE", "/dev/null/features")
        for _ in range(2):
            assert torch.equal(finish(of_folder(faces, extractor)).rows, kept.rows)
        said = capsys.readouterr().err
        assert said.count("The cache /dev/null/features cannot be written") == said.count("set GANOPT_CACHE") == 1

    def test_files_that_are_no_pictures_are_counted(self, tmp_path, draw_faces, extractor, few):
        paths = draw_faces(tmp_path / "faces", 12)
        (tmp_path / "faces" / "notes.txt").write_text("hi")
        with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
            for path in (*paths, tmp_path / "faces" / "notes.txt"):
                archive.write(path, path.name)
        for path in (tmp_path / "faces", tmp_path / "faces.zip"):
            assert finish(of_path(path, extractor)).drawn == "left out: 1 .txt"
            drawn = finish(of_path(path, extractor, 11)).drawn
            assert drawn == "11 of 12 pictures, drawn with seed 0; left out: 1 .txt"

    def test_closing_stops_at_once_and_keeps_nothing(self, tmp_path, draw_faces, counting, cache, model):
        draw_faces(tmp_path / "faces", 60)
        for extraction in (of_folder(tmp_path / "faces", counting), of_model(model, range(60), counting)):
            counting.network.seen = 0
            next(extraction)
            extraction.close()
            assert 0 < counting.network.seen <= 20
        assert not files(cache)


class TestManyPictures:
    @pytest.fixture(autouse=True)
    def small(self, few, monkeypatch) -> None:
        monkeypatch.setattr(features, "KEPT", 30)
        monkeypatch.setattr(features, "BLOCK", 20)

    def test_beyond_the_rows_that_are_kept_mean_and_covariance_go_on(self, tmp_path, draw_faces, extractor, cache):
        draw_faces(tmp_path / "faces", 50)
        pictures = [torch.from_numpy(decode_whole(str(path))) for path in sorted((tmp_path / "faces").iterdir())]
        everything = torch.cat([extractor.network(torch.stack(pictures[i : i + 4])) for i in range(0, 50, 4)])
        keys = content_keys(torch.cat([resized(picture[None]) for picture in pictures]))
        kept = keys.argsort()[:30].sort().values  # a random choice that does not depend on names
        assert kept.max() > 30
        for sample in (finish(of_folder(tmp_path / "faces", extractor)) for _ in range(2)):  # the second from the cache
            assert sample.count == 50 and torch.allclose(sample.rows, everything[kept], atol=1e-6)
            assert torch.allclose(sample.gaussian.mean, fit(everything).mean)
            assert torch.allclose(sample.gaussian.covariance, fit(everything).covariance, atol=1e-9)
            assert abs(frechet_distance(sample.gaussian, fit(everything))) < 1e-6
        [path] = files(cache)
        assert len(load_file(path)["rows"]) == 30

    @pytest.mark.parametrize("count", [30, 31])
    def test_the_last_one_that_is_kept(self, tmp_path, draw_faces, extractor, count):
        draw_faces(tmp_path / "faces", count)
        sample = finish(of_folder(tmp_path / "faces", extractor))
        assert (sample.count, len(sample.rows), len(sample.gaussian.factor)) == (count, 30, 30 if count == 30 else 128)


class TestZip:
    @pytest.fixture
    def archive(self, faces, tmp_path, monkeypatch) -> Path:
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
        with zipfile.ZipFile(tmp_path / "cats.zip", "w") as zipped:
            for path in sorted(faces.iterdir()):
                zipped.write(path, f"pictures/{path.name}")
        return tmp_path / "cats.zip"

    def test_of_many_pictures_the_same_are_drawn_as_of_the_folder(self, archive, faces, extractor):
        zipped, folder = finish(of_path(archive, extractor, 10, seed=2)), finish(of_path(faces, extractor, 10, seed=2))
        assert zipped.drawn == folder.drawn == "10 of 12 pictures, drawn with seed 2"
        assert zipped.count == 10 and torch.equal(zipped.rows, folder.rows)

    def test_it_is_the_folder_that_was_packed(self, archive, faces, extractor, tmp_path):
        zipped, folder = finish(of_path(archive, extractor)), finish(of_path(faces, extractor))
        assert zipped.name == "cats.zip" and zipped.count == 12 and torch.equal(zipped.rows, folder.rows)
        assert finish(of_path(archive, extractor, most=10)).count == 10
        assert not list((tmp_path / "temporary").iterdir())

    def test_stopping_half_way_removes_what_was_unpacked(self, archive, counting, tmp_path, cache):
        extraction = of_path(archive, counting)
        next(extraction)
        assert list((tmp_path / "temporary").iterdir())
        extraction.close()
        assert not list((tmp_path / "temporary").iterdir()) and not files(cache)

    def test_what_is_no_zip_file_of_pictures_is_refused(self, archive, tmp_path, extractor, refuses):
        (tmp_path / "text.zip").write_text("no zip")
        with refuses("text.zip is damaged or not a zip file"):
            finish(of_path(tmp_path / "text.zip", extractor))
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr("a.png", "no picture")
        with refuses("cats.zip contains 1 pictures"):
            finish(of_path(archive, extractor))
        for name in ("nowhere.zip", "x" * 5000, "a\0b"):
            with refuses("There is no folder"):
                finish(of_path(tmp_path / name, extractor))

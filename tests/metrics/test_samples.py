"""Files of statistics, as pytorch-fid writes and reads them."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from ganopt.metrics.features import finish, of_folder, of_path
from ganopt.metrics.fid import fit, frechet_distance
from ganopt.metrics.samples import read_statistics, write_statistics


class TestStatistics:
    def test_what_is_written_is_what_pytorch_fid_writes_and_reads(self, faces, tmp_path, extractor):
        sample = finish(of_folder(faces, extractor))
        path = tmp_path / "cats.npz"
        write_statistics(sample, path)
        with np.load(path) as arrays:
            rows = sample.rows.double().numpy()
            assert np.allclose(arrays["mu"], rows.mean(axis=0)) and arrays["mu"].shape == (128,)
            assert np.allclose(arrays["sigma"], np.cov(rows, rowvar=False)) and arrays["sigma"].shape == (128, 128)
        found = finish(of_path(path, extractor))
        assert (found.name, found.count, len(found.rows)) == ("cats.npz", 0, 0)
        assert abs(frechet_distance(found.gaussian, sample.gaussian)) < 1e-5
        other = fit(sample.rows + 1)
        expected = frechet_distance(sample.gaussian, other)
        assert frechet_distance(found.gaussian, other) == pytest.approx(expected, rel=1e-5)

    def test_numbers_of_any_kind_are_read(self, tmp_path):
        np.savez_compressed(tmp_path / "a.npz", mu=np.arange(3, dtype=np.int64), sigma=np.eye(3, dtype=np.float32))
        sample = read_statistics(tmp_path / "a.npz")
        assert sample.gaussian.mean.tolist() == [0, 1, 2]
        assert torch.allclose(sample.gaussian.covariance, torch.eye(3).double())

    def test_any_byte_order_and_further_arrays_are_read(self, tmp_path):
        further = {"features": np.zeros((5000, 5001)), "name": np.array("cats")}  # more than 200 MB
        np.savez_compressed(
            tmp_path / "a.npz", mu=np.arange(3, dtype=">f4"), sigma=np.asfortranarray(np.eye(3, dtype=">f8")), **further
        )
        sample = read_statistics(tmp_path / "a.npz")
        assert sample.gaussian.mean.tolist() == [0, 1, 2]
        assert torch.allclose(sample.gaussian.covariance, torch.eye(3).double())

    @pytest.mark.parametrize(
        "arrays",
        [
            {},
            {"mu": np.zeros(3)},
            {"sigma": np.eye(3)},
            {"mu": np.array([{}, [1], None], dtype=object), "sigma": np.eye(3)},
            {"mu": np.array(["a", "b", "c"]), "sigma": np.eye(3)},
        ],
    )
    def test_other_arrays_are_refused(self, tmp_path, refuses, arrays):
        np.savez(tmp_path / "a.npz", **arrays)
        with refuses("a.npz contains no statistics of pytorch-fid"):
            read_statistics(tmp_path / "a.npz")

    @pytest.mark.parametrize(
        ("mean", "covariance"),
        [((3,), (2, 2)), ((), ()), ((), (1, 1)), ((2, 2), (2, 2)), ((3,), (3,)), ((3,), (3, 3, 3))],
    )
    def test_shapes_that_do_not_fit_are_refused(self, tmp_path, refuses, mean, covariance):
        np.savez(tmp_path / "a.npz", mu=np.zeros(mean), sigma=np.zeros(covariance))
        with refuses("do not match"):
            read_statistics(tmp_path / "a.npz")
        np.savez(tmp_path / "a.npz", mu=np.zeros(3), sigma=np.full((3, 3), np.nan))
        with refuses("contain NaN or infinity"):
            read_statistics(tmp_path / "a.npz")

    @pytest.mark.parametrize("damage", ["text", "empty", "cut", "flipped", "npy", "folder", "zip", "absent"])
    def test_other_files_are_refused(self, tmp_path, refuses, damage):
        path = tmp_path / "a.npz"
        np.savez_compressed(path, mu=np.random.rand(200), sigma=np.random.rand(200, 200))
        content = bytearray(path.read_bytes())
        path.unlink()
        if damage == "folder":
            path.mkdir()
        elif damage == "npy":
            np.save(tmp_path / "a.npy", np.zeros(3))
            (tmp_path / "a.npy").rename(path)
        elif damage == "zip":
            with zipfile.ZipFile(path, "w") as zipped:
                zipped.writestr("mu.npy", "text")
                zipped.writestr("sigma", "text")
        elif damage != "absent":
            content[5000:5200] = bytes(200) if damage == "flipped" else content[5000:5200]
            path.write_bytes({"text": b"text", "empty": b"", "cut": content[:-2000]}.get(damage, content))
        gone = damage in ("folder", "absent")
        with refuses("There is no file a.npz" if gone else "a.npz contains no statistics of pytorch-fid"):
            read_statistics(path)

    def test_what_unpacks_to_too_much_is_refused_unread(self, tmp_path, refuses):
        path = tmp_path / "a.npz"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped, zipped.open("mu.npy", "w") as member:
            for _ in range(201):
                member.write(bytes(1_000_000))
        with refuses("a.npz contains no statistics"):
            read_statistics(path)

    def test_where_nothing_can_be_written(self, faces, extractor, refuses):
        with refuses("cannot be written"):
            write_statistics(finish(of_folder(faces, extractor)), Path("/dev/null/a.npz"))

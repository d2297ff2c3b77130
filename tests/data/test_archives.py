"""Zip files: pictures come out, everything that could do harm stays in, and nothing is left behind."""

import contextlib
import copy
import errno
import io
import random
import stat
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

import pytest
from PIL import Image

from ganopt.data import archives, image_folder
from ganopt.data.archives import folder_for
from ganopt.errors import UserError

LANDMARKS = b"9 12 20 28 20 20 30 10 12 8 4 14 8 26 8 32 4 30 12"


@contextlib.contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    with folder_for(archive) as folder:
        archives.unpack(archive, folder)
        yield folder


@pytest.fixture(autouse=True)
def archive(tmp_path, monkeypatch) -> Iterator[Path]:
    """Where a test puts its zip file. Afterwards there is that file and an empty folder for temporary ones."""
    temporary, uploads = tmp_path / "temporary", tmp_path / "uploads"
    temporary.mkdir()
    uploads.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield uploads / "cats.zip"
    assert set(tmp_path.rglob("*")) <= {temporary, uploads, uploads / "cats.zip"}


@pytest.fixture
def nothing_is_unpacked(monkeypatch) -> None:
    def writing_only(zipped: ZipFile, member: ZipInfo, mode: str = "r", **options) -> io.IOBase:
        assert mode == "w", "a member was read"
        return original(zipped, member, mode, **options)

    original = ZipFile.open
    monkeypatch.setattr(ZipFile, "open", writing_only)


@pytest.fixture(scope="session")
def face(draw_face) -> bytes:
    return png(draw_face(1))


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def pack(archive: Path, members: dict[str, bytes], lie: Callable[[list[ZipInfo]], None] = lambda members: None) -> None:
    """A zip file with exactly these names; `lie` changes what its central directory says."""
    with ZipFile(archive, "w", ZIP_DEFLATED) as zipped:
        for name, content in members.items():
            member = ZipInfo("x")
            member.filename, member.compress_type = name, ZIP_DEFLATED
            zipped.writestr(member, content)
        lie(zipped.filelist)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def unpack(archive: Path) -> dict[str, bytes]:
    with unpacked(archive) as folder:
        return files(folder)


def test_pictures_and_landmarks_come_out_in_their_folders(archive, face):
    wanted = {
        "a.png": face,
        "a.png.cat": LANDMARKS,
        "train/cat/b.JPG": b"b",
        "train/cat/b.JPG.cat": LANDMARKS,
        "train/dog/c.jpeg": b"c",
        "train/dog/d e.WebP": b"",
    }
    unwanted = dict.fromkeys(
        ["notes.txt", "a.ico", "png", "b.cat", "e.png.cat", "notes.txt.cat", ".a.png", ".git/a.png", "f.png.exe"]
        + ["__MACOSX/a.png", "__MACOSX/._a.png", "train/.DS_Store", "train/__MACOSX/a.png", "train/cat/", "g.png/"],
        b"",
    )
    pack(archive, {"train/": b"", **wanted, **unwanted})
    with archives.folder_for(archive) as folder:
        others = archives.unpack(archive, folder)
        assert sorted(others) == ["a.ico", "b.cat", "e.png.cat", "f.png.exe", "notes.txt", "notes.txt.cat", "png"]
        assert files(folder) == wanted
        assert folder.parent == Path(tempfile.gettempdir()) and folder.name.startswith("ganopt-")
        assert stat.S_IMODE((folder / "a.png").stat().st_mode) & 0o111 == 0
    assert not folder.exists()


def test_the_folder_is_one_that_data_can_read(archive, draw_faces, draw_face):
    pack(archive, {f"train/{kind}/{seed}.png": png(draw_face(seed)) for kind in ("cat", "dog") for seed in range(3)})
    with unpacked(archive) as folder:
        assert image_folder.load(folder, 16, "cat", minimum=3).files == [f"train/cat/{seed}.png" for seed in range(3)]


def test_the_folder_is_gone_when_the_block_raises(archive, face):
    pack(archive, {"a.png": face})
    with pytest.raises(KeyError), unpacked(archive) as folder:
        assert folder.is_dir()
        raise KeyError
    assert not folder.exists()


def test_errors_of_the_block_are_left_alone(archive, face):
    pack(archive, {"a.png": face})
    for error in (OSError(errno.ENOSPC, "no space"), ValueError("mine"), UserError("Mine."), zipfile.BadZipFile()):
        with pytest.raises(type(error)) as caught, unpacked(archive):
            raise error
        assert caught.value is error


def test_a_missing_file_is_named(archive, refuses):
    with refuses("There is no file cats.zip;"):
        unpack(archive)
    with refuses("There is no file uploads;"):
        unpack(archive.parent)


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\5\6", b"Rar!\x1a\7\0" * 9, bytes(100), b"PK\3\4" + b"\xff" * 99])
def test_what_is_no_zip_file_is_refused(archive, refuses, content):
    archive.write_bytes(content)
    with refuses("cats.zip is damaged or not a zip file"):
        unpack(archive)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_zip_file_is_refused(archive, refuses, face, share):
    pack(archive, {"a.png": face, "b.png": face})
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * share)])
    with refuses("cats.zip is damaged or not a zip file"):
        unpack(archive)


@pytest.mark.parametrize("method", [ZIP_STORED, ZIP_DEFLATED])
def test_damage_inside_a_picture_is_found(archive, refuses, method):
    content = random.Random(0).randbytes(3_000_000)
    with ZipFile(archive, "w", method) as zipped:
        zipped.writestr("a.png", b"good")
        zipped.writestr("b.png", content)
    packed = bytearray(archive.read_bytes())
    packed[2_900_000] ^= 1
    archive.write_bytes(packed)
    with refuses("cats.zip is damaged or not a zip file"):
        unpack(archive)


@pytest.mark.parametrize(
    "lies",
    [{"header_offset": offset} for offset in (3, 10**6, 2**31, 2**63 - 1, 2**63, 2**64 - 1)]
    + [{"file_size": 10**6, "compress_size": 10**6}, {"compress_size": 1}, {"compress_type": ZIP_DEFLATED}, {"CRC": 1}]
    + [{"filename": "b.png"}, {"flag_bits": 0x20}, {"flag_bits": 0x40}, {"create_version": 99, "extract_version": 99}],
)
def test_headers_that_do_not_fit_are_damage(archive, refuses, lies):
    with ZipFile(archive, "w") as zipped:
        zipped.writestr("a.png", b"content")
        for field, value in lies.items():
            setattr(zipped.filelist[0], field, value)
    with refuses("cats.zip is damaged or not a zip file"):
        unpack(archive)


def test_whatever_bytes_are_damaged_the_answer_is_a_sentence(archive, face):
    generator = random.Random(0)
    pack(archive, {"d/é.png": face[:50], "a.png": bytes(90), "a.png.cat": LANDMARKS})
    sound = archive.read_bytes()
    for _ in range(400):
        packed = bytearray(sound)
        for _ in range(generator.choice((1, 2, 8))):
            start = generator.choice((0, sound.find(b"PK\1\2")))
            packed[generator.randrange(start, len(packed))] = generator.choice((0, 1, 127, 128, 255))
        archive.write_bytes(packed)
        try:
            unpack(archive)
        except UserError as error:
            assert "cats.zip" in str(error) and str(archive.parent) not in str(error)


def test_a_protected_zip_file_is_refused(archive, refuses, face, nothing_is_unpacked):
    def protect(members: list[ZipInfo]) -> None:
        members[1].flag_bits |= 1

    pack(archive, {"a.png": face, "b.png": face}, protect)
    with refuses("cats.zip is protected by a password"):
        unpack(archive)


@pytest.mark.parametrize("method", [ZIP_BZIP2, ZIP_LZMA])
def test_methods_that_zipfile_unpacks_without_a_limit_are_refused(archive, refuses, nothing_is_unpacked, method):
    with ZipFile(archive, "w", method) as zipped:
        zipped.writestr("a.png", bytes(1000))
    with refuses("cats.zip uses an unusual compression method"):
        unpack(archive)


def test_unknown_methods_are_refused(archive, refuses, face):
    def claim(members: list[ZipInfo]) -> None:
        members[0].compress_type = 99

    pack(archive, {"a.png": face}, claim)
    with refuses("cats.zip uses an unusual compression method"):
        unpack(archive)


@pytest.mark.parametrize(
    "name",
    ["../a.png", "../../a.png", "cat/../../a.png", "cat/../a.png", "cat/..", "..", "../", "/a.png", "//a/b/c.png"]
    + ["..\\a.png", "cat\\..\\..\\a.png", "\\a.png", "\\\\server\\share\\a.png", "C:\\a.png", "C:a.png", "c:/a.png"]
    + ["cat/C:/a.png", "cat\\d:a.png", "/etc/passwd", "../notes.txt", ".hidden/../../a.png", "__MACOSX/../../a.png"],
)
def test_names_that_lead_outside_are_refused(archive, refuses, face, name, nothing_is_unpacked):
    pack(archive, {"good.png": face, name: face})
    with refuses("cats.zip contains a file that would be written outside its folder"):
        unpack(archive)


def test_harmless_names_of_other_systems_are_kept(archive):
    names = {"cat\\a.png": "cat/a.png", "./b.png": "b.png", "cat//c.png": "cat/c.png", "..d.png": None}
    names |= {"e..png": "e..png", "f.../g.png": "f.../g.png", "cat\\": None, "h.png\\": None, "./": None}
    pack(archive, {name: name.encode() for name in names})
    assert unpack(archive) == {path: name.encode() for name, path in names.items() if path}


def test_links_are_left_out_and_never_followed(archive, tmp_path, face):
    def link(members: list[ZipInfo]) -> None:
        for member in members[:2]:
            member.create_system, member.external_attr = 3, (stat.S_IFLNK | 0o777) << 16

    pack(archive, {"a.png": b"/etc/passwd", "out.jpg": str(tmp_path).encode(), "out.jpg/b.png": face}, link)
    with unpacked(archive) as folder:
        assert files(folder) == {"out.jpg/b.png": face}
        assert not any(path.is_symlink() for path in folder.rglob("*"))


def test_too_many_pictures_are_refused(archive, refuses, monkeypatch, nothing_is_unpacked):
    monkeypatch.setattr(archives, "MAX_FILES", 3)
    pack(archive, {f"{index}.png": b"" for index in range(4)})
    with refuses("cats.zip contains more than 3 pictures"):
        unpack(archive)


def test_as_many_pictures_as_allowed_are_taken(archive, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 3)
    pack(archive, {f"{index}.{suffix}": b"" for index in range(3) for suffix in ("png", "png.cat", "txt")})
    assert len(unpack(archive)) == 6


def test_too_many_folders_are_refused(archive, refuses, monkeypatch, nothing_is_unpacked):
    monkeypatch.setattr(archives, "MAX_FOLDERS", 3)
    pack(archive, {"a/b/c.png": b"", "d/e/f.png": b""})
    with refuses("cats.zip contains more than 3 folders"):
        unpack(archive)


@pytest.mark.parametrize(
    ("limit", "value", "sentence"),
    [
        ("MAX_BYTES", 2999, "cats.zip unpacks to more than"),
        ("MAX_BYTES_EACH", 999, "cats.zip contains a file of more than"),
        ("RATIO_FROM", 2999, "cats.zip unpacks to over 1 times its size"),
    ],
)
def test_sizes_are_refused_before_anything_is_unpacked(archive, refuses, monkeypatch, request, limit, value, sentence):
    monkeypatch.setattr(archives, "MAX_RATIO", 1)
    pack(archive, {f"{index}.png": bytes(1000) for index in range(3)})
    monkeypatch.setattr(archives, limit, value + 1)
    assert len(unpack(archive)) == 3
    monkeypatch.setattr(archives, limit, value)
    request.getfixturevalue("nothing_is_unpacked")
    with refuses(sentence):
        unpack(archive)


def test_large_files_that_are_no_landmarks_are_left_out(archive, face):
    pack(archive, {"a.png": face, "a.png.cat": b"9 " * 10_000})
    assert unpack(archive) == {"a.png": face}


@pytest.mark.parametrize(
    ("megabytes", "sentence"),
    [(1000, "contains a file of more than 200 MB"), (100, "unpacks to over 50 times its size")],
)
def test_a_real_bomb_is_refused_in_no_time(archive, refuses, megabytes, sentence):
    with ZipFile(archive, "w", ZIP_DEFLATED, compresslevel=1) as zipped, zipped.open("a.png", "w") as file:
        for _ in range(megabytes):
            file.write(bytes(1_000_000))
    assert archive.stat().st_size < megabytes * 5000
    started = time.process_time()
    with refuses("cats.zip", sentence):
        unpack(archive)
    assert time.process_time() - started < 0.2


@pytest.mark.parametrize(("files", "allowed"), [(2, True), (6, False)])
def test_small_bombs_count_together(archive, refuses, files, allowed):
    content = bytes(9_000_000)  # 9 kB packed
    with ZipFile(archive, "w", ZIP_DEFLATED) as zipped:
        for index in range(files):
            zipped.writestr(f"{index}.png", content)
        zipped.writestr("noise.jpg", random.Random(0).randbytes(400_000))  # counts for all
    assert archive.stat().st_size < 500_000
    with contextlib.nullcontext() if allowed else refuses("cats.zip unpacks to over 50 times its size"):
        assert len(unpack(archive)) == files + 1


def test_overlapping_pictures_count_each(archive, refuses, monkeypatch, nothing_is_unpacked):
    with ZipFile(archive, "w") as inner:
        inner.writestr("b.png", bytes(1000))
    content, nested = archive.read_bytes(), copy.copy(inner.filelist[0])
    nested.header_offset = 30 + len("a.png")  # where the content of a.png begins
    with ZipFile(archive, "w") as zipped:
        zipped.writestr("a.png", content)
        zipped.filelist.append(nested)
    monkeypatch.setattr(archives, "MAX_BYTES", 1999)
    with refuses("cats.zip unpacks to more than"):
        unpack(archive)


def test_a_stream_longer_than_its_header_says_is_refused(archive, refuses):
    def lie(members: list[ZipInfo]) -> None:
        members[1].file_size = 10

    pack(archive, {"a.png": b"good", "b.png": bytes(5_000_000)}, lie)
    with refuses("cats.zip is damaged or not a zip file"):  # zipfile stops at 10 bytes; their checksum is wrong
        unpack(archive)


def test_a_lie_with_a_fitting_checksum_gives_what_the_header_says(archive):
    def lie(members: list[ZipInfo]) -> None:
        members[0].file_size, members[0].CRC = 10, zipfile.crc32(bytes(10))

    pack(archive, {"a.png": bytes(5_000_000)}, lie)
    assert unpack(archive) == {"a.png": bytes(10)}


def test_what_really_streams_out_is_counted(archive, refuses, monkeypatch, face):
    """Today's zipfile holds every stream to its header; a reader that did not would be stopped all the same."""
    pack(archive, {"a.png": face, "b.png": face})
    monkeypatch.setattr(archives, "MAX_BYTES", 5_000_000)
    monkeypatch.setattr(ZipFile, "open", lambda zipped, member: io.BytesIO(bytes(3_000_000)))
    with refuses("cats.zip unpacks to more than 0.005 GB"):
        unpack(archive)


def test_of_equal_names_the_last_is_taken(archive):
    with ZipFile(archive, "w") as zipped:
        zipped.writestr("a.png", b"first")
        with pytest.warns(UserWarning, match="Duplicate"):
            zipped.writestr("a.png", b"last")
        zipped.writestr("./b.png", b"first")
        zipped.writestr("b.png", b"last")
    assert unpack(archive) == {"a.png": b"last", "b.png": b"last"}


def test_names_that_differ_by_case_do_no_harm(archive):
    pack(archive, {"a.png": b"a", "A.PNG": b"a", "Cat/b.png": b"b", "cat/B.png": b"b"})
    assert {name.lower() for name in unpack(archive)} == {"a.png", "cat/b.png"}


@pytest.mark.parametrize("names", [["a.png", "a.png/b.png", "c.png"], ["a.png/b.png", "a.png", "c.png"]])
def test_where_a_file_and_a_folder_have_one_name_the_first_is_kept(archive, names):
    pack(archive, dict.fromkeys(names, b""))
    assert set(unpack(archive)) == {names[0], "c.png"}


LONG = ["n" * 300 + ".png", "f" * 300 + "/a.png", "/".join(["d" * 250] * 16) + "/" + "a" * 250 + ".png"]
DEEP = ["d/" * 17 + "a.png", "d/" * 3000 + "a.png"]


@pytest.mark.parametrize("name", LONG + DEEP)
def test_names_that_the_disk_cannot_hold_are_left_out(archive, refuses, name):
    pack(archive, {name: b"", "d/" * 16 + "good.png": b""})
    assert set(unpack(archive)) == {"d/" * 16 + "good.png"}
    pack(archive, {name: b""})
    with refuses("cats.zip contains no pictures"):
        unpack(archive)


@pytest.mark.parametrize(
    "name", ["猫.png", "🐱/🐈.png", "a\nb\r\t.png", "e\u0301.png", "\u202egnp.png", " .png", "\x7f.png"]
)
def test_odd_names_are_kept(archive, face, name):
    pack(archive, {name: face})
    assert unpack(archive) == {name: face}


def test_names_are_cut_at_a_zero_byte(archive, face):
    pack(archive, {"a.png~b.png": face, "c~d.png": face})
    archive.write_bytes(archive.read_bytes().replace(b"a.png~", b"a.png\0").replace(b"c~", b"c\0"))
    assert unpack(archive) == {"a.png": face}


def test_names_in_no_encoding_are_damage(archive, refuses, face):
    pack(archive, {"é.png": face})
    archive.write_bytes(archive.read_bytes().replace("é".encode(), b"\xff\xff"))
    with refuses("cats.zip is damaged or not a zip file"):
        unpack(archive)


def test_names_beyond_the_encoding_of_the_system_are_left_out(archive, monkeypatch, face):
    def ascii_only(path: Path, mode: str) -> io.IOBase:
        path.name.encode("ascii")
        return open(path, mode)

    monkeypatch.setattr(archives, "open", ascii_only, raising=False)
    pack(archive, {"猫.png": face, "a.png": face})
    assert unpack(archive) == {"a.png": face}


@pytest.mark.parametrize("members", [[], ["notes.txt"], [".a.png"], ["cats/"], ["a.png/"], ["b.cat", "a.png.cat"]])
def test_a_zip_file_without_pictures_is_refused(archive, refuses, members):
    pack(archive, dict.fromkeys(members, b""))
    with refuses("cats.zip contains no pictures"):
        unpack(archive)


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_a_full_disk_is_named(archive, refuses, monkeypatch, size):
    monkeypatch.setattr(archives, "open", lambda path, mode: open("/dev/full", "wb"), raising=False)
    pack(archive, {"a.png": random.Random(0).randbytes(size)})
    with refuses("The disk is full: A picture of cats.zip was not written"):
        unpack(archive)


def test_a_disk_too_full_for_a_folder_is_named(archive, refuses, monkeypatch, face):
    def full(*arguments, **options) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    pack(archive, {"cat/a.png": face})
    with monkeypatch.context() as patch, refuses("The disk is full: A picture of cats.zip was not written"):
        patch.setattr(tempfile, "mkdtemp", full)
        unpack(archive)
    with monkeypatch.context() as patch, refuses("The disk is full: A picture of cats.zip was not written"):
        patch.setattr(Path, "mkdir", full)
        unpack(archive)


def test_other_failures_of_the_disk_are_named(archive, refuses, monkeypatch, face):
    pack(archive, {"a.png": face})
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    with refuses("A picture of cats.zip cannot be written"):
        unpack(archive)

"""Unpacking a zip file of pictures that may be hostile into a folder."""

import contextlib
import errno
import os
import stat
import struct
import sys
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from ganopt.data.decode import SUFFIXES
from ganopt.errors import UserError, exit_on_user_error
from ganopt.files import writing
from ganopt.subprocesses import limit_memory
from ganopt.temporary import temporary_folder

MAX_FILES = 100_000  # pictures
MAX_FOLDERS = 20_000
MAX_DEPTH = 16  # nested folders around a picture; tempfile removes them by recursion
MAX_BYTES = 4_000_000_000  # unpacked, in total
MAX_RATIO, RATIO_FROM = 50, 10_000_000  # unpacked / packed size of the whole, if it unpacks to over RATIO_FROM bytes
MAX_BYTES_EACH = 200_000_000
MAX_BYTES_OF_LANDMARKS = 10_000  # in one `.cat` file

UNREADABLE = (BadZipFile, zlib.error, struct.error, EOFError, OSError, OverflowError, RuntimeError, ValueError)
NO_NAME = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EEXIST, errno.ENOTDIR, errno.EISDIR}


@contextlib.contextmanager
def folder_for(archive: Path) -> Iterator[Path]:
    """An empty folder to unpack a zip file into, removed after the block.

    Raises UserError if the file does not exist or the folder cannot be created.
    """
    if not os.path.isfile(archive):  # unlike Path.is_file, never raises
        raise UserError(f"There is no file {archive.name}; check the name.")
    with contextlib.ExitStack() as stack:
        with writing(Path(f"A picture of {archive.name}")):
            folder = stack.enter_context(temporary_folder())
        yield folder


def unpack(archive: Path, folder: Path) -> list[str]:
    """Write the pictures of a zip file into a folder; returns the names of its files that are no pictures.

    Subfolders and the `.cat` files beside pictures are kept. Hidden files, links and names that the file system does
    not allow are skipped. Raises UserError if the file is not a zip file, is damaged, protected or unsafe, exceeds the
    limits above or contains no pictures, and if the disk is full. The headers of a hostile file may take any amount
    of memory to read: call `limit_memory` first.
    """
    with writing(Path(f"A picture of {archive.name}")):
        return _unpack(archive, folder)


def _unpack(archive: Path, folder: Path) -> list[str]:
    with _reading(archive.name):
        zipped = ZipFile(archive)
    with zipped:
        files = written = 0
        check = partial(_check_total, archive.name, archive.stat().st_size)
        members, others = _members(zipped, archive.name)
        check(sum(member.file_size for member in members.values()))
        for path, member in members.items():
            try:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                file = open(folder / path, "xb")
            except (OSError, UnicodeEncodeError) as error:
                if isinstance(error, OSError) and error.errno not in NO_NAME:
                    raise
                continue
            with file:
                for block in _blocks(zipped, member, archive.name):
                    written += len(block)
                    check(written)  # whatever the headers said
                    file.write(block)
            files += 1
    if not files:
        raise UserError(f"{archive.name} contains no pictures; add some ({', '.join(sorted(SUFFIXES))}).")
    return others


def _members(zipped: ZipFile, name: str) -> tuple[dict[PurePosixPath, ZipInfo], list[str]]:
    """The files to unpack by path, of equal paths the last one, and the names of the other files.

    Raises UserError for what the headers do not allow.
    """
    files = {path: member for member in zipped.infolist() if (path := _path(member, name))}
    pictures = {path: member for path, member in files.items() if path.suffix.lower() in SUFFIXES}
    if len(pictures) > MAX_FILES:
        raise UserError(f"{name} contains more than {MAX_FILES:,} pictures; make a smaller zip file.")
    parents = {path.parent for path in pictures}
    if len(parents.union(*(parent.parents for parent in parents))) > MAX_FOLDERS:
        raise UserError(f"{name} contains more than {MAX_FOLDERS:,} folders; put more pictures into each.")
    landmarks = {
        path: file for path, file in files.items() if path.suffix == ".cat" and path.with_suffix("") in pictures
    }
    others = [path.name for path in files if path not in pictures and path not in landmarks]
    members = pictures | {path: file for path, file in landmarks.items() if file.file_size <= MAX_BYTES_OF_LANDMARKS}
    for member in members.values():
        if member.flag_bits & 1:
            raise UserError(f"{name} is protected by a password; make a zip file without one.")
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # blocks of other methods may have any size
            raise UserError(f"{name} uses an unusual compression method; make an ordinary zip file (deflate).")
        if member.file_size > MAX_BYTES_EACH:
            raise UserError(f"{name} contains a file of more than {MAX_BYTES_EACH / 1e6:g} MB; leave that file out.")
    return members, others


def _path(member: ZipInfo, name: str) -> PurePosixPath | None:
    """The path to unpack a member to, None to skip it. Raises UserError for a path that leads out of the folder."""
    path = PureWindowsPath(member.filename)  # splits at both kinds of slashes, and recognises drives
    if ".." in path.parts or any(PureWindowsPath(part).anchor for part in path.parts):
        raise UserError(f"{name} contains a file that would be written outside its folder; make the zip file again.")
    folder_or_link = member.filename.endswith(("/", "\\")) or stat.S_ISLNK(member.external_attr >> 16)
    hidden = "__MACOSX" in path.parts or any(part.startswith(".") for part in path.parts)
    return None if folder_or_link or hidden or len(path.parts) > MAX_DEPTH + 1 else PurePosixPath(*path.parts)


def _blocks(zipped: ZipFile, member: ZipInfo, name: str) -> Iterator[bytes]:
    with _reading(name), zipped.open(member) as stream:
        while block := stream.read(1 << 20):
            yield block


@contextlib.contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise UserError(f"{name} is damaged or not a zip file; make or download it again.") from error


def _check_total(name: str, packed: int, unpacked: int) -> None:
    """Raise UserError if a zip file of `packed` bytes unpacks to too many."""
    if unpacked > MAX_BYTES:
        raise UserError(f"{name} unpacks to more than {MAX_BYTES / 1e9:g} GB; make a smaller zip file.")
    if unpacked > max(RATIO_FROM, MAX_RATIO * packed):
        raise UserError(
            f"{name} unpacks to over {MAX_RATIO} times its size, unlike pictures; make it of pictures only."
        )


if __name__ == "__main__":  # for the page, which must not read the headers of a hostile file itself
    limit_memory(4_000_000_000)
    with exit_on_user_error(), _reading(Path(sys.argv[1]).name), ZipFile(sys.argv[1]) as opened:
        found, _ = _members(opened, Path(sys.argv[1]).name)
        print(sum(path.suffix.lower() in SUFFIXES for path in found))

"""A zip file of pictures, from somebody who may mean harm -> a folder."""

import contextlib
import errno
import os
import stat
import struct
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from ganopt.data.decode import SUFFIXES
from ganopt.errors import UserError
from ganopt.files import write_error

MOST_FILES = 100_000  # pictures
MOST_FOLDERS = 20_000
MOST_DEPTH = 16  # folders around a picture; tempfile removes them by recursion
MOST_BYTES = 4_000_000_000  # unpacked, in all
MOST_BYTES_EACH = 200_000_000
MOST_BYTES_OF_LANDMARKS = 10_000  # in one `.cat` file
MOST_RATIO, RATIO_FROM = 200, 10_000_000  # unpacked to packed, of files over so many bytes: pictures hardly shrink

UNREADABLE = (BadZipFile, zlib.error, struct.error, EOFError, OSError, OverflowError, RuntimeError, ValueError)
NO_NAME = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EEXIST, errno.ENOTDIR, errno.EISDIR}


@contextlib.contextmanager
def temporary_folder(archive: Path) -> Iterator[Path]:
    """An empty folder to unpack a zip file into, removed at the end.

    Raises UserError where there is no such file, or no room for the folder.
    """
    if not os.path.isfile(archive):  # unlike Path.is_file, never raises
        raise UserError(f"There is no file {archive.name}; check the name.")
    with contextlib.ExitStack() as stack:
        try:
            temporary = tempfile.TemporaryDirectory(prefix="ganopt-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(temporary))
        except OSError as error:
            raise write_error(Path(f"A picture of {archive.name}"), error) from error
        yield folder


def unpack(archive: Path, folder: Path) -> None:
    """Write the pictures of a zip file into a folder.

    Folders inside and `.cat` files beside pictures are kept; hidden files, links and names that the disk cannot hold
    are left out. Raises UserError for a file that is no zip, or a damaged, protected or unsafe one, for one beyond
    the limits above or without pictures, and for a full disk. Reading what a hostile file says of itself may take any
    amount of memory: `limit_memory` before that.
    """
    try:
        _unpack(archive, folder)
    except OSError as error:
        raise write_error(Path(f"A picture of {archive.name}"), error) from error


def _unpack(archive: Path, folder: Path) -> None:
    with _reading(archive.name):
        zipped = ZipFile(archive)
    with zipped:
        files = written = 0
        for path, member in _members(zipped, archive.name).items():
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
                    if written > MOST_BYTES:  # whatever the headers said
                        raise _too_large(archive.name)
                    file.write(block)
            files += 1
    if not files:
        raise UserError(f"{archive.name} holds no pictures; add some ({', '.join(sorted(SUFFIXES))}).")


def _members(zipped: ZipFile, name: str) -> dict[PurePosixPath, ZipInfo]:
    """What is worth unpacking, by its path; the last of equal paths. Raises UserError by what the headers say."""
    files = {path: member for member in zipped.infolist() if (path := _path(member, name))}
    pictures = {path: member for path, member in files.items() if path.suffix.lower() in SUFFIXES}
    if len(pictures) > MOST_FILES:
        raise UserError(f"{name} holds more than {MOST_FILES:,} pictures; make a smaller one.")
    parents = {path.parent for path in pictures}
    if len(parents.union(*(parent.parents for parent in parents))) > MOST_FOLDERS:
        raise UserError(f"{name} holds more than {MOST_FOLDERS:,} folders; put more pictures into each.")
    landmarks = {
        path: file for path, file in files.items() if path.suffix == ".cat" and path.with_suffix("") in pictures
    }
    members = pictures | {path: file for path, file in landmarks.items() if file.file_size <= MOST_BYTES_OF_LANDMARKS}
    if sum(member.file_size for member in members.values()) > MOST_BYTES:
        raise _too_large(name)
    for member in members.values():
        if member.flag_bits & 1:
            raise UserError(f"{name} is protected by a password; make one without.")
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # zipfile unpacks others in blocks of any size
            raise UserError(f"{name} is packed by an unusual method; make an ordinary zip file (deflate).")
        if member.file_size > MOST_BYTES_EACH:
            raise UserError(f"{name} holds a file of more than {MOST_BYTES_EACH / 1e6:g} MB; leave it out.")
        if member.file_size > max(RATIO_FROM, MOST_RATIO * member.compress_size):
            raise UserError(f"{name} holds a file that unpacks to over {MOST_RATIO} times its size; leave it out.")
    return members


def _path(member: ZipInfo, name: str) -> PurePosixPath | None:
    """Where a member belongs, or None for what is left out. Raises UserError for a way out of the folder."""
    path = PureWindowsPath(member.filename)  # splits at both slashes, and knows drives
    if ".." in path.parts or any(PureWindowsPath(part).anchor for part in path.parts):
        raise UserError(f"{name} holds a file that would land outside its folder; make the zip file again.")
    folder_or_link = member.filename.endswith(("/", "\\")) or stat.S_ISLNK(member.external_attr >> 16)
    hidden = "__MACOSX" in path.parts or any(part.startswith(".") for part in path.parts)
    return None if folder_or_link or hidden or len(path.parts) > MOST_DEPTH + 1 else PurePosixPath(*path.parts)


def _blocks(zipped: ZipFile, member: ZipInfo, name: str) -> Iterator[bytes]:
    with _reading(name), zipped.open(member) as stream:
        while block := stream.read(1 << 20):
            yield block


@contextlib.contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise UserError(f"{name} is no zip file, or a damaged one; make or download it again.") from error


def _too_large(name: str) -> UserError:
    return UserError(f"{name} unpacks to more than {MOST_BYTES / 1e9:g} GB; make a smaller one.")

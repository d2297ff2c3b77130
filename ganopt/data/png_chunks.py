"""The chunks of a PNG file that its pixels depend on.

Pillow reads no PNG file with a damaged or oversized chunk of metadata, which other programs skip.
"""

import struct
import zlib
from typing import IO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NEEDED = (b"tRNS", b"eXIf")  # besides the critical chunks: transparency and orientation


def without_metadata(file: IO[bytes]) -> bytes | None:
    """A PNG file without the chunks that a decoder may skip; None if it is another file."""
    if file.read(8) != SIGNATURE:
        return None
    parts = [SIGNATURE]
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        if size > 1 << 31:
            break
        content, sum_ = file.read(size), file.read(4)
        is_critical, is_whole = kind[0] & 0x20 == 0, sum_ == zlib.crc32(kind + content).to_bytes(4, "big")
        if is_critical or (kind in NEEDED and is_whole):
            parts += [head, content, sum_]
    return b"".join(parts)

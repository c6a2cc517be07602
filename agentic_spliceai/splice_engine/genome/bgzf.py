"""Writing block-gzipped text (BGZF, section 4.1 of the SAM specification), block by block.

Where a block ends depends on the text alone, so that a file whose writing was taken up again is the one that would have
been written at once.
"""

from __future__ import annotations

import struct
import zlib

BLOCK = 0xFF00
"""Bytes of text in a block, as htslib has it: also what cannot be compressed fits into a block's 64 KiB."""

END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty block that ends a file."""

_HEAD = struct.Struct("<4BI2BH2BHH")
_TAIL = struct.Struct("<II")


def compressed(text: bytes) -> bytes:
    """Return one block.

    Parameters
    ----------
    text
        At most `BLOCK` bytes.
    """
    deflate = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(text) + deflate.flush()
    size = _HEAD.size + len(body) + _TAIL.size
    head = _HEAD.pack(0x1F, 0x8B, 8, 4, 0, 0, 0xFF, 6, ord("B"), ord("C"), 2, size - 1)
    return head + body + _TAIL.pack(zlib.crc32(text), len(text))


class BlockBuffer:
    """Collects text and gives it back in full blocks.

    Parameters
    ----------
    pending
        Text that an earlier buffer held.

    Attributes
    ----------
    pending : bytes
        Text that fills no block yet.
    """

    def __init__(self, pending: bytes = b"") -> None:
        self.pending = pending

    def add(self, text: bytes) -> bytes:
        """Take text and return the blocks that it fills, compressed."""
        held = self.pending + text
        full = len(held) - len(held) % BLOCK
        self.pending = held[full:]
        return b"".join(compressed(held[at : at + BLOCK]) for at in range(0, full, BLOCK))

    def end(self) -> bytes:
        """Return the last block and the file's end."""
        last, self.pending = self.pending, b""
        return (compressed(last) if last else b"") + END

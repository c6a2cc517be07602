"""What is written in blocks is read by others, and does not depend on how it was handed over."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pysam
import pytest

from agentic_spliceai.splice_engine.genome.bgzf import BLOCK, END, BlockBuffer, compressed


def written(text: bytes, cuts: list[int]) -> bytes:
    buffer = BlockBuffer()
    parts = [buffer.add(text[start:stop]) for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return b"".join(parts) + buffer.end()


@pytest.mark.parametrize("length", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17])
def test_text_comes_back_however_it_was_cut(length: int, tmp_path: Path) -> None:
    text = random.Random(length).randbytes(length)  # what cannot be compressed is the hardest
    whole = written(text, [])
    assert gzip.decompress(whole) == text
    assert whole.endswith(END)
    for seed in range(3):
        cuts = sorted(random.Random(seed).choices(range(length + 1), k=9))
        assert written(text, cuts) == whole
    (tmp_path / "x.gz").write_bytes(whole)
    with pysam.BGZFile(str(tmp_path / "x.gz")) as reader:
        assert b"".join(iter(lambda: reader.read(100_000), b"")) == text


def test_a_buffer_is_taken_up_again_in_the_middle_of_a_block() -> None:
    text = b"chr1\t5\t.\tA\tG\n" * 12_000
    first = BlockBuffer()
    done = first.add(text[:100_001])
    second = BlockBuffer(first.pending)
    assert done + second.add(text[100_001:]) + second.end() == written(text, [])


def test_each_block_says_its_length() -> None:
    one, two = compressed(b"A" * 500), compressed(b"C")
    assert int.from_bytes(one[16:18], "little") + 1 == len(one)
    assert gzip.decompress(one + two + END) == b"A" * 500 + b"C"

"""Every single-base change of a stretch."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_spliceai.splice_engine.errors import PositionOutOfRangeError
from agentic_spliceai.splice_engine.genome import snvs
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.snvs import snvs_of
from agentic_spliceai.splice_engine.genome.types import Interval
from tests.splice_engine.base_layer.toys import write_genome


@pytest.mark.parametrize("at_once", [1, 2, 1000])
def test_every_base_becomes_each_of_the_others_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(snvs, "_READ_AT_ONCE", at_once)
    genome = ReferenceGenome(write_genome(tmp_path, "AACGNtGG"))
    found = [str(variant) for variant in snvs_of(Interval(contig="chr1", start=1, end=6), genome)]
    assert found == [
        "chr1-2-A-C", "chr1-2-A-G", "chr1-2-A-T", "chr1-3-C-A", "chr1-3-C-G", "chr1-3-C-T",
        "chr1-4-G-A", "chr1-4-G-C", "chr1-4-G-T", "chr1-6-T-A", "chr1-6-T-C", "chr1-6-T-G",
    ]  # fmt: skip


def test_a_stretch_past_the_contig_is_refused(tmp_path: Path) -> None:
    genome = ReferenceGenome(write_genome(tmp_path, "ACGT"))
    with pytest.raises(PositionOutOfRangeError):
        list(snvs_of(Interval(contig="chr1", start=2, end=5), genome))

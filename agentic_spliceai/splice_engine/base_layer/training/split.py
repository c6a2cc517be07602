"""Which part of the genome trains, which selects, and which tests."""

from __future__ import annotations

from dataclasses import dataclass

TRAIN, VALIDATION, TEST, PARALOG = "train", "validation", "test", "paralog"
"""Names of the parts; `PARALOG` are loci of training or validation contigs that share splice sites with test genes."""


@dataclass(frozen=True)
class ChromosomeSplit:
    """A split by chromosome.

    Attributes
    ----------
    test
        Held out; the same chromosomes as SpliceAI and OpenSpliceAI hold out.
    validation
        Used to choose among checkpoints and settings only.
    left_out
        (contig, start, end), 0-based half-open: regions that no part may use. GRCh38 chr21:5.0-9.0 Mb is a known false
        duplication.
    """

    test: tuple[str, ...] = ("chr1", "chr3", "chr5", "chr7", "chr9")
    validation: tuple[str, ...] = ("chr13", "chr16")
    left_out: tuple[tuple[str, int, int], ...] = (("chr21", 5_000_000, 9_000_000),)

    def part_of(self, contig: str, start: int, end: int) -> str | None:
        """Return the part of an interval (0-based half-open), None where it is left out."""
        if any(c == contig and start < e and s < end for c, s, e in self.left_out):
            return None
        if contig in self.test:
            return TEST
        return VALIDATION if contig in self.validation else TRAIN

"""Every single-base change of a stretch of a genome."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import BASES
from agentic_spliceai.splice_engine.genome.types import Interval, Variant

_READ_AT_ONCE = 1 << 16  # nt


def snvs_of(interval: Interval, genome: ReferenceGenome) -> Iterator[Variant]:
    """Yield every single-base change of an interval, by rising position and then by ALT; memory does not grow.

    Parameters
    ----------
    interval
        Where; N in the genome cannot be changed and yields nothing.
    genome
        Its reference.

    Yields
    ------
    Variant
        Three a base.

    Raises
    ------
    UnknownContigError, PositionOutOfRangeError, GenomeFileError
        As `ReferenceGenome.fetch`, when the place is reached.
    """
    for start in range(interval.start, interval.end, _READ_AT_ONCE):
        piece = Interval(contig=interval.contig, start=start, end=min(start + _READ_AT_ONCE, interval.end))
        for position, ref in enumerate(genome.fetch(piece), start + 1):
            for alt in BASES if ref != "N" else "":
                if alt != ref:
                    yield Variant(contig=interval.contig, position=position, ref=ref, alt=alt, build=genome.build)

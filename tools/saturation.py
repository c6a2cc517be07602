"""What saturation is about, for the tool and the command alike: the place, its changes, and the strongest of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import Field

from agentic_spliceai.splice_engine.errors import OutsideGenesError
from agentic_spliceai.splice_engine.genome.bundle import GenomeBundle
from agentic_spliceai.splice_engine.genome.intervals import parse_region
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.snvs import snvs_of
from agentic_spliceai.splice_engine.genome.types import Interval, Transcript
from agentic_spliceai.splice_engine.genome.variant_parsing import RawVariant
from agentic_spliceai.tools.batch_types import BatchInput
from agentic_spliceai.tools.saturation_rows import KINDS, UNITS, Rows
from agentic_spliceai.tools.spec import ToolArgumentError, ToolModel


class SaturatedChange(ToolModel):
    """One single-base change and its largest effect."""

    variant: str = Field(description="The change: chr7-117559590-C-T.")
    gene_name: str = Field(description="The gene.")
    transcript_id: str = Field(description="The transcript that was scored.")
    max_score: float = Field(ge=0, le=1, description="Its largest gain or loss.")
    change: str = Field(description="acceptor_gain, acceptor_loss, donor_gain or donor_loss.")
    position: int = Field(ge=1, description="Where that happens, 1-based.")


@dataclass(frozen=True)
class Place:
    """What is saturated.

    Attributes
    ----------
    interval
        Where.
    what
        In words: the region as given, or the exon with its flanks.
    transcript
        The one that was named, or speaks for the named gene; None for a region without one.
    """

    interval: Interval
    what: str
    transcript: Transcript | None


def find_place(
    bundle: GenomeBundle,
    *,
    region: str | None = None,
    gene: str | None = None,
    transcript: str | None = None,
    exon: int | None = None,
    flank: int = 0,
) -> Place:
    """Read what is to be saturated.

    Parameters
    ----------
    bundle
        Genome and annotation.
    region
        `chr7:117559500-117559700`, 1-based, both ends included; else a gene or transcript is named.
    gene
        Symbol or id; its representative transcript is taken where none is named.
    transcript
        Id.
    exon
        Number in the direction of transcription; without, the whole transcript.
    flank
        Bases beside exon or transcript, on either side, as far as the contig reaches, nt.

    Raises
    ------
    InvalidRegionError, UnknownGeneError, ToolArgumentError
        If it cannot be read, is not in the annotation, or does not go together.
    UnknownContigError, PositionOutOfRangeError
        If it is not in the genome.
    OutsideGenesError
        If no gene lies there.
    """
    if flank < 0:
        raise ToolArgumentError(f"A flank of {flank} nt cannot be used.", "Give 0 or more.")
    named = bundle.annotation.transcript(transcript) if transcript else None
    if region is not None:
        interval = parse_region(region)
        place = Place(interval, str(interval), named)
    else:
        if gene is not None:
            found = bundle.annotation.gene(gene)
            if named is not None and named.gene_id != found.id:
                raise ToolArgumentError(f"{named.id} is no transcript of {found.name}.", "Leave one of the two out.")
            named = named or found.representative
        if named is None:
            raise ToolArgumentError("No place is named.", "Give a region, a gene, or a transcript.")
        place = _of_transcript(named, exon, flank, bundle.genome.contig_length(named.contig))
    last = place.interval.end
    bundle.genome.fetch(Interval(contig=place.interval.contig, start=max(last - 1, 0), end=last))
    if not bundle.annotation.genes_at(place.interval.contig, place.interval.start, last):
        raise OutsideGenesError(
            f"No gene of {bundle.annotation.source} lies in {place.interval}.", "Check build and annotation."
        )
    return place


def _of_transcript(transcript: Transcript, exon: int | None, flank: int, length: int) -> Place:
    name = f"{transcript.gene_name} ({transcript.id})"
    exons = transcript.spliced_exons_in_order
    if exon is None:
        start, end = transcript.start, transcript.end
        what = f"{name}, from its first to its last exonic base" + (f", and {flank} nt beside it" if flank else "")
    elif not 1 <= exon <= len(exons):
        raise ToolArgumentError(
            f"{transcript.id} ({transcript.gene_name}) has {len(exons)} exons, not {exon}.", "Give one of them."
        )
    else:
        start, end = exons[exon - 1]
        what = f"exon {exon} of {len(exons)} of {name} and {flank} nt beside it"
    interval = Interval(contig=transcript.contig, start=max(start - flank, 0), end=min(end + flank, length))
    return Place(interval, what, transcript)


def snv_inputs(interval: Interval, genome: ReferenceGenome) -> Iterator[BatchInput]:
    """Yield every single-base change of an interval as an input of a batch; see `snvs_of`."""
    for variant in snvs_of(interval, genome):
        yield BatchInput(str(variant), RawVariant.from_variant(variant))


@dataclass
class Tally:
    """Counts changes by their largest score, and keeps the strongest, while rows pass by.

    A change with rows on several genes counts once, with the largest. Scores are those of the table, rounded to
    `saturation_rows.DECIMALS`, so that whoever counts there counts the same.

    Attributes
    ----------
    keep
        How many of the strongest are kept; of equal ones the first.
    scored
        Changes with a score.
    """

    keep: int
    scored: int = 0
    _scores: Counter[int] = field(default_factory=Counter, repr=False)
    _best: list[tuple[int, SaturatedChange]] = field(default_factory=list, repr=False)

    def add(self, rows: Rows) -> None:
        """Take rows; all those of one change at once."""
        if not len(rows):
            return
        order = rows.strongest_first()
        self.scored += len(order)
        scores = rows.units("max")[order]
        self._scores.update(scores.tolist())
        for row, score in zip(order[: self.keep].tolist(), scores.tolist(), strict=False):
            if len(self._best) == self.keep and score <= self._best[-1][0]:
                break
            self._best.append((score, _change(rows, row, score)))
            self._best.sort(key=lambda entry: -entry[0])
            del self._best[self.keep :]

    def at_least(self, threshold: float) -> int:
        """Return how many changes have a score of `threshold` or more."""
        return sum(count for score, count in self._scores.items() if score / UNITS >= threshold)

    def top(self) -> tuple[SaturatedChange, ...]:
        """Return the strongest changes, the strongest first."""
        return tuple(change for _, change in self._best)


def _change(rows: Rows, row: int, score: int) -> SaturatedChange:
    column = {name: rows[name][row] for name in rows.names}
    kind = max(KINDS, key=lambda name: float(column[f"ds_{name}"]))
    position = int(column["position"])
    return SaturatedChange(
        variant=f"{rows.contig}-{position}-{column['ref']}-{column['alt']}",
        gene_name=str(column["gene"]),
        transcript_id=str(column["transcript"]),
        max_score=score / UNITS,
        change=KINDS[kind].value,
        position=position + int(column[f"dp_{kind}"]),
    )

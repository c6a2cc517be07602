"""What the tracks say at each place: losses of the transcript's sites, new sites, and sites that were there already."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.results import ChangeKind, SiteChange, SpliceClass, VariantTracks
from agentic_spliceai.splice_engine.consequence.allele import Edit, Sense, Span
from agentic_spliceai.splice_engine.genome.types import Gene, SiteType, Strand, Variant

PAIR_FLOOR = 0.05
"""Gain from which a site may be one half of a pseudoexon: CFTR c.3718-2477C>T, seen in patients, has 0.16 and 0.10."""

PARTNER_FLOOR = 0.1
"""Probability on both alleles from which an unannotated site may be the existing half of a pseudoexon."""

_GAIN = {SiteType.DONOR: ChangeKind.DONOR_GAIN, SiteType.ACCEPTOR: ChangeKind.ACCEPTOR_GAIN}
_LOSS = {SiteType.DONOR: ChangeKind.DONOR_LOSS, SiteType.ACCEPTOR: ChangeKind.ACCEPTOR_LOSS}
_CLASS = {SiteType.DONOR: SpliceClass.DONOR, SiteType.ACCEPTOR: SpliceClass.ACCEPTOR}


@dataclass(frozen=True)
class OwnSite:
    """A splice site of the transcript.

    Attributes
    ----------
    type
        Donor or acceptor.
    exon
        0-based exon, in the order of transcription.
    boundary
        On the reference, sense coordinates.
    alt_boundary
        On the alternate: of several images the one that leaves the exon's length as it was; where the site is deleted,
        the edge of what is left.
    change
        The loss (score 0 if it did not fall); None outside the scored window.
    """

    type: SiteType
    exon: int
    boundary: int
    alt_boundary: int
    change: SiteChange | None

    @property
    def loss(self) -> float:
        """Fall of the probability; 0 where it was not scored."""
        return 0.0 if self.change is None else self.change.score

    @property
    def rise(self) -> float:
        """Rise of the probability; 0 where it was not scored."""
        return 0.0 if self.change is None else max(0.0, self.change.alt_score - self.change.ref_score)


@dataclass(frozen=True)
class FreeSite:
    """A place on the alternate allele that splices there and is no site of the transcript.

    Attributes
    ----------
    boundary
        On the alternate, sense coordinates.
    change
        The gain; its score is below `PAIR_FLOOR` for a site that the reference has already.
    value
        What the site brings to a pair: its gain, or the alternate's probability if the reference has it already.
    """

    type: SiteType
    boundary: int
    change: SiteChange
    value: float

    @property
    def gain(self) -> float:
        """Rise of the probability."""
        return self.change.score


@dataclass(frozen=True)
class SiteTable:
    """Every site that matters on one transcript.

    Attributes
    ----------
    own
        By type and 0-based exon.
    free
        New sites (local maxima of the gain) and existing unannotated ones, in transcript order.
    foreign_losses
        Falls at places that are no site of this transcript, largest first.
    window
        The scored span of the reference, sense coordinates.
    """

    own: dict[tuple[SiteType, int], OwnSite]
    free: tuple[FreeSite, ...]
    foreign_losses: tuple[SiteChange, ...]
    window: Span


@dataclass(frozen=True)
class _View:
    """One allele's probabilities by boundary, in transcript order."""

    start: int
    donor: npt.NDArray[np.float32]
    acceptor: npt.NDArray[np.float32]

    def at(self, kind: SiteType, boundary: int) -> float | None:
        base = boundary - 1 if kind is SiteType.DONOR else boundary
        scores = self.donor if kind is SiteType.DONOR else self.acceptor
        index = base - self.start
        return float(scores[index]) if 0 <= index < len(scores) else None


class SiteReader:
    """Reads `VariantTracks` in the order of transcription.

    Parameters
    ----------
    tracks
        Both alleles; arrays in plus-strand order.
    variant, sense, edit
        The variant, and where it lies on the transcript's axis.
    gene
        All its transcripts say which places are annotated.
    """

    def __init__(self, tracks: VariantTracks, variant: Variant, sense: Sense, edit: Edit, gene: Gene) -> None:
        self._variant, self._sense, self._edit = variant, sense, edit
        self._ref = self._view(tracks.ref.mean, self._ref_start(tracks))
        self._alt = self._view(tracks.alt.mean, self._alt_start(tracks))
        forward = sense.strand is Strand.PLUS
        self._alt_positions = tracks.alt.positions if forward else tracks.alt.positions[::-1]
        self._alt_offsets = tracks.alt.insert_offsets if forward else tracks.alt.insert_offsets[::-1]
        self._annotated = {(site.type, site.position) for t in gene.transcripts for site in t.splice_sites}

    def _view(self, mean: npt.NDArray[np.float32], start: int) -> _View:
        ordered = mean if self._sense.strand is Strand.PLUS else mean[::-1]
        return _View(start, ordered[:, SpliceClass.DONOR], ordered[:, SpliceClass.ACCEPTOR])

    def _ref_start(self, tracks: VariantTracks) -> int:
        first = 0 if self._sense.strand is Strand.PLUS else -1
        return self._sense.base(int(tracks.ref.positions[first]))

    def _alt_start(self, tracks: VariantTracks) -> int:
        """Return the sense base of the alternate track's first base in transcript order."""
        variant, positions = self._variant, tracks.alt.positions
        if self._sense.strand is Strand.PLUS:
            return int(positions[0]) - 1
        if positions[-1] > variant.end:
            return -int(positions[-1])
        # The window ends inside the variant: count the alternate's bases from its first.
        inside = int(np.count_nonzero(positions >= variant.position))
        return -(variant.position - 1 + inside) + len(variant.alt) - len(variant.ref)

    @property
    def window(self) -> Span:
        """The scored span of the reference, sense coordinates."""
        return self._ref.start, self._ref.start + len(self._ref.donor)

    def read(self, exons: tuple[Span, ...], floor: float) -> SiteTable:
        """Collect the sites of a transcript with these reference exons; `floor` is the least loss or rise to report."""
        own: dict[tuple[SiteType, int], OwnSite] = {}
        for exon, (start, end) in enumerate(exons):
            if exon > 0:
                own[SiteType.ACCEPTOR, exon] = self._own(SiteType.ACCEPTOR, exon, start)
            if exon < len(exons) - 1:
                own[SiteType.DONOR, exon] = self._own(SiteType.DONOR, exon, end)
        places = {(site.type, site.boundary) for site in own.values()}
        kept = {(site.type, site.alt_boundary) for site in own.values() if self._edit.images(site.boundary)}
        free = [site for kind in SiteType for site in self._free(kind, places, kept)]
        return SiteTable(
            own=own,
            free=tuple(sorted(free, key=lambda site: site.boundary)),
            foreign_losses=self._foreign_losses(places, floor),
            window=self.window,
        )

    def _own(self, kind: SiteType, exon: int, boundary: int) -> OwnSite:
        before = self._ref.at(kind, boundary)
        acceptor = kind is SiteType.ACCEPTOR
        image = self._edit.start_image(boundary) if acceptor else self._edit.end_image(boundary)
        after = self._alt.at(kind, image) if self._edit.images(boundary) else 0.0
        change = None if before is None or after is None else self._loss(kind, boundary, before, after)
        return OwnSite(type=kind, exon=exon, boundary=boundary, alt_boundary=image, change=change)

    def _loss(self, kind: SiteType, boundary: int, before: float, after: float) -> SiteChange:
        position = self._sense.position(boundary - 1 if kind is SiteType.DONOR else boundary)
        return SiteChange(
            kind=_LOSS[kind],
            score=max(0.0, before - after),
            position=position,
            offset=position - self._variant.position,
            ref_score=before,
            alt_score=after,
            annotated=(kind, position) in self._annotated,
        )

    def _free(self, kind: SiteType, own: set[tuple[SiteType, int]], kept: set[tuple[SiteType, int]]) -> list[FreeSite]:
        """Collect the free sites of a type; `own` are the transcript's on the reference, `kept` on the alternate."""
        scores = self._alt.donor if kind is SiteType.DONOR else self._alt.acceptor
        after = 1 if kind is SiteType.DONOR else 0
        rises: dict[int, tuple[float, float]] = {}
        for index in np.flatnonzero(scores >= PAIR_FLOOR):
            boundary = self._alt.start + int(index) + after
            before = self._before(kind, boundary, own)
            if before is not None and (kind, boundary) not in kept:
                rises[boundary] = (float(scores[index]) - before, before)
        sites = []
        for boundary, (rise, before) in rises.items():
            now = rise + before
            peak = rise >= rises.get(boundary - 1, (0.0, 0.0))[0] and rise > rises.get(boundary + 1, (0.0, 0.0))[0]
            if rise >= PAIR_FLOOR and peak:
                value = max(rise, now) if before >= PARTNER_FLOOR else rise
            elif before >= PARTNER_FLOOR and now >= PARTNER_FLOOR:
                value = now
            else:
                continue
            sites.append(FreeSite(kind, boundary, self._gain(kind, boundary, before, now), value))
        return sites

    def _before(self, kind: SiteType, boundary: int, own: set[tuple[SiteType, int]]) -> float | None:
        """Return the reference's probability at a boundary of the alternate: 0 if new, None if not scored."""
        origins = [origin for origin in self._edit.preimages(boundary) if (kind, origin) not in own]
        known = [score for origin in origins if (score := self._ref.at(kind, origin)) is not None]
        return max(known) if known else (None if origins else 0.0)

    def _gain(self, kind: SiteType, boundary: int, before: float, now: float) -> SiteChange:
        index = boundary - (1 if kind is SiteType.DONOR else 0) - self._alt.start
        position = int(self._alt_positions[index])
        insert_offset = int(self._alt_offsets[index])
        return SiteChange(
            kind=_GAIN[kind],
            score=min(1.0, max(0.0, now - before)),
            position=position,
            offset=position - self._variant.position,
            insert_offset=insert_offset,
            ref_score=before,
            alt_score=min(1.0, now),
            annotated=insert_offset == 0 and (kind, position) in self._annotated,
        )

    def _foreign_losses(self, own: set[tuple[SiteType, int]], floor: float) -> tuple[SiteChange, ...]:
        losses = []
        for kind in SiteType:
            scores = self._ref.donor if kind is SiteType.DONOR else self._ref.acceptor
            for index in np.flatnonzero(scores >= floor):
                boundary = self._ref.start + int(index) + (1 if kind is SiteType.DONOR else 0)
                images = self._edit.images(boundary)
                known = [score for image in images if (score := self._alt.at(kind, image)) is not None]
                if (kind, boundary) in own or (images and not known):
                    continue
                loss = self._loss(kind, boundary, float(scores[index]), max(known, default=0.0))
                if loss.score >= floor:
                    losses.append(loss)
        return tuple(sorted(losses, key=lambda loss: -loss.score))

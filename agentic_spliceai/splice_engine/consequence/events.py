"""From sites lost and gained to what happens to the transcript.

Rules
-----
1. A lost site with a usable new site of its type that gains at least half as much as was lost: the site shifts.
2. Lost sites that are not so replaced are read in pairs first, those that lost most together first: the two ends of one
   exon mean that it is skipped, the two ends of one intron that it is retained.
3. A single lost site of an internal exon means that the exon is skipped, with retention of the intron beside it as the
   alternative. The order is reversed where that intron is very short (at most 100 nt) and shorter than the exon. Both
   readings are always given, and the order is a rule of thumb: below 200-250 nt the intron rather than the exon tends
   to be recognised as a unit (Fox-Walsh et al., PNAS 2005), yet exons beside introns of 100 to 200 nt are known to be
   skipped (FBN1, intron 28 of 111 nt). The first exon's donor and the last exon's acceptor leave retention only.
4. A gain without a loss competes with the annotated site of its type if the exon would not grow by more than 500 nt.
5. An acceptor and a donor inside one intron, 20 to 500 nt apart, at least one of them new, make a pseudoexon. It comes
   before the shift that one of the two could also mean if its weaker half has at least half of the stronger one's gain.
6. An internal exon that the variant itself removes, bases or both splice sites, is skipped whatever the scores say; it
   comes first, neighbouring ones as one event.

Scores: a shift rests on its gain (its strength on the larger of gain and loss), a skipped exon or retained intron on
the larger of its losses (a second loss can only add to the first), a pseudoexon on the smaller of its two sites.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from agentic_spliceai.splice_engine.base_layer.results import SiteChange, Thresholds
from agentic_spliceai.splice_engine.consequence.allele import Allele, Edit, Span
from agentic_spliceai.splice_engine.consequence.sites import PAIR_FLOOR, FreeSite, OwnSite, SiteTable
from agentic_spliceai.splice_engine.consequence.types import EventType, Strength
from agentic_spliceai.splice_engine.genome.types import SiteType

SHORT_INTRON = 100
"""nt up to which retention of an intron shorter than the exon beside it is named before skipping of the exon."""

PSEUDOEXON_LENGTHS = (20, 500)
"""nt; published pseudoexons lie within (SAI-10k-calc, Canson et al., Bioinformatics 2023, looks at 25 to 500)."""

MAX_EXTENSION = 500
"""nt by which a new intronic site may lengthen an exon; few internal human exons are longer."""

REPLACED = 0.5
"""Share of a loss from which a gain of the same type is taken to replace the lost site."""

_RANK = {Strength.STRONG: 2, Strength.MODERATE: 1, Strength.WEAK: 0}


@dataclass(frozen=True)
class Draft:
    """An event before its words and its protein.

    Attributes
    ----------
    exons
        The altered exons on the alternate allele, sense coordinates; None where they are not known.
    span
        What is skipped, retained, included, gained or lost, on the reference, sense coordinates.
    exon, intron
        0-based.
    own, cryptic
        The annotated and the new site of a shift, or the lone new site of an unpaired gain.
    length_change
        Length of what is made of the exon (or of both exons and the intron) minus the reference's, nt; of a pseudoexon
        or a skipped exon its own.
    competes
        The new site gains without the annotated one losing.
    moves
        The new site is the annotated one, read at the other side of an insertion or deletion beside it.
    removed
        How many exons from `exon` on the variant itself removes; 0 if the event rests on scores.
    """

    type: EventType
    score: float
    strength: Strength
    support: tuple[SiteChange, ...]
    exons: tuple[Span, ...] | None
    span: Span | None = None
    exon: int | None = None
    intron: int | None = None
    own: OwnSite | None = None
    cryptic: FreeSite | None = None
    pair: tuple[FreeSite, FreeSite] | None = None
    length_change: int = 0
    competes: bool = False
    moves: bool = False
    removed: int = 0
    alternative: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """What makes it the same event as another."""
        return (self.type, self.exon, self.intron, self.cryptic, self.pair)


class EventFinder:
    """Reads a site table as events.

    Parameters
    ----------
    table
        Sites lost and gained.
    exons
        Exons of the reference in the order of transcription, sense coordinates.
    edit
        The variant.
    thresholds
        Of the predictor that made the scores.
    ref, alt
        The two alleles: their bases say which splice sites the variant itself removes.

    Attributes
    ----------
    normal : tuple of span
        The exons on the alternate allele if it is spliced as the reference.
    unused : list of SiteChange
        Gains from the weak threshold on that no event explains.
    removed_exons : frozenset of int
        Internal exons, 0-based, that the variant itself removes.
    removed_sites : tuple of OwnSite
        Other splice sites that the variant itself removes, and whose loss the scores do not show.
    """

    def __init__(
        self,
        table: SiteTable,
        exons: tuple[Span, ...],
        edit: Edit,
        thresholds: Thresholds,
        *,
        ref: Allele,
        alt: Allele,
    ) -> None:
        self._table, self._ref, self._edit, self._thresholds = table, exons, edit, thresholds
        self.normal = self._alt = tuple(self._mapped(index) for index in range(len(exons)))
        self.unused: list[SiteChange] = []
        gone = [site for site in table.own.values() if is_removed(site, edit, ref, alt)]
        both = {a.exon for a in gone for b in gone if a.exon == b.exon and a.type is not b.type}
        empty = {index for index, (start, end) in enumerate(self._alt) if end <= start}
        self.removed_exons = frozenset(index for index in both | empty if self._is_internal(index))
        self.removed_sites = tuple(
            site for site in gone if site.exon not in self.removed_exons and site.loss < thresholds.weak
        )

    def _mapped(self, index: int) -> Span:
        start, end = self._ref[index]
        acceptor = self._table.own.get((SiteType.ACCEPTOR, index))
        donor = self._table.own.get((SiteType.DONOR, index))
        return (
            self._edit.start_image(start) if acceptor is None else acceptor.alt_boundary,
            self._edit.end_image(end) if donor is None else donor.alt_boundary,
        )

    def strength(self, score: float) -> Strength:
        """Return the word for a score, by the predictor's own thresholds."""
        if score >= self._thresholds.strong:
            return Strength.STRONG
        return Strength.MODERATE if score >= self._thresholds.moderate else Strength.WEAK

    def find(self) -> tuple[Draft, ...]:
        """Return every event, likeliest first; an alternative follows the event whose scores it shares."""
        weak = self._thresholds.weak
        lost = [site for site in self._table.own.values() if site.loss >= weak and site.exon not in self.removed_exons]
        near = {(site.type, site.exon): self._usable(site) for site in lost}
        replaced = [
            site for site in lost if (new := near[site.type, site.exon]) and new[0].gain >= REPLACED * site.loss
        ]
        clusters = [self._replaced(site, near[site.type, site.exon]) for site in replaced]
        for readings, sites in self._unreplaced([site for site in lost if site not in replaced]):
            shifts = [self._shift(site, new) for site in sites for new in near[site.type, site.exon]]
            clusters.append([*readings, *shifts])
        explained = {new for found in near.values() for new in found}
        clusters += self._gained(explained, {near[site.type, site.exon][0] for site in replaced})
        clusters.sort(key=lambda cluster: (_RANK[cluster[0].strength], cluster[0].score), reverse=True)
        events: dict[tuple[object, ...], Draft] = {}
        for cluster in [[draft] for draft in self._removals()] + clusters:
            possible = [draft for draft in cluster if not self._is_impossible(draft)]
            for place, draft in enumerate(possible):
                events.setdefault(draft.key, replace(draft, alternative=place > 0))
        return tuple(events.values())

    def _is_impossible(self, draft: Draft) -> bool:
        """Whether an event retains an intron that the variant deletes whole."""
        if draft.type is not EventType.INTRON_RETENTION or draft.intron is None:
            return False
        donor_end, acceptor_end = self._ref[draft.intron][1], self._ref[draft.intron + 1][0]
        return self._edit.replaces(donor_end, acceptor_end)

    # -- removed exons -----------------------------------------------------------------------------------------------

    def _removals(self) -> list[Draft]:
        runs: list[list[int]] = []
        for exon in sorted(self.removed_exons):
            if runs and runs[-1][-1] == exon - 1:
                runs[-1].append(exon)
            else:
                runs.append([exon])
        return [self._removal(run) for run in runs]

    def _removal(self, run: list[int]) -> Draft:
        sites = [site for site in self._table.own.values() if site.exon in run]
        score = max(site.loss for site in sites)
        return Draft(
            type=EventType.EXON_SKIPPING,
            score=score,
            strength=self.strength(score),
            support=_losses(tuple(site for site in sites if site.loss >= PAIR_FLOOR)),
            exons=self._alt[: run[0]] + self._alt[run[-1] + 1 :],
            span=(self._ref[run[0]][0], self._ref[run[-1]][1]),
            exon=run[0],
            length_change=-sum(self._length(exon) for exon in run),
            removed=len(run),
        )

    # -- lost sites --------------------------------------------------------------------------------------------------

    def _usable(self, site: OwnSite) -> list[FreeSite]:
        """Return the new sites that the site's exon could use instead, best first."""
        found = [
            new
            for new in self._table.free
            if new.gain >= self._thresholds.weak
            and self._host(new) == site
            and self._growth(site, new) <= MAX_EXTENSION
        ]
        return sorted(found, key=lambda new: -new.gain)

    def _host(self, new: FreeSite) -> OwnSite | None:
        """Return the annotated site whose place a new one would take; None where there is no exon to take it."""
        for index in range(len(self._alt) - 1):
            start, end = self._alt[index]
            next_start, next_end = self._alt[index + 1]
            if new.type is SiteType.DONOR and index not in self.removed_exons and start < new.boundary < next_start:
                return self._table.own[SiteType.DONOR, index]
            kept = index + 1 not in self.removed_exons
            if new.type is SiteType.ACCEPTOR and kept and end < new.boundary < next_end:
                return self._table.own[SiteType.ACCEPTOR, index + 1]
        return None

    @staticmethod
    def _growth(site: OwnSite, new: FreeSite) -> int:
        """Return by how much the exon grows if the new site replaces the annotated one, nt."""
        ahead = new.boundary - site.alt_boundary
        return ahead if site.type is SiteType.DONOR else -ahead

    def _replaced(self, site: OwnSite, new: list[FreeSite]) -> list[Draft]:
        cluster = [self._shift(site, found) for found in new]
        if site.loss - new[0].gain >= self._thresholds.weak:
            cluster += self._single(site)
        return cluster

    def _unreplaced(self, lost: list[OwnSite]) -> Iterable[tuple[list[Draft], list[OwnSite]]]:
        """Read lost sites in pairs, then one by one; give the readings and the sites that they rest on."""
        pairs = [
            (min(a.loss, b.loss), a, b)
            for a in lost
            for b in lost
            if a.boundary < b.boundary and a.type is not b.type and b.exon - a.exon == (a.type is SiteType.DONOR)
        ]
        left = list(lost)
        for _, a, b in sorted(pairs, key=lambda pair: (-pair[0], pair[1].boundary)):
            if a not in left or b not in left:
                continue
            left.remove(a)
            left.remove(b)
            if a.type is SiteType.ACCEPTOR:
                yield [self._skip(a.exon, (a, b))], [a, b]
            else:
                skips = [self._skip(site.exon, (site,)) for site in (a, b) if self._is_internal(site.exon)]
                yield [self._retain(a.exon, (a, b)), *skips], [a, b]
        for site in left:
            yield self._single(site), [site]

    def _length(self, exon: int) -> int:
        return self._ref[exon][1] - self._ref[exon][0]

    def _is_internal(self, exon: int) -> bool:
        return 0 < exon < len(self._ref) - 1

    def _single(self, site: OwnSite) -> list[Draft]:
        intron = site.exon if site.type is SiteType.DONOR else site.exon - 1
        retained = self._retain(intron, (site,))
        if not self._is_internal(site.exon):
            return [retained]
        skipped = self._skip(site.exon, (site,))
        intron_length = self._ref[intron + 1][0] - self._ref[intron][1]
        short = intron_length <= SHORT_INTRON and intron_length < self._length(site.exon)
        return [retained, skipped] if short else [skipped, retained]

    def _skip(self, exon: int, sites: tuple[OwnSite, ...]) -> Draft:
        start, end = self._ref[exon]
        score = max(site.loss for site in sites)
        return Draft(
            type=EventType.EXON_SKIPPING,
            score=score,
            strength=self.strength(score),
            support=_losses(sites),
            exons=self._alt[:exon] + self._alt[exon + 1 :],
            span=(start, end),
            exon=exon,
            length_change=start - end,
        )

    def _retain(self, intron: int, sites: tuple[OwnSite, ...]) -> Draft:
        before, after = self._alt[intron], self._alt[intron + 1]
        score = max(site.loss for site in sites)
        return Draft(
            type=EventType.INTRON_RETENTION,
            score=score,
            strength=self.strength(score),
            support=_losses(sites),
            exons=(*self._alt[:intron], (before[0], after[1]), *self._alt[intron + 2 :]),
            span=(self._ref[intron][1], self._ref[intron + 1][0]),
            intron=intron,
            length_change=after[1] - before[0] - self._length(intron) - self._length(intron + 1),
        )

    def _shift(self, site: OwnSite, new: FreeSite) -> Draft:
        donor = site.type is SiteType.DONOR
        start, end = self._alt[site.exon]
        exon = (start, new.boundary) if donor else (new.boundary, end)
        place = self._edit.nearest_preimage(new.boundary)
        competes = site.loss < self._thresholds.weak
        # A lost site is as sure a sign as the gain; without a loss the new site may or may not be used.
        strength = self.strength(new.gain if competes else max(new.gain, site.loss))
        return Draft(
            type=EventType.DONOR_SHIFT if donor else EventType.ACCEPTOR_SHIFT,
            score=new.gain,
            strength=Strength.MODERATE if competes and strength is Strength.STRONG else strength,
            support=(new.change, *(_losses((site,)) if site.loss >= PAIR_FLOOR else ())),
            exons=(*self._alt[: site.exon], exon, *self._alt[site.exon + 1 :]),
            span=(min(place, site.boundary), max(place, site.boundary)),
            exon=site.exon,
            own=site,
            cryptic=new,
            length_change=exon[1] - exon[0] - self._length(site.exon),
            competes=competes,
            moves=new.boundary in self._edit.images(site.boundary),
        )

    # -- gains without a loss ----------------------------------------------------------------------------------------

    def _gained(self, explained: set[FreeSite], replacing: set[FreeSite]) -> list[list[Draft]]:
        weak = self._thresholds.weak
        clusters: list[list[Draft]] = []
        used: set[FreeSite] = set()
        subtle = False
        for pair in self._pairs():
            below = max(site.gain for site in pair.pair or ()) < weak
            if used.intersection(pair.pair or ()) or (below and subtle):
                continue
            if replacing.intersection(pair.pair or ()) and pair.score < weak:
                continue
            subtle = subtle or below
            used.update(pair.pair or ())
            shifts = [
                self._shift(host, site)
                for site in sorted(pair.pair or (), key=lambda site: -site.gain)
                if site.gain >= weak and site not in explained and (host := self._near(site)) is not None
            ]
            first = bool(shifts) and pair.score < REPLACED * shifts[0].score
            clusters.append([shifts[0], pair, *shifts[1:]] if first else [pair, *shifts])
        for site in self._table.free:
            if site.gain < weak or site in explained or site in used:
                continue
            host = self._near(site)
            if host is not None:
                clusters.append([self._shift(host, site)])
            elif (intron := self._intron_of(site)) is not None:
                clusters.append([self._unpaired(site, intron)])
            else:
                self.unused.append(site.change)
        return clusters

    def _near(self, site: FreeSite) -> OwnSite | None:
        """Return the annotated site that a new one competes with, if it is near enough."""
        host = self._host(site)
        return host if host is not None and self._growth(host, site) <= MAX_EXTENSION else None

    def _intron_of(self, site: FreeSite) -> int | None:
        spans = zip(self._alt, self._alt[1:], strict=False)
        return next((i for i, (a, b) in enumerate(spans) if a[1] < site.boundary < b[0]), None)

    def _pairs(self) -> list[Draft]:
        """Return every pseudoexon that two sites of one intron could make, best first."""
        low, high = PSEUDOEXON_LENGTHS
        by_intron: dict[int, list[FreeSite]] = {}
        for site in self._table.free:
            if (intron := self._intron_of(site)) is not None:
                by_intron.setdefault(intron, []).append(site)
        pairs = [
            self._pseudoexon(intron, acceptor, donor)
            for intron, sites in by_intron.items()
            for acceptor in sites
            if acceptor.type is SiteType.ACCEPTOR
            for donor in sites
            if donor.type is SiteType.DONOR
            and low <= donor.boundary - acceptor.boundary <= high
            and self._is_new(acceptor, donor)
        ]
        return sorted(pairs, key=lambda draft: (-draft.score, -sum(change.score for change in draft.support)))

    def _is_new(self, acceptor: FreeSite, donor: FreeSite) -> bool:
        """Whether both sites gain, or one gains for certain and the other was there already."""
        less, more = sorted((acceptor.gain, donor.gain))
        return less >= PAIR_FLOOR or more >= self._thresholds.weak

    def _pseudoexon(self, intron: int, acceptor: FreeSite, donor: FreeSite) -> Draft:
        score = min(acceptor.value, donor.value)
        exon = (acceptor.boundary, donor.boundary)
        return Draft(
            type=EventType.PSEUDOEXON,
            score=score,
            strength=self.strength(score),
            support=(acceptor.change, donor.change),
            exons=(*self._alt[: intron + 1], exon, *self._alt[intron + 1 :]),
            span=(self._edit.nearest_preimage(exon[0]), self._edit.nearest_preimage(exon[1])),
            intron=intron,
            pair=(acceptor, donor),
            length_change=exon[1] - exon[0],
        )

    def _unpaired(self, site: FreeSite, intron: int) -> Draft:
        strength = self.strength(site.gain)
        return Draft(
            type=EventType.PSEUDOEXON,
            score=site.gain,
            strength=Strength.MODERATE if strength is Strength.STRONG else strength,
            support=(site.change,),
            exons=None,
            intron=intron,
            cryptic=site,
        )


def is_removed(site: OwnSite, edit: Edit, ref: Allele, alt: Allele) -> bool:
    """Whether the alternate has neither the boundary of a site nor the two intronic bases beside it (GT, AG) there."""

    def bases(allele: Allele, boundary: int) -> str:
        donor = site.type is SiteType.DONOR
        return allele.sequence(boundary, boundary + 2) if donor else allele.sequence(boundary - 2, boundary)

    before = bases(ref, site.boundary)
    return "N" not in before and all(bases(alt, image) != before for image in edit.images(site.boundary))


def _losses(sites: tuple[OwnSite, ...]) -> tuple[SiteChange, ...]:
    return tuple(site.change for site in sites if site.change is not None)

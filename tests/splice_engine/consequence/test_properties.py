"""What holds for any scores: strands are mirrored, lengths add up, nothing comes from nothing."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.consequence.types import Consequence, EventType, Strength
from agentic_spliceai.splice_engine.genome.types import Interval, Strand
from tests.splice_engine.consequence.toys import FLANK, Site, Toy, toy

PLUS, MINUS = toy(Strand.PLUS), toy(Strand.MINUS)
SIZE = len(PLUS.sense)
BODY = st.integers(len(FLANK), SIZE - len(FLANK) - 1)
PROBABILITY = st.sampled_from([0.0, 0.04, 0.1, 0.3, 0.6, 0.94])
RANK = {Strength.STRONG: 2, Strength.MODERATE: 1, Strength.WEAK: 0}


@st.composite
def _scores(draw: st.DrawFn) -> dict[Site, float]:
    """The annotated sites at any probability, and a few new ones anywhere."""
    sites = {site: draw(st.sampled_from([0.95, 0.95, 0.7, 0.3, 0.0])) for site in PLUS.sites()}
    for kind in ("donor", "acceptor"):
        for base in draw(st.lists(BODY, max_size=3)):
            sites.setdefault((kind, base), draw(PROBABILITY))
    return sites


def _run(gene: Toy, base: int, alt: str, sites: dict[Site, float]) -> Consequence:
    return gene.infer(gene.variant(base, base + 1, alt), sites)


def _mirrored(place: Interval | None) -> Interval | None:
    return None if place is None else Interval(contig=place.contig, start=SIZE - place.end, end=SIZE - place.start)


@settings(max_examples=120, deadline=None)
@given(BODY, st.sampled_from("ACGT"), _scores())
def test_the_mirrored_problem_has_the_mirrored_answer(base: int, alt: str, sites: dict[Site, float]) -> None:
    if PLUS.sense[base] == alt:
        return
    plus, minus = _run(PLUS, base, alt, sites), _run(MINUS, base, alt, sites)
    assert plus.region == minus.region
    if plus.primary.type is not EventType.NONE:
        assert plus.verdict == minus.verdict
    assert len(plus.events) == len(minus.events)
    for one, other in zip(plus.events, minus.events, strict=True):
        assert _mirrored(one.interval) == other.interval
        if one.cryptic_position is not None:
            assert other.cryptic_position == SIZE + 1 - one.cryptic_position
        assert [SIZE + 1 - change.position for change in one.support] == [change.position for change in other.support]
        place_free = {"interval": None, "cryptic_position": None, "support": (), "description": ""}
        assert one.model_copy(update=place_free) == other.model_copy(update=place_free)


@settings(max_examples=150, deadline=None)
@given(BODY, st.sampled_from("ACGT"), _scores())
def test_lengths_add_up_and_the_likeliest_comes_first(base: int, alt: str, sites: dict[Site, float]) -> None:
    if PLUS.sense[base] == alt:
        return
    found = _run(PLUS, base, alt, sites)
    firsts = [event for event in found.events if not event.alternative]
    assert found.events[0] is firsts[0]
    ranks = [(RANK[event.strength], event.score) for event in firsts]
    assert ranks == sorted(ranks, reverse=True)
    for event in found.events:
        if event.effect is not None:
            assert event.effect.mrna_length_change == event.length_change
        if event.interval is not None:
            assert len(event.interval) == abs(event.length_change)
        if event.type is not EventType.NONE:
            assert event.support
            assert event.score <= max(max(c.ref_score, c.alt_score) for c in event.support)


@settings(max_examples=60, deadline=None)
@given(BODY, st.sampled_from("ACGT"), _scores(), st.sampled_from([PLUS, MINUS]))
def test_equal_tracks_give_no_event(base: int, alt: str, sites: dict[Site, float], gene: Toy) -> None:
    if gene.sense[base] == alt:
        return
    found = gene.infer(gene.variant(base, base + 1, alt), sites, ref=sites)
    assert [event.type for event in found.events] == [EventType.NONE]


@settings(max_examples=200, deadline=None)
@given(BODY, st.integers(0, 12), st.text("ACGT", max_size=8), _scores())
# Deletes the first base of an exon, and could as well be said to delete its first two.
@example(
    354,
    3,
    "",
    {("donor", 55): 0.95, ("acceptor", 356): 0.95, ("donor", 385): 0.95, ("acceptor", 1186): 0.95,
     ("donor", 1216): 0.95, ("acceptor", 1297): 0.95, ("donor", 1358): 0.95, ("acceptor", 1559): 0.95},
)  # fmt: skip
def test_any_replacement_reads_the_same_on_both_strands(
    base: int, removed: int, new: str, sites: dict[Site, float]
) -> None:
    """The genome's left-alignment pulls an indel to opposite sides on the two strands; the messenger must not care."""
    end = min(base + removed, SIZE - len(FLANK))
    if PLUS.sense[base:end] == new:
        return
    plus, minus = (gene.infer(gene.variant(base, end, new), sites) for gene in (PLUS, MINUS))
    readings = [
        [(event.type, event.exon_number, event.intron_number, event.score, event.strength, event.effect)
         for event in found.events if event.type is not EventType.NONE]
        for found in (plus, minus)
    ]  # fmt: skip
    assert readings[0] == readings[1]

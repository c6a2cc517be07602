"""Transcript positions, computed by hand and as properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.errors import (
    InvalidVariantError,
    NoTranscriptNameError,
    PositionOutOfRangeError,
)
from agentic_spliceai.splice_engine.genome import Strand, Transcript, TranscriptMap, TranscriptPosition


def transcript(strand: Strand, cds: tuple[tuple[int, int], ...] = ((15, 20), (45, 51))) -> Transcript:
    """Exons 11-20, 46-55, 81-90 (1-based); introns of 25 nt, the least; coding 16-20 and 46-51."""
    exons = ((10, 20), (45, 55), (80, 90))
    return Transcript(id="T", gene_id="G", gene_name="G", contig="chr1", strand=strand, exons=exons, cds=cds)


# 1-based genomic position -> label, worked out on paper.
PLUS = {
    11: "-5", 15: "-1", 16: "1", 20: "5", 21: "5+1", 22: "5+2", 33: "5+13", 34: "6-12", 45: "6-1", 46: "6", 51: "11",
    52: "*1", 55: "*4", 56: "*4+1", 68: "*4+13", 69: "*5-12", 80: "*5-1", 81: "*5", 90: "*14",
}  # fmt: skip
MINUS = {
    90: "-14", 81: "-5", 80: "-5+1", 68: "-5+13", 67: "-4-12", 56: "-4-1", 55: "-4", 52: "-1", 51: "1", 46: "6",
    45: "6+1", 33: "6+13", 32: "7-12", 21: "7-1", 20: "7", 16: "11", 15: "*1", 11: "*5",
}  # fmt: skip


@pytest.mark.parametrize(("strand", "labels"), [(Strand.PLUS, PLUS), (Strand.MINUS, MINUS)])
def test_labels_by_hand(strand: Strand, labels: dict[int, str]) -> None:
    mapping = TranscriptMap(transcript(strand))
    assert {position: mapping.label_at(position) for position in labels} == labels
    assert {position: mapping.parse_label(label) for position, label in labels.items()} == {p: p for p in labels}


def test_lengths_and_coding_bounds() -> None:
    mapping = TranscriptMap(transcript(Strand.PLUS))
    assert (mapping.length, mapping.cds_start, mapping.cds_end) == (30, 6, 16)
    mapping = TranscriptMap(transcript(Strand.MINUS))
    assert (mapping.length, mapping.cds_start, mapping.cds_end) == (30, 15, 25)


def test_non_coding_counts_from_the_first_base() -> None:
    mapping = TranscriptMap(transcript(Strand.MINUS, ()))
    assert mapping.label_at(90) == "1"
    assert mapping.label_at(80) == "10+1"
    assert mapping.cds_offset(85) is None
    with pytest.raises(InvalidVariantError, match="non-coding"):
        mapping.parse_label("5", coding=True)
    with pytest.raises(InvalidVariantError, match="needs a coding sequence"):
        mapping.parse_label("*5")


def test_n_positions_of_a_coding_transcript() -> None:
    assert TranscriptMap(transcript(Strand.PLUS)).parse_label("10+2", coding=False) == 22


def test_exon_intron_and_coding_offsets() -> None:
    mapping = TranscriptMap(transcript(Strand.MINUS))
    assert [mapping.exon_number(position) for position in (90, 81, 55, 11, 68, 91)] == [1, 1, 2, 3, None, None]
    assert [mapping.intron_number(position) for position in (80, 56, 45, 21, 20, 10)] == [1, 1, 2, 2, None, None]
    assert [mapping.cds_offset(position) for position in (51, 46, 20, 16, 15, 45, 52)] == [
        0,
        5,
        6,
        10,
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("label", "error", "message"),
    [
        ("4+1", InvalidVariantError, "4 is not the last base"),
        ("5-1", InvalidVariantError, "5 is not the first base"),
        ("*14+1", InvalidVariantError, "not the last base of an exon with an intron"),
        ("5+26", PositionOutOfRangeError, "intron of 25 nt"),
        ("12", PositionOutOfRangeError, "past the stop codon"),
        ("*15", PositionOutOfRangeError, "30 bases"),
        ("-6", PositionOutOfRangeError, "not in transcript"),
        ("0", InvalidVariantError, "no transcript position"),
        ("1.5", InvalidVariantError, "no transcript position"),
    ],
)
def test_labels_that_mean_nothing_are_refused(label: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TranscriptMap(transcript(Strand.PLUS)).parse_label(label)


@pytest.mark.parametrize("position", [10, 91])
def test_outside_the_transcript(position: int) -> None:
    with pytest.raises(PositionOutOfRangeError, match=f"chr1:{position}"):
        TranscriptMap(transcript(Strand.PLUS)).to_transcript(position)


@st.composite
def transcripts(draw: st.DrawFn, between: st.SearchStrategy[int]) -> Transcript:
    """Exons of 1 to 12 nt, `between` nt apart."""
    place, exons = draw(st.integers(0, 50)), []
    for _ in range(draw(st.integers(1, 6))):
        start = place + draw(between)
        place = start + draw(st.integers(1, 12))
        exons.append((start, place))
    exonic = [base for start, end in exons for base in range(start, end)]
    first, last = sorted(draw(st.tuples(st.sampled_from(exonic), st.sampled_from(exonic))))
    cds = tuple((max(s, first), min(e, last + 1)) for s, e in exons if max(s, first) < min(e, last + 1))
    return Transcript(
        id="T",
        gene_id="G",
        gene_name="G",
        contig="chr1",
        strand=draw(st.sampled_from(Strand)),
        exons=tuple(exons),
        cds=draw(st.sampled_from([cds, ()])),
    )


@given(transcripts(st.integers(25, 37)))
def test_the_map_is_its_own_inverse_and_rises_along_the_transcript(transcript: Transcript) -> None:
    mapping = TranscriptMap(transcript)
    positions = list(range(transcript.start + 1, transcript.end + 1))
    if transcript.strand is Strand.MINUS:
        positions.reverse()
    places = [mapping.to_transcript(position) for position in positions]
    assert [mapping.to_genome(place.base, place.offset) for place in places] == positions
    assert [mapping.parse_label(mapping.label_at(position)) for position in positions] == positions
    exonic = [place.base for place in places if not place.is_intronic]
    assert exonic == list(range(1, mapping.length + 1))
    assert all(isinstance(place, TranscriptPosition) for place in places)
    # An oracle that looks at every exonic base: the nearest one, the earlier one on a tie.
    bases = {position: place.base for position, place in zip(positions, places, strict=True) if not place.is_intronic}
    step = {position: index for index, position in enumerate(positions)}
    for position, place in zip(positions, places, strict=True):
        nearest = min(bases, key=lambda exonic: (abs(step[exonic] - step[position]), step[exonic]))
        assert (place.base, place.offset) == (bases[nearest], step[position] - step[nearest])


# -- differences between transcript and genome -------------------------------------------------------------------------


def gapped(strand: Strand) -> Transcript:
    """Exon blocks 11-20, 22-30, 61-70: the genome has a base at 21 that the transcript lacks; one intron, 31-60."""
    return Transcript(
        id="T", gene_id="G", gene_name="G", contig="chr1", strand=strand,
        exons=((10, 20), (21, 30), (60, 70)), cds=((15, 20), (21, 30), (60, 64)),
    )  # fmt: skip


def test_a_gap_of_one_base_is_no_intron() -> None:
    found = gapped(Strand.PLUS)
    assert found.spliced_exons == ((10, 30), (60, 70))
    assert found.introns == ((30, 60),)
    assert found.gaps == ((20, 21),)
    assert [(site.type.value, site.position) for site in found.splice_sites] == [("donor", 30), ("acceptor", 61)]
    mapping = TranscriptMap(found)
    # Bases are the transcript's own: 16 is c.1, 20 is c.5, 22 is c.6, 30 is c.14.
    assert [mapping.label_at(p) for p in (16, 20, 22, 30, 31, 60, 61)] == ["1", "5", "6", "14", "14+1", "15-1", "15"]
    assert [mapping.exon_number(p) for p in (11, 21, 30, 31, 61)] == [1, 1, 1, None, 2]
    assert [mapping.intron_number(p) for p in (21, 31, 60)] == [None, 1, 1]
    assert mapping.cds_offset(21) is None
    mirrored = TranscriptMap(gapped(Strand.MINUS))
    assert [mirrored.exon_number(p) for p in (61, 60, 30, 21, 11)] == [1, None, 2, 2, 2]
    assert [mirrored.intron_number(p) for p in (60, 31, 21)] == [1, 1, None]


def test_a_base_that_the_transcript_lacks_has_no_number() -> None:
    for strand in Strand:
        mapping = TranscriptMap(gapped(strand))
        with pytest.raises(NoTranscriptNameError, match="T lacks the genome's base at chr1:21"):
            mapping.label_at(21)
    with pytest.raises(InvalidVariantError, match="the 1 nt there are a difference"):
        TranscriptMap(gapped(Strand.PLUS)).parse_label("5+1")


@given(transcripts(st.integers(1, 40)))
def test_exons_are_counted_over_gaps(transcript: Transcript) -> None:
    mapping = TranscriptMap(transcript)
    assert all(end - start >= 25 for start, end in transcript.introns)
    assert len(transcript.introns) == len(transcript.spliced_exons) - 1
    numbers = [mapping.exon_number(position) for position in range(transcript.start + 1, transcript.end + 1)]
    seen = [number for number in dict.fromkeys(numbers) if number is not None]
    expected = list(range(1, len(transcript.spliced_exons) + 1))
    assert seen == (expected if transcript.strand is Strand.PLUS else expected[::-1])
    lacking = {base + 1 for start, end in transcript.gaps for base in range(start, end)}
    for position in range(transcript.start + 1, transcript.end + 1):
        if position in lacking:
            assert mapping.exon_number(position) is not None
            assert mapping.intron_number(position) is None
        else:
            assert mapping.parse_label(mapping.label_at(position)) == position


def test_c_positions_need_a_start_codon() -> None:
    cut = transcript(Strand.PLUS).model_copy(update={"tags": ("cds_start_NF",)})
    with pytest.raises(InvalidVariantError, match="its coding sequence starts before it"):
        TranscriptMap(cut).parse_label("5")
    assert TranscriptMap(cut).parse_label("6", coding=False) == 16

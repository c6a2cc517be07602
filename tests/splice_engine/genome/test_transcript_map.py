"""Transcript positions, computed by hand and as properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.errors import InvalidVariantError, PositionOutOfRangeError
from agentic_spliceai.splice_engine.genome import Strand, Transcript, TranscriptMap, TranscriptPosition


def transcript(strand: Strand, cds: tuple[tuple[int, int], ...] = ((15, 20), (25, 31))) -> Transcript:
    """Exons 11-20, 26-35, 41-50 (1-based); introns of 5 nt; coding 16-20 and 26-31."""
    exons = ((10, 20), (25, 35), (40, 50))
    return Transcript(id="T", gene_id="G", gene_name="G", contig="chr1", strand=strand, exons=exons, cds=cds)


# 1-based genomic position -> label, worked out on paper.
PLUS = {
    11: "-5", 15: "-1", 16: "1", 20: "5", 21: "5+1", 22: "5+2", 23: "5+3", 24: "6-2", 25: "6-1", 26: "6", 31: "11",
    32: "*1", 35: "*4", 36: "*4+1", 38: "*4+3", 39: "*5-2", 40: "*5-1", 41: "*5", 50: "*14",
}  # fmt: skip
MINUS = {
    50: "-14", 41: "-5", 40: "-5+1", 38: "-5+3", 37: "-4-2", 36: "-4-1", 35: "-4", 32: "-1", 31: "1", 26: "6",
    25: "6+1", 23: "6+3", 22: "7-2", 21: "7-1", 20: "7", 16: "11", 15: "*1", 11: "*5",
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
    assert mapping.label_at(50) == "1"
    assert mapping.label_at(40) == "10+1"
    assert mapping.cds_offset(45) is None
    with pytest.raises(InvalidVariantError, match="non-coding"):
        mapping.parse_label("5", coding=True)
    with pytest.raises(InvalidVariantError, match="needs a coding sequence"):
        mapping.parse_label("*5")


def test_n_positions_of_a_coding_transcript() -> None:
    assert TranscriptMap(transcript(Strand.PLUS)).parse_label("10+2", coding=False) == 22


def test_exon_intron_and_coding_offsets() -> None:
    mapping = TranscriptMap(transcript(Strand.MINUS))
    assert [mapping.exon_number(position) for position in (50, 41, 35, 11, 38, 51)] == [1, 1, 2, 3, None, None]
    assert [mapping.intron_number(position) for position in (40, 36, 25, 21, 20, 10)] == [1, 1, 2, 2, None, None]
    assert [mapping.cds_offset(position) for position in (31, 26, 20, 16, 15, 25, 32)] == [
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
        ("5+6", PositionOutOfRangeError, "intron of 5 nt"),
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


@pytest.mark.parametrize("position", [10, 51])
def test_outside_the_transcript(position: int) -> None:
    with pytest.raises(PositionOutOfRangeError, match=f"chr1:{position}"):
        TranscriptMap(transcript(Strand.PLUS)).to_transcript(position)


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    place, exons = draw(st.integers(0, 50)), []
    for _ in range(draw(st.integers(1, 6))):
        start = place + draw(st.integers(1, 12))
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


@given(transcripts())
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

"""The locus plot: the right stems at the right places, stable bytes, labels that do not overlap."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from functools import cache
from itertools import pairwise

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_spliceai.reporting import plot_canvas, plot_layout
from agentic_spliceai.reporting.plot import plot_locus
from agentic_spliceai.splice_engine.base_layer.results import SiteTrack, VariantTracks
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.genome.types import Strand, Variant
from tests.reporting import toys

SVG = "{http://www.w3.org/2000/svg}"


@cache
def draw(name: str, index: int = 0) -> ET.Element:
    """One toy's plot, drawn once for all the tests that only read it."""
    toy = toys.ALL[name]()
    gene = toy.interpretation.genes[index]
    return ET.fromstring(plot_locus(gene, toy.tracks[gene.gene_id]))


def stems(root: ET.Element, panel: str = "") -> dict[tuple[str, str, int, int], tuple[float, float, float]]:
    """Return x, y at the base and y at the tip of every stem by (allele, class, position, inserted base)."""
    found = {}
    for group in root.iter(f"{SVG}g"):
        name = group.get("id", "")
        if name.startswith(f"plot-{panel}stem-"):
            allele, site, position, inserted = name.removeprefix(f"plot-{panel}stem-").split("-")
            line = next(group.iter(f"{SVG}path"))
            numbers = [float(part) for part in line.get("d", "").replace("M", " ").replace("L", " ").split()]
            x0, y0, x1, y1 = numbers
            assert x0 == x1, "a stem is upright"
            found[allele, site, int(position), int(inserted)] = (x0, y0, y1)
    return found


def expected(tracks: VariantTracks) -> dict[tuple[str, str, int, int], float]:
    """Every donor and acceptor probability of 0.01 or more, straight from the arrays."""
    found = {}
    for allele, track in (("ref", tracks.ref), ("alt", tracks.alt)):
        mean = track.probabilities.mean(axis=0)
        for column, site in ((0, "donor"), (1, "acceptor")):
            for i in range(len(mean)):
                if mean[i, column] >= 0.01:
                    key = (allele, site, int(track.positions[i]), int(track.insert_offsets[i]))
                    found[key] = float(mean[i, column])
    return found


@pytest.mark.parametrize("name", sorted(toys.ALL))
def test_every_probability_from_a_hundredth_on_is_a_stem_of_its_height(name: str) -> None:
    toy = toys.ALL[name]()
    for index, gene in enumerate(toy.interpretation.genes):
        drawn, wanted = stems(draw(name, index)), expected(toy.tracks[gene.gene_id])
        assert drawn.keys() == wanted.keys()
        for key, probability in wanted.items():
            _, base, tip = drawn[key]
            # The panel is 176 points for 2.12 units; SVG's y grows downwards, REF grows upwards.
            height = (base - tip) if key[0] == "ref" else (tip - base)
            assert height == pytest.approx(probability * 176 / 2.12, abs=0.01)


@pytest.mark.parametrize("name", ["shift", "skipping", "insertion"])
def test_stems_run_in_the_order_of_transcription(name: str) -> None:
    toy = toys.ALL[name]()
    minus = toy.interpretation.genes[0].delta.strand is Strand.MINUS
    for panel in ("", "zoom-"):
        places = {(position, k): x for (_, _, position, k), (x, _, _) in stems(draw(name), panel).items()}
        in_order = sorted(places, reverse=minus)
        assert len(in_order) >= 2
        assert all(places[a] < places[b] for a, b in pairwise(in_order))


def test_genomic_distance_is_drawn_to_scale_on_the_minus_strand() -> None:
    drawn = stems(draw("shift"))
    new, old = drawn["alt", "acceptor", 47343156, 0][0], drawn["alt", "acceptor", 47343145, 0][0]
    far, near = drawn["ref", "acceptor", 47342700, 0][0], drawn["ref", "acceptor", 47343640, 0][0]
    assert (old - new) / (far - near) == pytest.approx(11 / 940, rel=1e-3)


def test_same_input_same_bytes_whatever_the_users_matplotlib_settings() -> None:
    toy = toys.insertion()
    gene = toy.interpretation.genes[0]
    first = plot_locus(gene, toy.tracks[gene.gene_id])
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": None, "lines.linewidth": 9}):
        second = plot_locus(gene, toy.tracks[gene.gene_id])
        assert matplotlib.rcParams["font.size"] == 30, "the caller's settings are left as they were"
    assert first == second


def test_two_plots_share_no_id_and_every_reference_is_inside() -> None:
    toy = toys.opposite()
    seen: set[str] = set()
    for gene, prefix in zip(toy.interpretation.genes, ("a-", "b-"), strict=True):
        root = ET.fromstring(plot_locus(gene, toy.tracks[gene.gene_id], prefix=prefix))
        ids = [element.get("id", "") for element in root.iter() if element.get("id")]
        assert len(ids) == len(set(ids))
        assert not seen & set(ids)
        seen |= set(ids)
        for element in root.iter():
            for name, value in element.attrib.items():
                if name.endswith("href"):
                    assert value[0] == "#"
                    assert value[1:] in ids
                if "url(" in value:
                    assert value.split("url(#")[1].split(")")[0] in ids


def test_plot_says_what_it_is_to_a_screen_reader() -> None:
    root = draw("shift")
    labels = root.get("aria-labelledby", "").split()
    texts = {element.get("id"): element.text or "" for element in root}
    assert root.get("role") == "img"
    assert "MYBPC3" in texts[labels[0]]
    assert "acceptor gain 0.92 at 47,343,156 (REF 0.01, ALT 0.93)" in texts[labels[1]]
    assert "minus strand" in texts[labels[1]]


def test_hovering_a_stem_tells_its_number() -> None:
    group = next(g for g in draw("insertion").iter(f"{SVG}g") if g.get("id") == "plot-stem-alt-donor-31000-9")
    title = group.find(f"{SVG}title")
    assert title is not None
    assert title.text == "ALT donor 0.873 at 31,000, inserted base 9"


def test_mathematics_and_hostile_names_are_drawn_as_plain_text() -> None:
    toy = toys.nothing()
    gene = toy.interpretation.genes[0]
    name = "$x^2$ <script>alert(1)</script> \u202e\U0001f9ec \x07"
    consequence = gene.consequence.model_copy(update={"hgvs_c": f"NM:{name}"})
    root = ET.fromstring(
        plot_locus(gene.model_copy(update={"gene_name": name, "consequence": consequence}), toy.tracks[gene.gene_id])
    )
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text == "Splice-site probability of REF and ALT along $x^2$ <script>alert(1)</script> ?"
    assert not list(root.iter(f"{SVG}script"))


def test_tracks_of_another_place_or_strand_are_refused() -> None:
    shift, other = toys.shift(), toys.skipping()
    gene, tracks = shift.interpretation.genes[0], other.tracks["ID_TP53"]
    with pytest.raises(SettingError, match="200,101 to 201,101, plus strand"):
        plot_locus(gene, tracks)
    right = shift.tracks["ID_MYBPC3"]
    flipped = SiteTrack(
        Strand.PLUS, right.ref.positions, right.ref.insert_offsets, right.ref.bases, right.ref.probabilities,
        right.ref.logits,
    )  # fmt: skip
    with pytest.raises(SettingError, match="plus strand"):
        plot_locus(gene, VariantTracks(ref=flipped, alt=flipped))


def test_of_too_many_stems_the_largest_are_kept_and_the_rest_counted() -> None:
    toy = toys.shift()
    tracks = toy.tracks["ID_MYBPC3"]
    crowded = np.full_like(tracks.ref.probabilities, 0.02)
    crowded[0, 500, 0] = 0.9
    track = SiteTrack(
        Strand.MINUS, tracks.ref.positions, tracks.ref.insert_offsets, tracks.ref.bases, crowded, tracks.ref.logits
    )
    kept, left_out = plot_layout.select_stems(VariantTracks(ref=track, alt=track))
    assert len(kept) == 800
    assert left_out == 4 * 1001 - 800
    assert sum(stem.probability > 0.5 for stem in kept) == 2
    svg = plot_locus(toy.interpretation.genes[0], VariantTracks(ref=track, alt=track))
    assert "3,204 smaller ones of these are left out" in svg
    assert len(svg) < 350_000


def test_columns_of_an_insertion_and_a_deletion_in_transcript_sense() -> None:
    insertion = toys.insertion()
    columns = plot_layout.align_columns(insertion.tracks["ID_DMDX"])
    inserted = [c for c in columns if c.insert_offset]
    # The reverse complement of the inserted bases, read along the minus strand, before the anchor.
    assert "".join(c.alt for c in inserted) == "CAGGTCGTAAATGGCTTAAGGTACC"
    assert "".join(c.ref for c in inserted) == "-" * 25
    assert columns[columns.index(inserted[-1]) + 1].key == (31000, 0)
    deletion = plot_layout.align_columns(toys.deletion().tracks["ID_DELG"])
    gone = [c for c in deletion if c.alt == "-"]
    assert ["".join(c.ref for c in gone), gone[0].position, gone[-1].position] == ["AGGTTAC", 9001, 9007]


@pytest.mark.parametrize("name", sorted(toys.ALL))
def test_the_base_panel_holds_variant_and_primary_change_where_they_are_near(name: str) -> None:
    toy = toys.ALL[name]()
    for gene in toy.interpretation.genes:
        zoom = plot_layout.zoom_columns(gene, plot_layout.align_columns(toy.tracks[gene.gene_id]))
        keys = {column.key for column in zoom}
        assert len(zoom) == 61
        if gene.consequence.primary.support:
            top = max(gene.consequence.primary.support, key=lambda change: change.score)
            assert (top.position, top.insert_offset) in keys
        assert any(column.ref != column.alt for column in zoom)


def test_weak_support_below_the_threshold_is_labelled_all_the_same() -> None:
    labels = plot_layout.changes_to_label(toys.pseudoexon().interpretation.genes[0])
    assert [(change.kind.value, change.score) for change in labels] == [("donor_gain", 0.16), ("acceptor_gain", 0.10)]


@given(
    labels=st.lists(st.tuples(st.floats(0, 640), st.floats(20, 95)), min_size=1, max_size=6),
)
def test_labels_never_overlap_nor_leave_the_figure(labels: list[tuple[float, float]]) -> None:
    labels = sorted(labels)
    centres, widths = [c for c, _ in labels], [w for _, w in labels]
    placed = plot_layout.spread(centres, widths, -54, 660, 8)
    for (a, wa), (b, wb) in pairwise(zip(placed, widths, strict=True)):
        assert b - wb / 2 - (a + wa / 2) >= 8 - 1e-6
    assert placed[0] - widths[0] / 2 >= -54 - 1e-6
    assert placed[-1] + widths[-1] / 2 <= 660 + 1e-6


def test_a_label_that_has_room_stays_over_its_site() -> None:
    assert plot_layout.spread([100, 300], [80, 80], 0, 600, 8) == [100, 300]


def test_the_most_and_widest_labels_fit_in_one_row() -> None:
    widest = max(plot_canvas.text_width(text, weight="bold") for text in ("Acceptor gain", "Acceptor loss"))
    name = plot_canvas.text_width("W" * 18)
    room = plot_canvas.LEFT + 720 - plot_canvas.LEFT - 6
    assert plot_layout.MAX_LABELS * (widest + 8) + name <= room


def test_unseen_stretches_are_found() -> None:
    assert plot_layout.unseen_runs(toys.insertion().tracks["ID_DMDX"].ref) == ((31081, 31500),)
    assert plot_layout.unseen_runs(toys.shift().tracks["ID_MYBPC3"].ref) == ()


def test_a_wide_window_and_a_long_insertion_are_drawn() -> None:
    variant = Variant(contig="chr1", position=50_000, ref="A", alt="A" + "ACGT" * 75)
    toy = toys.nothing()
    gene = toy.interpretation.genes[0]
    gene = gene.model_copy(update={"delta": gene.delta.model_copy(update={"variant": variant})})
    tracks = toys.make_tracks(variant, Strand.PLUS, {(50_000, 299, toys.D): (0, 0.4)}, distance=4999)
    drawn = stems(ET.fromstring(plot_locus(gene, tracks)))
    assert drawn.keys() == {("alt", "donor", 50_000, 299)}

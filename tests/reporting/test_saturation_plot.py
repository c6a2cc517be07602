"""The heat map of a saturation: effects stand where they are, on either strand, and words say what is shown."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise, product
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Rectangle

from agentic_spliceai.reporting.plot_charts import Plot
from agentic_spliceai.reporting.saturation_effects import Effects, SaturationMap, columns_of, strongest, unscored_runs
from agentic_spliceai.reporting.saturation_plot import SCALES, plot_saturation, saturation_page
from agentic_spliceai.splice_engine.base_layer.results import SpliceClass, Thresholds
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Strand, Transcript

D, A = SpliceClass.DONOR, SpliceClass.ACCEPTOR
THRESHOLDS = Thresholds(weak=0.2, moderate=0.5, strong=0.8, source="toy", calibrated=False)
START = 1000  # 0-based
LENGTH = 60


def effects(planted: dict[tuple[int, str], tuple[float, SpliceClass, int]], bases: str) -> Effects:
    """Return zeros for every change, and what is planted by position and ALT: score, site, the site's position."""
    found = Effects.empty((len(bases), 4))
    for i, base in enumerate(bases):
        for column, alt in enumerate("ACGT"):
            if base not in (alt, "N"):
                found.score[i, column] = 0.0
    for (position, alt), (score, site, at) in planted.items():
        where = position - START - 1, "ACGT".index(alt)
        found.score[where], found.site[where], found.position[where] = score, site, at
    return found


def made(strand: str = "+", length: int = LENGTH, title: str = "a place", name: str = "T1") -> SaturationMap:
    bases = "".join("ACGT"[i * 7 // 3 % 4] for i in range(length))
    bases = bases[:5] + "NNN" + bases[8:]
    transcript = Transcript(
        id=name, gene_id="G1", gene_name="G1", contig="chr1", strand=Strand(strand),
        exons=((900, 1020), (1050, 1040 + length)), cds=((950, 1020),),
    )  # fmt: skip
    assert (bases[19], bases[20], bases[30]) == ("A", "G", "G")
    gain = {(1031, "T"): (0.9, A, 1034), (1021, "A"): (0.1, D, 1015)}
    loss = {(1021, "A"): (0.97, D, 1020), (1021, "C"): (0.95, D, 1020), (1020, "C"): (0.3, D, 1020)}
    return SaturationMap(
        contig="chr1", start=START, bases=bases, transcript=transcript, build=GenomeBuild.GRCH38,
        gain=effects(gain, bases), loss=effects(loss, bases), thresholds=THRESHOLDS, title=title,
        footer=("made by a toy",),
    )  # fmt: skip


def drawn(data: SaturationMap) -> Plot:
    return plot_saturation(data, name=lambda position, alt: f"g.{position}>{alt}")


def panels(plot: Plot, kind: str) -> tuple[Axes, Axes]:
    """Return the axes of the bars and of the cells."""
    found = []
    for what in ("bars", "cells"):
        found += [a for a in plot.figure.axes if any(c.get_gid() == f"{kind}-{what}" for c in a.collections)]
    return found[0], found[1]


Box = tuple[float, float, float, float]


def boxes(axes: Axes, kind: str) -> dict[Box, tuple[float, ...]]:
    """Return colours of bars or cells by left, right, lowest and highest border."""
    found: dict[Box, tuple[float, ...]] = {}
    for collection in axes.collections:
        assert isinstance(collection, PolyCollection)
        for path, colour in zip(collection.get_paths(), collection.get_facecolor(), strict=True):
            (x0, y0), (x1, y1) = path.vertices.min(axis=0), path.vertices.max(axis=0)
            found[float(x0), float(x1), float(y0), float(y1)] = tuple(colour)
    for patch in axes.patches:
        if isinstance(patch, Rectangle) and str(patch.get_gid()).startswith(f"{kind}-"):
            x, y = patch.get_xy()
            found[x, x + patch.get_width(), y, y + patch.get_height()] = tuple(patch.get_facecolor())
    return found


@pytest.mark.parametrize("strand", ["+", "-"])
def test_cells_stand_at_their_position_in_the_row_of_the_transcripts_base(strand: str) -> None:
    data = made(strand)
    plot = drawn(data)
    rows = "ACGT" if strand == "+" else "TGCA"
    for kind, given in (("gain", data.gain), ("loss", data.loss)):
        bars, cells = panels(plot, kind)
        low, high = cells.get_ylim()
        assert low > high  # the first row is the uppermost
        formatter = cells.yaxis.get_major_formatter()
        assert [formatter(y) for y in (0.5, 1.5, 2.5, 3.5)] == list("ACGT")
        expected = {}
        for i, column in np.argwhere(np.nan_to_num(given.score) > 0.01).tolist():
            row = rows.index("ACGT"[column])
            box = (START + i + 0.5, START + i + 1.5, float(row), float(row + 1))
            expected[box] = SCALES[SpliceClass(int(given.site[i, column]))](float(given.score[i, column]))
        assert boxes(cells, kind) == {box: pytest.approx(colour) for box, colour in expected.items()}
        heights = {box[:2]: box[3] for box in boxes(bars, kind)}
        largest = np.nan_to_num(given.score).max(axis=1)
        assert heights == {
            (START + i + 0.5, START + i + 1.5): pytest.approx(largest[i]) for i in np.flatnonzero(largest)
        }  # fmt: skip
        left, right = cells.get_xlim()
        assert (left < right) == (strand == "+")
        assert sorted((left, right)) == [START + 0.5, START + LENGTH + 0.5]


@pytest.mark.parametrize("strand", ["+", "-"])
def test_the_letters_are_those_of_the_transcripts_strand(strand: str) -> None:
    data = made(strand)
    letters = {
        float(text.get_position()[0]): text.get_text()
        for axes in drawn(data).figure.axes
        for text in axes.texts
        if len(text.get_text()) == 1 and text.get_text() in "ACGTN" and text.get_position()[0] > START
    }
    complement = dict(zip("ACGTN", "TGCAN", strict=True))
    expected = [base if strand == "+" else complement[base] for base in data.bases]
    assert [letters[START + 1 + i] for i in range(LENGTH)] == expected


def test_the_strongest_of_each_site_is_named_with_its_effect() -> None:
    plot = drawn(made())
    texts = [text.get_text() for axes in plot.figure.axes for text in axes.texts]
    assert "g.1031>T" in texts
    assert "acceptor gain 0.90" in texts
    assert "g.1021>A" in texts
    assert "donor loss 0.97" in texts
    # Others that hit the same site, and what stays below the weak threshold, have no label.
    assert not {"g.1021>C", "g.1020>C", "donor gain 0.10"} & set(texts)
    assert "g.1031>T acceptor gain 0.90 at 1,034" in plot.description
    assert plot.tooltips["loss-1021-C"] == "g.1021>C (chr1:1,021 G>C): donor loss 0.95 at 1,020"
    assert set(plot.tooltips) == {"gain-1031-T", "loss-1021-A", "loss-1021-C", "loss-1020-C"}


def test_annotated_sites_are_marked_where_they_are() -> None:
    plot = drawn(made("-"))
    gids = {str(line.get_gid()) for axes in plot.figure.axes for line in axes.get_lines()}
    assert {"site-acceptor-1020", "site-donor-1051"} <= gids


def test_what_has_no_score_is_grey_and_in_the_key() -> None:
    data = made()
    assert unscored_runs(data.gain, START) == [(1006, 1008)]
    plot = drawn(data)
    for kind, axes in product(("gain", "loss"), (0, 1)):
        panel = panels(plot, kind)[axes]
        grey = [
            (p.get_x(), p.get_x() + p.get_width())
            for p in panel.patches
            if isinstance(p, Rectangle) and not p.get_gid()
        ]
        assert grey == [(1005.5, 1008.5)]
    assert any(text.get_text() == "no score" for axes in plot.figure.axes for text in axes.texts)


def test_nothing_strong_says_so() -> None:
    data = made()
    data.gain.score[:] = np.where(np.isnan(data.gain.score), np.nan, 0)
    texts = [text.get_text() for axes in drawn(data).figure.axes for text in axes.texts]
    assert "no change has a gain of 0.2 or more" in texts


@pytest.mark.parametrize(("length", "most"), [(1000, 300), (1000, 1000), (1001, 10), (7, 3), (5, 9)])
def test_columns_of_many_positions_keep_the_largest_and_lose_none(length: int, most: int) -> None:
    rng = np.random.default_rng(length)
    score = rng.random((length, 4)).astype(np.float32)
    score[rng.random((length, 4)) < 0.3] = np.nan
    site = rng.integers(0, 2, (length, 4)).astype(np.int8)
    columns = columns_of(Effects(score, site, np.zeros((length, 4), np.int64)), START, most)
    assert len(columns.left) <= most
    assert columns.left[0] == START + 1
    assert START + length < columns.left[-1] + columns.width
    for i, column in product(range(len(columns.left)), range(4)):
        part = slice(i * columns.width, (i + 1) * columns.width)
        values = score[part, column]
        if np.isnan(values).all():
            assert np.isnan(columns.score[i, column])
        else:
            assert columns.score[i, column] == np.nanmax(values)
            assert columns.site[i, column] == site[part, column][np.nanargmax(values)]


def test_a_long_region_keeps_a_single_strong_change_in_sight() -> None:
    data = made(length=4000)
    data.loss.score[2500, 1], data.loss.site[2500, 1] = 0.99, A
    plot = drawn(data)
    bars, _ = panels(plot, "loss")
    (box,) = [box for box in boxes(bars, "loss") if box[3] > 0.98]
    assert box[0] < 3501 < box[1]
    assert box[1] - box[0] == 3
    assert any("a column is 3 nt" in text.get_text() for axes in plot.figure.axes for text in axes.texts)


def test_strongest_are_ranked_and_limited() -> None:
    data = made()
    assert [(one.position, one.alt) for one in strongest(data.loss, START, least=0.2, most=9)] == [(1021, "A")]
    assert strongest(data.gain, START, least=0.95, most=9) == []
    assert len(strongest(data.gain, START, least=0.05, most=1)) == 1


def test_same_input_same_bytes_whatever_the_users_settings() -> None:
    first = drawn(made())
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.facecolor": "blue"}):
        second = drawn(made())
        assert (first.svg(), first.png(60)) == (second.svg(), second.png(60))


def test_hostile_names_are_plain_text_in_every_form(tmp_path: Path) -> None:
    plot = drawn(made(title="<script>alert(1)</script> & $x^2$\u202e", name="T<b>"))
    root = ET.fromstring(plot.svg(prefix="a-"))
    ids = [element.get("id", "") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("a-") for name in ids)
    page = saturation_page(plot)
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org/1999/xlink", "")
    assert "g.1021&gt;C (chr1:1,021 G&gt;C): donor loss 0.95 at 1,020" in page
    plot.save(tmp_path / "x.png")


def test_labels_of_neighbours_stand_apart_and_on_the_figure() -> None:
    data = made()
    for i, column in enumerate((0, 1, 2, 0, 1)):
        data.gain.score[52 + i, column], data.gain.position[52 + i, column] = 0.9, 1053 + i
    plot = drawn(data)
    plot.figure.draw_without_rendering()
    width = plot.figure.bbox.width
    shown = [t.get_window_extent() for axes in plot.figure.axes for t in axes.texts if " gain 0" in t.get_text()]
    assert len(shown) == 5
    spans = sorted((box.x0, box.x1) for box in shown)
    assert all(right < left for (_, right), (left, _) in pairwise(spans))
    assert spans[0][0] > 0
    assert spans[-1][1] < width

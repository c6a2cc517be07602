"""The upper panel of the locus plot: the whole window, with labels, exon model and genomic axis."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter

from agentic_spliceai.records.interpretation import GeneInterpretation
from agentic_spliceai.reporting import words
from agentic_spliceai.reporting.plot_canvas import (
    BAND,
    CHANGED,
    FAINT,
    INK,
    LEFT,
    RIGHT,
    SIZE,
    SOFT,
    Canvas,
    draw_stem,
    kind_colour,
    margin_text,
    plain,
    text_width,
    write,
)
from agentic_spliceai.reporting.plot_layout import Column, Stem, spread, unseen_runs
from agentic_spliceai.reporting.plot_model import GenomicScale, draw_axis, draw_exons
from agentic_spliceai.splice_engine.base_layer.results import SiteChange, VariantTracks
from agentic_spliceai.splice_engine.consequence.types import EventType, SpliceEvent
from agentic_spliceai.splice_engine.genome.types import Strand

_LINE = 12.0


class WindowPanel:
    """The whole window: labels, mirrored probabilities, exon model, genomic axis."""

    STRIP, TRACKS, MODEL = 46.0, 176.0, 52.0

    def __init__(
        self,
        canvas: Canvas,
        gene: GeneInterpretation,
        tracks: VariantTracks,
        stems: Sequence[Stem],
        changes: Sequence[SiteChange],
    ) -> None:
        self.canvas, self.gene, self.tracks, self.stems, self.changes = canvas, gene, tracks, stems, changes
        self.first, self.last = int(tracks.ref.positions[0]), int(tracks.ref.positions[-1])
        minus = tracks.ref.strand is Strand.MINUS
        margin = max(0.75, (self.last - self.first) * 0.008)
        self.scale = GenomicScale(canvas, self.first, self.last, margin, minus=minus)
        inserted = int(tracks.alt.insert_offsets.max(initial=0))
        self.insert_step = 1 / (inserted + 1)

    def x(self, position: int, insert_offset: int = 0) -> float:
        """Return the data coordinate of a base; inserted bases share the place after their anchor."""
        return position + insert_offset * self.insert_step

    def draw(self, top: float, zoom: Sequence[Column]) -> None:
        """Draw the panel from `top` down; `zoom` is marked as the part shown below."""
        self._labels(self.canvas.axes(top, self.STRIP))
        axes = self.canvas.axes(top + self.STRIP, self.TRACKS)
        self._frame(axes)
        for stem in self.stems:
            draw_stem(axes, self.x(*stem.key), stem, stem.gid)
        model = self.canvas.axes(top + self.STRIP + self.TRACKS + 6, self.MODEL)
        self._model(model)
        self._zoom_mark(model, zoom)
        for panel in (axes, model):
            panel.set_xlim(*self.scale.limits)
            self._guides(panel)
        self._axis(model)

    def _variant_x(self) -> float:
        variant = self.gene.delta.variant
        return (variant.position + variant.end) / 2

    def _labels(self, axes: Axes) -> None:
        axes.set_xlim(0, self.canvas.inner)
        axes.set_ylim(0, self.STRIP)
        thresholds = self.gene.delta.provenance.thresholds
        entries = [
            (
                self.scale.place(self.x(c.position, c.insert_offset)),
                words.CHANGE_WORDS[c.kind],
                f"Δ {words.delta(c.score, thresholds)}",
                kind_colour(c.kind),
            )
            for c in self.changes
            if self.first <= c.position <= self.last
        ]
        entries.append((self.scale.place(self._variant_x()), "Variant", self._variant_name(), INK))
        entries.sort(key=lambda entry: entry[0])
        widths = [max(text_width(e[1], weight="bold"), text_width(e[2])) for e in entries]
        places = spread([e[0] for e in entries], widths, 4 - LEFT, self.canvas.inner + RIGHT - 2, 8)
        for (x, name, score, colour), centre in zip(entries, places, strict=True):
            write(axes, centre, self.STRIP - 6, name, color=colour, weight="bold")
            write(axes, centre, self.STRIP - 6 - _LINE, score)
            axes.add_line(
                Line2D([centre, centre, x, x], [self.STRIP - 25, self.STRIP - 28, 5, 0], color=colour, linewidth=0.8)
            )

    def _variant_name(self) -> str:
        name = (self.gene.consequence.hgvs_c or "").rpartition(":")[2] or words.alleles(self.gene.delta.variant)
        return words.shorten(plain(name), 18)

    def _frame(self, axes: Axes) -> None:
        axes.set_ylim(-1.06, 1.06)
        for first, last in unseen_runs(self.tracks.ref):
            axes.add_patch(
                Rectangle((first - 0.5, -1.06), last - first + 1, 2.12, facecolor=BAND, edgecolor="none", zorder=0)
            )
        for height in (-1, -0.5, 0.5, 1):
            axes.axhline(height, color=FAINT, linewidth=0.6, zorder=1)
        axes.axhline(0, color=INK, linewidth=0.9, zorder=2)
        _probability_axis(axes)
        if not self.stems:
            low, high = self.scale.limits
            box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
            write(
                axes,
                (low + high) / 2,
                0.25,
                "no position reaches a probability of 0.01",
                color=SOFT,
                bbox=box,
                zorder=5,
            )

    def _guides(self, axes: Axes) -> None:
        for change in self.changes:
            axes.axvline(
                self.x(change.position, change.insert_offset),
                color=kind_colour(change.kind),
                linewidth=0.7,
                linestyle=(0, (1, 2)),
                zorder=1.5,
            )
        variant = self.gene.delta.variant
        # Wide enough to be seen on both sides of a stem that stands on it.
        half = max((variant.end - variant.position + 1) / 2, abs(self.scale.unit) * 3)
        axes.axvspan(self._variant_x() - half, self._variant_x() + half, color=CHANGED, linewidth=0, zorder=0.5)
        axes.axvline(self._variant_x(), color=INK, linewidth=0.9, linestyle=(0, (3, 2)), zorder=2.5)

    def _model(self, axes: Axes) -> None:
        axes.set_ylim(0, self.MODEL)
        if not draw_exons(axes, self.scale, self.gene.transcript, self.MODEL - 9):
            return
        event = self.gene.consequence.primary
        if event.interval is not None and event.type is not EventType.NONE:
            self._event(axes, event, 8)

    def _event(self, axes: Axes, event: SpliceEvent, y: float) -> None:
        assert event.interval is not None
        start, end = max(event.interval.start, self.first - 1), min(event.interval.end, self.last)
        if start >= end:
            return
        low, high = sorted((self.scale.place(start + 0.5), self.scale.place(end + 0.5)))
        axes.add_patch(
            Rectangle(
                (start + 0.5, y - 4),
                end - start,
                8,
                facecolor="white",
                edgecolor=INK,
                hatch="//////",
                linewidth=0.9,
                zorder=4,
            )
        )
        text = event_label(event)
        width = text_width(text)
        centre = high + 7 + width / 2 if high + 7 + width < self.canvas.inner else low - 7 - width / 2
        if centre - width / 2 < 4 - LEFT:
            centre = (low + high) / 2
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        write(axes, self.scale.limits[0] + centre * self.scale.unit, y, text, bbox=box, zorder=5)

    def _zoom_mark(self, axes: Axes, zoom: Sequence[Column]) -> None:
        low, high = sorted((self.x(*zoom[0].key), self.x(*zoom[-1].key)))
        axes.add_line(
            Line2D(
                [low - 0.5, high + 0.5], [0, 0], color=INK, linewidth=3, solid_capstyle="butt", clip_on=False, zorder=6
            )
        )

    def _axis(self, axes: Axes) -> None:
        variant = self.gene.delta.variant
        draw_axis(axes, self.scale, variant.contig, variant.build)


def event_label(event: SpliceEvent) -> str:
    """Return the few words that stand beside an event's bar."""
    assert event.interval is not None
    size = len(event.interval)
    match event.type:
        case EventType.EXON_SKIPPING:
            return f"exon {event.exon_number} skipped" if event.exon_number else f"{size:,} nt skipped"
        case EventType.INTRON_RETENTION:
            return f"intron {event.intron_number} retained" if event.intron_number else f"{size:,} nt retained"
        case EventType.PSEUDOEXON:
            return f"pseudoexon, {size:,} nt"
        case _:
            return f"{words.signed(event.length_change)} nt"


def _probability_axis(axes: Axes) -> None:
    axes.yaxis.set_major_locator(FixedLocator([-1, -0.5, 0, 0.5, 1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}"))
    axes.tick_params(axis="y", labelsize=SIZE, color=FAINT, labelcolor=INK, length=0, pad=3)
    for text, y in (("REF", 0.75), ("ALT", 0.25)):
        margin_text(axes, -42, y, text)

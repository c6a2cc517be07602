"""The panels of the locus plot. All lengths are points; the figure's origin is put at its top left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, get_font
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from agentic_spliceai.records.interpretation import GeneInterpretation
from agentic_spliceai.reporting import words
from agentic_spliceai.reporting.plot_layout import Column, Stem, label_rows, spread, unseen_runs
from agentic_spliceai.splice_engine.base_layer.results import ChangeKind, SiteChange, SpliceClass, VariantTracks
from agentic_spliceai.splice_engine.consequence.types import EventType, SpliceEvent
from agentic_spliceai.splice_engine.genome.types import Strand

# Okabe and Ito's blue and vermilion differ for every common colour vision; shape tells them apart in grey as well.
DONOR, ACCEPTOR = "#0072b2", "#d55e00"
INK, SOFT, FAINT, BAND = "#1d2733", "#5b6773", "#d5dbe1", "#eef1f4"
CHANGED = "#ffe08a"
EXON, CODING = "#a3b1bf", "#6d8195"
COLOURS = {SpliceClass.DONOR: DONOR, SpliceClass.ACCEPTOR: ACCEPTOR}
MARKERS = {SpliceClass.DONOR: "o", SpliceClass.ACCEPTOR: "s"}
LEFT, RIGHT = 58.0, 14.0
SIZE = 9.5
_LINE = 12.0


def plain(text: str) -> str:
    """Return `text` with a question mark for each character that the plot's font does not have."""
    known = get_font(FontProperties(family="DejaVu Sans").get_file() or _font_file()).get_charmap()
    return "".join(c if ord(c) in known else "?" for c in words.clean(text))


def _font_file() -> str:
    from matplotlib.font_manager import findfont

    return str(findfont("DejaVu Sans"))


def text_width(text: str, size: float = SIZE, weight: str = "normal") -> float:
    """Return the width of one line of text, in points."""
    if not text.strip():
        return 0.0
    return float(TextPath((0, 0), text, size=size, prop=FontProperties(family="DejaVu Sans", weight=weight)).get_extents().x1)


def kind_colour(kind: ChangeKind) -> str:
    """Return the colour of the class that a change is about."""
    return DONOR if kind in {ChangeKind.DONOR_GAIN, ChangeKind.DONOR_LOSS} else ACCEPTOR


@dataclass(frozen=True)
class Canvas:
    """A figure measured in points from its top left."""

    figure: Figure
    width: float
    height: float

    @property
    def inner(self) -> float:
        """Width of a panel."""
        return self.width - LEFT - RIGHT

    def axes(self, top: float, height: float) -> Axes:
        """Return new empty axes over the panels' whole width, with nothing drawn around them."""
        axes = self.figure.add_axes(
            (LEFT / self.width, 1 - (top + height) / self.height, self.inner / self.width, height / self.height)
        )
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.patch.set_visible(False)
        axes.set_xticks([])
        axes.set_yticks([])
        return axes


def write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Write one piece of text in data coordinates."""
    axes.text(x, y, text, **{"fontsize": SIZE, "color": INK, "ha": "center", "va": "center", **style})


def draw_key(canvas: Canvas, top: float, *, unseen: bool) -> None:
    """Draw the key of marks; `unseen` says whether the locus has a part that the network did not see."""
    axes = canvas.axes(top, 14)
    axes.set_xlim(0, canvas.inner)
    axes.set_ylim(0, 14)
    x = 4.0
    for site, name in ((SpliceClass.DONOR, "donor"), (SpliceClass.ACCEPTOR, "acceptor")):
        axes.add_line(Line2D([x], [7], marker=MARKERS[site], markersize=5.5, color=COLOURS[site], linestyle="none"))
        write(axes, x + 8, 7, name, ha="left")
        x += 8 + text_width(name) + 20
    axes.add_patch(Rectangle((x - 3, 1), 6, 12, facecolor=CHANGED, edgecolor="none"))
    axes.add_line(Line2D([x, x], [1, 13], color=INK, linewidth=0.9, linestyle=(0, (3, 2))))
    write(axes, x + 8, 7, "variant", ha="left")
    x += 8 + text_width("variant") + 20
    if unseen:
        axes.add_patch(Rectangle((x - 4, 2.5), 14, 9, facecolor=BAND, edgecolor=SOFT, linewidth=0.6))
        write(axes, x + 15, 7, "not seen by the network", ha="left")
    write(axes, canvas.inner, 7, "5′ → 3′ of the transcript", ha="right", color=SOFT)


def draw_stem(axes: Axes, x: float, stem: Stem, gid: str) -> None:
    """Draw one lollipop, upwards for REF and downwards for ALT."""
    height = stem.probability if stem.allele == "ref" else -stem.probability
    axes.add_line(
        Line2D(
            [x, x],
            [0, height],
            color=COLOURS[stem.site],
            linewidth=1.6,
            marker=MARKERS[stem.site],
            markersize=4.6,
            markevery=[1],
            clip_on=False,
            gid=gid,
            zorder=3 + stem.probability,
        )
    )


class LocusPanel:
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
        self.minus = tracks.ref.strand is Strand.MINUS
        inserted = int(tracks.alt.insert_offsets.max(initial=0))
        self.insert_step = 1 / (inserted + 1)

    def x(self, position: int, insert_offset: int = 0) -> float:
        """Return the data coordinate of a base; inserted bases share the place after their anchor."""
        return position + insert_offset * self.insert_step

    def place(self, x: float) -> float:
        """Return where a data coordinate lies, in points from the panel's left."""
        low, high = self.limits
        return (x - low) / (high - low) * self.canvas.inner

    @property
    def limits(self) -> tuple[float, float]:
        """Data coordinates of the left and right border: falling on the minus strand."""
        margin = max(0.75, (self.last - self.first) * 0.008)
        low, high = self.first - margin, self.last + margin
        return (high, low) if self.minus else (low, high)

    @property
    def unit(self) -> float:
        """Data units in one point; negative on the minus strand."""
        low, high = self.limits
        return (high - low) / self.canvas.inner

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
            panel.set_xlim(*self.limits)
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
                self.place(self.x(c.position, c.insert_offset)),
                words.CHANGE_WORDS[c.kind],
                f"Δ {words.delta(c.score, thresholds)}",
                kind_colour(c.kind),
            )
            for c in self.changes
            if self.first <= c.position <= self.last
        ]
        entries.append((self.place(self._variant_x()), "Variant", self._variant_name(), INK))
        entries.sort(key=lambda entry: entry[0])
        widths = [max(text_width(e[1], weight="bold"), text_width(e[2])) for e in entries]
        rows = label_rows(widths, self.canvas.inner + LEFT - 4, 8)
        assert rows == 1, "labels are few and short enough for one row"
        places = spread([e[0] for e in entries], widths, 4 - LEFT, self.canvas.inner + RIGHT - 2, 8)
        for (x, name, score, colour), centre in zip(entries, places, strict=True):
            write(axes, centre, self.STRIP - 6, name, color=colour, weight="bold")
            write(axes, centre, self.STRIP - 6 - _LINE, score)
            axes.add_line(
                Line2D([centre, centre, x, x], [self.STRIP - 25, self.STRIP - 28, 5, 0], color=colour, linewidth=0.8)
            )

    def _variant_name(self) -> str:
        name = (self.gene.consequence.hgvs_c or "").rpartition(":")[2] or words.alleles(self.gene.delta.variant)
        return words.shorten(plain(name), 20)

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
            low, high = self.limits
            box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
            write(axes, (low + high) / 2, 0.25, "no position reaches a probability of 0.01", color=SOFT, bbox=box, zorder=5)

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
        half = max((variant.end - variant.position + 1) / 2, abs(self.unit) * 3)
        axes.axvspan(self._variant_x() - half, self._variant_x() + half, color=CHANGED, linewidth=0, zorder=0.5)
        axes.axvline(self._variant_x(), color=INK, linewidth=0.9, linestyle=(0, (3, 2)), zorder=2.5)

    def _model(self, axes: Axes) -> None:
        axes.set_ylim(0, self.MODEL)
        transcript, middle = self.gene.transcript, self.MODEL - 9
        first, last = max(transcript.start + 1, self.first), min(transcript.end, self.last)
        if first > last:
            low, high = self.limits
            write(axes, (low + high) / 2, middle, "the transcript does not reach into this window", color=SOFT)
            return
        axes.add_line(Line2D([first - 0.5, last + 0.5], [middle, middle], color=EXON, linewidth=1))
        self._chevrons(axes, first, last, middle)
        for start, end in transcript.exons:
            self._block(axes, start, end, middle, 9, EXON)
        for start, end in transcript.cds:
            self._block(axes, start, end, middle, 16, CODING)
        self._names(axes, middle - 17)
        event = self.gene.consequence.primary
        if event.interval is not None and event.type is not EventType.NONE:
            self._event(axes, event, 8)

    def _block(self, axes: Axes, start: int, end: int, middle: float, height: float, colour: str) -> None:
        start, end = max(start, self.first - 1), min(end, self.last)
        if start < end:
            axes.add_patch(
                Rectangle((start + 0.5, middle - height / 2), end - start, height, facecolor=colour, edgecolor="none", zorder=3)
            )

    def _chevrons(self, axes: Axes, first: int, last: int, middle: float) -> None:
        step = 34.0
        exons = [sorted((self.place(a + 0.5), self.place(b + 0.5))) for a, b in self.gene.transcript.exons]
        low, high = sorted((self.place(first), self.place(last)))
        for k in range(1, int((high - low) / step) + 1):
            x = low + k * step
            if x > high - 6 or any(a - 5 < x < b + 5 for a, b in exons):
                continue
            data = [self.limits[0] + (x + dx) * self.unit for dx in (-2.5, 0.5, -2.5)]
            axes.add_line(Line2D(data, [middle + 3, middle, middle - 3], color=EXON, linewidth=1))

    def _names(self, axes: Axes, y: float) -> None:
        taken: list[tuple[float, float]] = []
        exons = self.gene.transcript.exons_in_order
        named = [(f"exon {n}", *exon) for n, exon in enumerate(exons, start=1)]
        introns = self.gene.transcript.introns
        ordered = introns if not self.minus else introns[::-1]
        named += [(f"intron {n}", *intron) for n, intron in enumerate(ordered, start=1)]
        for name, start, end in named:
            start, end = max(start, self.first - 1), min(end, self.last)
            if start >= end:
                continue
            width = text_width(name)
            low, high = sorted((self.place(start + 0.5), self.place(end + 0.5)))
            if name.startswith("intron") and high - low < width + 6:
                continue
            centre = min(max((low + high) / 2, width / 2 - 4), self.canvas.inner - width / 2 + 4)
            if any(centre - width / 2 < b + 5 and a < centre + width / 2 + 5 for a, b in taken):
                continue
            taken.append((centre - width / 2, centre + width / 2))
            colour = SOFT if name.startswith("intron") else INK
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            write(axes, self.limits[0] + centre * self.unit, y, name, color=colour, bbox=box, zorder=4)

    def _event(self, axes: Axes, event: SpliceEvent, y: float) -> None:
        assert event.interval is not None
        start, end = max(event.interval.start, self.first - 1), min(event.interval.end, self.last)
        if start >= end:
            return
        low, high = sorted((self.place(start + 0.5), self.place(end + 0.5)))
        axes.add_patch(
            Rectangle(
                (start + 0.5, y - 4), end - start, 8, facecolor="white", edgecolor=INK, hatch="//////", linewidth=0.9, zorder=4
            )
        )
        text = event_label(event)
        width = text_width(text)
        centre = high + 7 + width / 2 if high + 7 + width < self.canvas.inner else low - 7 - width / 2
        if centre - width / 2 < 4 - LEFT:
            centre = (low + high) / 2
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        write(axes, self.limits[0] + centre * self.unit, y, text, bbox=box, zorder=5)

    def _zoom_mark(self, axes: Axes, zoom: Sequence[Column]) -> None:
        low, high = sorted((self.x(*zoom[0].key), self.x(*zoom[-1].key)))
        axes.add_line(Line2D([low - 0.5, high + 0.5], [0, 0], color=INK, linewidth=3, solid_capstyle="butt", clip_on=False, zorder=6))

    def _axis(self, axes: Axes) -> None:
        axes.spines["bottom"].set_visible(True)
        axes.spines["bottom"].set_color(SOFT)
        low, high = sorted(self.limits)
        wished = MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]).tick_values(low, high)
        room = [t for t in wished if _has_room(self.place(t), f"{t:,.0f}", self.canvas)]
        axes.xaxis.set_major_locator(FixedLocator(room))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.tick_params(axis="x", labelsize=SIZE, color=SOFT, labelcolor=INK, length=3)
        variant = self.gene.delta.variant
        name = f"{variant.contig} position, {words.build_words(variant.build)}, {words.strand_words(self.gene.delta.strand)}"
        if self.minus:
            name += ": positions fall from left to right"
        axes.set_xlabel(plain(words.shorten(name, 100)), fontsize=SIZE, color=SOFT, labelpad=2)


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
        _margin_text(axes, -42, y, text)


def _margin_text(axes: Axes, points: float, share: float, text: str) -> None:
    """Write left of a panel: `points` from its border, `share` of its height."""
    axes.annotate(
        text, (0, share), xycoords="axes fraction", xytext=(points, 0), textcoords="offset points", fontsize=SIZE + 0.5,
        weight="bold", color=INK, ha="center", va="center", annotation_clip=False,
    )  # fmt: skip


def _has_room(x: float, text: str, canvas: Canvas) -> bool:
    """Whether text centred `x` points from the panel's left stays on the figure."""
    half = text_width(text) / 2
    return x >= 0 and x - half > 2 - LEFT and x + half < canvas.inner + RIGHT - 2


class BasesPanel:
    """The bases of REF and ALT around the change, with the probabilities of each."""

    TRACK, LETTERS = 84.0, 34.0

    def __init__(self, canvas: Canvas, gene: GeneInterpretation, columns: Sequence[Column], stems: Sequence[Stem]) -> None:
        self.canvas, self.gene, self.columns = canvas, gene, columns
        self.index = {column.key: i for i, column in enumerate(columns)}
        self.stems = [stem for stem in stems if stem.key in self.index]
        self.limits = (-0.7, max(len(columns), 20) - 0.3)

    def draw(self, top: float) -> None:
        """Draw the panel from `top` down."""
        header = self.canvas.axes(top, 16)
        header.set_xlim(0, 1)
        header.set_ylim(0, 1)
        write(header, 0, 0.6, "Base by base around the change", ha="left", weight="bold")
        write(header, 1, 0.6, "shaded: exon; the black bar above marks this part", ha="right", color=SOFT)
        up = self.canvas.axes(top + 20, self.TRACK)
        letters = self.canvas.axes(top + 20 + self.TRACK, self.LETTERS)
        down = self.canvas.axes(top + 20 + self.TRACK + self.LETTERS, self.TRACK)
        for axes, allele, low, high in ((up, "ref", 0.0, 1.16), (down, "alt", -1.16, 0.0)):
            axes.set_ylim(low, high)
            axes.set_xlim(*self.limits)
            self._track(axes, allele)
        letters.set_xlim(*self.limits)
        letters.set_ylim(0, self.LETTERS)
        self._letters(letters)
        self._axis(down)

    def _track(self, axes: Axes, allele: str) -> None:
        sign = 1 if allele == "ref" else -1
        for height in (0.5, 1.0):
            axes.axhline(sign * height, color=FAINT, linewidth=0.6, zorder=1, clip_on=False)
        axes.axhline(0, color=INK, linewidth=0.9, zorder=2, clip_on=False)
        axes.yaxis.set_major_locator(FixedLocator([sign * 0.5, sign * 1.0]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}"))
        axes.tick_params(axis="y", labelsize=SIZE, labelcolor=INK, length=0, pad=3)
        labelled: list[int] = []
        for stem in sorted((s for s in self.stems if s.allele == allele), key=lambda s: -s.probability):
            column = self.index[stem.key]
            draw_stem(axes, column, stem, f"zoom-{stem.gid}")
            if stem.probability >= 0.05 and all(abs(column - other) > 2 for other in labelled):
                labelled.append(column)
                axes.annotate(
                    f"{stem.probability:.2f}", (column, sign * stem.probability), xytext=(0, sign * 9),
                    textcoords="offset points", ha="center", va="center", fontsize=SIZE, color=INK,
                    annotation_clip=False, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
                )  # fmt: skip

    def _letters(self, axes: Axes) -> None:
        exons = self.gene.transcript.exons
        rows = {"ref": self.LETTERS * 0.73, "alt": self.LETTERS * 0.27}
        for name, y in rows.items():
            _margin_text(axes, -20, y / self.LETTERS, name.upper())
        for i, column in enumerate(self.columns):
            if any(start < column.position <= end for start, end in exons):
                axes.add_patch(Rectangle((i - 0.5, 0), 1, self.LETTERS, facecolor="#dde3e9", edgecolor="none", zorder=0))
            changed = column.ref != column.alt
            if changed:
                axes.add_patch(
                    Rectangle((i - 0.46, 1.5), 0.92, self.LETTERS - 3, facecolor=CHANGED, edgecolor=INK, linewidth=0.9)
                )
            for letter, y in ((column.ref, rows["ref"]), (column.alt, rows["alt"])):
                weight = "bold" if changed else "normal"
                write(axes, i, y, letter, weight=weight, color=INK if letter != "N" else SOFT)

    def _axis(self, axes: Axes) -> None:
        axes.spines["bottom"].set_visible(True)
        axes.spines["bottom"].set_color(SOFT)
        step = self.canvas.inner / (self.limits[1] - self.limits[0])
        ticks = [
            i
            for i, c in enumerate(self.columns)
            if c.insert_offset == 0
            and c.position % 10 == 0
            and _has_room((i - self.limits[0]) * step, f"{c.position:,}", self.canvas)
        ]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{self.columns[round(value)].position:,}" if value in ticks else "")
        )
        axes.tick_params(axis="x", labelsize=SIZE, color=SOFT, labelcolor=INK, length=3)

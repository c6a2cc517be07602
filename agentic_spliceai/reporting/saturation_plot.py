"""The picture of a saturation: gains above, losses below, the reference between them, the exon model under both."""

from __future__ import annotations

import html
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter

from agentic_spliceai.reporting import words
from agentic_spliceai.reporting.plot_canvas import (
    BAND,
    COLOURS,
    FAINT,
    INK,
    LEFT,
    MARKERS,
    RIGHT,
    SHADE,
    SIZE,
    SOFT,
    Canvas,
    plain,
    text_width,
    write,
)
from agentic_spliceai.reporting.plot_charts import Plot
from agentic_spliceai.reporting.plot_layout import spread
from agentic_spliceai.reporting.plot_model import GenomicScale, draw_axis, draw_exons
from agentic_spliceai.reporting.saturation_effects import (
    Columns,
    Effects,
    SaturationMap,
    Strongest,
    columns_of,
    strongest,
    unscored_runs,
)
from agentic_spliceai.reporting.svg import drawing_settings
from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.genome.sequence import BASES, reverse_complement
from agentic_spliceai.splice_engine.genome.types import SiteType

FAINTEST = 0.01
"""Score from which a cell is coloured: a smaller one could not be told from white."""

# From white through the class's colour to a darker one, so that also grey print and any colour vision see the order.
SCALES = {
    SpliceClass.DONOR: LinearSegmentedColormap.from_list("donor", ["#ffffff", "#8cc3e6", "#0072b2", "#002f4d"]),
    SpliceClass.ACCEPTOR: LinearSegmentedColormap.from_list("acceptor", ["#ffffff", "#f6b98a", "#d55e00", "#5a2600"]),
}
_WIDTH, _WIDEST = 720.0, 1440.0
_CELL = 6.2  # points that a column gets where there is room
_LETTER, _DOT = 5.4, 3.0  # points of a column that a letter, or the mark of the reference's base, needs
_KEY, _STRIP, _BARS, _ROW, _MODEL, _AXIS, _LINE = 46.0, 38.0, 50.0, 12.5, 46.0, 36.0, 11.0
_PANEL = 4 * _ROW
_LABEL = 112.0  # points that a label takes
_MOST_LABELS, _GAP = 8, 8.0


def plot_saturation(data: SaturationMap, *, name: Callable[[int, str], str]) -> Plot:
    """Draw gains and losses of every single-base change.

    Everything runs 5' to 3' along the transcript, with the bases of the transcript's strand. A column is one position,
    or, where there are more positions than can be told apart, some neighbouring ones with the largest of their scores.
    The same input gives the same bytes.

    Parameters
    ----------
    data
        What to draw.
    name
        Gives the words for a label, by 1-based position and plus-strand ALT.
    """
    with drawing_settings():
        drawing = _Drawing(data, name)
        drawing.draw()
    return Plot(drawing.canvas.figure, plain(data.title), drawing.description(), drawing.tooltips)


def saturation_page(picture: Plot) -> str:
    """Return one self-contained HTML page with the picture; a cell tells its change when it is pointed at."""
    title = html.escape(picture.title)
    svg = picture.svg().replace(' xmlns="http://www.w3.org/2000/svg"', "", 1)
    style = "body{margin:1rem;font-family:sans-serif;background:#fff}svg{max-width:100%;height:auto}"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{style}</style>\n</head>\n<body>\n{svg}'
        "</body>\n</html>\n"
    )


class _Drawing:
    """One picture; lengths are points."""

    def __init__(self, data: SaturationMap, name: Callable[[int, str], str]) -> None:
        self.data, self.name = data, name
        self.tooltips: dict[str, str] = {}
        length = len(data.bases)
        width = min(max(_WIDTH, LEFT + RIGHT + _CELL * length), _WIDEST)
        lettered = (width - LEFT - RIGHT) / length >= _LETTER
        self.sequence = 15.0 if lettered else 5.0
        heights = (_KEY, 2 * (_STRIP + _BARS + _PANEL), self.sequence, _MODEL, _AXIS, _LINE * len(data.footer) + 8)
        self.canvas = Canvas(
            Figure(figsize=(width / 72, sum(heights) / 72), facecolor="white"), width, sum(heights)
        )  # fmt: skip
        self.scale = GenomicScale(self.canvas, data.start + 1, data.start + length, 0.5, minus=data.minus)
        self.lettered = lettered
        most = max(1, int(self.canvas.inner))
        self.gain = columns_of(data.gain, data.start, most)
        self.loss = columns_of(data.loss, data.start, most)
        labels = min(_MOST_LABELS, int(self.canvas.inner / _LABEL))
        weak = data.thresholds.weak
        self.named = {
            "gain": strongest(data.gain, data.start, least=weak, most=labels),
            "loss": strongest(data.loss, data.start, least=weak, most=labels),
        }

    def draw(self) -> None:
        """Draw everything from the top down."""
        self._key()
        top = _KEY
        self._labels(self._panel(top, _STRIP), "gain")
        top += _STRIP
        self._bars(self._panel(top, _BARS), "gain", self.gain)
        top += _BARS
        self._cells(self._panel(top, _PANEL), "gain", self.data.gain, self.gain)
        top += _PANEL
        self._reference(self._panel(top, self.sequence))
        top += self.sequence
        self._cells(self._panel(top, _PANEL), "loss", self.data.loss, self.loss)
        top += _PANEL
        self._bars(self._panel(top, _BARS), "loss", self.loss)
        top += _BARS
        self._labels(self._panel(top, _STRIP), "loss")
        top += _STRIP
        model = self._panel(top, _MODEL)
        model.set_ylim(0, _MODEL)
        draw_exons(model, self.scale, self.data.transcript, _MODEL - 20)
        self._sites(model)
        draw_axis(model, self.scale, self.data.contig, self.data.build)
        footer = self.canvas.axes(top + _MODEL + _AXIS, _LINE * len(self.data.footer))
        footer.set_xlim(0, self.canvas.inner)
        footer.set_ylim(-len(self.data.footer), 0)
        for number, line in enumerate(self.data.footer):
            write(footer, 0, -number - 0.5, self._fitting(line, 7.5), ha="left", fontsize=7.5, color=SOFT)

    def description(self) -> str:
        """Return what the picture shows, in words."""
        data = self.data
        listed = [
            f"{self.name(one.position, one.alt)} {_effect(one, kind)} at {one.at:,}"
            for kind, found in self.named.items()
            for one in found
        ]
        first = words.place(data.contig, data.start + 1)
        strongest_ones = "; ".join(listed) if listed else f"no change reaches {data.thresholds.weak:g}"
        return plain(
            f"Gain and loss of splice sites by every single-base change, {first} to {data.start + len(data.bases):,}, "
            f"5' to 3' from left to right. Strongest: {strongest_ones}."
        )

    def _panel(self, top: float, height: float) -> Axes:
        axes = self.canvas.axes(top, height)
        axes.set_xlim(*self.scale.limits)
        return axes

    def _fitting(self, text: str, size: float, weight: str = "normal") -> str:
        text = plain(text)
        longest = len(text)
        while longest > 20 and text_width(words.shorten(text, longest), size, weight) > self.canvas.inner:
            longest -= 4
        return words.shorten(text, longest)

    # -- the key -----------------------------------------------------------------------------------------------------

    def _key(self) -> None:
        axes = self.canvas.axes(0, _KEY)
        title = self._fitting(self.data.title, SIZE + 2, "bold")
        write(axes, 0, 13, title[:1].upper() + title[1:], ha="left", weight="bold", fontsize=SIZE + 2)
        x, y = 0.0, 32.0
        for site in (SpliceClass.DONOR, SpliceClass.ACCEPTOR):
            axes.add_line(Line2D([x + 3], [y], marker=MARKERS[site], markersize=5.5, color=COLOURS[site], ls="none"))
            name = site.name.lower()
            write(axes, x + 10, y, name, ha="left")
            x += 14 + text_width(name)
            write(axes, x + 4, y, "0", fontsize=SIZE - 1.5, color=SOFT)
            ramp = SCALES[site](np.linspace(0, 1, 64))[None]
            axes.imshow(ramp, extent=(x + 9, x + 79, y + 5, y - 5), aspect="auto", interpolation="nearest")
            axes.add_patch(Rectangle((x + 9, y - 5), 70, 10, fill=False, edgecolor=FAINT, linewidth=0.6))
            write(axes, x + 85, y, "1", fontsize=SIZE - 1.5, color=SOFT)
            x += 104
        if self.gain.width == 1:
            axes.add_line(Line2D([x + 3], [y], marker=".", markersize=4, color=SOFT, ls="none"))
            write(axes, x + 10, y, "the reference's base", ha="left")
            x += 26 + text_width("the reference's base")
        else:
            text = f"a column is {self.gain.width} nt: the largest of them"
            write(axes, x, y, text, ha="left")
            x += 16 + text_width(text)
        if self._grey():
            axes.add_patch(Rectangle((x, y - 5), 14, 10, facecolor=BAND, edgecolor=SOFT, linewidth=0.6))
            write(axes, x + 19, y, "no score", ha="left")
        axes.set_xlim(0, self.canvas.inner)
        axes.set_ylim(_KEY, 0)
        write(axes, self.canvas.inner, y, "5′ → 3′ of the transcript", ha="right", color=SOFT)

    def _grey(self) -> list[tuple[int, int]]:
        return unscored_runs(self.data.gain, self.data.start)

    # -- panels ------------------------------------------------------------------------------------------------------

    def _frame(self, axes: Axes, low: float, high: float) -> None:
        """Draw what lies behind a panel: stretches without scores, and the exons' ends."""
        left, right = sorted(self.scale.limits)
        for first, last in self._grey():
            box = (first - 0.5, low), last - first + 1, high - low
            axes.add_patch(Rectangle(*box, facecolor=BAND, edgecolor="none", zorder=0.5))
        for edge in {edge for exon in self.data.transcript.spliced_exons for edge in exon}:
            if left < edge + 0.5 < right:
                axes.axvline(edge + 0.5, color=SOFT, linewidth=0.5, linestyle=(0, (3, 2)), zorder=4)

    def _bars(self, axes: Axes, kind: str, columns: Columns) -> None:
        axes.set_ylim(*((0, 1.06) if kind == "gain" else (1.06, 0)))
        self._frame(axes, 0, 1.06)
        limits = self.data.thresholds
        for height in (limits.weak, limits.moderate, limits.strong):
            axes.axhline(height, color=SOFT, linewidth=0.5, linestyle=(0, (1, 2)), zorder=1)
        axes.axhline(1, color=FAINT, linewidth=0.6, zorder=1)
        score = np.nan_to_num(columns.score, nan=0.0)
        best = score.argmax(axis=1)
        rows = np.arange(len(score))
        height, site = score[rows, best], columns.site[rows, best]
        shown = np.flatnonzero(height >= FAINTEST).tolist()
        axes.add_collection(
            PolyCollection(
                [_box(self._left(columns, i), self._right(columns, i), 0, height[i]) for i in shown],
                facecolors=[COLOURS[SpliceClass(site[i])] for i in shown],
                edgecolors="none",
                zorder=3,
                gid=f"{kind}-bars",
            ),
            autolim=False,
        )
        axes.yaxis.set_major_locator(FixedLocator([0.5, 1]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.tick_params(axis="y", labelsize=SIZE - 1.5, color=FAINT, labelcolor=INK, length=0, pad=3)
        axes.annotate(
            kind.upper(), (0, 0.5), xycoords="axes fraction", xytext=(-38, 0), textcoords="offset points",
            fontsize=SIZE + 0.5, weight="bold", color=INK, ha="center", va="center", rotation=90,
        )  # fmt: skip

    def _cells(self, axes: Axes, kind: str, effects: Effects, columns: Columns) -> None:
        axes.set_ylim(4, 0)
        self._frame(axes, 0, 4)
        faint: list[tuple[int, int]] = []
        for i, column in np.argwhere(np.nan_to_num(columns.score) >= FAINTEST).tolist():
            if columns.width == 1 and columns.score[i, column] >= np.float32(self.data.thresholds.weak):
                self._telling_cell(axes, kind, effects, columns, i, column)
            else:
                faint.append((i, column))
        boxes = [
            _box(self._left(columns, i), self._right(columns, i), self._row(column), self._row(column) + 1)
            for i, column in faint
        ]
        colours = [_colour(columns, i, column) for i, column in faint]
        axes.add_collection(
            PolyCollection(boxes, facecolors=colours, edgecolors="none", zorder=2, gid=f"{kind}-cells"), autolim=False
        )
        if columns.width == 1 and self.canvas.inner / len(self.data.bases) >= _DOT:
            bases = [(i, base) for i, base in enumerate(self.data.bases, self.scale.first) if base != "N"]
            x, y = [i for i, _ in bases], [self._row(BASES.index(base)) + 0.5 for _, base in bases]
            axes.add_line(Line2D(x, y, marker=".", markersize=2.2, color=SOFT, ls="none", zorder=3))
        for row in range(5):
            axes.axhline(row, color=FAINT, linewidth=0.5, zorder=1.5, clip_on=False)
        axes.yaxis.set_major_locator(FixedLocator([0.5, 1.5, 2.5, 3.5]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: BASES[int(value)]))
        axes.tick_params(axis="y", labelsize=SIZE - 1, labelcolor=INK, length=0, pad=3)

    def _telling_cell(self, axes: Axes, kind: str, effects: Effects, columns: Columns, i: int, column: int) -> None:
        """Draw a cell that says what it is."""
        position, alt = int(columns.left[i]), BASES[column]
        cell = Rectangle(
            (self._left(columns, i), self._row(column)), 1, 1, facecolor=_colour(columns, i, column), edgecolor="none",
            zorder=2.1, gid=f"{kind}-{position}-{alt}",
        )  # fmt: skip
        axes.add_patch(cell)
        one = Strongest(
            position, alt, float(columns.score[i, column]), SpliceClass(int(columns.site[i, column])),
            int(effects.position[i, column]),
        )  # fmt: skip
        ref = self.data.bases[position - self.data.start - 1]
        self.tooltips[f"{kind}-{position}-{alt}"] = plain(
            f"{self.name(position, alt)} ({words.clean(self.data.contig)}:{position:,} {ref}>{alt}): "
            f"{_effect(one, kind)} at {one.at:,}"
        )

    def _reference(self, axes: Axes) -> None:
        axes.set_ylim(0, 1)
        for start, end in self.data.transcript.spliced_exons:
            start, end = max(start, self.scale.first - 1), min(end, self.scale.last)
            if start < end:
                axes.add_patch(Rectangle((start + 0.5, 0), end - start, 1, facecolor=SHADE, edgecolor="none"))
        if self.lettered:
            size = min(SIZE - 0.5, 1.15 * self.canvas.inner / len(self.data.bases))
            for position, base in enumerate(self.data.bases, self.data.start + 1):
                letter = reverse_complement(base) if self.data.minus else base
                write(axes, position, 0.46, letter, fontsize=size, color=INK if base != "N" else SOFT)

    def _labels(self, axes: Axes, kind: str) -> None:
        """Write the names of the strongest changes over, or under, their columns."""
        axes.set_xlim(0, self.canvas.inner)
        axes.set_ylim(*((0, _STRIP) if kind == "gain" else (_STRIP, 0)))
        found = sorted(self.named[kind], key=lambda one: self.scale.place(one.position))
        if not found:
            text = f"no change has a {kind} of {self.data.thresholds.weak:g} or more"
            write(axes, self.canvas.inner / 2, 14, text, color=SOFT)
            return
        texts = [(plain(self.name(one.position, one.alt)), _effect(one, kind)) for one in found]
        widths = [max(text_width(a, weight="bold"), text_width(b, SIZE - 1)) for a, b in texts]
        wished = [self.scale.place(one.position) for one in found]
        places = _evenly(wished, widths, 4 - LEFT, self.canvas.inner + RIGHT - 2)
        upper, lower = (_STRIP - 6, _STRIP - 17) if kind == "gain" else (_STRIP - 17, _STRIP - 6)
        for one, (title, effect), x, centre in zip(found, texts, wished, places, strict=True):
            colour = COLOURS[one.site]
            write(axes, centre, upper, title, color=colour, weight="bold")
            write(axes, centre, lower, effect, fontsize=SIZE - 1)
            axes.add_line(Line2D([centre, centre, x, x], [14, 11, 4, 0], color=colour, linewidth=0.8))

    def _sites(self, axes: Axes) -> None:
        """Mark the transcript's annotated sites over its exons."""
        for site in self.data.transcript.splice_sites:
            if self.scale.first <= site.position <= self.scale.last:
                kind = SpliceClass.DONOR if site.type is SiteType.DONOR else SpliceClass.ACCEPTOR
                axes.add_line(
                    Line2D([site.position], [_MODEL - 6], marker=MARKERS[kind], markersize=4.6, color=COLOURS[kind],
                           ls="none", gid=f"site-{site.type.value}-{site.position}")
                )  # fmt: skip

    # -- places ------------------------------------------------------------------------------------------------------

    def _left(self, columns: Columns, i: int) -> float:
        return float(columns.left[i]) - 0.5

    def _right(self, columns: Columns, i: int) -> float:
        return min(float(columns.left[i]) + columns.width, self.scale.last + 1) - 0.5

    def _row(self, column: int) -> int:
        """Return the row of a plus-strand base: rows are A, C, G, T of the transcript's strand, from the top."""
        return 3 - column if self.data.minus else column


def _evenly(centres: list[float], widths: list[float], low: float, high: float) -> list[float]:
    """Move labels apart to both sides; see `spread`, which moves them to the right first."""
    right = spread(centres, widths, low, high, _GAP)
    left = spread([-x for x in reversed(centres)], widths[::-1], -high, -low, _GAP)
    # No label of either overlaps another or leaves the space, and so it is half way between them.
    return [(a - b) / 2 for a, b in zip(right, reversed(left), strict=True)]


def _box(left: float, right: float, low: float, high: float) -> list[tuple[float, float]]:
    return [(left, low), (right, low), (right, high), (left, high)]


def _colour(columns: Columns, i: int, column: int) -> tuple[float, float, float, float]:
    scale = SCALES[SpliceClass(int(columns.site[i, column]))]
    red, green, blue, alpha = scale(float(columns.score[i, column]))
    return red, green, blue, alpha


def _effect(one: Strongest, kind: str) -> str:
    return f"{one.site.name.lower()} {kind} {one.score:.2f}"

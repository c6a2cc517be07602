"""The lower panel of the locus plot: base by base around the change."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter

from agentic_spliceai.records.interpretation import GeneInterpretation
from agentic_spliceai.reporting.plot_canvas import (
    CHANGED,
    FAINT,
    INK,
    SHADE,
    SIZE,
    SOFT,
    Canvas,
    draw_stem,
    has_room,
    margin_text,
    write,
)
from agentic_spliceai.reporting.plot_layout import Column, Stem


class BasesPanel:
    """The bases of REF and ALT around the change, with the probabilities of each."""

    TRACK, LETTERS = 84.0, 34.0

    def __init__(
        self, canvas: Canvas, gene: GeneInterpretation, columns: Sequence[Column], stems: Sequence[Stem]
    ) -> None:
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
        exons = self.gene.transcript.spliced_exons
        rows = {"ref": self.LETTERS * 0.73, "alt": self.LETTERS * 0.27}
        for name, y in rows.items():
            margin_text(axes, -20, y / self.LETTERS, name.upper())
        for i, column in enumerate(self.columns):
            if any(start < column.position <= end for start, end in exons):
                axes.add_patch(Rectangle((i - 0.5, 0), 1, self.LETTERS, facecolor=SHADE, edgecolor="none", zorder=0))
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
            and has_room((i - self.limits[0]) * step, f"{c.position:,}", self.canvas)
        ]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{self.columns[round(value)].position:,}" if value in ticks else "")
        )
        axes.tick_params(axis="x", labelsize=SIZE, color=SOFT, labelcolor=INK, length=3)

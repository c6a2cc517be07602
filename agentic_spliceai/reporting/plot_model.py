"""A stretch of a genome as the plots lay it out: where positions stand, the exon model, the axis below it."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from agentic_spliceai.reporting import words
from agentic_spliceai.reporting.plot_canvas import (
    CODING,
    EXON,
    INK,
    SIZE,
    SOFT,
    Canvas,
    has_room,
    plain,
    text_width,
    write,
)
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Strand, Transcript


@dataclass(frozen=True)
class GenomicScale:
    """Positions along a panel, 5' to 3' of the transcript: on the minus strand they fall from left to right.

    Attributes
    ----------
    canvas
        The figure.
    first, last
        What is shown, 1-based, both included.
    margin
        Positions that are left free on either side.
    minus
        Whether the transcript lies on the minus strand.
    """

    canvas: Canvas
    first: int
    last: int
    margin: float
    minus: bool

    @property
    def limits(self) -> tuple[float, float]:
        """Data coordinates of the left and right border."""
        low, high = self.first - self.margin, self.last + self.margin
        return (high, low) if self.minus else (low, high)

    @property
    def unit(self) -> float:
        """Data units in one point; negative on the minus strand."""
        low, high = self.limits
        return (high - low) / self.canvas.inner

    def place(self, x: float) -> float:
        """Return where a data coordinate lies, in points from the panel's left."""
        low, high = self.limits
        return (x - low) / (high - low) * self.canvas.inner


def draw_exons(axes: Axes, scale: GenomicScale, transcript: Transcript, middle: float) -> bool:
    """Draw a transcript's exons, coding parts and introns around the height `middle`, with names below.

    `axes` has the scale's limits across, and points upwards. Where no part of the transcript is shown, words say so,
    and False is returned.
    """
    first, last = max(transcript.start + 1, scale.first), min(transcript.end, scale.last)
    if first > last:
        low, high = scale.limits
        write(axes, (low + high) / 2, middle, "the transcript does not reach into this window", color=SOFT)
        return False
    axes.add_line(Line2D([first - 0.5, last + 0.5], [middle, middle], color=EXON, linewidth=1))
    _chevrons(axes, scale, transcript, (first, last), middle)
    for start, end in transcript.spliced_exons:
        _block(axes, scale, start, end, middle, 9, EXON)
    for start, end in transcript.cds:
        _block(axes, scale, start, end, middle, 16, CODING)
    _names(axes, scale, transcript, middle - 17)
    return True


def draw_axis(axes: Axes, scale: GenomicScale, contig: str, build: GenomeBuild | None) -> None:
    """Draw the axis of positions at the lower border, with contig, build and strand below it."""
    axes.spines["bottom"].set_visible(True)
    axes.spines["bottom"].set_color(SOFT)
    low, high = sorted(scale.limits)
    wished = MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]).tick_values(low, high)
    room = [t for t in wished if has_room(scale.place(t), f"{t:,.0f}", scale.canvas)]
    axes.xaxis.set_major_locator(FixedLocator(room))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.tick_params(axis="x", labelsize=SIZE, color=SOFT, labelcolor=INK, length=3)
    strand = words.strand_words(Strand.MINUS if scale.minus else Strand.PLUS)
    name = f"{contig} position, {words.build_words(build)}, {strand}"
    if scale.minus:
        name += ": positions fall from left to right"
    axes.set_xlabel(plain(words.shorten(name, 100)), fontsize=SIZE, color=SOFT, labelpad=2)


def _block(axes: Axes, scale: GenomicScale, start: int, end: int, middle: float, height: float, colour: str) -> None:
    start, end = max(start, scale.first - 1), min(end, scale.last)
    if start < end:
        axes.add_patch(
            Rectangle(
                (start + 0.5, middle - height / 2), end - start, height, facecolor=colour, edgecolor="none", zorder=3
            )
        )  # fmt: skip


def _chevrons(axes: Axes, scale: GenomicScale, transcript: Transcript, shown: tuple[int, int], middle: float) -> None:
    step = 34.0
    exons = [sorted((scale.place(a + 0.5), scale.place(b + 0.5))) for a, b in transcript.spliced_exons]
    low, high = sorted((scale.place(shown[0]), scale.place(shown[1])))
    for k in range(1, int((high - low) / step) + 1):
        x = low + k * step
        if x > high - 6 or any(a - 5 < x < b + 5 for a, b in exons):
            continue
        data = [scale.limits[0] + (x + dx) * scale.unit for dx in (-2.5, 0.5, -2.5)]
        axes.add_line(Line2D(data, [middle + 3, middle, middle - 3], color=EXON, linewidth=1))


def _names(axes: Axes, scale: GenomicScale, transcript: Transcript, y: float) -> None:
    taken: list[tuple[float, float]] = []
    named = [(f"exon {n}", *exon) for n, exon in enumerate(transcript.spliced_exons_in_order, start=1)]
    introns = transcript.introns[::-1] if scale.minus else transcript.introns
    named += [(f"intron {n}", *intron) for n, intron in enumerate(introns, start=1)]
    for name, start, end in named:
        start, end = max(start, scale.first - 1), min(end, scale.last)
        if start >= end:
            continue
        width = text_width(name)
        low, high = sorted((scale.place(start + 0.5), scale.place(end + 0.5)))
        if name.startswith("intron") and high - low < width + 6:
            continue
        centre = min(max((low + high) / 2, width / 2 - 4), scale.canvas.inner - width / 2 + 4)
        if any(centre - width / 2 < b + 5 and a < centre + width / 2 + 5 for a, b in taken):
            continue
        taken.append((centre - width / 2, centre + width / 2))
        colour = SOFT if name.startswith("intron") else INK
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        write(axes, scale.limits[0] + centre * scale.unit, y, name, color=colour, bbox=box, zorder=4)

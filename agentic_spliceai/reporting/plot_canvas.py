"""What the panels of the locus plot share: lengths in points from the figure's top left, colours, marks, text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath

from agentic_spliceai.reporting import words
from agentic_spliceai.reporting.plot_layout import Stem
from agentic_spliceai.splice_engine.base_layer.results import ChangeKind, SpliceClass

# Okabe and Ito's blue and vermilion differ for every common colour vision; shape tells them apart in grey as well.
DONOR, ACCEPTOR = "#0072b2", "#d55e00"
INK, SOFT, FAINT, BAND = "#1d2733", "#5b6773", "#d5dbe1", "#eef1f4"
CHANGED, SHADE = "#ffe08a", "#dde3e9"
EXON, CODING = "#a3b1bf", "#6d8195"
COLOURS = {SpliceClass.DONOR: DONOR, SpliceClass.ACCEPTOR: ACCEPTOR}
MARKERS = {SpliceClass.DONOR: "o", SpliceClass.ACCEPTOR: "s"}
LEFT, RIGHT = 58.0, 14.0
SIZE = 9.5
FONT = "DejaVu Sans"


@lru_cache(maxsize=1)
def _known_characters() -> frozenset[int]:
    return frozenset(get_font(findfont(FONT)).get_charmap())


def plain(text: str) -> str:
    """Return `text` with a question mark for each character that the plot's font does not have."""
    known = _known_characters()
    return "".join(character if ord(character) in known else "?" for character in words.clean(text))


def text_width(text: str, size: float = SIZE, weight: str = "normal") -> float:
    """Return the width of one line of text, in points."""
    if not text.strip():
        return 0.0
    return float(TextPath((0, 0), text, size=size, prop=FontProperties(family=FONT, weight=weight)).get_extents().x1)


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
            solid_capstyle="butt",
            marker=MARKERS[stem.site],
            markersize=4.6,
            markevery=[1],
            clip_on=False,
            gid=gid,
            zorder=3 + stem.probability,
        )
    )


def margin_text(axes: Axes, points: float, share: float, text: str) -> None:
    """Write left of a panel: `points` from its border, `share` of its height."""
    axes.annotate(
        text, (0, share), xycoords="axes fraction", xytext=(points, 0), textcoords="offset points", fontsize=SIZE + 0.5,
        weight="bold", color=INK, ha="center", va="center", annotation_clip=False,
    )  # fmt: skip


def has_room(x: float, text: str, canvas: Canvas) -> bool:
    """Whether text centred `x` points from the panel's left stays on the figure."""
    half = text_width(text) / 2
    return x >= 0 and x - half > 2 - LEFT and x + half < canvas.inner + RIGHT - 2

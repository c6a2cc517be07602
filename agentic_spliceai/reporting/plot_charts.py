"""What the plots of an evaluation share: the drawn figure and its forms, colours, axes, key."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from agentic_spliceai.reporting.plot_canvas import DONOR, FAINT, INK, SIZE, SOFT, plain
from agentic_spliceai.reporting.svg import drawing_settings, figure_to_svg
from agentic_spliceai.splice_engine.errors import SettingError

# The base model is grey and dashed; further ones are Okabe and Ito's colours with a dash pattern of their own.
COLOURS = (SOFT, DONOR, "#009e73", "#cc79a7")
DASHES: tuple[tuple[float, tuple[float, ...]] | str, ...] = ((0, (4, 2)), "-", (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
MARKERS = ("s", "o", "^", "D")
_HEIGHT = 3.9


@dataclass(frozen=True, eq=False)
class Plot:
    """A drawn figure, what a screen reader says of it, and its forms; `tooltips` are texts by gid of an element."""

    figure: Figure
    title: str
    description: str
    tooltips: Mapping[str, str] = field(default_factory=dict)

    def svg(self, prefix: str = "plot-") -> str:
        """Return an `svg` element whose ids start with `prefix`."""
        with drawing_settings():
            return figure_to_svg(
                self.figure, prefix=prefix, title=self.title, description=self.description, tooltips=self.tooltips
            )

    def png(self, dpi: int = 200) -> bytes:
        """Return a PNG; `dpi` is dots per inch."""
        buffer = io.BytesIO()
        with drawing_settings():
            self.figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
        return buffer.getvalue()

    def save(self, path: Path) -> Path:
        """Write the plot; the suffix, `.png` or `.svg`, says how.

        Raises
        ------
        SettingError
            If it is another suffix.
        """
        if path.suffix not in {".png", ".svg"}:
            raise SettingError(f"A plot cannot be written as {path.name!r}.", "End the name with .png or .svg.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.png() if path.suffix == ".png" else self.svg().encode())
        return path


def plain_lines(text: str) -> str:
    """Return `plain` of each line."""
    return "\n".join(plain(line) for line in text.split("\n"))


@contextmanager
def panels_of(title: str, panels: int, *, below: bool = False) -> Iterator[tuple[Figure, list[Axes]]]:
    """Give axes side by side; `below` adds a low one under each."""
    with drawing_settings():
        height = _HEIGHT + (1.6 if below else 0.9)
        figure = Figure(figsize=(0.7 + 4.0 * panels, height), facecolor="white", layout="constrained")
        figure.suptitle(plain(title), fontsize=SIZE + 1.5, fontweight="bold", color=INK)
        ratios = (5, 1) if below else (1,)
        grid = figure.subplots(
            len(ratios), panels, height_ratios=ratios, squeeze=False, sharex="col" if below else False
        )
        yield figure, list(grid.ravel())


def line_style(index: int) -> dict[str, Any]:
    """Return colour and dashes of the model of this number, 0 for the base model."""
    return {"color": COLOURS[index], "linestyle": DASHES[index], "linewidth": 1.7}


def plain_axes(axes: Axes) -> None:
    """Leave the lower and left border only."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(SOFT)
    axes.tick_params(labelsize=SIZE, labelcolor=INK, color=SOFT)


def unit_square(axes: Axes, x: str, y: str) -> None:
    """Make both axes run from 0 to 1, with the labels `x` and `y`."""
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.005)
    axes.set_aspect("equal")
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    plain_axes(axes)


def put_key(figure: Figure, axes: Axes) -> None:
    """Put the key under the panels, where it hides nothing."""
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", fontsize=SIZE, labelcolor=INK, frameon=False,
        handlelength=2.6,
    )  # fmt: skip


def count_axis(axis: Axis) -> None:
    """Make an axis of counts logarithmic, with numbers as people write them: mathematics is off for safety."""
    axis.axes.set_yscale("log")
    axis.set_minor_locator(NullLocator())
    axis.set_major_locator(LogLocator(numticks=5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.set_tick_params(labelsize=SIZE, labelcolor=INK, color=SOFT)

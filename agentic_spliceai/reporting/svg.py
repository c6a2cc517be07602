"""Matplotlib figures to SVG text that is stable, small and safe to put into a page."""

from __future__ import annotations

import io
import re
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.figure import Figure

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_LONG_NUMBER = re.compile(r"-?\d+\.\d{4,}")
_LOCAL_URL = re.compile(r"url\(#")
# Matplotlib's settings are one per process.
_LOCK = threading.RLock()
# Text becomes outlines: every browser then shows the widths that the labels were placed by.
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "agentic-spliceai",
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.parse_math": False,
    "text.usetex": False,
    "axes.linewidth": 0.8,
    "path.simplify": False,
}


@contextmanager
def drawing_settings() -> Iterator[None]:
    """Draw with matplotlib's own defaults, whatever settings file or style the user has."""
    with _LOCK, matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)  # type: ignore[arg-type]  # a literal of known names
        yield


def figure_to_svg(figure: Figure, *, prefix: str, title: str, description: str, tooltips: Mapping[str, str]) -> str:
    """Return a figure as SVG text without date, declaration or style sheet, every id starting with `prefix`.

    Parameters
    ----------
    figure
        The figure; call inside `drawing_settings`.
    prefix
        Put before every id, so that several figures live in one page.
    title, description
        What a screen reader says.
    tooltips
        Text by gid of an element.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ET.fromstring(buffer.getvalue())
    _tidy(root, prefix)
    for element in root.iter(f"{{{_SVG}}}g"):
        tip = tooltips.get(element.get("id", "").removeprefix(prefix))
        if tip:
            child = ET.Element(f"{{{_SVG}}}title")
            child.text = tip
            element.insert(0, child)
    for index, (tag, text) in enumerate((("title", title), ("desc", description))):
        child = ET.Element(f"{{{_SVG}}}{tag}", {"id": f"{prefix}{tag}"})
        child.text = text
        root.insert(index, child)
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}title {prefix}desc")
    # What matplotlib writes into a style sheet, which would reach beyond the figure when it stands in a page.
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    ET.register_namespace("", _SVG)
    return ET.tostring(root, encoding="unicode") + "\n"


def _tidy(root: ET.Element, prefix: str) -> None:
    for parent in root.iter():
        for child in list(parent):
            if child.tag in {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"}:
                parent.remove(child)
        # Indentation is a tenth of the file.
        parent.text = parent.tail = None
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name in {"d", "x", "y"}:
                # A thousandth of a point is finer than any screen; without the digits the file is a third smaller.
                short = _LONG_NUMBER.sub(lambda match: f"{float(match.group()):.3f}".rstrip("0").rstrip("."), value)
                element.set(name, " ".join(short.split()))
            elif name == "id":
                element.set("id", prefix + value)
            elif name in {"href", f"{{{_XLINK}}}href"}:
                del element.attrib[name]
                element.set("href", value.replace("#", f"#{prefix}", 1))
            elif "url(#" in value:
                element.set(name, _LOCAL_URL.sub(f"url(#{prefix}", value))

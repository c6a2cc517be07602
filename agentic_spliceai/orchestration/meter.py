"""How far one long step is, how fast, and how long it will take: one line on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from agentic_spliceai.tools.interaction import ToolProgress

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_DRAWINGS = 0.2
_CLEAR = "\r\x1b[K"


class Meter:
    """A listener of a tool's progress.

    Parameters
    ----------
    stream
        On a terminal one line is drawn over and removed at the end; elsewhere there is a line every ten seconds.
    unit
        What is counted.
    idle
        Messages of progress that nobody worked for, such as what an earlier attempt had done: no part of the rate.
    clock
        Seconds.
    """

    def __init__(
        self,
        stream: TextIO,
        unit: str,
        *,
        idle: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._unit = unit
        self._idle = idle
        self._clock = clock
        self._live = stream.isatty()
        self._last = clock()
        self._seconds = self._worked = self._before = 0.0
        self._heard = self._last

    def __call__(self, progress: ToolProgress) -> None:
        """Take progress, and show it if it is time."""
        now = self._clock()
        done = progress.done or 0.0
        if progress.message not in self._idle:
            self._worked += done - self._before
            self._seconds += now - self._heard
        self._before, self._heard = done, now
        pause = _SECONDS_BETWEEN_DRAWINGS if self._live else _SECONDS_BETWEEN_LINES
        if now - self._last >= pause:
            self._last = now
            text = f"  {self._text(done, progress.total)}"
            self._stream.write(f"\r{text}\x1b[K" if self._live else f"{text}\n")
            self._stream.flush()

    def _text(self, done: float, total: float | None) -> str:
        parts = [f"{done:,.0f} {self._unit}" if not total else f"{done:,.0f} of {total:,.0f} {self._unit}"]
        if total:
            parts[0] += f" ({done / total:.0%})"
        if self._worked > 0 and self._seconds > 0:
            rate = self._worked / self._seconds
            parts.append(f"{rate:,.{0 if rate >= 10 else 1}f} {self._unit}/s")
            if total:
                parts.append(f"{_duration((total - done) / rate)} left")
        return ", ".join(parts)

    def close(self) -> None:
        """Remove the line."""
        if self._live:
            self._stream.write(_CLEAR)
            self._stream.flush()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"

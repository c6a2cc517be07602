"""One line that says how far a long step is."""

from __future__ import annotations

import io

from agentic_spliceai.orchestration.meter import Meter
from agentic_spliceai.tools.interaction import ToolProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_every_ten_seconds() -> None:
    stream, clock = io.StringIO(), iter(range(0, 100, 2))
    meter = Meter(stream, "inputs", clock=lambda: next(clock))
    for number in range(1, 12):
        meter(ToolProgress("scoring", number, 20))
    meter.close()
    assert stream.getvalue().splitlines() == [
        "  5 of 20 inputs (25%), 0.5 inputs/s, 30 s left",
        "  10 of 20 inputs (50%), 0.5 inputs/s, 20 s left",
    ]


def test_what_an_earlier_attempt_did_is_no_part_of_the_rate() -> None:
    stream, clock = io.StringIO(), iter([0, 1, 21])
    meter = Meter(stream, "inputs", idle=frozenset({"earlier"}), clock=lambda: next(clock))
    meter(ToolProgress("earlier", 5_000, 10_000))
    meter(ToolProgress("scoring", 5_400, 10_000))
    assert stream.getvalue() == "  5,400 of 10,000 inputs (54%), 20 inputs/s, 3 min 50 s left\n"


def test_a_terminal_has_one_line_and_nothing_at_the_end() -> None:
    stream, clock = Terminal(), iter(range(100))
    meter = Meter(stream, "inputs", clock=lambda: next(clock))
    for number in (1, 2):
        meter(ToolProgress("scoring", number, None))
    assert "\n" not in stream.getvalue()
    assert stream.getvalue().endswith("\r  2 inputs, 1.0 inputs/s\x1b[K")
    meter.close()
    assert stream.getvalue().endswith("\r\x1b[K")

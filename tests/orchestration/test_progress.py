"""What a person sees while a run goes on."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from agentic_spliceai.orchestration.askers import approve_all
from agentic_spliceai.orchestration.errors import PausedRun
from agentic_spliceai.orchestration.events import Step
from agentic_spliceai.orchestration.progress import LiveProgress, PlainProgress, progress_display
from agentic_spliceai.orchestration.runner import run_graph
from agentic_spliceai.splice_engine.errors import InvalidVariantError
from agentic_spliceai.tools.interaction import Answer, Question, ToolProgress
from tests.orchestration.fakes import checked, toy_context
from tests.orchestration.workshop import workshop


def test_plain_lines_where_there_is_no_terminal(tmp_path: Path) -> None:
    stream = io.StringIO()
    display = progress_display(quiet=False, stream=stream)
    context = toy_context(tmp_path)
    run_graph(checked(), {}, context, observers=[display])
    assert re.sub(r"\d+\.\d s", "N s", stream.getvalue()).splitlines() == [
        f"toy: run {context.run_id}",
        "  make: Toy tool make_thing.",
        "  make: done in N s",
        "  finish: Toy tool use_thing.",
        "  finish: done in N s",
        "toy: done in N s",
    ]


def test_a_failing_step_is_marked(tmp_path: Path) -> None:
    stream = io.StringIO()
    with pytest.raises(InvalidVariantError):
        run_graph(checked(), {"name": "bad"}, toy_context(tmp_path), observers=[PlainProgress(stream)])
    assert stream.getvalue().splitlines()[-1].startswith("  make: failed in ")


def test_downloads_do_not_flood_a_log() -> None:
    stream = io.StringIO()
    display = PlainProgress(stream)
    for done in range(0, 101):
        display("weights.pt", done * 1_000_000, 100_000_000)
    lines = stream.getvalue().splitlines()
    assert len(lines) <= 3
    assert lines[-1] == "  download of weights.pt: 100.0 MB (100%)"


@pytest.mark.parametrize("width", [60, 120])
def test_a_terminal_shows_every_step_by_its_whole_name(tmp_path: Path, width: int) -> None:
    stream = io.StringIO()
    display = LiveProgress(Console(file=stream, force_terminal=True, width=width))
    run_graph(checked(), {"weight": 11}, toy_context(tmp_path), observers=[display])
    display("late.pt", 1, 2)
    display.close()
    for name in ("make", "pack", "finish", "✓"):
        assert name in stream.getvalue()


def test_quiet_is_silent(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    display = progress_display(quiet=True)
    display("x", 1, 2)
    run_graph(checked(), {}, toy_context(tmp_path), observers=[display])
    display.close()
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_items_and_questions_in_plain_lines(tmp_path: Path) -> None:
    stream = io.StringIO()
    with pytest.raises(PausedRun):
        run_graph(workshop(), {"count": 2}, toy_context(tmp_path), observers=[PlainProgress(stream)])
    assert stream.getvalue().splitlines()[-1] == "  approve: waits for an answer"
    context, stream = toy_context(tmp_path), io.StringIO()
    context.ask = approve_all
    run_graph(workshop(), {"count": 2}, context, observers=[PlainProgress(stream)])
    lines = stream.getvalue().splitlines()
    assert "  paint[1] of 2: Toy tool paint." in lines
    assert "  paint[1]: painting 0" in lines
    assert any(line.startswith("  paint[2]: done in ") for line in lines)


def test_a_tool_that_tells_much_does_not_flood_a_log() -> None:
    stream = io.StringIO()
    display = PlainProgress(stream)
    for done in range(100):
        display.step_progressed(Step("train"), ToolProgress("epoch", done, 100))
    assert stream.getvalue().splitlines() == [f"  train: epoch {'╌' * 20}   0%"]


def test_the_items_of_a_fan_out_share_a_line_on_a_terminal(tmp_path: Path) -> None:
    stream = io.StringIO()
    display = LiveProgress(Console(file=stream, force_terminal=True, width=100))
    context = toy_context(tmp_path)

    def ask(question: Question) -> Answer:
        with display.suspended():
            return approve_all(question)

    context.ask = ask
    run_graph(workshop(), {"count": 9}, context, observers=[display])
    display.close()
    last = stream.getvalue().rpartition("cut ")[2]
    assert len(re.findall("paint", last)) - len(re.findall("Toy tool paint", last)) == 1
    assert "of 9" in last

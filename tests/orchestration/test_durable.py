"""Runs that pause, stop or fail, and are taken up again."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from agentic_spliceai.orchestration import builder, checkpoints, resuming
from agentic_spliceai.orchestration.checkpoints import open_checkpoints
from agentic_spliceai.orchestration.errors import (
    AnswerError,
    CheckpointError,
    PausedRun,
    ResumeError,
    RunBusyError,
    RunFinishedError,
    SecondQuestionError,
)
from agentic_spliceai.orchestration.events import RunObserver, RunResult, Step, StepStart
from agentic_spliceai.orchestration.loader import parse_document
from agentic_spliceai.orchestration.resuming import pending_question
from agentic_spliceai.orchestration.runner import resume_run, run_graph
from agentic_spliceai.orchestration.validator import CheckedGraph, check_document
from agentic_spliceai.records.errors import UnknownRunError
from agentic_spliceai.records.models import RunStatus
from agentic_spliceai.settings import Settings
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.interaction import Answer, NoOneToAskError, Question, ToolProgress
from agentic_spliceai.tools.registry import ToolRegistry
from tests.orchestration import workshop as shop
from tests.orchestration.fakes import spec, toy_context
from tests.orchestration.workshop import calls, jobs, workshop

YES = Answer(choice="approve", by="Ada")


def yes(question: Question) -> Answer:
    return YES


def asking(folder: Path, ask: Any = yes) -> ToolContext:
    context = toy_context(folder)
    context.ask = ask
    return context


def paused(folder: Path, inputs: dict[str, Any] | None = None) -> PausedRun:
    with pytest.raises(PausedRun) as caught:
        run_graph(workshop(), inputs or {}, toy_context(folder))
    return caught.value


def resumed(folder: Path, run_id: str, answer: Answer | None = None, **more: Any) -> RunResult:
    return resume_run(
        run_id,
        more.pop("context", None) or toy_context(folder),
        answer=answer,
        registry=more.pop("registry", shop.REGISTRY),
        **more,
    )


def with_tool(name: str, tool: Any) -> CheckedGraph:
    """Return the workshop with one tool replaced."""
    others = [other for other in shop.REGISTRY.values() if other.name != name]
    return check_document(workshop().document, ToolRegistry([*others, tool]))


def kept_runs(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "data" / "checkpoints.sqlite") as connection:
        return [row[0] for row in connection.execute("SELECT DISTINCT thread_id FROM checkpoints")]


def test_a_question_pauses_the_run_and_its_answer_goes_on(tmp_path: Path) -> None:
    pause = paused(tmp_path)
    assert (pause.node, pause.question.title) == ("approve", "Paint 5 planks?")
    context = toy_context(tmp_path)
    assert context.records.get_run(pause.run_id).status is RunStatus.WAITING
    assert pending_question(pause.run_id, context, shop.REGISTRY) == ("approve", pause.question)
    result = resumed(tmp_path, pause.run_id[:6], YES)
    assert result.run_id == pause.run_id
    assert result.outputs["line"] == "blue0 blue1 blue2 blue3 blue4 by Ada"
    assert set(result.timings) == {"cut", "approve", "paint", "order", "close"}
    run = context.records.get_run(pause.run_id)
    assert (run.status, run.attempts, run.error) == (RunStatus.SUCCEEDED, 2, None)
    steps = [step.node for step in run.steps]
    assert steps[:2] == ["cut", "approve"]
    assert set(steps[2:7]) == {f"paint[{item}]" for item in range(1, 6)}
    assert steps[7:] == ["order", "close"]
    assert calls(tmp_path / "data").count("cut") == 1
    assert len(jobs(tmp_path / "data")) == 1
    assert pending_question(pause.run_id, context, shop.REGISTRY) is None


def test_an_asker_answers_in_place(tmp_path: Path) -> None:
    assert run_graph(workshop(), {}, asking(tmp_path)).outputs["line"].endswith("by Ada")
    assert calls(tmp_path / "data").count("ask") == 1


def test_an_asker_answers_when_a_waiting_run_is_taken_up(tmp_path: Path) -> None:
    run_id = paused(tmp_path).run_id
    assert resumed(tmp_path, run_id, context=asking(tmp_path)).outputs["line"].endswith("by Ada")


def test_a_waiting_run_without_an_answer_waits_on(tmp_path: Path) -> None:
    first = paused(tmp_path)
    with pytest.raises(PausedRun) as again:
        resumed(tmp_path, first.run_id)
    assert again.value.question == first.question
    assert resumed(tmp_path, first.run_id, YES).outputs["line"].endswith("by Ada")


@pytest.mark.parametrize("how", ["in place", "later"])
def test_an_answer_has_to_be_one_of_the_choices(tmp_path: Path, how: str) -> None:
    maybe = Answer(choice="maybe", by="Ada")
    if how == "in place":
        with pytest.raises(AnswerError, match=r"'maybe' is no answer to: Paint 5 planks\?"):
            run_graph(workshop(), {}, asking(tmp_path, lambda question: maybe))
        return
    run_id = paused(tmp_path).run_id
    with pytest.raises(AnswerError, match="'maybe' is no answer"):
        resumed(tmp_path, run_id, maybe)
    # The refused answer has changed nothing.
    assert toy_context(tmp_path).records.get_run(run_id).status is RunStatus.WAITING
    assert resumed(tmp_path, run_id, YES).outputs["line"].endswith("by Ada")


def test_an_answer_to_one_question_is_none_to_another(tmp_path: Path) -> None:
    title = ["Paint?"]

    def approve(args: shop.ApproveArgs, context: ToolContext) -> shop.ApproveResult:
        answer = context.ask(Question(title=title[0], choices=("approve", "reject")))
        return shop.ApproveResult(choice=answer.choice, by=answer.by)

    graph = with_tool("approve", spec("approve", shop.ApproveArgs, shop.ApproveResult, approve))
    registry = ToolRegistry(graph.registry.values())
    with pytest.raises(PausedRun) as caught:
        run_graph(graph, {}, toy_context(tmp_path))
    title[0] = "Burn?"
    with pytest.raises(PausedRun) as other:
        resumed(tmp_path, caught.value.run_id, YES, registry=registry)
    assert other.value.question.title == "Burn?"
    answer = Answer(choice="reject", by="Eve")
    assert resumed(tmp_path, caught.value.run_id, answer, registry=registry).outputs["line"].endswith("by Eve")


def test_an_answer_is_kept_when_the_step_fails_after_it(tmp_path: Path) -> None:
    broken = [True]

    def approve(args: shop.ApproveArgs, context: ToolContext) -> shop.ApproveResult:
        answer = context.ask(Question(title="Paint?", choices=("approve", "reject")))
        if broken:
            raise OSError("the disk is full")
        return shop.ApproveResult(choice=answer.choice, by=answer.by)

    graph = with_tool("approve", spec("approve", shop.ApproveArgs, shop.ApproveResult, approve))
    registry = ToolRegistry(graph.registry.values())
    with pytest.raises(PausedRun) as caught:
        run_graph(graph, {}, toy_context(tmp_path))
    with pytest.raises(OSError, match="disk is full"):
        resumed(tmp_path, caught.value.run_id, YES, registry=registry)
    broken.clear()
    # Nobody is asked a second time.
    assert resumed(tmp_path, caught.value.run_id, registry=registry).outputs["line"].endswith("by Ada")


def test_without_a_record_a_question_has_nobody_to_answer_it(tmp_path: Path) -> None:
    with pytest.raises(NoOneToAskError):
        run_graph(workshop(), {}, toy_context(tmp_path, keep_record=False))
    assert not (tmp_path / "data" / "checkpoints.sqlite").exists()


def test_a_tool_that_asks_twice_is_refused(tmp_path: Path) -> None:
    def approve(args: shop.ApproveArgs, context: ToolContext) -> shop.ApproveResult:
        for title in ("One?", "Two?"):
            answer = context.ask(Question(title=title, choices=("approve", "reject")))
        return shop.ApproveResult(choice=answer.choice, by=answer.by)

    graph = with_tool("approve", spec("approve", shop.ApproveArgs, shop.ApproveResult, approve))
    with pytest.raises(SecondQuestionError, match=r"'approve' asks twice: Two\?"):
        run_graph(graph, {}, asking(tmp_path))


def test_a_failed_run_goes_on_where_it_failed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    missing = tmp_path / "data" / "no-paint-3"
    missing.touch()
    context = asking(tmp_path)
    with pytest.raises(OSError, match="no paint for plank 3") as caught:
        run_graph(workshop(), {}, context)
    assert "It was item 4 of 5 of step 'paint'." in caught.value.__notes__
    run = context.records.get_run(context.run_id)
    assert run.error is not None
    assert (run.status, run.error.node) == (RunStatus.FAILED, "paint[4]")
    missing.unlink()
    before = calls(tmp_path / "data")
    assert resumed(tmp_path, context.run_id).outputs["line"] == "blue0 blue1 blue2 blue3 blue4 by Ada"
    assert calls(tmp_path / "data")[len(before) :] == ["paint 3", "paint 4", "order", "close"]
    steps = context.records.get_run(context.run_id).steps
    assert [step.attempt for step in steps if step.node == "paint[4]"] == [1, 2]


def test_a_run_that_has_succeeded_is_not_run_again(tmp_path: Path) -> None:
    context = asking(tmp_path)
    run_graph(workshop(), {}, context)
    done = calls(tmp_path / "data")
    with pytest.raises(RunFinishedError, match="has succeeded"):
        resumed(tmp_path, context.run_id)
    assert calls(tmp_path / "data") == done


def test_an_answer_for_a_run_that_asks_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "no-paint-0").touch()
    context = asking(tmp_path)
    with pytest.raises(OSError, match="no paint"):
        run_graph(workshop(), {}, context)
    with pytest.raises(AnswerError, match="waits for no answer"):
        resumed(tmp_path, context.run_id, YES)


def test_an_unknown_run(tmp_path: Path) -> None:
    with pytest.raises(UnknownRunError):
        resumed(tmp_path, "0123")


def test_a_run_that_is_under_way_is_left_alone(tmp_path: Path) -> None:
    refused: list[BaseException] = []

    class Meddler(RunObserver):
        def step_started(self, start: StepStart) -> None:
            if start.node == "order":
                try:
                    resumed(tmp_path, context.run_id)
                except RunBusyError as error:
                    refused.append(error)

    context = asking(tmp_path)
    run_graph(workshop(), {}, context, observers=[Meddler()])
    assert len(refused) == 1


def test_of_two_that_answer_at_once_one_goes_on(tmp_path: Path) -> None:
    run_id = paused(tmp_path).run_id
    barrier = threading.Barrier(2)
    outcomes: list[object] = []

    def answer() -> None:
        context = toy_context(tmp_path)
        barrier.wait(20)
        try:
            outcomes.append(resumed(tmp_path, run_id, YES, context=context).outputs["line"])
        except ResumeError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=answer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    assert sum(outcome in (RunBusyError, RunFinishedError) for outcome in outcomes) == 1
    assert calls(tmp_path / "data").count("close") == 1


def test_the_workflow_goes_on_as_it_began(tmp_path: Path) -> None:
    """A run keeps the text of its workflow, whatever becomes of the file."""
    file = tmp_path / "workshop.yaml"
    file.write_text(shop.GRAPH)
    document = parse_document(file.read_text(), str(file))
    with pytest.raises(PausedRun) as caught:
        run_graph(check_document(document, shop.REGISTRY), {}, toy_context(tmp_path))
    file.write_text(shop.GRAPH.replace("blue", "green"))
    assert resumed(tmp_path, caught.value.run_id, YES).outputs["line"].startswith("blue0")


class LongPlank(shop.ToolModel):
    length: int = Field(description="Length.")
    width: int = Field(description="Width.")


class LongCut(shop.ToolModel):
    planks: tuple[LongPlank, ...] = Field(description="The planks.")


class WidePaint(shop.ToolModel):
    plank: LongPlank = Field(description="A plank.")
    colour: str = Field(default="red", description="The colour.")


def test_tools_that_have_changed_are_noticed(tmp_path: Path) -> None:
    run_id = paused(tmp_path).run_id
    others = [tool for tool in shop.REGISTRY.values() if tool.name not in ("cut", "paint")]
    with pytest.raises(ResumeError, match="there is no tool 'cut'"):
        resumed(tmp_path, run_id, YES, registry=ToolRegistry(others))
    changed = [spec("cut", shop.CutArgs, LongCut, shop.cut), spec("paint", WidePaint, shop.PaintResult, shop.paint)]
    with pytest.raises(ResumeError, match=r"'cut' has changed .* planks.0.width: field required") as caught:
        resumed(tmp_path, run_id, YES, registry=ToolRegistry([*others, *changed]))
    assert caught.value.advice == "Run the workflow again from its start."
    assert toy_context(tmp_path).records.get_run(run_id).status is RunStatus.WAITING


def test_a_state_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = paused(tmp_path).run_id
    monkeypatch.setattr(resuming, "STATE_SCHEMA_VERSION", builder.STATE_SCHEMA_VERSION + 1)
    with pytest.raises(ResumeError, match="has version 1; this release reads 2") as caught:
        resumed(tmp_path, run_id, YES)
    assert "release that it was started with" in caught.value.advice


def test_only_what_is_under_way_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = paused(tmp_path).run_id
    run_graph(workshop(), {}, asking(tmp_path))
    assert kept_runs(tmp_path) == [waiting]
    with sqlite3.connect(tmp_path / "data" / "checkpoints.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM checkpoints").fetchone() == (1,)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    (tmp_path / "data" / "no-paint-0").touch()
    failed = asking(tmp_path)
    with pytest.raises(OSError, match="no paint"):
        run_graph(workshop(), {}, failed)
    (tmp_path / "data" / "no-paint-0").unlink()
    assert set(kept_runs(tmp_path)) == {waiting, failed.run_id}
    later = datetime.now(UTC) + timedelta(days=checkpoints.KEPT_DAYS + 1)

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return later

    monkeypatch.setattr(checkpoints, "datetime", Later)
    run_graph(workshop(), {}, asking(tmp_path))
    assert kept_runs(tmp_path) == [waiting]  # a question may be answered at any time


def test_a_state_that_cannot_be_kept_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "data" / "checkpoints.sqlite").mkdir(parents=True)
    context = asking(tmp_path)
    with pytest.raises(CheckpointError, match="cannot be kept") as caught:
        run_graph(workshop(), {}, context)
    assert "--no-record" in caught.value.advice
    assert context.records.get_run(context.run_id).status is RunStatus.FAILED


def test_postgres_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langgraph.checkpoint.postgres", None)
    with pytest.raises(CheckpointError, match="a package is missing") as caught, open_checkpoints("postgresql://h/db"):
        pass
    assert "agentic-spliceai[postgres]" in caught.value.advice
    with pytest.raises(CheckpointError, match="mysql"), open_checkpoints("mysql://h/db"):
        pass


@pytest.mark.skipif("SPLICEAI_TEST_POSTGRES_URL" not in os.environ, reason="no PostgreSQL is named")
def test_runs_are_kept_in_postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = os.environ["SPLICEAI_TEST_POSTGRES_URL"]
    monkeypatch.setattr(Settings, "checkpoints_url", property(lambda settings: url))
    run_id = paused(tmp_path).run_id
    assert resumed(tmp_path, run_id, YES).outputs["line"].endswith("by Ada")
    with open_checkpoints(url) as saver:
        assert saver.get_tuple({"configurable": {"thread_id": run_id, "checkpoint_ns": ""}}) is None
    assert not (tmp_path / "data" / "checkpoints.sqlite").exists()


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_fan_out_keeps_the_order(tmp_path: Path, count: int) -> None:
    result = run_graph(workshop(), {"count": count}, asking(tmp_path))
    assert [item["text"] for item in result.outputs["painted"]] == [f"blue{item}" for item in range(count)]
    assert result.timings.keys() >= ({"paint"} if count else set())


def test_never_more_items_at_once_than_allowed(tmp_path: Path) -> None:
    lock, at_once, most = threading.Lock(), [0], [0]
    both = threading.Barrier(2, timeout=20)

    def paint(args: shop.PaintArgs, context: ToolContext) -> shop.PaintResult:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        both.wait()  # two items meet here, so that they are seen to be under way together
        with lock:
            at_once[0] -= 1
        return shop.PaintResult(text=context.step)

    graph = with_tool("paint", spec("paint", shop.PaintArgs, shop.PaintResult, paint))
    result = run_graph(graph, {"count": 6}, asking(tmp_path))
    assert most == [2]
    assert [item["text"] for item in result.outputs["painted"]] == [f"paint[{item}]" for item in range(1, 7)]


def test_watchers_hear_of_a_tools_progress(tmp_path: Path) -> None:
    heard: list[tuple[str, str]] = []

    class Watcher(RunObserver):
        def step_progressed(self, step: Step, progress: ToolProgress) -> None:
            heard.append((str(step), progress.message))

    run_graph(workshop(), {"count": 2}, asking(tmp_path), observers=[Watcher()])
    assert sorted(heard) == [("paint[1]", "painting"), ("paint[2]", "painting")]

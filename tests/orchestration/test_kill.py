"""A run whose process is killed with SIGKILL at any step goes on without a second job and without a lost result."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from agentic_spliceai.records.models import RunStatus
from tests.orchestration.fakes import toy_context
from tests.orchestration.killing import (
    AFTER,
    BEFORE,
    PAUSED,
    Case,
    Outcome,
    every_step,
    killed_again_at,
    killed_at,
    resumed,
    undisturbed,
)
from tests.orchestration.workshop import calls, jobs, workshop

PLANKS = 4
WORKSHOP = "tests.orchestration.workshop:workshop"
#: The line that each step's tool leaves.
LINES = {"cut": "cut", "approve": "answered", "order": "order", "close": "close"} | {
    f"paint[{item}]": f"paint {item - 1}" for item in range(1, PLANKS + 1)
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("whole")
    outcome = undisturbed(Case(WORKSHOP, {"count": PLANKS}, folder))
    assert len(jobs(folder / "data")) == 1
    return outcome


def check(case: Case, outcome: Outcome, whole: Outcome) -> None:
    assert outcome == whole
    assert len(jobs(case.data_dir)) == 1
    store = toy_context(case.folder).records
    run = store.get_run(case.run_id)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert run.attempts == 2
    assert set(LINES) == {step.node for step in run.steps}
    store.close()


@pytest.mark.parametrize(("step", "phase"), every_step(workshop(), items={"paint": PLANKS}))
def test_killed_at_any_step(tmp_path: Path, whole: Outcome, step: str, phase: str) -> None:
    case = Case(WORKSHOP, {"count": PLANKS}, tmp_path)
    run_id = killed_at(case, step, phase)
    check(case, resumed(case, run_id), whole)
    ran = Counter(calls(case.data_dir))
    # What was kept is not done again. A result that was not yet kept is made again: of the step that was killed, and of
    # the item that was under way beside it.
    wave = {"paint[1]": "paint[2]", "paint[2]": "paint[1]", "paint[3]": "paint[4]", "paint[4]": "paint[3]"}
    for name, line in LINES.items():
        if name == step:
            assert ran[line] == (1 if phase == BEFORE else 2), name
        elif name == wave.get(step):
            assert ran[line] in (1, 2), name
        else:
            assert ran[line] == 1, name


def test_killed_while_the_run_waits(tmp_path: Path) -> None:
    case = Case(WORKSHOP, {"count": PLANKS}, tmp_path, approve=False)
    run_id = killed_at(case, "approve", PAUSED)
    assert toy_context(tmp_path).records.get_run(run_id).status is RunStatus.WAITING
    assert resumed(case) == Outcome(None, "Paint 4 planks?")
    answered = Case(WORKSHOP, {"count": PLANKS}, tmp_path)
    outcome = resumed(answered)
    assert outcome.outputs is not None
    assert outcome.outputs["line"].endswith("by --approve")
    assert calls(case.data_dir).count("cut") == 1


def test_killed_again_and_again(tmp_path: Path, whole: Outcome) -> None:
    case = Case(WORKSHOP, {"count": PLANKS}, tmp_path)
    killed_at(case, "paint[2]", AFTER)
    killed_again_at(case, "paint[3]", BEFORE)
    killed_again_at(case, "order", AFTER)
    killed_again_at(case, "order", AFTER)
    assert resumed(case) == whole
    assert len(jobs(case.data_dir)) == 1
    run = toy_context(tmp_path).records.get_run(case.run_id)
    assert run.attempts == 5
    assert [step.attempt for step in run.steps if step.node == "order"] == [1, 2, 3]
    assert Counter(calls(case.data_dir))["paint 0"] <= 2

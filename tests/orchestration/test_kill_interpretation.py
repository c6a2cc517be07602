"""An interpretation whose process is killed at any step is whole after it was taken up again, and recorded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_spliceai.orchestration.validator import load_graph
from agentic_spliceai.records.store import RecordStore
from tests.orchestration.killing import Case, comparable, every_step, killed_at, resumed, undisturbed

GRAPH = "interpret_variant"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> object:
    case = Case(GRAPH, {}, tmp_path_factory.mktemp("whole"))
    return comparable(case, undisturbed(case))


@pytest.mark.slow
@pytest.mark.parametrize(("step", "phase"), every_step(load_graph(GRAPH)))
def test_killed_at_any_step(tmp_path: Path, whole: object, step: str, phase: str) -> None:
    case = Case(GRAPH, {}, tmp_path)
    outcome = resumed(case, killed_at(case, step, phase))
    assert comparable(case, outcome) == whole
    store = RecordStore(f"sqlite:///{case.data_dir / 'records.sqlite'}")
    (run,) = store.list_runs()
    assert (run.id, run.status) == (case.run_id, "succeeded")
    assert run.variant == "minigene-2139-G-A"
    detail = store.get_run(run.id)
    assert len({artifact.kind for artifact in detail.artifacts}) == len(detail.artifacts)
    store.close()

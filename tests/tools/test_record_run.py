"""What is kept of an interpreted variant, also if its last step is done twice."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agentic_spliceai.records.errors import RecordError
from agentic_spliceai.records.models import NewRun
from agentic_spliceai.reporting.claims import verify_text
from agentic_spliceai.reporting.evidence import interpretation_evidence
from agentic_spliceai.reporting.summary import summarise_interpretation
from agentic_spliceai.settings import Settings
from agentic_spliceai.tools import record_run
from agentic_spliceai.tools.context import Resources, ToolContext
from agentic_spliceai.tools.record_run import RecordRunArgs
from tests.reporting import toys

RUN = "4f1c9a2e77aa"


def args() -> RecordRunArgs:
    run = toys.skipping().interpretation.model_copy(update={"run_id": RUN})
    evidence = interpretation_evidence(run)
    claims = tuple(verify_text(text, evidence) for text in summarise_interpretation(evidence))
    return RecordRunArgs(interpretation=run.model_copy(update={"evidence": evidence, "claims": claims}))


def test_a_step_that_is_done_again_keeps_everything_once(tmp_path: Path) -> None:
    context = ToolContext(Resources(Settings(data_dir=tmp_path)), run_id=RUN)
    store = context.records
    store.start_run(
        NewRun(
            id=RUN, graph_name="toy", graph_sha256="0" * 64, inputs={}, software_version="0", environment={},
            started_at=datetime.now(UTC), host="toy", pid=1,
        )
    )  # fmt: skip
    given = args()
    first = record_run.run(given, context)
    assert record_run.run(given, context) == first
    assert first.evidence == len(given.interpretation.evidence)
    assert [item.id for item in store.evidence.of_run(RUN)] == [item.id for item in given.interpretation.evidence]
    assert store.evidence.claims_of(RUN) == given.interpretation.claims
    found = store.predictions.find("chr17-200601-G-A", "TP53")
    assert {(item.kind, item.predictor, item.score, item.probability) for item in found} == {
        ("score", "spliceai 1.3.1", 0.985, None),
        ("triage", f"meta-layer {'cd' * 6}", None, 0.973),
    }
    detail = store.get_run(RUN)
    assert detail.interpretation == given.interpretation.model_dump(mode="json")
    store.close()


def test_a_run_that_was_never_started_is_an_error(tmp_path: Path) -> None:
    context = ToolContext(Resources(Settings(data_dir=tmp_path)), run_id=RUN)
    with pytest.raises(RecordError):
        record_run.run(args(), context)
    context.records.close()


def test_without_a_record_nothing_is_written(tmp_path: Path) -> None:
    context = ToolContext(Resources(Settings(data_dir=tmp_path)), run_id=RUN, keep_record=False)
    result = record_run.run(args(), context)
    assert (result.recorded, result.evidence) == (False, 0)
    assert list(tmp_path.iterdir()) == []

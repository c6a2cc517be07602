"""What is recorded, looked up."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.orchestration.runner import run_graph
from agentic_spliceai.orchestration.validator import load_graph
from agentic_spliceai.records.errors import ArtifactError, UnknownRecordError
from agentic_spliceai.records.evidence import EvidenceKind, make_evidence
from agentic_spliceai.records.predictions import NewPrediction
from agentic_spliceai.splice_engine.errors import InvalidVariantError
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.registry import default_registry
from agentic_spliceai.tools.spec import ToolArgumentError
from tests.tools.toolbox import HOSTILE, small_context

VARIANT = "minigene-2139-G-A"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ToolContext:
    """A database with one interpretation, and what was said about its variant."""
    context = small_context(tmp_path_factory.mktemp("lookup"), keep_record=True, run_id="abcd12340000")
    run_graph(load_graph("interpret_variant"), {"variant": VARIANT, "distance": 50}, context)
    fact = make_evidence(
        EvidenceKind.METRIC, "area under the curve", 0.5, "0.50", source="run:x", terms=("DEMO1",),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    context.records.evidence.add(context.run_id, [fact])
    context.records.predictions.add(
        NewPrediction(run_id=context.run_id, variant=VARIANT, gene="DEMO1", predictor="p 1", kind="score", score=0.9)
    )
    return context


def look(context: ToolContext, **values: Any) -> dict[str, Any]:
    tool = default_registry()["lookup_result"]
    return tool.dump_result(tool.call(tool.parse_args(values), context))


def test_a_run_by_the_beginning_of_its_id(context: ToolContext) -> None:
    found = look(context, id="abcd")
    (run,) = found["runs"]
    assert (run["run_id"], run["workflow"], run["status"]) == ("abcd12340000", "interpret_variant", "succeeded")
    assert run["variant"] == VARIANT
    assert found["message"] == run["verdict"]
    (gene,) = run["genes"]
    assert (gene["gene_name"], gene["predictor"], gene["probability"]) == ("DEMO1", "small 1", None)
    assert gene["max_score"] > 0.5
    assert {"tracks", "report_html"} <= {artifact["kind"] for artifact in run["artifacts"]}
    assert set(run["evidence_ids"]) == {fact["id"] for fact in found["evidence"]}
    assert len(run["evidence_ids"]) >= 1


def test_everything_about_a_variant(context: ToolContext) -> None:
    found = look(context, variant="minigene:2139 G>A")
    assert [run["run_id"] for run in found["runs"]] == ["abcd12340000"]
    assert ("p 1", 0.9) in [(p["predictor"], p["score"]) for p in found["predictions"]]
    assert look(context, variant=VARIANT, gene="OTHER")["predictions"] == []
    nothing = look(context, variant="chr1-5-A-G")
    assert (nothing["found"], nothing["message"]) == (False, "Nothing is recorded about chr1-5-A-G.")


def test_evidence_by_its_id(context: ToolContext) -> None:
    wanted = look(context, id="abcd")["runs"][0]["evidence_ids"][0]
    found = look(context, id=wanted)
    assert [fact["id"] for fact in found["evidence"]] == [wanted]
    with pytest.raises(UnknownRecordError):
        look(context, id="E-00000000")


def test_an_artifact_in_parts(context: ToolContext) -> None:
    text = ("ä" * 10 + HOSTILE) * 3
    digest = context.artifacts.put_bytes(text.encode())
    parts, offset = [], 0
    while offset is not None:
        part = look(context, id=digest, offset=offset, length=7)["artifact"]
        parts.append(part["text"])
        offset = part["next_offset"]
    assert "".join(parts) == text
    assert look(context, id=context.artifacts.put_bytes(b"PK\0\1"))["artifact"]["form"] == "binary"
    with pytest.raises(ArtifactError, match="there is no artifact"):
        look(context, id="0" * 64)


def test_questions_that_cannot_be_answered(context: ToolContext, tmp_path: Path) -> None:
    assert look(context, id="ffffffff")["found"] is False
    for values in ({}, {"id": "abcd", "variant": VARIANT}, {"id": "abcd", "gene": "X"}, {"id": "ab"}):
        with pytest.raises(ToolArgumentError):
            look(context, **values)
    with pytest.raises(InvalidVariantError) as caught:
        look(context, variant=HOSTILE)
    assert "\x1b" not in caught.value.message
    assert look(small_context(tmp_path, keep_record=True), id="abcd")["found"] is False

"""One variant in one call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.orchestration.runner import run_graph
from agentic_spliceai.orchestration.validator import load_graph
from agentic_spliceai.records.interpretation import Interpretation
from agentic_spliceai.settings import Settings
from agentic_spliceai.splice_engine.errors import InvalidVariantError, SpliceEngineError
from agentic_spliceai.tools.context import Resources, ToolContext
from agentic_spliceai.tools.interpret_variant import TOOL
from agentic_spliceai.tools.offered import LARGEST
from tests.tools.test_meta_tools import write_model
from tests.tools.toolbox import HOSTILE, small_context

DONOR = "minigene-2139-G-A"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ToolContext:
    return small_context(tmp_path_factory.mktemp("interpret"))


def interpret(context: ToolContext, **values: Any) -> dict[str, Any]:
    return TOOL.dump_result(TOOL.call(TOOL.parse_args({"genome": "demo"} | values), context))


def test_it_says_what_the_workflow_says_and_fits_into_a_conversation(context: ToolContext) -> None:
    found = interpret(context, text=DONOR, distance=50)
    assert len(json.dumps(found)) < LARGEST
    result = run_graph(load_graph("interpret_variant"), {"variant": DONOR, "distance": 50}, context)
    workflow = result.outputs["interpretation"]
    assert (found["verdict"], found["variant"]) == (workflow["verdict"], DONOR)
    whole = Interpretation.model_validate_json(context.artifacts.read(found["interpretation_sha256"]))
    assert whole.verdict == found["verdict"]
    assert [fact.id for fact in whole.evidence] == [fact["id"] for fact in found["evidence"]]
    (gene,) = found["genes"]
    assert (gene["gene_name"], gene["hgvs_c"], gene["probability"]) == ("DEMO1", "DEMO1.1:c.238+1G>A", None)
    assert max(gene["changes"], key=lambda change: change["score"])["kind"] == "donor_loss"
    (code,) = gene["codes"]
    assert (code["code"], code["strength"], code["suggestion"]) == ("PVS1", "undetermined", True)
    assert any("small 1" in question for question in code["open_questions"])
    assert found["author"] == "rules"
    assert "DEMO1" in found["summary"]


def test_its_evidence_can_be_looked_up_where_records_are_kept(tmp_path: Path) -> None:
    context = small_context(tmp_path, keep_record=True, run_id="chat1")
    found = interpret(context, text=DONOR, distance=50)
    recorded = context.records.evidence.of_run("chat1")
    assert [fact.id for fact in recorded] == [fact["id"] for fact in found["evidence"]]
    assert interpret(context, text=DONOR, distance=50)["evidence"] == found["evidence"]


def test_what_was_measured_is_evidence(mirror: Path, tmp_path: Path) -> None:
    settings = Settings(mirror=mirror, data_dir=tmp_path, cache_dir=tmp_path / "cache", allow_download=False)
    context = ToolContext(Resources(settings), keep_record=False)
    found = interpret(context, text="chr1-11802880-C-T", genome="GRCh38", distance=50)
    assert len(json.dumps(found)) < LARGEST
    (known,) = [fact for fact in found["evidence"] if "MutSpliceDB" in fact["statement"]]
    assert known["display"] == "Splice-altering"


def test_a_trained_model_speaks(context: ToolContext, tmp_path: Path) -> None:
    found = interpret(context, text=DONOR, model=str(write_model(tmp_path, context)))
    assert found["genes"][0]["probability"] > 0.5


def test_a_text_that_is_no_variant_is_an_error_and_no_instruction(context: ToolContext) -> None:
    with pytest.raises(InvalidVariantError) as caught:
        interpret(context, text=HOSTILE)
    assert "\x1b" not in caught.value.message
    with pytest.raises(SpliceEngineError, match="REF"):
        interpret(context, text="minigene-2139-C-A")

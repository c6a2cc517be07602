"""Codes on the demo: what the tool makes of scores, consequences and the annotation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.settings import Settings
from agentic_spliceai.splice_engine.errors import UnknownGeneError
from agentic_spliceai.tools.context import Resources, ToolContext
from agentic_spliceai.tools.registry import default_registry
from agentic_spliceai.tools.spec import ToolArgumentError


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ToolContext:
    folder: Path = tmp_path_factory.mktemp("codes")
    settings = Settings(data_dir=folder / "data", cache_dir=folder / "cache", allow_download=False)
    return ToolContext(Resources(settings), keep_record=False)


def call(context: ToolContext, name: str, **values: Any) -> dict[str, Any]:
    tool = default_registry()[name]
    return tool.dump_result(tool.call(tool.parse_args(values), context))


def parts(context: ToolContext, text: str) -> dict[str, Any]:
    variant = call(context, "resolve_variant", text=text, genome="demo")["variant"]
    scores = call(context, "score_variant", variant=variant, genome="demo", base_model="small", distance=50)["scores"]
    found = call(context, "infer_consequence", scores=scores, genome="demo")["genes"]
    return {"scores": scores, "consequences": found, "genome": "demo"}


def test_a_lost_donor_asks_for_the_decision_tree(context: ToolContext) -> None:
    (gene,) = call(context, "suggest_codes", **parts(context, "minigene-2139-G-A"))["genes"]
    (code,) = gene["codes"]["suggestions"]
    assert (code["code"], code["suggestion"]) == ("PVS1", True)
    assert "the donor of intron 2" in code["why"]
    assert gene["codes"]["place"]["donor_distance"] == 1


def test_a_model_without_calibrated_thresholds_suggests_nothing_elsewhere(context: ToolContext) -> None:
    (gene,) = call(context, "suggest_codes", **parts(context, "minigene-2300-A-G"))["genes"]
    assert gene["codes"]["suggestions"] == []
    assert any("none are known for these weights of small 1" in note for note in gene["codes"]["notes"])


def test_a_gene_without_consequence_or_transcript_is_refused(context: ToolContext) -> None:
    given = parts(context, "minigene-2139-G-A")
    with pytest.raises(ToolArgumentError, match="no consequence"):
        call(context, "suggest_codes", **{**given, "consequences": []})
    (gene,) = given["consequences"]
    other = {**gene, "consequence": {**gene["consequence"], "transcript_id": "DEMO1.9"}}
    with pytest.raises(UnknownGeneError, match=r"DEMO1\.9"):
        call(context, "suggest_codes", **{**given, "consequences": [other]})

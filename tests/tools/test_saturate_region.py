"""Every single-base change of a region."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.splice_engine.errors import (
    InvalidRegionError,
    OutsideGenesError,
    PositionOutOfRangeError,
    UnknownContigError,
    UnknownGeneError,
)
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.interaction import ToolProgress
from agentic_spliceai.tools.registry import default_registry
from agentic_spliceai.tools.spec import ToolArgumentError
from tests.tools.toolbox import small_context


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ToolContext:
    return small_context(tmp_path_factory.mktemp("saturate"))


def saturate(context: ToolContext, **values: Any) -> dict[str, Any]:
    tool = default_registry()["saturate_region"]
    return tool.dump_result(tool.call(tool.parse_args({"genome": "demo"} | values), context))


def test_every_change_around_a_donor_is_scored(context: ToolContext) -> None:
    heard: list[ToolProgress] = []
    result = saturate(context.at("x", listen=heard.append), region="minigene:2,136-2,141", top=4)
    assert (result["region"], result["bases"], result["without_sequence"]) == ("minigene:2136-2141", 6, 0)
    assert (result["changes"], result["scored"], result["not_scored"]) == (18, 18, {})
    assert heard[-1] == ToolProgress("changes scored", 18, 18)
    rows = list(csv.DictReader(io.StringIO(context.artifacts.read(result["table_sha256"]).decode()), delimiter="\t"))
    assert len({row["variant"] for row in rows}) == 18
    scores = {row["variant"]: float(row["max_score"]) for row in rows}
    assert [top["variant"] for top in result["top"]] == sorted(scores, key=lambda v: -scores[v])[:4]
    # The first two bases of the intron, 2139 and 2140, are what a donor cannot do without.
    assert {top["variant"].split("-")[1] for top in result["top"]} <= {"2138", "2139", "2140", "2141"}
    assert result["top"][0]["change"] == "donor_loss"
    assert result["strong"] == sum(score >= 0.5 for score in scores.values())
    facts = {fact["statement"]: fact["display"] for fact in result["evidence"]}
    assert facts["minigene:2136-2141, small 1: single-base changes scored"] == "18"
    assert [fact["value"] for fact in result["evidence"][4:]] == [top["max_score"] for top in result["top"]]
    assert len({fact["id"] for fact in result["evidence"]}) == 8
    assert result["weak"] >= result["moderate"] >= result["strong"] >= 6


def test_an_exon_comes_with_its_flanks(context: ToolContext) -> None:
    result = saturate(context, gene="DEMO1", exon=2, flank=0, distance=5)
    assert (result["region"], result["bases"]) == ("minigene:2021-2138", 118)
    assert result["what"] == "exon 2 of 4 of DEMO1 (DEMO1.1) and 0 nt beside it"


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"region": "minigene:1300-3400"}, ToolArgumentError, "has 2,101 nt"),
        ({"region": "here"}, InvalidRegionError, "is no region"),
        ({"region": "minigene:20-10"}, InvalidRegionError, "does not begin before it ends"),
        ({"region": "minigene:0-10"}, InvalidRegionError, "does not begin before it ends"),
        ({"region": "minigene:1-10"}, OutsideGenesError, "No gene"),
        ({"region": "minigene:900000-900010"}, PositionOutOfRangeError, "reaches past the end"),
        ({"region": "chr7:1-10"}, UnknownContigError, "chr7"),
        ({"gene": "DEMO1", "exon": 9}, ToolArgumentError, "has 4 exons, not 9"),
        ({"gene": "NONE", "exon": 1}, UnknownGeneError, "NONE"),
        ({"gene": "DEMO1"}, ToolArgumentError, "exon: which one"),
        ({"region": "minigene:1-2", "exon": 1}, ToolArgumentError, "it goes with a gene"),
        ({"region": "minigene:1-2", "gene": "DEMO1"}, ToolArgumentError, "give a region, or a gene"),
        ({}, ToolArgumentError, "give a region, or a gene"),
    ],
)
def test_what_cannot_be_saturated_is_a_typed_error(
    context: ToolContext, values: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        saturate(context, **values)


def test_the_table_can_be_looked_up(tmp_path: Path) -> None:
    context = small_context(tmp_path, keep_record=True)
    digest = saturate(context, region="minigene:2139-2139", top=0)["table_sha256"]
    tool = default_registry()["lookup_result"]
    found = tool.dump_result(tool.call(tool.parse_args({"id": digest, "length": 40}), context))
    assert found["artifact"]["text"].startswith("index\tinput")
    assert found["artifact"]["next_offset"] == 40

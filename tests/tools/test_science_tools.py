"""The tools on the demo, one after the other, as a person would call them from Python."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.records.errors import ArtifactError
from agentic_spliceai.settings import Settings
from agentic_spliceai.splice_engine.errors import (
    CheckpointError,
    OutsideGenesError,
    ReferenceMismatchError,
    RegistryError,
    UnknownContigError,
)
from agentic_spliceai.splice_engine.genome.types import Interval
from agentic_spliceai.tools.context import Resources, ToolContext
from agentic_spliceai.tools.registry import default_registry
from agentic_spliceai.tools.spec import ToolArgumentError

DONOR = "minigene-2139-G-A"  # first base of intron 2


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ToolContext:
    folder = tmp_path_factory.mktemp("tools")
    settings = Settings(
        data_dir=folder / "data", cache_dir=folder / "cache", reports_dir=folder / "reports", allow_download=False
    )
    return ToolContext(Resources(settings), keep_record=False)


def call(context: ToolContext, name: str, **values: Any) -> dict[str, Any]:
    tool = default_registry()[name]
    return tool.dump_result(tool.call(tool.parse_args(values), context))


@pytest.fixture(scope="module")
def walk(context: ToolContext) -> dict[str, dict[str, Any]]:
    resolved = call(context, "resolve_variant", text=DONOR, genome="demo")
    scored = call(
        context, "score_variant", variant=resolved["variant"], genome="demo", base_model="small", distance=500
    )
    scores = scored["scores"]
    triage = call(context, "triage_variant", scores=scores, genome="demo")
    predicted = call(context, "predict_delta", scores=scores, genome="demo")
    consequence = call(context, "infer_consequence", scores=scores, genome="demo")
    composed = call(
        context,
        "compose_interpretation",
        text=DONOR,
        variant=resolved["variant"],
        genome="demo",
        scores=scores,
        triage=triage["genes"],
        delta_predictions=predicted["genes"],
        consequences=consequence["genes"],
    )
    return {"resolve": resolved, "score": scored, "triage": triage, "predict": predicted, "compose": composed}


def test_resolve_says_that_the_genome_is_a_demo(walk: dict[str, dict[str, Any]]) -> None:
    assert walk["resolve"]["is_demo"] is True
    assert walk["resolve"]["variant"] == {
        "contig": "minigene", "position": 2139, "ref": "G", "alt": "A", "build": "demo",
    }  # fmt: skip


def test_locate_names_gene_strand_and_extent(context: ToolContext, walk: dict[str, dict[str, Any]]) -> None:
    (gene,) = call(context, "locate_genes", variant=walk["resolve"]["variant"], genome="demo")["genes"]
    assert (gene["gene_name"], gene["strand"], gene["transcript_id"]) == ("DEMO1", "+", "DEMO1.1")
    assert gene["interval"] == {"contig": "minigene", "start": 1200, "end": 4280}


def test_a_score_is_small_and_its_tracks_are_in_the_store(
    context: ToolContext, walk: dict[str, dict[str, Any]]
) -> None:
    assert len(json.dumps(walk["score"])) < 10_000
    (score,) = walk["score"]["scores"]
    assert context.artifacts.size(score["tracks_sha256"]) > 1000
    raw = score["delta"]["raw"]
    assert walk["score"]["max_score"] == max(change["score"] for change in raw.values())


def test_without_a_trained_model_the_meta_layer_says_so(context: ToolContext, walk: dict[str, dict[str, Any]]) -> None:
    assert walk["triage"]["verdict"] == "no_model"
    (gene,) = walk["triage"]["genes"]
    assert gene["triage"]["status"] == "no_trained_model"
    assert gene["triage"]["probability"] is None
    assert "No trained meta-layer model" in walk["triage"]["message"]
    assert walk["predict"]["status"] == "no_trained_model"
    with pytest.raises(CheckpointError, match="There is no trained model 'gated-cnn-7'"):
        call(context, "triage_variant", scores=walk["score"]["scores"], genome="demo", model="gated-cnn-7")


def test_the_interpretation_holds_all_parts(context: ToolContext, walk: dict[str, dict[str, Any]]) -> None:
    interpretation = walk["compose"]["interpretation"]
    (gene,) = interpretation["genes"]
    assert interpretation["is_demo"] is True
    assert interpretation["run_id"] == context.run_id
    assert interpretation["verdict"] == gene["consequence"]["verdict"] == walk["compose"]["verdict"]
    assert gene["transcript"]["id"] == gene["delta"]["transcript_id"] == "DEMO1.1"
    assert gene["delta_prediction"]["status"] == "no_trained_model"
    assert gene["consequence"]["hgvs_c"].endswith("c.238+1G>A")  # 120 + 118 coding bases in exons 1 and 2
    assert any("No trained meta-layer model" in unknown for unknown in interpretation["unknowns"])
    assert any("not calibrated" in unknown for unknown in interpretation["unknowns"])


def test_a_missing_part_is_refused(walk: dict[str, dict[str, Any]], context: ToolContext) -> None:
    with pytest.raises(ToolArgumentError, match="DEMO1 has a score, but no consequence"):
        call(
            context,
            "compose_interpretation",
            text=DONOR,
            variant=walk["resolve"]["variant"],
            genome="demo",
            scores=walk["score"]["scores"],
            triage=walk["triage"]["genes"],
            consequences=[],
        )


def test_the_report_is_written_where_it_was_asked_for(
    context: ToolContext, walk: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    report = call(
        context, "render_report", interpretation=walk["compose"]["interpretation"], out=str(tmp_path / "here")
    )
    for kind, path in report["files"].items():
        assert Path(path).parent == tmp_path / "here", kind
    written = json.loads(Path(report["files"]["json_file"]).read_text())
    assert written["verdict"] == walk["compose"]["verdict"]
    assert "DEMO1" in Path(report["files"]["html"]).read_text()


def test_no_record_is_kept_where_none_is_wanted(context: ToolContext, walk: dict[str, dict[str, Any]]) -> None:
    kept = call(context, "record_run", interpretation=walk["compose"]["interpretation"])
    assert (kept["recorded"], kept["database"]) == (False, None)


def test_damaged_tracks_are_not_reported(walk: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    other = ToolContext(Resources(Settings(data_dir=tmp_path, cache_dir=tmp_path)), keep_record=False)
    digest = other.artifacts.put_bytes(b"tracks")
    other.artifacts.path(digest).write_bytes(b"tampered")
    interpretation = json.loads(json.dumps(walk["compose"]["interpretation"]))
    interpretation["genes"][0]["tracks_sha256"] = digest
    with pytest.raises(ArtifactError, match="is damaged"):
        call(other, "render_report", interpretation=interpretation, out=str(tmp_path))


@pytest.mark.parametrize(
    ("text", "error"),
    [("chr3-5-A-G", UnknownContigError), ("minigene-2139-C-A", ReferenceMismatchError)],
)
def test_a_wrong_variant_is_a_typed_error(context: ToolContext, text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        call(context, "resolve_variant", text=text, genome="demo")


def test_a_variant_outside_genes(context: ToolContext) -> None:
    (base,) = context.resources.genome("demo").genome.fetch(Interval(contig="minigene", start=9, end=10))
    text = f"minigene-10-{base}-{'C' if base == 'A' else 'A'}"
    variant = call(context, "resolve_variant", text=text, genome="demo")["variant"]
    with pytest.raises(OutsideGenesError):
        call(context, "locate_genes", variant=variant, genome="demo")


def test_unknown_names_get_near_ones(context: ToolContext) -> None:
    with pytest.raises(RegistryError, match="GRCh39"):
        call(context, "resolve_variant", text=DONOR, genome="GRCh39")
    with pytest.raises(RegistryError, match="openspliceia"):
        context.resources.base_model("openspliceia")


def test_a_genome_and_a_model_are_opened_once(context: ToolContext) -> None:
    assert context.resources.genome("demo") is context.resources.genome("demo")
    assert context.resources.base_model("small") is context.resources.base_model("small")


def test_what_lies_beyond_the_model_s_sight_is_named(context: ToolContext, walk: dict[str, dict[str, Any]]) -> None:
    provenance = walk["score"]["scores"][0]["delta"]["provenance"]
    assert provenance["distance"] == 500
    half = provenance["context"] // 2
    note = f"small sees {half} nt either side: a change further than that from the variant cannot show."
    assert (note in walk["compose"]["interpretation"]["unknowns"]) is (half < 500)
    assert half < 500


def test_a_version_that_the_annotation_does_not_name_is_said(context: ToolContext, tmp_path: Path) -> None:
    genes = files("agentic_spliceai.demo").joinpath("minigene.gtf").read_text()
    (tmp_path / "own.gtf").write_text(genes.replace("DEMO1.1", "ENST00000000001"))
    own = {"genome": "demo", "annotation": str(tmp_path / "own.gtf")}
    text = "ENST00000000001.3:c.238+1G>A"
    variant = call(context, "resolve_variant", text=text, **own)["variant"]
    scores = call(context, "score_variant", variant=variant, base_model="small", **own)["scores"]
    composed = call(
        context, "compose_interpretation", text=text, variant=variant, scores=scores,
        triage=call(context, "triage_variant", scores=scores, **own)["genes"],
        consequences=call(context, "infer_consequence", scores=scores, **own)["genes"], **own,
    )  # fmt: skip
    unknowns = composed["interpretation"]["unknowns"]
    assert [note for note in unknowns if note.startswith("ENST00000000001.3 was asked for")]
    assert not [note for note in unknowns if "either side" in note]

"""Saturation of whole stretches: the table holds every change with its scores, and a stopped run loses nothing."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from agentic_spliceai.splice_engine.base_layer.scoring import VariantScorer
from agentic_spliceai.splice_engine.errors import (
    InvalidRegionError,
    MissingExtraError,
    OutsideGenesError,
    SettingError,
    SpliceEngineError,
    UnknownGeneError,
)
from agentic_spliceai.tools import saturate as module
from agentic_spliceai.tools.context import Resources
from agentic_spliceai.tools.interaction import ToolProgress
from agentic_spliceai.tools.saturate import KEPT, SCORED, SaturationOrder, SaturationSummary, saturate
from agentic_spliceai.tools.saturation import find_place
from agentic_spliceai.tools.saturation_rows import KINDS
from agentic_spliceai.tools.spec import ToolArgumentError
from tests.splice_engine.base_layer.toys import write_genome, write_gtf
from tests.tools.toolbox import small_context


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    return small_context(tmp_path_factory.mktemp("saturate")).resources


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 5)


def order(path: Path, **values: Any) -> SaturationOrder:
    return SaturationOrder(
        **({"target": "minigene:2134-2145", "genome": "demo", "distance": 20, "output": str(path)} | values)
    )


def rows_of(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def about(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(pq.read_schema(path).metadata[b"agentic_spliceai"])
    return found


@pytest.mark.parametrize("masked", [False, True])
def test_every_change_has_the_scores_of_the_scorer(resources: Resources, tmp_path: Path, masked: bool) -> None:
    path = tmp_path / "x.parquet"
    summary = saturate(order(path, masked=masked, distance=30), resources)
    bundle = resources.genome("demo")
    scorer = VariantScorer(bundle.genome, bundle.annotation, resources.base_model("small"), 30)
    rows = rows_of(path)
    places = [(row["position"], row["alt"]) for row in rows]
    assert len(rows) == summary.scored == summary.changes == 36
    assert places == sorted(places)
    assert {row["position"] for row in rows} == set(range(2134, 2146))
    names = [f"minigene-{row['position']}-{row['ref']}-{row['alt']}" for row in rows]
    for row, result in zip(rows, scorer.score_all(names), strict=True):
        (delta,) = result.deltas
        scores = delta.masked if masked else delta.raw
        for kind, change in zip(KINDS, scores.changes(), strict=True):
            assert row[f"ds_{kind}"] == pytest.approx(change.score, abs=6e-5)
            assert row[f"ref_{kind}"] == pytest.approx(change.ref_score, abs=6e-5)
            assert row[f"alt_{kind}"] == pytest.approx(change.alt_score, abs=6e-5)
            if change.score > 0.01:
                assert row["position"] + row[f"dp_{kind}"] == change.position
        assert row["max"] == pytest.approx(scores.max_score, abs=6e-5)
        assert (row["gene"], row["transcript"], row["strand"]) == ("DEMO1", "DEMO1.1", "+")
    # The first two bases of the intron are what a donor cannot do without.
    assert {int(top.variant.split("-")[1]) for top in summary.top[:6]} == {2139, 2140}
    assert summary.strong == sum(np.float32(row["max"]) >= np.float32(0.5) for row in rows)
    made = about(path)
    assert made["scores"] == ("masked" if masked else "raw")
    assert made["provenance"]["predictor"] == "small"
    assert made["provenance"]["distance"] == 30
    assert made["provenance"]["annotation_sha256"] == bundle.annotation.digest
    assert made["provenance"]["precision"] == "float32"
    assert made["not_scored"] == []


def test_a_table_is_typed_and_compact(resources: Resources, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    saturate(order(path), resources)
    types = {field.name: str(field.type) for field in pq.read_schema(path)}
    assert types["position"] == "int32"
    assert types["dp_ag"] == "int16"
    assert types["ds_ag"] == types["max"] == "float"
    assert types["contig"] == types["alt"] == "dictionary<values=string, indices=int32, ordered=0>"
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"


@pytest.mark.parametrize("name", ["x.tsv", "x.tsv.gz"])
def test_text_holds_what_parquet_holds(resources: Resources, tmp_path: Path, name: str) -> None:
    saturate(order(tmp_path / name), resources)
    saturate(order(tmp_path / "y.parquet"), resources)
    data = (tmp_path / name).read_bytes()
    lines = (gzip.decompress(data) if name.endswith("gz") else data).decode().splitlines()
    comments = dict(line[1:].split(": ", 1) for line in lines if line.startswith("#"))
    assert json.loads(comments["provenance"]) == about(tmp_path / "y.parquet")["provenance"]
    text = list(csv.DictReader([line for line in lines if not line.startswith("#")], delimiter="\t"))
    rows = rows_of(tmp_path / "y.parquet")
    assert list(text[0]) == list(rows[0])
    for cells, row in zip(text, rows, strict=True):
        for column, value in row.items():
            shown = f"{value:.4f}" if isinstance(value, float) else str(value)
            assert cells[column] == shown


def stopped(resources: Resources, given: SaturationOrder, after: int) -> None:
    def listen(progress: ToolProgress) -> None:
        if progress.done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        saturate(given, resources, listen)
    assert "the same command goes on from there" in "".join(caught.value.__notes__)


def test_a_stopped_run_goes_on_and_ends_with_the_same_table(resources: Resources, tmp_path: Path) -> None:
    whole = saturate(order(tmp_path / "whole.parquet"), resources)
    path = tmp_path / "x.parquet"
    path.write_text("earlier")
    stopped(resources, order(path), after=33)
    assert path.read_text() == "earlier"
    # A part that is damaged is scored again.
    parts = sorted((tmp_path / "x.work" / "kept").glob("*.npz"), key=lambda part: int(part.stem))
    assert [int(part.stem) for part in parts] == [2133, 2138]
    parts[1].write_bytes(parts[1].read_bytes()[:100])
    heard: list[ToolProgress] = []
    summary = saturate(order(path), resources, heard.append)
    assert [h.done for h in heard if h.message == KEPT] == [15]
    assert [h.done for h in heard if h.message == SCORED] == list(range(16, 37))
    assert {h.total for h in heard} == {36}
    assert summary.from_parts == 15
    assert path.read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    changed = {"from_parts": 0, "table": whole.table}
    assert summary.model_copy(update=changed) == whole
    assert sorted(found.name for found in tmp_path.iterdir()) == ["whole.parquet", "x.parquet"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"distance": 40}, "distance 20, now 40"),
        ({"masked": True}, r"scores raw, now masked \(annotated\)"),
        ({"target": "minigene:2134-2150"}, "region minigene:2134-2145, now minigene:2134-2150"),
    ],
)
def test_scores_of_other_settings_are_never_mixed_in(
    resources: Resources, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    path = tmp_path / "x.parquet"
    stopped(resources, order(path), after=20)
    with pytest.raises(SettingError, match=words) as caught:
        saturate(order(path, **change), resources)
    assert not getattr(caught.value, "__notes__", [])
    assert saturate(order(path), resources).from_parts == 15


@pytest.fixture
def toy(tmp_path: Path) -> dict[str, Any]:
    """Two genes of either strand that overlap, one with a stretch of N, and nothing behind them."""
    bases = np.random.default_rng(3).choice(list("ACGT"), 400)
    bases[104:106] = "N"
    genes = [("FWD", "chr1", "+", [(101, 110), (141, 150)]), ("REV", "chr1", "-", [(146, 155), (191, 200)])]
    return {
        "genome": str(write_genome(tmp_path, "".join(bases))),
        "annotation": str(write_gtf(tmp_path, genes)),
        "distance": 5,
    }


def test_what_has_no_score_is_told_with_its_reason(resources: Resources, tmp_path: Path, toy: dict[str, Any]) -> None:
    path = tmp_path / "x.parquet"
    summary = saturate(order(path, target="chr1:97-108", **toy), resources)
    assert summary.not_scored == {"no_sequence": 2, "outside_genes": 4}
    assert (summary.bases, summary.changes, summary.scored) == (12, 30, 18)
    runs = [(run["start"], run["end"], run["code"]) for run in about(path)["not_scored"]]
    assert runs == [(97, 100, "outside_genes"), (105, 106, "no_sequence")]
    assert {row["position"] for row in rows_of(path)} == {101, 102, 103, 104, 107, 108}


def test_a_change_in_two_genes_has_two_rows_and_counts_once(
    resources: Resources, tmp_path: Path, toy: dict[str, Any]
) -> None:
    path = tmp_path / "x.parquet"
    summary = saturate(order(path, target="chr1:144-147", **toy), resources)
    genes = [(row["position"], row["alt"], row["gene"]) for row in rows_of(path)]
    assert len(genes) == summary.rows == 12 + 6
    assert summary.scored == 12
    assert [gene for position, _, gene in genes if position == 146] == ["FWD", "REV"] * 3


def test_a_gene_is_its_transcript_and_an_exon_has_flanks(
    resources: Resources, tmp_path: Path, toy: dict[str, Any]
) -> None:
    # On the minus strand the first exon is the one further right.
    bundle = resources.genome(toy["genome"], toy["annotation"])
    assert str(find_place(bundle, gene="REV").interval) == "chr1:146-200"
    assert str(find_place(bundle, gene="rev", exon=1, flank=3).interval) == "chr1:188-203"
    assert str(find_place(bundle, gene="REV", exon=2, flank=900).interval) == "chr1:1-400"
    summary = saturate(order(tmp_path / "x.tsv", target="REV", exon=1, **toy), resources)
    assert summary.region == "chr1:141-250"
    assert summary.not_scored == {"outside_genes": 50}


def test_the_picture_comes_with_the_table_and_follows_it(resources: Resources, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    summary = saturate(order(path, plot=str(tmp_path / "x.svg")), resources)
    text = (tmp_path / "x.svg").read_text()
    strongest = max(rows_of(path), key=lambda row: row["ds_dl"])
    assert f'id="plot-loss-{strongest["position"]}-{strongest["alt"]}"' in text
    assert f"{strongest['ds_dl']:.2f} at 2,138" in text
    assert summary.plot == str(tmp_path / "x.svg")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["x.parquet", "x.svg"]


def test_without_pyarrow_text_is_written_and_parquet_refused_at_once(
    resources: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"agentic-spliceai\[parquet\]"):
        saturate(order(tmp_path / "x.parquet"), resources, lambda progress: pytest.fail("something was scored"))
    assert saturate(order(tmp_path / "x.tsv", target="minigene:2139-2139"), resources).rows == 3


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"output": "x.xlsx"}, SettingError, "names no format"),
        ({"output": ".parquet"}, SettingError, "names no format"),
        ({"plot": "x.pdf"}, SettingError, "names no format"),
        ({"target": "NOBODY"}, UnknownGeneError, "NOBODY"),
        ({"target": "minigene:9-2"}, InvalidRegionError, "begin before it ends"),
        ({"target": "minigene:1-10"}, OutsideGenesError, "No gene"),
        ({"target": "DEMO1", "exon": 9}, ToolArgumentError, "has 4 exons, not 9"),
        ({"target": "DEMO1", "exon": 0}, ToolArgumentError, "exons, not 0"),
        ({"target": "DEMO1", "exon": 1, "flank": -1}, ToolArgumentError, "A flank of -1 nt"),
        ({"exon": 1}, ToolArgumentError, "with a gene, not with a region"),
        ({"distance": 0}, SettingError, "distance"),
        ({"processes": 0}, SettingError, "processes"),
        ({"top": -1}, SettingError, "top=-1"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(
    resources: Resources,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    values: dict[str, Any],
    error: type[SpliceEngineError],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        saturate(order(Path("x.parquet"), **values), resources)
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_is_not_written_over(resources: Resources, tmp_path: Path, toy: dict[str, Any]) -> None:
    annotation = tmp_path / "toy.tsv"
    Path(toy["annotation"]).rename(annotation)
    given = {**toy, "annotation": str(annotation), "target": "FWD"}
    before = annotation.read_bytes()
    with pytest.raises(SettingError, match="it is the annotation"):
        saturate(order(annotation, **given), resources)
    linked = tmp_path / "a.png"
    linked.symlink_to(annotation)
    with pytest.raises(SettingError, match="it is the annotation"):
        saturate(order(tmp_path / "x.tsv", plot=str(linked), **given), resources)
    assert annotation.read_bytes() == before


def test_a_summary_is_plain_json(resources: Resources, tmp_path: Path) -> None:
    summary = saturate(order(tmp_path / "x.tsv", target="minigene:2139-2139"), resources)
    assert SaturationSummary.model_validate_json(summary.model_dump_json()) == summary
    assert summary.table_bytes == (tmp_path / "x.tsv").stat().st_size

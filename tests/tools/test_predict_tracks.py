"""Tracks as files: what a genome browser, a table and the next attempt find in them."""

from __future__ import annotations

import csv
import gzip
import json
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pyBigWig
import pysam
import pytest

from agentic_spliceai.splice_engine.base_layer.model import FloatArray, Prediction
from agentic_spliceai.splice_engine.errors import MissingExtraError
from agentic_spliceai.splice_engine.tracks import Refused, find_targets, merge, predict_genes
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.file_set import FileSet
from agentic_spliceai.tools.interaction import ToolProgress
from agentic_spliceai.tools.predict_tracks import NothingPredictedError
from agentic_spliceai.tools.registry import default_registry
from agentic_spliceai.tools.track_files import BedGraphWriter, Runs, index_suffix, runs_of
from agentic_spliceai.tools.track_run import write_tracks
from agentic_spliceai.tools.track_types import FORMATS, KEPT, TrackOptions, TracksSummary
from tests.splice_engine.base_layer.toys import MotifModel
from tests.splice_engine.tracks.toys import SITES, Toy, toy
from tests.tools.toolbox import small_context


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    return toy(tmp_path_factory.mktemp("toy"))


def write(
    data: Toy, folder: Path, *targets: str, model: Any = None, heard: list[ToolProgress] | None = None, **options: Any
) -> tuple[TracksSummary, list[Refused]]:
    refused: list[Refused] = []
    wanted = find_targets(targets, data.genome, data.annotation, everything=not targets)
    with FileSet(folder, "t", {}) as files:
        summary = write_tracks(
            wanted, data.bundle, model or MotifModel(), files, TrackOptions(**options),
            listen=(heard if heard is not None else []).append, refuse=refused.append,
        )  # fmt: skip
    return summary, refused


def lines(path: Path) -> list[list[str]]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return [line.split("\t") for line in text.splitlines() if not line.startswith(("#", "track"))]


def test_every_format_says_the_same_of_planted_sites(data: Toy, tmp_path: Path) -> None:
    summary, refused = write(data, tmp_path, formats=FORMATS, floor=0.01)
    assert {item.target for item in refused} == {"FAR", "OUT", "GAP"}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(Path(path).name for path in summary.files)
    by_strand = {"FWD": "plus", "BIG": "plus", "REV": "minus"}
    for kind in ("donor", "acceptor"):
        for strand in ("plus", "minus"):
            stem = f"t.base.{kind}.{strand}"
            wanted = sorted(SITES[name, kind] for name, on in by_strand.items() if on == strand)
            rows = lines(tmp_path / f"{stem}.bedgraph")
            assert rows == lines(tmp_path / f"{stem}.bedgraph.gz")
            high = [(row[0], int(row[1]), int(row[2])) for row in rows if float(row[3]) > 0.5]
            assert high == [("chr1", position - 1, position) for position in wanted]
            with pysam.TabixFile(str(tmp_path / f"{stem}.bedgraph.gz")) as indexed:
                assert list(indexed.fetch("chr1", wanted[0] - 1, wanted[0])) == [
                    "\t".join(row) for row in rows if int(row[1]) == wanted[0] - 1
                ]
            with pyBigWig.open(str(tmp_path / f"{stem}.bw")) as big:
                assert big.chroms() == {"chr1": 1500}
                shown = [(start, end, round(value, 4)) for start, end, value in big.intervals("chr1")]
            assert shown == [(int(row[1]), int(row[2]), float(row[3])) for row in rows]
            assert shown == list(bigwig_entries(tmp_path / f"{stem}.bw"))
    sites = lines(tmp_path / "t.base.sites.bed")
    assert [(int(row[2]), row[3].split("|")[1], row[5]) for row in sites] == [
        (200, "donor", "+"), (250, "acceptor", "-"), (301, "acceptor", "+"), (351, "donor", "-"),
        (700, "donor", "+"), (801, "acceptor", "+"),
    ]  # fmt: skip
    assert {row[3].split("|")[2] for row in sites} == {"annotated"}
    assert all(int(row[2]) - int(row[1]) == 1 and 500 <= int(row[4]) <= 1000 for row in sites)
    counts = summary.predictors["base"]
    assert (summary.genes, summary.annotated_sites, counts.sites, counts.annotated_found) == (4, 6, 6, 6)


def bigwig_entries(path: Path) -> Iterator[tuple[int, int, float]]:
    """Read the unzoomed data by the format's description: Kent et al., Bioinformatics 2010, supplement."""
    raw = path.read_bytes()
    magic, _, _, _, data_at, index_at = struct.unpack_from("<IHHQQQ", raw)
    assert magic == 0x888FFC26
    rest = raw[data_at + 8 : index_at]
    while rest:
        block = zlib.decompressobj()
        text = block.decompress(rest)
        rest = block.unused_data
        *_, kind, _, count = struct.unpack_from("<5IBBH", text)
        assert kind == 1  # bedGraph
        for item in range(count):
            start, end, value = struct.unpack_from("<IIf", text, 24 + 12 * item)
            yield start, end, round(value, 4)


def test_values_are_the_merged_ones_and_nothing_above_the_floor_is_lost(data: Toy, tmp_path: Path) -> None:
    write(data, tmp_path, "BIG", "SUB", formats=("bedgraph",), floor=0, decimals=6)
    wanted = find_targets(["BIG", "SUB"], data.genome, data.annotation).genes
    merged = merge(predict_genes(wanted, data.genome, data.annotation, MotifModel()))  # type: ignore[arg-type]
    for column, kind in enumerate(("donor", "acceptor")):
        read = np.full(300, np.nan)
        for _, start, end, value in lines(tmp_path / f"t.base.{kind}.plus.bedgraph"):
            assert np.isnan(read[int(start) - 600 : int(end) - 600]).all()  # one value a position
            read[int(start) - 600 : int(end) - 600] = float(value)
        np.testing.assert_allclose(read, merged.values["base"][:, column], atol=5.1e-7)
        assert lines(tmp_path / f"t.base.{kind}.minus.bedgraph") == []


def test_neighbours_that_round_to_one_value_are_one_run() -> None:
    values = np.array([0.00049, 0.0005, 0.00054, np.nan, 0.00054, 0.9, 0.0], dtype=np.float32)
    runs = runs_of(values, 10, floor=0.0005, decimals=4)
    assert list(zip(runs.starts, runs.ends, runs.values, strict=True)) == [(11, 13, 5), (14, 15, 5), (15, 16, 9000)]
    everything = runs_of(values, 0, floor=0, decimals=4)
    assert list(zip(everything.starts, everything.ends, everything.values, strict=True)) == [
        (0, 3, 5), (4, 5, 5), (5, 6, 9000), (6, 7, 0),
    ]  # fmt: skip
    assert len(runs_of(values[:0], 0, floor=0, decimals=4).starts) == 0


def test_tables_keep_each_genes_own_values(data: Toy, tmp_path: Path) -> None:
    write(data, tmp_path, "BIG", "SUB", "REV", formats=("tsv", "parquet"), floor=0.2)
    rows = lines(tmp_path / "t.positions.tsv.gz")
    table = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    sites = {(row["gene_name"], row["annotated"]): int(row["position"]) for row in table if row["annotated"]}
    assert sites == {
        ("BIG", "donor"): 700, ("BIG", "acceptor"): 801, ("SUB", "donor"): 700, ("SUB", "acceptor"): 801,
        ("REV", "donor"): 351, ("REV", "acceptor"): 250,
    }  # fmt: skip
    stored = pyarrow.parquet.read_table(tmp_path / "t.positions.parquet")
    assert b"motif" in stored.schema.metadata[b"agentic_spliceai"]
    assert [
        (row["gene_name"], row["position"], row["strand"], f"{row['base_donor']:.4f}") for row in stored.to_pylist()
    ] == [(row["gene_name"], int(row["position"]), row["strand"], row["base_donor"]) for row in table]


def test_every_gene_and_target_has_its_row(data: Toy, tmp_path: Path) -> None:
    write(data, tmp_path, "REV", "GAP", "=1+1", "chr1:500-510", "chr1:390-401")
    with (tmp_path / "t.genes.tsv").open() as handle:
        rows = {row["target"]: row for row in csv.DictReader(handle, delimiter="\t")}
    assert {target: row["reason_code"] for target, row in rows.items()} == {
        "'=1+1": "unknown_gene", "chr1:500-510": "outside_genes", "GAP": "no_sequence", "FWD": "", "REV": "",
    }  # fmt: skip
    reverse = rows["REV"]
    assert (reverse["start"], reverse["end"], reverse["strand"], reverse["positions"]) == ("150", "450", "-", "300")
    assert (reverse["annotated_sites"], reverse["base_sites"], reverse["base_annotated_found"]) == ("2", "2", "2")
    assert rows["FWD"]["positions"] == "11"


def test_files_say_what_made_them(data: Toy, tmp_path: Path) -> None:
    summary, _ = write(data, tmp_path, "FWD", formats=("bedgraph", "bigwig", "bed"), track_lines=True)
    for name in ("t.base.donor.plus.bedgraph", "t.base.sites.bed"):
        heading, others = [], (tmp_path / name).read_text().splitlines()
        while others[0].startswith("#"):
            heading.append(others.pop(0))
        assert others[0].startswith("track type=bed")
        for word in ("#predictor: motif", "#version: 1", f"#weights_sha256: {'0' * 64}", "#precision: float32"):
            assert word in heading
        assert f"#annotation_sha256: {data.annotation.digest}" in heading
        assert f"#genome_id: {data.genome.identity}" in heading
        rule = (
            "#values: probability at least 0.5"
            if name.endswith(".bed")
            else "#values: rounded to 4 decimals; below 0.001"
        )
        assert any(line.startswith(rule) for line in heading)
    document = json.loads((tmp_path / "t.json").read_text())
    assert document["provenance"]["weights_sha256"] == ["0" * 64]
    assert TracksSummary.model_validate_json((tmp_path / "t.json").read_text()) == summary
    assert (tmp_path / "t.chrom.sizes").read_text() == "chr1\t1500\n"


def test_a_track_without_a_value_has_no_bigwig_and_an_earlier_one_goes(data: Toy, tmp_path: Path) -> None:
    write(data, tmp_path, "REV", formats=("bigwig",))
    assert (tmp_path / "t.base.donor.minus.bw").exists()
    summary, _ = write(data, tmp_path, "FWD", formats=("bigwig",))
    assert sorted(path.name for path in tmp_path.glob("*.bw")) == [
        "t.base.acceptor.plus.bw", "t.base.donor.plus.bw",
    ]  # fmt: skip
    assert not any("minus" in path for path in summary.files)


class Stopping(MotifModel):
    """Is stopped after some calls."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def predict(self, one_hot_batch: FloatArray) -> Prediction:
        if self.calls >= self.after:
            raise KeyboardInterrupt
        return super().predict(one_hot_batch)


def test_a_stopped_run_goes_on_where_it_was_and_loses_no_earlier_file(data: Toy, tmp_path: Path) -> None:
    whole, earlier = tmp_path / "whole", "an earlier result\n"
    write(data, whole, formats=("bedgraph.gz", "bed", "tsv"))
    folder = tmp_path / "stopped"
    folder.mkdir()
    (folder / "t.base.sites.bed").write_text(earlier)
    with pytest.raises(KeyboardInterrupt) as stopped:
        write(data, folder, model=Stopping(after=2), formats=("bedgraph.gz", "bed", "tsv"))
    assert "the same command goes on from there" in stopped.value.__notes__[0]
    assert sorted(path.name for path in folder.iterdir()) == ["t.base.sites.bed", "t.work"]
    assert (folder / "t.base.sites.bed").read_text() == earlier
    model, heard = Stopping(after=99), list[ToolProgress]()
    summary, _ = write(data, folder, model=model, heard=heard, formats=("bedgraph.gz", "bed", "tsv"))
    assert (summary.genes, summary.genes_from_parts, model.calls) == (4, 2, 2)
    assert heard[0] == ToolProgress(KEPT, 300, 1400)
    assert heard[-1].done == heard[-1].total == 1400
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in whole.iterdir())
    for path in folder.iterdir():
        if path.suffix != ".json":
            assert path.read_bytes() == (whole / path.name).read_bytes(), path.name


def test_a_genome_with_very_long_contigs_gets_an_index_that_reaches_their_ends(tmp_path: Path) -> None:
    far = 2**29 + 5
    path = tmp_path / "x.bedgraph.gz"
    with BedGraphWriter(path, ["long"], "", 4, longest=2**30) as track:
        track.write("chr1", Runs(*(np.array([n]) for n in (far, far + 1, 9000))))
    assert (tmp_path / f"x.bedgraph.gz.{index_suffix(2**30)}").exists()
    with pysam.TabixFile(str(path), index=f"{path}.csi") as indexed:
        assert list(indexed.fetch("chr1", far, far + 1)) == [f"chr1\t{far}\t{far + 1}\t0.9000"]


@pytest.mark.parametrize(
    ("module", "wanted", "extra"), [("pyBigWig", "bigwig", "tracks"), ("pyarrow", "parquet", "parquet")]
)
def test_a_missing_library_is_asked_for_by_its_extra(
    data: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, wanted: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    model = MotifModel()
    with pytest.raises(MissingExtraError, match=rf"agentic-spliceai\[{extra}\]"):
        write(data, tmp_path, "FWD", model=model, formats=(wanted,))
    assert model.calls == 0
    assert list(tmp_path.iterdir()) == []


# -- the tool, on the demo genome ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ToolContext:
    return small_context(tmp_path_factory.mktemp("predict"))


def test_the_tool_predicts_by_name_region_and_bed(context: ToolContext, tmp_path: Path) -> None:
    tool = default_registry()["predict_tracks"]
    bed = tmp_path / "in.bed"
    bed.write_text("minigene\t2100\t2200\n")
    args = tool.parse_args(
        {"targets": ["minigene:3000-3200"], "bed": str(bed), "genome": "demo", "folder": str(tmp_path / "new")}
    )
    result = tool.dump_result(tool.call(args, context))
    assert result["refused"] == []
    assert result["summary"]["positions"] == 301
    found = [int(row[2]) for row in lines(tmp_path / "new" / "tracks.base.sites.bed")]
    assert found == [2138, 3039, 3184]  # exon 2 ends at 2138, exon 3 is 3039 to 3184


def test_nothing_predicted_is_an_error_with_every_reason_and_no_file(context: ToolContext, tmp_path: Path) -> None:
    tool = default_registry()["predict_tracks"]
    args = tool.parse_args({"targets": ["NO", "minigene:1-5"], "genome": "demo", "folder": str(tmp_path / "f")})
    with pytest.raises(NothingPredictedError, match="'NO' is not in the annotation") as caught:
        tool.call(args, context)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["NO", "minigene"]
    assert list((tmp_path / "f").iterdir()) == []

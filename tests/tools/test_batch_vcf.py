"""A VCF comes back with scores or a reason for each allele, and is otherwise as it was."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pysam
import pytest

from agentic_spliceai.splice_engine.errors import ResourceError, SettingError
from agentic_spliceai.tools.batch import BatchResult, open_batch
from agentic_spliceai.tools.batch_output import made_by
from agentic_spliceai.tools.batch_reading import Source
from agentic_spliceai.tools.batch_vcf import Tags, VcfWriter
from agentic_spliceai.tools.context import Resources, ToolContext

from .test_meta_tools import small_context, write_model

HEAD = """##fileformat=VCFv4.2
##contig=<ID=minigene,length=5480>
##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
"""
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\n"
TAG = "AgenticSpliceAI_small"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ToolContext:
    return small_context(tmp_path_factory.mktemp("vcf"))


def results_of(path: Path, resources: Resources, **options: Any) -> tuple[list[BatchResult], dict[str, str]]:
    batch = open_batch(resources, genome="demo", base_model="small", distance=50, **options)
    return list(batch.results(Source(True, path).inputs())), made_by(batch, masked=False)


def written(path: Path, resources: Resources, *, digits: int = 2, tag: str = TAG, replace: bool = False) -> str:
    results, about = results_of(path, resources)
    writer = VcfWriter(path, Tags(tag), masked=False, digits=digits, provenance=about, replace=replace)
    return writer.header() + "".join(piece.text for piece in writer.pieces(iter(results)))


def given(folder: Path, *records: str, head: str = HEAD + COLUMNS) -> Path:
    path = folder / "in.vcf"
    path.write_bytes((head + "".join(f"{record}\n" for record in records)).encode("utf-8", "surrogateescape"))
    return path


def info_of(line: str) -> dict[str, str]:
    return dict(entry.partition("=")[::2] for entry in line.split("\t")[7].split(";"))


def test_others_read_the_scores_and_everything_else_is_as_it_was(context: ToolContext, tmp_path: Path) -> None:
    records = [
        "minigene\t2139\trs1\tG\tA,T\t30\tPASS\tAF=0.1,0.2\tGT\t1/2",
        "minigene\t2139\t.\tG\tA,<DEL>,*\t.\tq10;s50\t.\tGT\t./.",
        "minigene\t2139\t.\tG\tA\t.\t.\t.\tGT\t0|1",
        "minigene\t2900\todd\xe4\tt\tc\t1e-3\t.\tXX;AF=0.5\tGT\t0/1",
    ]
    path = given(tmp_path, *records)
    results, _ = results_of(path, context.resources)
    text = written(path, context.resources, digits=4)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for before, after in zip(records, lines, strict=True):
        old, new = before.split("\t"), after.split("\t")
        assert [*new[:7], *new[8:]] == [*old[:7], *old[8:]]
        assert new[7].startswith("" if old[7] == "." else old[7] + ";")
    (tmp_path / "out.vcf").write_text(text)
    with pysam.VariantFile(str(tmp_path / "out.vcf")) as read:
        found = [(record.pos, dict(record.info)) for record in read]
    assert [len(info[TAG]) for _, info in found] == [2, 1, 1, 1]
    assert found[1][1][f"{TAG}_not_scored"] == ("<DEL>|unsupported_allele", "*|unsupported_allele")
    assert found[3][1][TAG][0].startswith("c|DEMO1|")
    numbers = iter(result for result in results if result.deltas)
    for position, info in found:
        for scores, detail in zip(info[TAG], info[f"{TAG}_detail"], strict=True):
            (delta,) = next(numbers).deltas
            changes = delta.raw.changes()
            expected = [f"{c.score:.4f}" for c in changes] + [str(c.position - position) for c in changes]
            assert scores.split("|")[2:] == expected
            parts = detail.split("|")
            assert parts[1:4] == ["DEMO1", "DEMO1.1", "+"]
            for change, ref, alt in zip(changes, parts[4:12:2], parts[5:12:2], strict=True):
                assert (float(ref), float(alt)) == pytest.approx((change.ref_score, change.alt_score), abs=5e-5)
            assert parts[12] == "1.0000"


def test_a_site_that_is_lost_is_where_the_exon_ends(context: ToolContext, tmp_path: Path) -> None:
    """2138 is the last base of exon 2; a change of the base behind it and a deletion over both count from their POS."""
    sequence = context.resources.genome("demo").genome.fetch_padded("minigene", 2136, 2141)
    path = given(
        tmp_path,
        "minigene\t2139\t.\tG\tA\t.\t.\t.\tGT\t.",
        f"minigene\t2137\t.\t{sequence}\t{sequence[:2]}\t.\t.\t.\tGT\t.",
    )
    for line, place in zip(written(path, context.resources).splitlines()[-2:], (2139, 2137), strict=True):
        fields = info_of(line)[TAG].split("|")
        assert float(fields[5]) > 0.5
        assert place + int(fields[9]) == 2138


def test_the_header_says_how_the_scores_were_made(context: ToolContext, tmp_path: Path) -> None:
    text = written(given(tmp_path), context.resources)
    assert text.startswith(HEAD)
    assert text.endswith(COLUMNS)
    provenance = next(line for line in text.splitlines() if line.startswith("##AgenticSpliceAI="))
    said = dict(re.findall(r'(\w+)="([^"]*)"', provenance))
    info = context.resources.base_model("small").info
    assert (said["Predictor"], said["WeightsSHA256"], said["Distance"]) == ("small", info.weights_sha256[0], "50")
    assert said["AnnotationSHA256"] == context.resources.genome("demo").annotation.digest
    assert (said["Masked"], said["Precision"], said["MetaModelCardSHA256"]) == ("no", "float32", "none")
    assert str(tmp_path) not in text
    (tmp_path / "out.vcf").write_text(text)
    with pysam.VariantFile(str(tmp_path / "out.vcf")) as read:
        assert read.header.info[TAG].description.endswith("|DP_AG|DP_AL|DP_DG|DP_DL")
        assert list(read) == []


LINES = {
    "another contig": ("chrUn\t5\t.\tA\tG\t.\t.\tDP=3", "DP=3;", "G|unknown_contig"),
    "no alternate": ("minigene\t2139\t.\tG\t.\t.\t.\t.", "", ".|unsupported_allele"),
    "a breakend": ("minigene\t2139\t.\tG\tG]17:1]\t.\t.\t.", "", "G]17:1]|unsupported_allele"),
    "the wrong base": ("minigene\t2139\t.\tT\tA\t.\t.\tA;", "A;", "A|reference_mismatch"),
    "what means something in INFO": ("minigene\t2139\t.\tG\t<A=1|;%>\t.\t.\t.", "", "<A%3D1%7C%3B%25>|unsupported"),
    "a position that is none": ("minigene\tx\t.\tG\tA,C\t.\t.\t.", "", "A%2CC|invalid_variant"),
    "an empty allele": ("minigene\t2139\t.\tG\tA,\t.\t.\t.", TAG, "|invalid_variant"),
}


@pytest.mark.parametrize("case", LINES)
def test_each_allele_without_scores_has_its_reason(case: str, context: ToolContext, tmp_path: Path) -> None:
    line, start, reason = LINES[case]
    after = written(given(tmp_path, line, head=HEAD + COLUMNS.removesuffix("\tFORMAT\tS1\n") + "\n"), context.resources)
    fields = after.splitlines()[-1].split("\t")
    assert fields[:7] == line.split("\t")[:7]
    assert fields[7].startswith(start)
    assert ";;" not in fields[7]
    assert info_of("\t".join(fields))[f"{TAG}_not_scored"].startswith(reason)


def test_what_is_no_record_stays_and_short_records_are_filled(context: ToolContext, tmp_path: Path) -> None:
    path = given(tmp_path, "nonsense", "minigene\t2139\t.\tG\tA", head="#CHROM\tPOS\tID\tREF\tALT\n")
    lines = written(path, context.resources).splitlines()
    assert lines[0] == "##fileformat=VCFv4.2"
    assert lines[-3] == "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
    assert lines[-2] == "nonsense"
    assert lines[-1].startswith(f"minigene\t2139\t.\tG\tA\t.\t.\t{TAG}=A|DEMO1|")


def test_line_ends_of_another_system_and_bytes_that_are_no_text(context: ToolContext, tmp_path: Path) -> None:
    path = given(tmp_path)
    record = b"minigene\t2139\t\xff\tG\tA\t.\t.\tNOTE=\xfe\tGT\t0/1"
    path.write_bytes((HEAD + COLUMNS).replace("\n", "\r\n").encode() + record + b"\r\n")
    text = written(path, context.resources).encode("utf-8", "surrogateescape")
    assert b"\r" not in text
    last = text.splitlines()[-1]
    assert last.startswith(b"minigene\t2139\t\xff\tG\tA\t.\t.\tNOTE=\xfe;")
    assert last.endswith(b"\tGT\t0/1")


def test_names_of_genes_are_encoded(context: ToolContext, tmp_path: Path) -> None:
    genes = files("agentic_spliceai.demo").joinpath("minigene.gtf").read_text(encoding="utf-8")
    odd = tmp_path / "odd.gtf"
    odd.write_text(genes.replace('gene_name "DEMO1"', 'gene_name "A=B,C|D%E F"'))
    path = given(tmp_path, "minigene\t2139\t.\tG\tA\t.\t.\t.\tGT\t.")
    results, about = results_of(path, context.resources, annotation=str(odd))
    writer = VcfWriter(path, Tags(TAG), masked=False, digits=2, provenance=about)
    (piece,) = writer.pieces(iter(results))
    assert info_of(piece.text)[TAG].startswith("A|A%3DB%2CC%7CD%25E%20F|")


def test_fields_of_an_earlier_run_are_kept_or_replaced_but_never_doubled(context: ToolContext, tmp_path: Path) -> None:
    first = written(given(tmp_path, "minigene\t2139\t.\tG\tA\t.\t.\tAF=0.5\tGT\t."), context.resources)
    path = tmp_path / "again.vcf"
    path.write_text(first)
    with pytest.raises(SettingError, match="has fields of AgenticSpliceAI_small already") as refused:
        written(path, context.resources)
    assert "--replace-tags" in refused.value.advice
    assert written(path, context.resources, replace=True) == first
    both = written(path, context.resources, tag="Other")
    assert list(info_of(both.splitlines()[-1])) == ["AF", TAG, f"{TAG}_detail", "Other", "Other_detail"]
    # Also where the header does not say that they are there.
    undeclared = given(tmp_path, f"minigene\t2139\t.\tG\tA\t.\t.\t{TAG}=old;AF=1\tGT\t.")
    with pytest.raises(SettingError, match=r"already \(line 6\)"):
        written(undeclared, context.resources)
    assert f"\tAF=1;{TAG}=A|DEMO1|" in written(undeclared, context.resources, replace=True)


def test_a_file_without_a_header_is_refused(context: ToolContext, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="no line that begins with #CHROM"):
        written(given(tmp_path, "minigene\t2139\t.\tG\tA\t.\t.\t.", head=""), context.resources)


@pytest.mark.parametrize("name", ["1up", "", "a b", "x;y"])
def test_a_tag_has_to_be_one(name: str) -> None:
    with pytest.raises(SettingError, match="is no name of an INFO field"):
        Tags(name)


def test_a_record_that_is_taken_up_again_begins_with_its_first_allele(context: ToolContext, tmp_path: Path) -> None:
    path = given(tmp_path, *[f"minigene\t{2139 + n}\t.\tN\tA,C\t.\t.\t.\tGT\t." for n in range(3)])
    results, about = results_of(path, context.resources)
    writer = VcfWriter(path, Tags(TAG), masked=False, digits=2, provenance=about)
    whole = list(writer.pieces(iter(results)))
    assert [len(piece.results) for piece in whole] == [2, 2, 2]
    again = VcfWriter(path, Tags(TAG), masked=False, digits=2, provenance=about)
    assert list(again.pieces(iter(results[4:]), done=4)) == whole[2:]
    path.write_text(HEAD + COLUMNS + "minigene\t1\t.\tN\tA,C,G\t.\t.\t.\tGT\t.\n")
    with pytest.raises(ResourceError, match="changed while it was read"):
        list(again.pieces(iter(results[:1])))


def test_what_the_meta_layer_says_stands_beside_the_scores(context: ToolContext, tmp_path: Path) -> None:
    path = given(tmp_path, "minigene\t2139\t.\tG\tA,<X>\t.\t.\t.\tGT\t.", "minigene\t2500\t.\tN\tA\t.\t.\t.\tGT\t.")
    model = write_model(tmp_path, context)
    results, about = results_of(path, context.resources, meta_model=str(model))
    assert about["MetaModelCardSHA256"] != "none"
    writer = VcfWriter(path, Tags(TAG), masked=False, digits=2, provenance=about, meta=True)
    assert f"##INFO=<ID={TAG}_meta," in writer.header()
    first, second = (info_of(piece.text) for piece in writer.pieces(iter(results)))
    said = first[f"{TAG}_meta"].split("|")
    assert said[:2] == ["A", "DEMO1"]
    assert 0.5 < float(said[2]) <= 1
    assert said[5:7] == ["0.5000", "altering"]
    assert said[7:9] == [".", "."]
    assert -1 <= float(said[9]) < 0
    assert said[10] in ("none", "acceptor", "donor", "both")
    assert said[11] == "."
    assert list(second) == [f"{TAG}_not_scored"]

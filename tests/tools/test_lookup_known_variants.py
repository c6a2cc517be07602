"""What measured tables say of a variant."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.settings import Settings
from agentic_spliceai.splice_engine.errors import InvalidVariantError, SchemaError
from agentic_spliceai.tools.context import Resources, ToolContext
from agentic_spliceai.tools.registry import default_registry
from agentic_spliceai.tools.spec import ToolArgumentError
from tests.tools.toolbox import HOSTILE

NAME = HOSTILE.replace("\n", " ").replace('"', "")
MUTSPLICEDB = f"""hgvs\tchrom\tpos_grch38\tref\talt\tstrand\tgene\teffect\tsequence_available
{NAME}\tchr1\t100\tC\tT\t-\tMTHFR\tintron_retention\tTrue
NM_1:c.2del\tchr1\t200\tTA\tT\t+\tGENE2\texon_skipping\tFalse
"""
SPLICEVARDB = """variant_id\thg19\thg38\tgene\thgvs\tmethod\tclassification\tlocation\tdoi
v1\tchr1-90-C-T\tchr1-100-C-T\tMTHFR\tNM_1:c.1+1G>A\tRNA-seq\tSplice-altering\tIntronic\t10.1/1
v2\tchr1-90-C-T\tchr1-100-C-T\tMTHFR\tNM_1:c.1+1G>A\tminigene\tNormal\tIntronic\t10.1/2
"""


def look(folder: Path, **values: Any) -> dict[str, Any]:
    settings = Settings(mirror=None, data_dir=folder, cache_dir=folder / "cache", allow_download=False)
    tool = default_registry()["lookup_known_variants"]
    context = ToolContext(Resources(settings), keep_record=False)
    return tool.dump_result(tool.call(tool.parse_args(values), context))


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants" / "mutsplicedb.tsv.gz").write_bytes(gzip.compress(MUTSPLICEDB.encode()))
    (tmp_path / "variants" / "splicevardb.tsv").write_text(SPLICEVARDB)
    return tmp_path


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {answer["table"]: answer for answer in found["tables"]}


def test_each_table_answers_even_where_it_is_not_here(tables: Path) -> None:
    found = look(tables, text="chr1-100-C-T")
    assert found["found"] is True
    answers = by_name(found)
    assert {name: answer["status"] for name, answer in answers.items()} == {
        "mfass": "no_table", "vexseq": "no_table", "mutsplicedb": "found", "splicevardb": "found",
    }  # fmt: skip
    assert "nothing can be said from it" in answers["mfass"]["message"]
    (row,) = answers["mutsplicedb"]["rows"]
    assert (row["gene"], row["classification"], row["altering"]) == ("MTHFR", "Splice-altering", True)
    assert row["id"] == NAME.strip()
    assert len(answers["mutsplicedb"]["table_sha256"]) == 64
    assert [(fact["source"], fact["display"]) for fact in found["facts"]] == [
        ("dataset:mutsplicedb", "Splice-altering"), ("dataset:splicevardb", "Conflicting"),
    ]  # fmt: skip
    assert [(fact["kind"], fact["terms"]) for fact in found["evidence"]] == (
        [("known_variant", ["chr1-100-C-T", "MTHFR"])] * 2
    )
    assert all(answer["licence"] and answer["citation"] for answer in answers.values())


def test_rows_that_disagree_say_so(tables: Path) -> None:
    (row,) = by_name(look(tables, text="chr1-100-C-T"))["splicevardb"]["rows"]
    assert (row["classification"], row["altering"]) == ("Conflicting", None)
    assert (row["methods"], row["references"]) == (["RNA-seq", "minigene"], ["10.1/1", "10.1/2"])


def test_not_listed_says_nothing_about_the_effect(tables: Path) -> None:
    found = look(tables, text="chr1-101-C-T")
    assert found["found"] is False
    assert by_name(found)["mutsplicedb"]["message"] == (
        "MutSpliceDB does not list the variant, which says nothing about its effect."
    )


def test_builds_are_not_mixed(tables: Path) -> None:
    answers = by_name(look(tables, text="chr1-90-C-T", build="GRCh37"))
    assert answers["mutsplicedb"]["status"] == "other_build"
    assert answers["splicevardb"]["status"] == "found"
    assert by_name(look(tables, text="chr1-90-C-T"))["splicevardb"]["status"] == "not_listed"


@pytest.mark.parametrize("text", ["chr1-200-TA-T", "chr1-199-GTA-GT", "1:200 TA>T"])
def test_one_change_in_several_spellings(tables: Path, text: str) -> None:
    assert by_name(look(tables, text=text))["mutsplicedb"]["status"] == "found"


def test_a_variant_as_other_tools_return_it(tables: Path) -> None:
    variant = {"contig": "chr1", "position": 100, "ref": "C", "alt": "T", "build": "GRCh38"}
    assert look(tables, variant=variant, tables=["mutsplicedb"])["found"] is True


def test_what_cannot_be_looked_up(tables: Path) -> None:
    with pytest.raises(InvalidVariantError):
        look(tables, text=HOSTILE)
    with pytest.raises(ToolArgumentError, match="There is no table"):
        look(tables, text="chr1-100-C-T", tables=["clinvar"])
    with pytest.raises(ToolArgumentError, match="give either text or variant"):
        look(tables)
    (tables / "variants" / "splicevardb.tsv").write_text("a\tb\n")
    with pytest.raises(SchemaError, match="lacks the column"):
        look(tables, text="chr1-100-C-T")


def test_measured_values_of_the_real_tables(mirror: Path) -> None:
    tool = default_registry()["lookup_known_variants"]
    settings = Settings(mirror=mirror, allow_download=False)
    context = ToolContext(Resources(settings), keep_record=False)
    for position, build in ((48981506, "GRCh38"), (48837918, "GRCh37")):
        found = tool.dump_result(
            tool.call(tool.parse_args({"text": f"chrX-{position}-C-T", "build": build, "tables": ["mfass"]}), context)
        )
        (row,) = found["tables"][0]["rows"]
        assert (row["gene"], row["delta_psi"], row["altering"]) == ("GRIPAP1", 0.044, False)
        assert row["published_scores"]["spliceai"] == 0.0

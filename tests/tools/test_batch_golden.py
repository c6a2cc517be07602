"""INFO fields as the published tools write them, on real variants: the same scores, and positions from one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_spliceai.settings import Settings
from agentic_spliceai.splice_engine.errors import ResourceError
from agentic_spliceai.tools.batch import open_batch
from agentic_spliceai.tools.batch_output import made_by
from agentic_spliceai.tools.batch_reading import Source
from agentic_spliceai.tools.batch_vcf import Tags, VcfWriter
from agentic_spliceai.tools.context import Resources

Entries = dict[tuple[str, str, str], list[str]]

# They score a REF of N where the genome has N.
_ONLY_THEIRS = "edge_inN_refN_METTL23"
_CLEAR = 0.01  # below, a position follows rounding


def entries(lines: list[str], tag: str) -> Entries:
    found: Entries = {}
    for line in lines:
        fields = line.split("\t")
        for entry in fields[7].split(";"):
            name, _, values = entry.partition("=")
            for value in values.split(",") if name == tag else ():
                allele, symbol, *scores = value.split("|")
                found["-".join(fields[:5]), allele, symbol] = scores
    return found


def records(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "tag", "exact"), [("openspliceai", "OpenSpliceAI", ""), ("spliceai", "SpliceAI", "_10dp")]
)
def test_fields_are_those_of_the_tools(model: str, tag: str, exact: str, mirror: Path, tmp_path: Path) -> None:
    golden = mirror / "golden" / "variants"
    settings = Settings(
        mirror=mirror, data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", allow_download=False, device="cpu"
    )
    lines = (golden / "variants.vcf").read_text().splitlines(keepends=True)
    header = [line for line in lines if line.startswith("#")]
    vcf = tmp_path / "in.vcf"
    vcf.write_text("".join(header + [line for line in lines if not line.startswith("#")][::4]))
    try:
        batch = open_batch(
            Resources(settings),
            genome="GRCh38",
            annotation=str(golden / "annotation.tsv"),
            base_model=model,
            distance=50,
            mask="nearest_boundary",
        )
    except ResourceError as error:
        pytest.skip(f"the weights of {model} are not at hand: {error}")
    results = list(batch.results(Source(True, vcf).inputs()))
    wanted = {"-".join(line.split("\t")[:5]) for line in records(vcf)}
    for masked in (False, True):
        writer = VcfWriter(vcf, Tags(tag), masked=masked, digits=8, provenance=made_by(batch, masked=masked))
        ours = entries([piece.text for piece in writer.pieces(iter(results))], tag)
        theirs = entries(records(golden / f"{model}_D50{'_masked' if masked else ''}{exact}.vcf"), tag)
        compared = 0
        for key, expected in theirs.items():
            if key[0] not in wanted or _ONLY_THEIRS in key[0] or expected[0] == ".":
                continue
            # They print a fall of what rises everywhere as a negative loss.
            assert [float(score) for score in ours[key][:4]] == pytest.approx(
                [max(float(score), 0.0) for score in expected[:4]], abs=2e-5
            )
            for number in range(4):
                if float(expected[number]) > _CLEAR:
                    assert ours[key][4 + number] == expected[4 + number]
            compared += 1
        assert compared >= 12

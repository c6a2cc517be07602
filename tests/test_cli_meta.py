"""`agentic-spliceai meta`: a trained model on a list of variants and on a gene, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_spliceai.cli import main
from agentic_spliceai.settings import reset_settings
from agentic_spliceai.splice_engine import meta_layer
from agentic_spliceai.splice_engine.errors import MissingExtraError
from agentic_spliceai.splice_engine.meta_layer.checkpoint import (
    BaseProvenance,
    CheckpointContent,
    ModelCard,
    save_checkpoint,
)
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model
from tests.tools.test_meta_tools import small_context, write_model

VCF = """##fileformat=VCFv4.2
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
minigene\t2139\t.\tG\tA,<DEL>\t.\t.\t.
minigene\t2139\t.\tC\tA\t.\t.\t.
minigene\t2139\t.\tG\tGTT\t.\t.\t.
"""


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AGENTIC_SPLICEAI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AGENTIC_SPLICEAI_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("AGENTIC_SPLICEAI_DEVICE", "cpu")
    monkeypatch.delenv("AGENTIC_SPLICEAI_MIRROR", raising=False)
    reset_settings()
    yield
    reset_settings()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return write_model(tmp_path / "model", small_context(tmp_path))


def test_each_allele_of_a_vcf_gets_its_row_in_order(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.vcf").write_text(VCF)
    assert main(["meta", "triage", str(model), str(tmp_path / "in.vcf"), "--genome", "demo"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["index"] for row in rows] == [0, 1, 2, 3]
    assert rows[0]["triage"]["probability"] > 0.5
    assert rows[1]["not_scored"]["code"] == "unsupported_allele"
    assert rows[2]["not_scored"]["code"] == "reference_mismatch"
    assert rows[3]["triage"]["status"] == "predicted"
    assert main(["meta", "delta", str(model.parent), str(tmp_path / "in.vcf"), "--genome", "demo"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["delta"]["inclusion"] < 0


def test_sites_of_a_gene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context = small_context(tmp_path)
    card = ModelCard(base=BaseProvenance.of(context.resources.base_model("small").info))
    path = tmp_path / "sites.safetensors"
    save_checkpoint(path, CheckpointContent(build_model("recalibrator"), card))
    assert main(["meta", "recalibrate", str(path), "DEMO1", "--genome", "demo", "--from", "0.5"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:3] == ["gene", "chrom", "position"]
    donors = {int(line[2]) for line in lines[1:] if float(line[4]) >= 0.5}
    assert 2138 in donors  # the last base of exon 2; the variant above hits the base after it
    assert all(line[4:6] == line[6:8] for line in lines[1:])  # untrained, it is the base model


def test_the_card_and_what_is_refused(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["meta", "card", str(model)]) == 0
    card = json.loads(capsys.readouterr().out)
    assert (card["model"], card["base"]["predictor"], card["same_code"]) == ("variant_aware", "small", True)
    assert main(["meta", "recalibrate", str(model), "DEMO1", "--genome", "demo"]) == 2
    assert "cannot recalibrate sites" in capsys.readouterr().err
    assert main(["meta", "variants", "--data-root", str(tmp_path), "--base-model", "small", "--quiet"]) == 2
    assert "Give --table FILE" in capsys.readouterr().err
    assert main(["meta", "sites", "--data-root", str(tmp_path), "--base-model", "small", "--quiet"]) == 2
    assert "There is no folder" in capsys.readouterr().err
    arguments = [
        "--data-root",
        str(tmp_path),
        "--base-model",
        "small",
        "--genome",
        "demo",
        "--genes",
        "DEMO1",
        "--quiet",
    ]
    assert main(["meta", "artifacts", *arguments]) == 2
    assert "GRCh38" in capsys.readouterr().err


def test_training_without_its_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lightning", None)
    assert main(["meta", "sites", "--data-root", str(tmp_path), "--base-model", "small", "--quiet"]) == 2
    assert "pip install 'agentic-spliceai[meta]'" in capsys.readouterr().err
    with pytest.raises(MissingExtraError, match="Training needs lightning"):
        _ = meta_layer.MetaTrainer

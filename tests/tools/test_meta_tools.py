"""Triage and delta prediction with a trained model, as tools and in the workflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agentic_spliceai import run
from agentic_spliceai.settings import Settings, reset_settings
from agentic_spliceai.splice_engine.errors import CheckpointError
from agentic_spliceai.splice_engine.meta_layer.checkpoint import (
    BaseProvenance,
    CheckpointContent,
    ModelCard,
    save_checkpoint,
)
from agentic_spliceai.splice_engine.meta_layer.data.normalization import Normalizer
from agentic_spliceai.splice_engine.meta_layer.data.variant_features import VARIANT_FEATURES
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model
from agentic_spliceai.splice_engine.meta_layer.training.calibration import Threshold
from agentic_spliceai.tools.context import Resources, ToolContext
from agentic_spliceai.tools.registry import default_registry

DONOR = "minigene-2139-G-A"  # first base of intron 2
DROP = VARIANT_FEATURES.index("drop_sum")


def write_model(folder: Path, context: ToolContext, *, threshold: float = 0.5) -> Path:
    """A model whose logit is the base model's drop in log-odds at the exon's two sites, minus 3."""
    model = build_model("variant_aware", num_features=len(VARIANT_FEATURES), width=8, blocks=1)
    with torch.no_grad():
        model.linear.weight[0, DROP], model.linear.weight[1, DROP] = 1.0, -0.1
        model.linear.bias[0] = -3.0
    names = len(VARIANT_FEATURES)
    transforms = Normalizer.fit(np.eye(names), VARIANT_FEATURES).transforms
    unit = Normalizer(VARIANT_FEATURES, transforms, (0.0,) * names, (1.0,) * names)
    card = ModelCard(
        features=VARIANT_FEATURES,
        normaliser=unit.as_dict(),
        base=BaseProvenance.of(context.resources.base_model("small").info),
        thresholds={
            "altering": Threshold(
                value=threshold, criterion="f1", precision=1, recall=1, f1=1, fpr=0, n=10, positives=5
            )
        },
    )
    save_checkpoint(folder / "model.safetensors", CheckpointContent(model, card))
    return folder / "model.safetensors"


def small_context(folder: Path) -> ToolContext:
    settings = Settings(
        data_dir=folder / "data", cache_dir=folder / "cache", reports_dir=folder / "reports", allow_download=False
    )
    return ToolContext(Resources(settings), keep_record=False)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ToolContext:
    return small_context(tmp_path_factory.mktemp("meta"))


def call(context: ToolContext, name: str, **values: Any) -> dict[str, Any]:
    tool = default_registry()[name]
    return tool.dump_result(tool.call(tool.parse_args(values), context))


def scores_of(context: ToolContext, text: str) -> list[dict[str, Any]]:
    variant = call(context, "resolve_variant", text=text, genome="demo")["variant"]
    found: list[dict[str, Any]] = call(
        context, "score_variant", variant=variant, genome="demo", base_model="small", distance=500
    )["scores"]
    return found


def test_a_lost_donor_is_called_and_a_distant_change_is_not(context: ToolContext, tmp_path: Path) -> None:
    model = str(write_model(tmp_path, context))
    sequence = context.resources.genome("demo").genome
    base = sequence.fetch_padded("minigene", 2599, 2600)
    distant = f"minigene-2600-{base}-{'A' if base != 'A' else 'C'}"
    expected = {DONOR: "altering", distant: "not_altering"}
    for text, verdict in expected.items():
        scores = scores_of(context, text)
        triage = call(context, "triage_variant", scores=scores, genome="demo", model=model)
        assert triage["verdict"] == verdict
        (gene,) = triage["genes"]
        assert gene["triage"]["threshold"] == 0.5
        assert (gene["triage"]["probability"] >= 0.5) is (verdict == "altering")
        predicted = call(context, "predict_delta", scores=scores, genome="demo", model=model)
        assert predicted["status"] == "predicted"
        inclusion = predicted["genes"][0]["prediction"]["inclusion"]
        assert (inclusion < -0.2) is (verdict == "altering")


def test_a_damaged_model_is_no_missing_model(context: ToolContext, tmp_path: Path) -> None:
    path = write_model(tmp_path, context)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="damaged"):
        call(context, "triage_variant", scores=scores_of(context, DONOR), genome="demo", model=str(path))


def test_the_workflow_takes_a_trained_model(
    context: ToolContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_model(tmp_path, context)
    monkeypatch.setenv("AGENTIC_SPLICEAI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AGENTIC_SPLICEAI_CACHE_DIR", str(tmp_path / "cache"))
    reset_settings()
    try:
        options = ["--json", "--quiet", "--no-record", "--out", str(tmp_path / "out")]
        code = run.main(["interpret_variant", *options, "--set", f"meta_model={path}"])
    finally:
        reset_settings()
    assert code == 0
    json.loads(capsys.readouterr().out)
    (written,) = (tmp_path / "out").glob("*.json")
    (gene,) = json.loads(written.read_text())["genes"]
    assert gene["triage"]["status"] == "predicted"
    assert gene["triage"]["probability"] > 0.5
    assert gene["delta_prediction"]["inclusion"] < 0
    (page,) = (tmp_path / "out").glob("*.html")
    assert "The meta-layer calls the variant splice-altering" in page.read_text()

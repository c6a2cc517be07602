"""The summary shows what the files of a study say, each result once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentic_spliceai.splice_engine.errors import ResourceError
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
from agentic_spliceai.splice_engine.meta_layer.evaluation.evaluator import Subject, evaluate_triage
from agentic_spliceai.splice_engine.meta_layer.pipelines.summary import summarise


def write_result(folder: Path, name: str, *, seeds: int = 1) -> float:
    random = np.random.default_rng(0)
    truth = np.arange(120) % 3 == 0
    base, better = random.normal(size=120) + truth, random.normal(size=120) + 3 * truth
    result = evaluate_triage(
        truth, dict.fromkeys(range(seeds), better) if seeds > 1 else better, np.arange(120) // 4,
        base_scores=base, subject=Subject("meta", "base", "held out"), bootstrap=Bootstrap(draws=50),
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(result.model_dump_json())
    value = result.report.row("roc_auc", "altering").model.value
    assert value is not None
    return value


def test_a_line_a_measure(tmp_path: Path) -> None:
    value = write_result(tmp_path / "study", "triage")
    write_result(tmp_path / "study", "each-seed", seeds=2)
    (tmp_path / "study" / "training.json").write_text("[]")
    lines = summarise([tmp_path / "study"]).splitlines()
    assert len(lines) == 2 + 2  # header, ROC-AUC and PR-AUC of the one model; seeds stay on the study's own page
    roc = next(line for line in lines if "ROC-AUC" in line)
    assert f"| {value:.3f} |" in roc
    assert "[study](study/study.md), beside base" in roc
    assert "| 120 | 40 |" in roc


def test_what_is_no_study_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResourceError, match="holds no result of a study"):
        summarise([tmp_path / "empty"])
    (tmp_path / "empty" / "bad.json").write_text("{}")
    with pytest.raises(ResourceError, match=r"bad\.json holds no result"):
        summarise([tmp_path / "empty"])

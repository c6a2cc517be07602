"""The worker: exit codes, what it leaves, and that a kill at any moment changes nothing in the result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai import worker
from agentic_spliceai.settings import reset_settings
from agentic_spliceai.splice_engine.meta_layer.checkpoint import load_checkpoint, weights_digest
from agentic_spliceai.splice_engine.meta_layer.experiments.metrics import load_metrics
from agentic_spliceai.splice_engine.meta_layer.experiments.result import ExperimentResult
from agentic_spliceai.splice_engine.meta_layer.experiments.run import run_experiment
from tests.splice_engine.meta_layer.experiments.toys import resolver, tiny_spec

ROOT = Path(__file__).resolve().parents[4]
KILLER = Path(__file__).with_name("killed_worker.py")

#: Stage and count at which the process dies; one run after the other in the same folder.
MOMENTS = (("score", 1), ("train", 1), ("train", 3), ("evaluate", 1))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of a worker, with settings that know no mirror."""
    folder = tmp_path / "job"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("AGENTIC_SPLICEAI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AGENTIC_SPLICEAI_DEVICE", "cpu")
    monkeypatch.setenv("AGENTIC_SPLICEAI_THREADS", "1")
    monkeypatch.delenv("AGENTIC_SPLICEAI_MIRROR", raising=False)
    reset_settings()
    return folder


def write_spec(folder: Path, **changes: Any) -> None:
    (folder / "spec.json").write_text(tiny_spec(**changes).model_dump_json())


def without_times(result: ExperimentResult) -> dict[str, Any]:
    values = result.model_dump()
    values["seconds"] = None
    for seed in values["seeds"]:
        seed["seconds"] = None
    # A checkpoint's file begins with a mapping in no fixed order; what is in it is compared by its own digests.
    values["files"] = [file for file in values["files"] if file["kind"] != "checkpoint"]
    return values


def member(folder: Path, seed: int) -> tuple[str, str]:
    content = load_checkpoint(folder / "ensemble" / f"member_{seed}.safetensors")
    return content.card.sha256, weights_digest(content.model)


def test_killed_at_several_moments_it_finds_the_same(here: Path, tmp_path: Path) -> None:
    spec = tiny_spec(max_variants=200)
    expected = run_experiment(
        spec, resolver=resolver(tmp_path), data_root=tmp_path, out=tmp_path / "whole", device="cpu"
    )
    write_spec(here, max_variants=200)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for stage, at in MOMENTS:
        command = [sys.executable, "-W", "error", str(KILLER), stage, str(at)]
        killed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert not (here / "result.json").exists()
    assert worker.main(["experiment", "spec.json"]) == 0
    result = ExperimentResult.model_validate_json((here / "result.json").read_bytes())
    assert without_times(result) == without_times(expected)
    for seed in spec.seeds:
        assert member(here, seed) == member(tmp_path / "whole", seed)
    whole = load_metrics(tmp_path / "whole" / "metrics.jsonl")
    assert sorted(m for m in load_metrics(here / "metrics.jsonl") if m.name != "seconds") == sorted(
        m for m in whole if m.name != "seconds"
    )


def test_it_prints_how_far_it_is_and_leaves_a_result(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_spec(here, seeds=[1], training={"max_epochs": 1})
    assert worker.main(["experiment", "spec.json"]) == 0
    output = capsys.readouterr().out
    assert "train: 1 of 1" in output
    assert "1 seeds" in output
    assert (here / "result.json").exists()
    assert not (here / "error.json").exists()


@pytest.mark.parametrize(
    ("changes", "code", "part"),
    [
        ({"dataset": "mfass"}, "missing_dataset", "variants/mfass.tsv.gz"),
        ({"dataset": "nowhere"}, "unknown_dataset", "nowhere"),
        ({"task": "sites"}, "unsupported_experiment", "meta sites"),
        ({"training": {"epochs": 3}}, "setting", "training.epochs"),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_a_file(
    changes: dict[str, Any], code: str, part: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_spec(here, **changes)
    assert worker.main(["experiment", "spec.json"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert part in error
    note = json.loads((here / "error.json").read_text())
    assert note["code"] == code
    assert note["message"] in error
    assert not (here / "result.json").exists()


def test_a_specification_that_is_none(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert worker.main(["experiment", "spec.json"]) == 2
    assert "spec.json cannot be read" in capsys.readouterr().err
    (here / "spec.json").write_text('{"name": "x", "task": "triage", "dataset": "minigene", "colour": "red"}')
    assert worker.main(["experiment", "spec.json"]) == 2
    assert "colour" in capsys.readouterr().err

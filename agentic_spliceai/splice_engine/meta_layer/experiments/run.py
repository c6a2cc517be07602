"""Run an experiment: train every seed, calibrate on validation, measure on test, and leave one folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from pydantic import ValidationError

from agentic_spliceai.splice_engine.base_layer.training.split import TEST
from agentic_spliceai.splice_engine.meta_layer.checkpoint import code_digest
from agentic_spliceai.splice_engine.meta_layer.evaluation.digest import evaluator_digest
from agentic_spliceai.splice_engine.meta_layer.evaluation.tables import to_markdown
from agentic_spliceai.splice_engine.meta_layer.experiments.errors import ExperimentFolderError
from agentic_spliceai.splice_engine.meta_layer.experiments.evaluate import Evaluated, evaluate, export
from agentic_spliceai.splice_engine.meta_layer.experiments.metrics import METRICS_FILE, MetricsLog
from agentic_spliceai.splice_engine.meta_layer.experiments.prepare import Prepared, check_spec, dataset_uses, prepare
from agentic_spliceai.splice_engine.meta_layer.experiments.result import ExperimentResult, LeftFile, SeedOutcome
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentSpec
from agentic_spliceai.splice_engine.meta_layer.extras import require
from agentic_spliceai.splice_engine.meta_layer.pipelines.variants import train_variants
from agentic_spliceai.splice_engine.meta_layer.training.results import TrainingResult
from agentic_spliceai.splice_engine.resources import ResourceResolver, sha256_of

RESULT_FILE, SCORES_FILE, PAGE_FILE, EVALUATION_FILE = "result.json", "scores.npz", "experiment.md", "evaluation.json"
_SPEC_FILE, _LOCK_FILE = "experiment.json", ".experiment.lock"

FEW = 20
"""Fewer altering test variants than this are a caveat."""

Listen = Callable[[str, int, int], None]
"""Hears how far a stage is: `score` (sequences), `train` (epochs, at most), `evaluate` (steps); done, and of how
many."""

_SHOWN = ("pr_auc", "roc_auc", "top_k", "f1", "ece", "pearson", "spearman", "mae")


def run_experiment(
    spec: ExperimentSpec,
    *,
    resolver: ResourceResolver,
    data_root: Path,
    out: Path,
    device: str = "auto",
    listen: Listen | None = None,
) -> ExperimentResult:
    """Run an experiment, or go on with one that was killed, or return what a finished one found.

    Parameters
    ----------
    spec
        What to do.
    resolver
        Finds data sets and the base model's weights.
    data_root
        Folder in which base scores are kept, by the digest of model and sequences, for every experiment.
    out
        Folder of this experiment. Gets `metrics.jsonl` while training runs, then `scores.npz` (truth, group, id, base
        score, calibrated scores of each seed and their mean, of validation and test), `ensemble/` (the trained
        models), `evaluation.json`, `experiment.md`, and last, in one step, `result.json`.
    device
        `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
    listen
        Hears of progress.

    Raises
    ------
    ExperimentFolderError
        If `out` holds another experiment, or another process works in it.
    UnknownDatasetError, MissingDatasetError, UnsupportedExperimentError
        If data, task and model do not fit, or the data are not here.
    SettingError
        If a name, option or field is unknown or out of range.
    TrainingDataError
        If there are too few variants: a part is empty, or has one class only.
    CheckpointError
        If `out` holds training of other data or code.

    Notes
    -----
    A repeated call goes on where the last one was killed: scores of base models and finished seeds are kept, training
    resumes after the last whole epoch. The result is the same as without interruption, times aside.
    """
    for module in ("lightning", "sklearn", "scipy"):
        require(module, purpose="training and evaluation")
    check_spec(spec)
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        _claim(out, spec)
        found = finished_result(out, spec)
        return found if found is not None else _run(spec, resolver, data_root, out, device, listen or _nobody)


def finished_result(out: Path, spec: ExperimentSpec) -> ExperimentResult | None:
    """Return the result of this specification that a folder holds, or None.

    Raises
    ------
    ExperimentFolderError
        If the folder has a result that is damaged, or of another specification.
    """
    path = out / RESULT_FILE
    if not path.exists():
        return None
    try:
        result = ExperimentResult.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ExperimentFolderError(f"{path} is damaged: {error.errors()[0]['msg']}.", "Take another folder.") from None
    if result.spec_digest != spec.digest:
        raise ExperimentFolderError(f"{path} is the result of another experiment.", "Take another folder.")
    return result


def _run(
    spec: ExperimentSpec, resolver: ResourceResolver, data_root: Path, out: Path, device: str, listen: Listen
) -> ExperimentResult:
    started = time.perf_counter()
    prepared = prepare(
        spec,
        resolver=resolver,
        data_root=data_root,
        device=device,
        progress=lambda done, total: listen("score", done, total),
    )
    training = _train(prepared, out, listen)
    listen("evaluate", 0, 2)
    evaluated = evaluate(prepared, training)
    listen("evaluate", 1, 2)
    files = _leave(prepared, training, evaluated, out)
    result = ExperimentResult(
        name=spec.name,
        spec_digest=spec.digest,
        evaluator_digest=evaluator_digest(),
        code_digest=code_digest(),
        base_model=f"{prepared.data.base.predictor} {prepared.data.base.version}",
        datasets=dataset_uses(prepared),
        figures=evaluated.figures,
        seeds=tuple(
            SeedOutcome(
                seed=run.seed,
                epochs=run.epochs,
                best_epoch=run.best_epoch,
                best=run.best,
                stopped_early=run.stopped_early,
                seconds=run.seconds,
            )
            for run in training.runs
        ),
        parameters=training.runs[0].parameters,
        trainable=training.runs[0].trainable,
        device=prepared.device,
        # An experiment that was killed has trained longer than this process has run.
        seconds=round(max(time.perf_counter() - started, training.seconds), 3),
        files=files,
        caveats=(*_caveats(prepared), *evaluated.caveats),
    )
    _write(out / RESULT_FILE, result.model_dump_json(indent=1) + "\n")
    listen("evaluate", 2, 2)
    return result


def _train(prepared: Prepared, out: Path, listen: Listen) -> TrainingResult:
    log = MetricsLog(out / METRICS_FILE)
    seeds, epochs = prepared.spec.seeds, prepared.config.training.max_epochs
    folder = out / "checkpoints"
    for seed in seeds:
        log.catch_up(seed, folder / f"seed_{seed}" / METRICS_FILE)

    def heard(seed: int, line: dict[str, Any]) -> None:
        log.add(seed, line)
        if line["event"] == "epoch":
            listen("train", seeds.index(seed) * epochs + line["epoch"] + 1, len(seeds) * epochs)

    result = train_variants(prepared.config, prepared.data, output_dir=folder, listen=heard)
    listen("train", len(seeds) * epochs, len(seeds) * epochs)
    return result


def _leave(prepared: Prepared, training: TrainingResult, evaluated: Evaluated, out: Path) -> tuple[LeftFile, ...]:
    """Write everything but the result."""
    members = export(prepared, training, evaluated, out / "ensemble")
    arrays = {name: array for part, scores in evaluated.parts.items() for name, array in scores.arrays(part).items()}
    unfinished = out / f".{SCORES_FILE}"
    with unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    unfinished.replace(out / SCORES_FILE)
    results = {heading: result.model_dump(mode="json") for heading, result in evaluated.results.items()}
    _write(out / EVALUATION_FILE, json.dumps(results, indent=1) + "\n")
    _write(out / PAGE_FILE, _page(prepared, training, evaluated))
    left = [(SCORES_FILE, "scores"), (EVALUATION_FILE, "evaluation"), (PAGE_FILE, "page")]
    left += [(str(path.relative_to(out)), "checkpoint") for path in members]
    return tuple(
        LeftFile(path=name, kind=kind, sha256=sha256_of(out / name), bytes=(out / name).stat().st_size)
        for name, kind in left
    )


def _page(prepared: Prepared, training: TrainingResult, evaluated: Evaluated) -> str:
    spec, dataset = prepared.spec, prepared.source.dataset
    test = prepared.data.part(TEST)
    kind = "SIMULATED data set" if dataset.synthetic else "data set"
    epochs = [run.best_epoch + 1 for run in training.runs]
    lines = [
        f"# {spec.name}",
        "",
        f"{spec.model} for {spec.task} on the {kind} {dataset.name} with the base model {spec.base_model}; seeds "
        f"{', '.join(map(str, spec.seeds))}; {training.runs[0].parameters:,} parameters; best epoch {min(epochs)} to "
        f"{max(epochs)} of at most {prepared.config.training.max_epochs}; {len(test):,} test variants.",
    ]
    lines += [f"\n- {caveat}" for caveat in (*_caveats(prepared), *evaluated.caveats)]
    for heading, result in evaluated.results.items():
        lines += ["", f"## {heading}", "", to_markdown(result, measures=_SHOWN, subsets=("all",))]
    return "\n".join(lines).rstrip() + "\n"


def _caveats(prepared: Prepared) -> tuple[str, ...]:
    found = []
    dataset, spec = prepared.source.dataset, prepared.spec
    if dataset.synthetic:
        found.append(f"The data set {dataset.name} is simulated: these figures say nothing about human genes.")
    if prepared.pretrained is False:
        found.append("The pretrained encoder started from random weights: this says nothing about its pretraining.")
    if prepared.model_task in ("delta", "paired_delta", "effect_type"):
        found.append("The model's training targets are made from the base model's own scores and the measured class.")
    if len(spec.seeds) == 1:
        found.append("One seed: how much of a difference is chance of training cannot be told.")
    altering = prepared.data.part(TEST).altering
    positives = int(np.nansum(altering))
    if positives < FEW:
        found.append(f"Only {positives} altering variants in the test part: wide intervals.")
    if spec.max_variants is not None:
        found.append(f"Drawn from the data set: at most {spec.max_variants} variants, by exon group.")
    if prepared.source.rejected or prepared.left_out:
        found.append(
            f"Left out: {prepared.source.rejected} rows that are no variants, {prepared.left_out} that cannot be "
            "scored in the window."
        )
    return tuple(found)


def _claim(out: Path, spec: ExperimentSpec) -> None:
    """Note whose folder this is, or make sure that it is this experiment's."""
    note = out / _SPEC_FILE
    if note.exists():
        try:
            digest = json.loads(note.read_text(encoding="utf-8"))["digest"]
        except (ValueError, KeyError, TypeError) as error:
            raise ExperimentFolderError(f"{note} is damaged: {error}.", "Take another folder.") from error
        if digest != spec.digest:
            raise ExperimentFolderError(f"{out} holds another experiment.", "Take another folder.")
        return
    _write(note, json.dumps({"digest": spec.digest, "spec": spec.model_dump(mode="json")}, indent=1) + "\n")


def _alone(out: Path) -> AbstractContextManager[object]:
    """Hold the folder's lock, which a process that is killed loses."""
    try:
        return FileLock(out / _LOCK_FILE).acquire(timeout=0)
    except Timeout:
        raise ExperimentFolderError(
            f"another process runs an experiment in {out}.", "Wait for it, or take another folder."
        ) from None


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _nobody(stage: str, done: int, total: int) -> None:
    """Hear nothing."""

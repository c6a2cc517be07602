"""A study from configuration to figures: train every seed, predict, evaluate, and keep all of it in one folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agentic_spliceai.splice_engine.base_layer.training.split import TEST, VALIDATION
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.config import MetaLayerConfig
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import EvaluationResult
from agentic_spliceai.splice_engine.meta_layer.evaluation.tables import to_markdown
from agentic_spliceai.splice_engine.meta_layer.models.registry import model_class
from agentic_spliceai.splice_engine.meta_layer.pipelines import sites, variants
from agentic_spliceai.splice_engine.meta_layer.training.results import SeedRun, TrainingResult

SITE_MEASURES = ("pr_auc", "top_k", "top_100", "top_500", "f1", "ece")
VARIANT_MEASURES = ("pr_auc", "roc_auc", "top_k", "f1", "ece")
INCLUSION_MEASURES = ("pearson", "spearman", "mae")


@dataclass(frozen=True)
class Section:
    """A result, and what of it the page shows; the JSON file has all of it.

    Attributes
    ----------
    result
        The result.
    measures, of, subsets
        As `tables.to_markdown`; None for all.
    """

    result: EvaluationResult
    measures: tuple[str, ...]
    of: tuple[str, ...] | None = None
    subsets: tuple[str, ...] | None = ("all",)

    @property
    def markdown(self) -> str:
        """The table."""
        return to_markdown(self.result, measures=self.measures, of=self.of, subsets=self.subsets)


@dataclass(frozen=True, eq=False)
class Study:
    """What a study found.

    Attributes
    ----------
    title
        First line of the page.
    sections
        By heading.
    training
        The runs of all seeds.
    arrays
        Truth, groups, base and model scores of the test part, for plots.
    checkpoints
        Files of the trained models.
    """

    title: str
    sections: dict[str, Section]
    training: TrainingResult
    arrays: dict[str, npt.NDArray[np.generic]]
    checkpoints: tuple[Path, ...]

    @property
    def markdown(self) -> str:
        """The page: training in numbers, then a table a section."""
        lines = [f"# {self.title}", "", _training(self.training)]
        for heading, section in self.sections.items():
            lines += ["", f"## {heading}", "", section.markdown]
        return "\n".join(lines).rstrip() + "\n"

    def write(self, folder: Path) -> None:
        """Write `study.md`, a JSON file a section, and `scores.npz`; JSON files of an earlier study are removed."""
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob("*.json"):
            stale.unlink()
        (folder / "study.md").write_text(self.markdown, encoding="utf-8")
        written: list[EvaluationResult] = []
        for heading, section in self.sections.items():
            if any(section.result is other for other in written):  # another view of the same
                continue
            written.append(section.result)
            name = "-".join("".join(c if c.isalnum() else " " for c in heading.lower()).split())
            (folder / f"{name}.json").write_text(section.result.model_dump_json(indent=1) + "\n", encoding="utf-8")
        np.savez_compressed(folder / "scores.npz", **self.arrays)  # type: ignore[arg-type]
        runs = [
            {"seed": r.seed, "epochs": r.epochs, "best_epoch": r.best_epoch, "best": r.best, "seconds": r.seconds}
            for r in self.training.runs
        ]
        (folder / "training.json").write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")


def study_sites(
    config: MetaLayerConfig,
    *,
    folds: int = 0,
    bootstrap: Bootstrap | None = None,
    device: str = "cpu",
    progress: bool = False,
) -> Study:
    """Train on the canonical sites of `config.artifacts_dir` and evaluate on its test part; errors as `train_sites`.

    Parameters
    ----------
    config
        Base model, data, model, training and seeds.
    folds
        0 trains on the training part. Otherwise the test part is cut into so many folds, each predicted by models that
        were trained on the others; see `sites.folds_of`.
    bootstrap
        Draws and seed of the intervals.
    device
        For predictions.
    progress
        Show progress bars on a terminal.
    """
    data = sites.load_sites(config)
    parts = sites.folds_of(data, folds, seed=config.data.seed) if folds else (data,)
    test, held = data.split.test, data.split.validation
    seeds = config.training.seeds
    predictions = {seed: np.empty((len(test), 3), dtype=np.float32) for seed in seeds}
    validation = {seed: np.zeros((len(held), 3), dtype=np.float32) for seed in seeds}
    runs: list[SeedRun] = []
    for number, part in enumerate(parts):
        folder = config.checkpoints_dir / (f"fold_{number}" if folds else "all")
        result = sites.train_sites(config, part, output_dir=folder, progress=progress)
        runs += result.runs
        checkpoints = [run.checkpoint for run in result.runs]
        where = np.searchsorted(test, part.split.test)
        for seed, values in sites.predict_sites(checkpoints, part, TEST, device=device).items():
            predictions[seed][where] = values
        for seed, values in sites.predict_sites(checkpoints, part, VALIDATION, device=device).items():
            validation[seed] += values / len(parts)
    mean = np.mean(list(predictions.values()), axis=0)
    mean_held = np.mean(list(validation.values()), axis=0)
    name = config.model.name

    def section(
        scores: sites.BySeed, chosen_on: sites.BySeed, model: str, *, all_: bool, of: tuple[str, ...] | None = None
    ) -> Section:
        found = sites.evaluate_sites(data, scores, chosen_on, model_name=model, sampled=all_, bootstrap=bootstrap)
        return Section(found, SITE_MEASURES, of)

    ensemble = f"{name}, {_averaged(seeds)}"
    kinds = ("donor", "acceptor", "site")
    how = f", {folds} folds of the test genes" if folds else ""
    return Study(
        title=f"Canonical splice sites on {config.base_model}{how}",
        sections={
            "All positions of the test genes": section(mean, mean_held, ensemble, all_=True, of=kinds),
            "All positions of the test genes, each seed": section(
                predictions, validation, name, all_=True, of=("site",)
            ),
            "Kept positions only": section(mean, mean_held, ensemble, all_=False, of=kinds),
        },
        training=TrainingResult(config.training, tuple(runs)),
        arrays={
            "label": data.table.labels[test],
            "group": data.groups[test],
            "weight": data.table.weights[test],
            "base": data.table.base_scores()[test],
            "model": mean,
        },
        checkpoints=tuple(run.checkpoint for run in runs),
    )


def study_variants(
    config: MetaLayerConfig,
    data: variants.VariantData,
    *,
    bootstrap: Bootstrap | None = None,
    device: str = "cpu",
    progress: bool = False,
) -> Study:
    """Train on measured variants and evaluate on the test part.

    Raises
    ------
    SettingError
        If the model does not judge variants by triage and inclusion together, which is what this study measures.
    TrainingDataError, CheckpointError
        As `train_variants`.
    """
    if model_class(config.model.name).task != "multi_task":
        raise SettingError(
            f"The study of variants measures triage and inclusion; {config.model.name} does not give both.",
            "Take a multi_task model such as variant_aware, or use training.trainer with your own evaluation.",
        )
    training = variants.train_variants(config, data, progress=progress)
    single = [run.checkpoint for run in training.runs]
    members = variants.export_ensemble(single, data, config.output_dir / "ensemble", device=device)
    test, held = data.part(TEST), data.part(VALIDATION)
    predictions = variants.calibrated(members, variants.predict_variants(members, test, device=device))
    validation = variants.calibrated(members, variants.predict_variants(members, held, device=device))
    pooled, pooled_held = variants.mean_scores(predictions), variants.mean_scores(validation)
    ensemble = f"{config.model.name}, {_averaged(config.training.seeds)}"
    sections: dict[str, Section] = {}
    for score in (*variants.BASE_SCORES, *(name for name in variants.PEERS if name in test.published)):
        result = variants.evaluate_variants(
            data, pooled, pooled_held, model_name=ensemble, base_score=score, bootstrap=bootstrap
        )
        peer = score in variants.PEERS
        heading = f"Triage beside {score}, as published" if peer else f"Triage beside the base model's {score}"
        sections[heading] = Section(result, VARIANT_MEASURES)
    main = next(iter(sections.values())).result
    sections["Triage by region"] = Section(
        main, ("pr_auc", "roc_auc"), subsets=("region = exonic", "region = intronic")
    )
    result = variants.evaluate_variants(
        data, predictions, validation, model_name=config.model.name, base_score="drop_sum", bootstrap=bootstrap
    )
    sections["Triage, each seed"] = Section(result, VARIANT_MEASURES)
    result = variants.evaluate_inclusion(data, pooled, model_name=ensemble, bootstrap=bootstrap)
    sections["Change of inclusion"] = Section(result, INCLUSION_MEASURES, of=("psi",))
    return Study(
        title=f"Measured splice-altering variants on {config.base_model}",
        sections=sections,
        training=training,
        arrays={
            "altering": test.altering,
            "psi": test.psi,
            "group": test.names["group"],
            "model": pooled["score"],
            "model_psi": pooled["psi_score"],
            "base": variants.base_score_of(test, "drop_sum"),
        },
        checkpoints=members,
    )


def _averaged(seeds: Sequence[int]) -> str:
    """Say whose scores the mean of several seeds is."""
    return f"seeds {', '.join(map(str, seeds))} averaged" if len(seeds) > 1 else f"seed {seeds[0]}"


def _training(result: TrainingResult) -> str:
    first = result.runs[0]
    seeds = ", ".join(dict.fromkeys(str(run.seed) for run in result.runs))
    epochs = [run.best_epoch + 1 for run in result.runs]
    return (
        f"{first.parameters:,} parameters, {first.trainable:,} trained; {len(result.runs)} runs, seeds {seeds}; best "
        f"epoch {min(epochs)} to {max(epochs)}, at most {result.config.max_epochs}; {result.seconds / 60:.0f} minutes."
    )

"""The grammar of settings: one line a way of saying something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentic_spliceai.orchestration.planner.matching import Make, Rule

#: Layers that 'fine-tune' sets free where no number is said: what the documents' first fine-tuning did.
FINETUNED_LAYERS = 2


def _put(field: str, index: int = -1) -> Make:
    """Say that the value at `index` (by default the last one) is the field's."""
    return lambda values: [(field, _many(values[index]))]


def _fixed(field: str, *fixed: Any) -> Make:
    return lambda _: [(field, fixed)]


def _many(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _hours(values: list[Any]) -> Sequence[tuple[str, Sequence[Any]]]:
    """[under, hours, each] -> the limit, and whether it is each arm's."""
    return [("hours", [values[1]]), *([("hours_each", [True])] if values[2] else [])]


def _seed_list(values: list[Any]) -> Sequence[tuple[str, Sequence[Any]]]:
    """'seeds 1, 2' are these seeds; 'seeds 5' is a number of seeds, 'seed 5' is seed 5: `grammar` sees the word."""
    return [("seed_list", [values[1]])]


RULES: tuple[Rule, ...] = (
    # Money and time.
    Rule("atleast money", _put("floor")),
    Rule("no budget", _fixed("no_budget", True)),
    Rule("free", _fixed("budget_usd", 0.0)),
    Rule("budget under? about? money", _put("budget_usd")),
    Rule("under? about? money each", lambda v: [("budget_each", [v[2]])]),
    Rule("under? about? money budget?", lambda v: [("budget_usd", [v[2]])]),
    Rule("budget under? number", _put("budget_usd")),
    Rule("atleast duration", _put("floor")),
    Rule("under? duration each?", _hours),
    Rule("under time_unit each?", _hours),
    # Early stopping before epochs: '5 epochs' of patience are no epochs of training.
    Rule("with_without early_stopping", _fixed("early_stopping", True, False)),
    Rule("early_stopping and no early_stopping?", _fixed("early_stopping", True, False)),
    Rule("early_stopping versus no early_stopping?", _fixed("early_stopping", True, False)),
    Rule("no early_stopping", _fixed("early_stopping", False)),
    Rule("drop early_stopping", _fixed("early_stopping", False)),
    Rule("early_stopping and? patience number+ epoch?", _put("training.patience", 3)),
    Rule("early_stopping number epoch?", _put("training.patience", 1)),
    Rule("patience number+ epoch?", _put("training.patience", 1)),
    Rule("early_stopping", _fixed("early_stopping", True)),
    # Seeds.
    Rule("seed number+", _seed_list),
    Rule("number seed", lambda v: [("seed_count", [v[0]])]),
    # Training.
    Rule("under? number+ epoch", _put("training.max_epochs", 1)),
    Rule("epoch number+", _put("training.max_epochs")),
    Rule("learning_rate number+", _put("training.learning_rate")),
    Rule("number+ learning_rate", _put("training.learning_rate", 0)),
    Rule("batch number+", _put("training.batch_size")),
    Rule("number+ batch", _put("training.batch_size", 0)),
    Rule("weight_decay number+", _put("training.weight_decay")),
    Rule("number weight_decay", _put("training.weight_decay", 0)),
    Rule("smoothing number+", _put("training.label_smoothing")),
    Rule("warmup number", _put("training.warmup_fraction")),
    Rule("accumulate number", _put("training.accumulate")),
    Rule("gamma number", _put("training.focal_gamma")),
    Rule("loss tau number", lambda v: [("training.loss", [v[0]]), ("training.quantile", [v[2]])]),
    Rule("tau number", _put("training.quantile")),
    Rule("loss+", _put("training.loss")),
    Rule("schedule+", _put("training.schedule")),
    Rule("precision", _put("training.precision")),
    Rule("with_without balanced", _fixed("training.balanced", True, False)),
    Rule("balanced and no balanced?", _fixed("training.balanced", True, False)),
    Rule("balanced versus no balanced?", _fixed("training.balanced", True, False)),
    Rule("no balanced", _fixed("training.balanced", False)),
    Rule("drop balanced", _fixed("training.balanced", False)),
    Rule("balanced versus balanced", _fixed("training.balanced", True, False)),
    Rule("balanced and balanced", _fixed("training.balanced", True, False)),
    Rule("balanced", _put("training.balanced")),
    Rule("dropout number+", _put("options.dropout")),
    Rule("width number+", _put("options.width")),
    # Pretrained layers.
    Rule("frozen and finetune", _fixed("unfreeze", 0, FINETUNED_LAYERS)),
    Rule("frozen versus finetune", _fixed("unfreeze", 0, FINETUNED_LAYERS)),
    Rule("finetune versus frozen", _fixed("unfreeze", FINETUNED_LAYERS, 0)),
    Rule("finetune and frozen", _fixed("unfreeze", FINETUNED_LAYERS, 0)),
    Rule("with_without finetune", _fixed("unfreeze", FINETUNED_LAYERS, 0)),
    Rule("unfreeze unfreeze? number+ layers", _put("unfreeze", 2)),
    Rule("finetune unfreeze? number+ layers", _put("unfreeze", 2)),
    Rule("number+ layers unfreeze", _put("unfreeze", 0)),
    Rule("number+ unfreeze layers", _put("unfreeze", 0)),
    Rule("no finetune", _fixed("unfreeze", 0)),
    Rule("frozen", _fixed("unfreeze", 0)),
    Rule("finetune", _fixed("finetune", True)),
    # Data.
    Rule("number+ variant_unit", _put("max_variants", 0)),
    Rule("under? number variant_unit", _put("max_variants", 1)),
    Rule("tiny", _fixed("size", "tiny")),
    Rule("quick", _fixed("size", "quick")),
    Rule("full variant_unit?", _fixed("size", "full")),
    Rule("window number nt?", _put("context", 1)),
    Rule("number nt window?", _put("context", 0)),
    # Where it runs.
    Rule("no device", lambda v: [("no_device", [v[1]])]),
    Rule("device and? backend", lambda v: [("device", [v[0]]), ("backend", [v[2]])]),
    Rule("device+", _put("device")),
    Rule("gpu_type device?", lambda v: [("gpu", [v[0]])]),
    Rule("backend+", _put("backend")),
    # What decides.
    Rule("metric+", _put("metric")),
    Rule("against model", lambda v: [("models", [v[1]]), ("baseline", [v[1]])]),
    Rule("against base", _fixed("base_baseline", None)),
    Rule("against base_model", lambda v: [("base_baseline", [v[1]])]),
    Rule("baseline model", lambda v: [("models", [v[1]]), ("baseline", [v[1]])]),
    Rule("model baseline", lambda v: [("models", [v[0]]), ("baseline", [v[0]])]),
    Rule("baseline base_model", lambda v: [("base_baseline", [v[1]])]),
    Rule("base_model baseline", lambda v: [("base_baseline", [v[0]])]),
    # Changes of a plan.
    Rule("replace model and? model", lambda v: [("drop", [v[1]]), ("models", [v[3]])]),
    Rule("model instead model", lambda v: [("models", [v[0]]), ("drop", [v[2]])]),
    Rule("instead model and? model", lambda v: [("drop", [v[1]]), ("models", [v[3]])]),
    Rule("drop model+", _put("drop")),
    Rule("no model+", _put("drop")),
    Rule("drop foreign", lambda v: [("drop_foreign", [v[1]])]),
    Rule("add model+", _put("models")),
    Rule("model+", _put("models")),
    Rule("task+", _put("task")),
    Rule("dataset+", _put("dataset")),
    Rule("base base_model+", _put("base_model")),
    Rule("base_model+", _put("base_model")),
    Rule("foreign", _put("foreign")),
    Rule("approve", _fixed("approve", True)),
)

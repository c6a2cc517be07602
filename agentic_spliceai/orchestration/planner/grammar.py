"""From the items of a request to a draft: what each says, what contradicts what, and what was not understood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agentic_spliceai.orchestration.planner.draft import SWEEPABLE, Draft, Refusal, Sweep
from agentic_spliceai.orchestration.planner.lexicon import Item
from agentic_spliceai.orchestration.planner.matching import Setting, apply
from agentic_spliceai.orchestration.planner.rules import FINETUNED_LAYERS, RULES

_MOST_SEEDS = 50
_COUNTS = {
    "training.max_epochs",
    "training.batch_size",
    "training.patience",
    "training.accumulate",
    "max_variants",
    "unfreeze",
}
_WORDS = {
    "training.learning_rate": "learning rate",
    "training.batch_size": "batch size",
    "training.max_epochs": "epochs",
    "training.patience": "patience",
    "budget_usd": "budget",
    "hours": "time limit",
    "max_variants": "number of variants",
    "dataset": "data set",
    "base_model": "base model",
    "seeds": "seeds",
    "early_stopping": "early stopping",
    "training.balanced": "balanced sampling",
    "training.loss": "loss",
    "unfreeze": "layers to set free",
}


@dataclass(frozen=True)
class Reading:
    """A request as it was understood.

    Attributes
    ----------
    draft
        What was said about an experiment.
    said
        Fields that the request named.
    dropped
        Models that are to be left out of the plan before.
    refusals
        Contradictions and what cannot be.
    left
        Items that no rule took.
    corrected
        Misspelt words and what they were read as.
    foreign
        Things that the field knows and this project does not have: what it is, and its name.
    """

    draft: Draft
    said: frozenset[str]
    dropped: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    left: tuple[Item, ...]
    corrected: tuple[str, ...]
    foreign: tuple[tuple[str, str], ...] = ()


def read(items: Sequence[Item], request: str) -> Reading:
    """Read the items of a request."""
    kept = _measures([item for item in items if item.kind != "filler"])
    settings, left = apply(RULES, kept)
    folded = _Folder()
    for setting in settings:
        folded.take(setting)
    corrected = tuple(dict.fromkeys(f"read {item.text!r} as {item.spelt!r}" for item in items if item.spelt))
    return folded.reading(request, tuple(left), corrected)


def field_words(field: str) -> str:
    """Return a field's name as people say it."""
    return _WORDS.get(field, field.rpartition(".")[2].replace("_", " "))


def _measures(items: Sequence[Item]) -> list[Item]:
    """Join numbers with units of money and time; '1 to 3' is a range, 'CNN to HyenaDNA' a comparison."""
    items = [read for place, item in enumerate(items) for read in _to(items, place, item)]
    joined: list[Item] = []
    place = 0
    while place < len(items):
        item = items[place]
        unit = items[place + 1] if place + 1 < len(items) else None
        if item.kind == "number" and unit is not None and unit.kind in ("money_unit", "time_unit"):
            text = f"{item.text} {unit.text}"
            if unit.kind == "time_unit":
                joined.append(Item("duration", item.value * unit.value, text))
            else:
                joined.append(Item("money" if unit.value == "usd" else "other_money", item.value, text))
            place += 2
            continue
        if item.kind == "money" and item.text.startswith("€"):
            item = Item("other_money", item.value, item.text)
        joined.append(item)
        place += 1
    return joined


def _to(items: Sequence[Item], place: int, item: Item) -> tuple[Item, ...]:
    """Return what 'to' stands for at its place: mostly nothing."""
    if item.kind != "to":
        return (item,)
    before = items[place - 1].kind if place else ""
    after = items[place + 1].kind if place + 1 < len(items) else ""
    if before == after == "number":
        return (Item("range", "", item.text),)
    if before in ("model", "base_model") and after in ("model", "base_model", "base"):
        return (Item("against", "against", item.text),)
    return ()


class _Folder:
    """Gathers settings into a draft."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {"training": {}, "options": {}}
        self.models: list[str] = []
        self.dropped: list[str] = []
        self.sweeps: list[Sweep] = []
        self.refusals: list[Refusal] = []
        self.notes: list[str] = []
        self.foreign: list[tuple[str, str]] = []
        self.said: set[str] = set()
        self._texts: dict[str, str] = {}

    def take(self, setting: Setting) -> None:
        special = _SPECIAL.get(setting.field)
        if special is not None:
            special(self, setting)
            return
        values = tuple(dict.fromkeys(self._converted(setting.field, setting.values)))
        if len(values) > 1 and setting.field in SWEEPABLE:
            self.sweeps.append(Sweep(field=setting.field, values=values))
            self.said.add(setting.field)
        elif len(values) > 1:
            self._contradiction(setting.field, " and ".join(_shown(value) for value in values))
        elif values:
            self.set(setting.field, values[0], setting.text)

    def set(self, field: str, value: Any, text: str) -> None:
        """Set a field; a second, different value is a contradiction."""
        group, _, name = field.rpartition(".")
        home = self.values[group] if group else self.values
        if name in home and home[name] != value:
            self._contradiction(field, f"{self._texts[field]!r} and {text!r}")
            return
        home[name] = value
        self._texts[field] = text
        self.said.add(field)

    def refuse(self, field: str, message: str, advice: str) -> None:
        self.refusals.append(Refusal(field=field, message=message, advice=advice))

    def reading(self, request: str, left: tuple[Item, ...], corrected: tuple[str, ...]) -> Reading:
        if len(self.sweeps) > 1:
            names = " and ".join(field_words(sweep.field) for sweep in self.sweeps)
            self.refuse("sweep", f"{names} would vary at once.", "Vary one of them in each plan.")
        unused = [item.text for item in left if item.kind in ("number", "unknown")]
        if unused:
            self.notes.append(f"not understood, and left out: {', '.join(dict.fromkeys(unused))}")
        for item, following in zip(left, [*left[1:], None] if left else [], strict=True):
            if item.kind == "other_money":
                self.refuse("budget", f"{item.text!r} is no budget in US dollars.", "Give the budget in US dollars.")
            if item.kind == "under" and following is not None and following.kind == "number":
                self.refuse(
                    "limit", f"{item.text!r} names a limit, but not of what.", "Write for example 'under 5 dollars'."
                )
        models = tuple(dict.fromkeys(model for model in self.models if model not in self.dropped))
        draft = Draft(
            request=request,
            models=models,
            sweep=self.sweeps[0] if self.sweeps else None,
            notes=tuple(self.notes),
            **{name: value for name, value in self.values.items() if name in Draft.model_fields},
        )
        said = frozenset(self.said | ({"models"} if models else set()))
        return Reading(draft, said, tuple(self.dropped), tuple(self.refusals), left, corrected, tuple(self.foreign))

    def _converted(self, field: str, values: tuple[Any, ...]) -> list[Any]:
        if field not in _COUNTS:
            return [value for value in values if value is not None]
        whole: list[Any] = []
        for value in values:
            if value != int(value) or value < (0 if field == "unfreeze" else 1):
                self.refuse(
                    field, f"{_shown(value)} is no number of {field_words(field)}.", "Give a whole number from 1 on."
                )
            else:
                whole.append(int(value))
        return whole

    def _contradiction(self, field: str, what: str) -> None:
        self.refuse(field, f"{field_words(field)}: {what} contradict each other.", "Say which of them is meant.")


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _models(folder: _Folder, setting: Setting) -> None:
    folder.models += setting.values
    if len(setting.values) > 1 and len(set(setting.values)) < len(setting.values):
        folder.notes.append(f"{setting.text!r}: two of these names are one model here")


def _drop(folder: _Folder, setting: Setting) -> None:
    folder.dropped += setting.values
    folder.said.add("models")


def _seed_count(folder: _Folder, setting: Setting) -> None:
    count = setting.values[0]
    if count != int(count) or not 1 <= count <= _MOST_SEEDS:
        folder.refuse("seeds", f"{_shown(count)} seeds cannot be run.", f"Ask for 1 to {_MOST_SEEDS} seeds.")
        return
    folder.set("seeds", tuple(range(1, int(count) + 1)), setting.text)


def _seed_list(folder: _Folder, setting: Setting) -> None:
    numbers = setting.values[0] if isinstance(setting.values[0], list) else list(setting.values)
    if len(numbers) == 1 and "seeds" in setting.text.lower():
        _seed_count(folder, Setting("seed_count", tuple(numbers), setting.text))
        return
    if any(number != int(number) or number < 0 for number in numbers) or len(numbers) > _MOST_SEEDS:
        folder.refuse("seeds", f"{setting.text!r} are no seeds.", "Seeds are whole numbers from 0 on.")
        return
    seeds = tuple(dict.fromkeys(int(number) for number in numbers))
    folder.set("seeds", seeds, setting.text)


def _positive(name: str) -> Callable[[_Folder, Setting], None]:
    def take(folder: _Folder, setting: Setting) -> None:
        value = setting.values[0]
        if value < 0 or (value == 0 and name != "budget_usd"):
            folder.refuse(name, f"{setting.text!r} is no {field_words(name)}.", "Give a positive number.")
            return
        folder.set(name, value, setting.text)

    return take


def _floor(folder: _Folder, setting: Setting) -> None:
    folder.refuse("budget", f"{setting.text!r} is a least, not a most.", "Give the most that it may cost or take.")


def _finetune(folder: _Folder, setting: Setting) -> None:
    if "unfreeze" not in folder.values and all(sweep.field != "unfreeze" for sweep in folder.sweeps):
        folder.values["unfreeze"] = FINETUNED_LAYERS
        folder._texts["unfreeze"] = setting.text
        folder.said.add("unfreeze")
        folder.notes.append(f"fine-tuning sets the last {FINETUNED_LAYERS} layers free, as none was named")


def _unfreeze(folder: _Folder, setting: Setting) -> None:
    # 'Fine-tune HyenaDNA, last 4 layers': the number that is said wins over the one that was assumed.
    if any("fine-tuning" in note for note in folder.notes):
        folder.notes = [note for note in folder.notes if "fine-tuning" not in note]
        folder.values.pop("unfreeze", None)
    values = tuple(folder._converted("unfreeze", setting.values))
    if len(values) > 1:
        folder.sweeps.append(Sweep(field="unfreeze", values=values))
        folder.said.add("unfreeze")
    elif values:
        folder.set("unfreeze", values[0], setting.text)


def _gpu(folder: _Folder, setting: Setting) -> None:
    folder.set("gpu", setting.values[0], setting.text)
    folder.set("device", "cuda", setting.text)


def _no_device(folder: _Folder, setting: Setting) -> None:
    if setting.values[0] == "cpu":
        folder.refuse("device", f"{setting.text!r} leaves nothing to run on.", "Name the device to use.")
        return
    folder.set("device", "cpu", setting.text)


def _base_baseline(folder: _Folder, setting: Setting) -> None:
    if setting.values[0] is not None:
        folder.set("base_model", setting.values[0], setting.text)
    folder.notes.append("every arm is compared with the base model's own score")
    folder.said.add("baseline")


def _approve(folder: _Folder, setting: Setting) -> None:
    folder.notes.append("a request cannot approve a plan: the approval is asked for separately")


def _budget_each(folder: _Folder, setting: Setting) -> None:
    folder.values["budget_each"] = True
    folder.set("budget_usd", setting.values[0], setting.text)


def _context(folder: _Folder, setting: Setting) -> None:
    folder.set("context", int(setting.values[0]), setting.text)


def _foreign(folder: _Folder, setting: Setting) -> None:
    folder.foreign += setting.values


def _ignored(folder: _Folder, setting: Setting) -> None:
    """Take a word that needs no answer here."""


_SPECIAL: dict[str, Callable[[_Folder, Setting], None]] = {
    "models": _models,
    "drop": _drop,
    "drop_foreign": _ignored,
    "no_budget": _ignored,
    "budget_each": _budget_each,
    "context": _context,
    "foreign": _foreign,
    "seed_count": _seed_count,
    "seed_list": _seed_list,
    "budget_usd": _positive("budget_usd"),
    "hours": _positive("hours"),
    "floor": _floor,
    "finetune": _finetune,
    "unfreeze": _unfreeze,
    "gpu": _gpu,
    "no_device": _no_device,
    "base_baseline": _base_baseline,
    "approve": _approve,
}

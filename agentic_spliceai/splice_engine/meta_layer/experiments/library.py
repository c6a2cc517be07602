"""Named experiments: YAML files that ship with the package, or a user's own."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import ValidationError

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentSpec

_SUFFIXES = (".yaml", ".yml")


def experiment_names() -> tuple[str, ...]:
    """Return the names of the experiments that ship with the package."""
    folder = files("agentic_spliceai.configs").joinpath("experiments")
    return tuple(sorted(Path(item.name).stem for item in folder.iterdir() if item.name.endswith(_SUFFIXES)))


def load_experiment(name: str) -> ExperimentSpec:
    """Return an experiment by its name, or from the YAML file at the path `name`.

    Raises
    ------
    SettingError
        If there is none, or the file has a field that is unknown or out of range.
    """
    if name.endswith(_SUFFIXES) or "/" in name:
        path = Path(name).expanduser()
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"the experiment {name} cannot be read: {error}.", "Check the path.") from error
        return _read(name, text)
    known = experiment_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        advice = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}; or give a YAML file."
        raise SettingError(f"there is no experiment {name!r}.", advice)
    return _read(name, files("agentic_spliceai.configs").joinpath("experiments", f"{name}.yaml").read_text("utf-8"))


def _read(name: str, text: str) -> ExperimentSpec:
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingError(f"{name} is no YAML: {' '.join(str(error).split())}.", "Correct the line.") from error
    if not isinstance(values, dict):
        raise SettingError(f"{name} is no mapping of fields to values.", "See configs/experiments/ for examples.")
    try:
        return ExperimentSpec.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "experiment"
        raise SettingError(f"{name}: {where}: {first['msg']}.", "See ExperimentSpec for the fields.") from error

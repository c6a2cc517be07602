"""Models by the names that people use: every one resolves, builds, and answers its task."""

from __future__ import annotations

import pytest

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.experiments.aliases import (
    MODEL_ALIASES,
    ModelChoice,
    find_model,
    models_for,
)
from agentic_spliceai.splice_engine.meta_layer.experiments.errors import UnsupportedExperimentError
from agentic_spliceai.splice_engine.meta_layer.experiments.prepare import check_spec, training_config
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentSpec, ExperimentTask

TRIAGE, DELTA, SITES = ExperimentTask.TRIAGE, ExperimentTask.DELTA, ExperimentTask.SITES


def spec_of(choice: ModelChoice) -> ExperimentSpec:
    return ExperimentSpec(
        name=choice.name, task=choice.task, dataset="minigene", model=choice.model, options=choice.options,
        training=choice.training,
    )  # fmt: skip


@pytest.mark.parametrize("choice", MODEL_ALIASES.values(), ids=lambda choice: f"{choice.task}-{choice.name}")
def test_every_alias_builds_and_fits_its_task(choice: ModelChoice) -> None:
    config, model = check_spec(spec_of(choice))
    assert config.name == choice.model
    assert model.trainable_count > 0
    assert training_config(spec_of(choice), "cpu").max_epochs >= 1


@pytest.mark.parametrize("choice", MODEL_ALIASES.values(), ids=lambda choice: f"{choice.task}-{choice.name}")
def test_every_word_leads_to_its_model(choice: ModelChoice) -> None:
    for word in (choice.name, *choice.words, choice.name.upper().replace("_", "-")):
        assert find_model(word, choice.task) == choice


def test_names_as_people_use_them() -> None:
    assert find_model("gated CNN", TRIAGE).model == "splice_inducing"
    assert find_model("Gated CNN", DELTA).model == "validated_delta"
    assert find_model("HyenaDNA", TRIAGE).model == "hyenadna_binary"
    assert find_model("splice_inducing", TRIAGE).name == "gated_cnn"
    assert {"variant_aware", "gated_cnn", "hyenadna"} <= {choice.name for choice in models_for(TRIAGE)}


def test_unknown_names_are_refused_with_what_there_is() -> None:
    with pytest.raises(UnsupportedExperimentError, match="Did you mean 'variant_aware'"):
        find_model("variant awre", TRIAGE)
    assert models_for(SITES) == ()
    with pytest.raises(UnsupportedExperimentError, match="meta sites"):
        find_model("gated cnn", SITES)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"task": SITES}, "not supported here"),
        ({"task": DELTA, "model": "splice_inducing"}, "does not answer delta"),
        ({"model": "meta_splice", "options": {"num_features": 3}}, "does not answer triage"),
        ({"model": "conditioned_delta"}, "reads effect, position"),
        ({"options": {"hidden_channels": 32}}, "reads hidden_ref, hidden_alt"),
    ],
)
def test_models_that_do_not_answer_are_refused(changes: dict[str, object], match: str) -> None:
    values = {"name": "x", "task": TRIAGE, "dataset": "minigene"} | changes
    with pytest.raises(UnsupportedExperimentError, match=match):
        check_spec(ExperimentSpec.model_validate(values))


def test_misspelt_settings_are_refused() -> None:
    base = {"name": "x", "task": TRIAGE, "dataset": "minigene"}
    with pytest.raises(SettingError, match=r"training\.epochs"):
        training_config(ExperimentSpec.model_validate(base | {"training": {"epochs": 3}}), "cpu")
    with pytest.raises(SettingError, match="seeds cannot be given"):
        training_config(ExperimentSpec.model_validate(base | {"training": {"seeds": [3]}}), "cpu")
    with pytest.raises(SettingError, match="no split 'random'"):
        check_spec(ExperimentSpec.model_validate(base | {"split": "random"}))
    with pytest.raises(SettingError):
        check_spec(ExperimentSpec.model_validate(base | {"options": {"widht": 3}}))

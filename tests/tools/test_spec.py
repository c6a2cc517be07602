"""What a tool has to declare."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from agentic_spliceai.tools.registry import ToolRegistry, default_registry
from agentic_spliceai.tools.spec import (
    CostClass,
    SideEffect,
    ToolArgumentError,
    ToolDefinitionError,
    ToolModel,
    ToolSpec,
    UnknownToolError,
)


class Args(ToolModel):
    number: int = Field(ge=1, description="A number.")


class Result(ToolModel):
    text: str = Field(description="A text.")


class Undescribed(ToolModel):
    number: int = Field(ge=1)


class Lax(BaseModel):
    number: int = Field(description="A number.")


def declare(**changes: Any) -> ToolSpec[Any, Any]:
    values: dict[str, Any] = {
        "name": "double",
        "purpose": "Double a number.",
        "args": Args,
        "result": Result,
        "side_effect": SideEffect.NONE,
        "cost_class": CostClass.INSTANT,
        "function": lambda args, context: Result(text=str(2 * args.number)),
    }
    return ToolSpec(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"args": Undescribed}, "argument field 'number' has no description"),
        ({"result": Undescribed}, "result field 'number' has no description"),
        ({"args": Lax}, "argument model Lax does not forbid extra fields"),
        ({"args": dict}, "is no pydantic model"),
        ({"name": "Double Me"}, "its name is not lower_snake_case"),
        ({"purpose": " "}, "its purpose is not one line"),
        ({"purpose": "Two\nlines."}, "its purpose is not one line"),
        ({"side_effect": None}, "its side_effect is None"),
        ({"cost_class": "cheap"}, "its cost_class is 'cheap'"),
    ],
)
def test_a_tool_that_declares_too_little_does_not_register(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolDefinitionError, match=words):
        declare(**changes)


def test_every_flaw_is_named_at_once() -> None:
    with pytest.raises(ToolDefinitionError) as caught:
        declare(args=Undescribed, name="X", cost_class=None)
    assert str(caught.value).count(";") == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "number: field required"),
        ({"number": "5"}, "number: input should be a valid integer"),
        ({"number": 0}, "number: input should be greater than or equal to 1"),
        ({"number": 1, "colour": "red"}, "colour: extra inputs are not permitted"),
    ],
)
def test_arguments_are_checked_strictly(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolArgumentError, match=words) as caught:
        declare().parse_args(values)
    assert caught.value.advice == "double takes: number."


def test_a_registry_knows_its_tools() -> None:
    registry = ToolRegistry([declare()])
    assert registry["double"].purpose == "Double a number."
    assert registry.get("treble") is None
    with pytest.raises(UnknownToolError) as caught:
        registry["duoble"]
    assert caught.value.advice == "Did you mean 'double'?"
    with pytest.raises(ToolDefinitionError, match="two tools are named 'double'"):
        ToolRegistry([declare(), declare()])


def test_the_tools_of_the_package_say_what_they_do_to_the_world() -> None:
    """What starts or ends a job, or lets one start, is named here, so that none comes in unseen."""
    effects = {name: tool.side_effect.value for name, tool in default_registry().items()}
    kinds = {kind: {name for name, effect in effects.items() if effect == kind} for kind in set(effects.values())}
    assert {"score_variant", "render_report", "saturate_region", "triage_chunk", "prepare_data"} <= kinds[
        "writes_files"
    ]
    assert {"record_run", "record_triage"} <= kinds["writes_records"]
    assert {"resolve_variant", "lookup_result", "lookup_known_variants", "load_artifacts"} <= kinds["none"]
    beyond = {name for name, effect in effects.items() if effect in ("starts_job", "ends_job", "spends_money")}
    assert beyond <= {"submit_plan", "train", "evaluate", "cancel_job", "record_approval"}


def test_every_tool_has_a_json_schema_with_descriptions() -> None:
    for tool in default_registry().values():
        for model in (tool.args, tool.result):
            properties = model.model_json_schema()["properties"]
            assert properties
            assert all(field.get("description") for field in properties.values()), tool.name

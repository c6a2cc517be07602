"""What a tool is: one typed object that serves workflows, language models, MCP, the command line and Python."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import to_json

from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.plain_text import printable

if TYPE_CHECKING:
    from agentic_spliceai.tools.context import ToolContext

_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_LONGEST_PURPOSE = 120
_LONGEST_PLACE = 100


class SideEffect(StrEnum):
    """The strongest thing that a tool does to the world outside its result."""

    NONE = "none"
    WRITES_FILES = "writes_files"
    WRITES_RECORDS = "writes_records"
    ENDS_JOB = "ends_job"
    STARTS_JOB = "starts_job"
    SPENDS_MONEY = "spends_money"


class CostClass(StrEnum):
    """How long a call takes on an ordinary computer."""

    INSTANT = "instant"
    SECONDS = "seconds"
    MINUTES = "minutes"
    HOURS = "hours"


class PathAccess(StrEnum):
    """What a tool does with the file or folder that an argument names: metadata of the field, `Annotated[str, ...]`.

    People and workflows give any path; an agent only what `offered.AgentFolders` allows.
    """

    READ = "read"
    WRITE = "write"


class ToolModel(BaseModel):
    """Base of every tool's arguments and result: frozen, and no field that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ArgsT = TypeVar("ArgsT", bound=BaseModel)
ResultT = TypeVar("ResultT", bound=BaseModel)


class ToolDefinitionError(Exception):
    """A tool is declared wrongly: a mistake of its author, not of its user."""


class ToolArgumentError(SpliceEngineError):
    """A tool was called with arguments that it does not take."""

    code: ClassVar[str] = "tool_argument"


class ToolResultError(Exception):
    """A tool returned something that its result model does not allow: a mistake of its author."""


class UnknownToolError(SpliceEngineError, KeyError):
    """No tool has this name; a `KeyError` too, as a mapping promises."""

    code: ClassVar[str] = "unknown_tool"


@dataclass(frozen=True)
class ToolSpec(Generic[ArgsT, ResultT]):
    """One tool.

    Parameters
    ----------
    name
        Lower-case identifier, also the name in a workflow's `use`.
    purpose
        One line: what the tool does.
    args, result
        Strict pydantic models whose every field has a description.
    side_effect, cost_class
        Declared, so that a planner can ask for approval and estimate time before a call.
    function
        `(args, context) -> result`.
    asks
        Whether it asks a person (`context.ask`); a workflow pauses there.
    internal
        A step of workflows that believes the results which it is given by value; never offered to a language model.

    Raises
    ------
    ToolDefinitionError
        If any of this does not hold.
    """

    name: str
    purpose: str
    args: type[ArgsT]
    result: type[ResultT]
    side_effect: SideEffect
    cost_class: CostClass
    function: Callable[[ArgsT, ToolContext], ResultT]
    asks: bool = False
    internal: bool = False

    def __post_init__(self) -> None:
        problems = [
            *self._problems_of_the_header(),
            *_problems_of_a_model(self.args, "argument"),
            *_problems_of_a_model(self.result, "result"),
        ]
        if problems:
            raise ToolDefinitionError(f"tool {self.name!r} cannot be registered: {'; '.join(problems)}")

    def _problems_of_the_header(self) -> list[str]:
        problems: list[str] = []
        if not _NAME.fullmatch(self.name):
            problems.append("its name is not lower_snake_case")
        if not self.purpose.strip() or "\n" in self.purpose or len(self.purpose) > _LONGEST_PURPOSE:
            problems.append(f"its purpose is not one line of at most {_LONGEST_PURPOSE} characters")
        # Annotations do not stop a caller without a type checker, and an undeclared side effect must not pass.
        for label, value, kind in (
            ("side_effect", self.side_effect, SideEffect),
            ("cost_class", self.cost_class, CostClass),
        ):
            if not isinstance(value, kind):
                problems.append(f"its {label} is {value!r}, not one of {', '.join(kind)}")
        return problems

    def parse_args(self, values: Mapping[str, Any]) -> ArgsT:
        """Check JSON-able `values` strictly (no `"5"` for 5) and return the arguments.

        Raises
        ------
        ToolArgumentError
            If an argument is missing, unknown or of the wrong type; every problem is named.
        """
        try:
            return self.args.model_validate_json(to_json(dict(values), inf_nan_mode="constants"), strict=True)
        except ValidationError as error:
            raise ToolArgumentError(
                f"{self.name}: {describe_validation(error)}.",
                f"{self.name} takes: {', '.join(self.args.model_fields) or 'no arguments'}.",
            ) from None
        except ValueError as error:  # a type that JSON does not have, half a surrogate pair, a value within itself
            raise ToolArgumentError(
                f"{self.name}: the arguments are no JSON: {printable(' '.join(str(error).split()))}.",
                "Give texts, numbers, truth values, null, lists and objects.",
            ) from None

    def describe(self) -> dict[str, JsonValue]:
        """Return name, purpose, side effect, cost class and both JSON Schemas: all that a caller needs to know."""
        return {
            "name": self.name,
            "purpose": self.purpose,
            "side_effect": self.side_effect.value,
            "cost_class": self.cost_class.value,
            "internal": self.internal,
            "arguments": self.args.model_json_schema(),
            "result": self.result.model_json_schema(mode="serialization"),
        }

    def call(self, args: ArgsT, context: ToolContext) -> ResultT:
        """Run the tool."""
        return self.function(args, context)

    def dump_result(self, result: ResultT) -> dict[str, JsonValue]:
        """Return `result` as JSON-able values that its model reads back.

        Raises
        ------
        ToolResultError
            If the result is of another type, holds NaN or infinity, or does not survive the way through JSON.
        """
        # Nothing but the annotation keeps a function from returning something else.
        returned: object = result
        if not isinstance(returned, self.result):
            raise ToolResultError(f"{self.name} returned {type(returned).__name__}, not {self.result.__name__}")
        values: dict[str, JsonValue] = returned.model_dump(mode="json", warnings=False)
        try:
            self.result.model_validate_json(json.dumps(values, allow_nan=False), strict=True)
        except ValidationError as error:
            raise ToolResultError(f"{self.name} returned a wrong result: {describe_validation(error)}") from None
        except ValueError as error:
            raise ToolResultError(f"{self.name} returned a result that is no JSON: {error}") from None
        return values


def describe_validation(error: ValidationError) -> str:
    """Return pydantic's findings as one line, `field: what is wrong`."""
    return "; ".join(
        f"{_shortened('.'.join(str(part) for part in item['loc'])) or 'value'}: {printable(_lower_first(item['msg']))}"
        for item in error.errors(include_url=False)
    )


def _shortened(place: str) -> str:
    """Return a field's name as it was given, which may be anything, as a short printable one."""
    return printable(place if len(place) <= _LONGEST_PLACE else f"{place[: _LONGEST_PLACE - 3]}...")


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _problems_of_a_model(model: object, role: str) -> list[str]:
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return [f"its {role} type {model!r} is no pydantic model"]
    problems = []
    if model.model_config.get("extra") != "forbid":
        problems.append(f"its {role} model {model.__name__} does not forbid extra fields")
    problems.extend(
        f"{role} field {name!r} has no description"
        for name, field in model.model_fields.items()
        if not (field.description or "").strip()
    )
    return problems

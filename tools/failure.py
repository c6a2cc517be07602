"""A tool's failure as a result: typed, so that a language model, a client or a script can go on from it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import URLError

from pydantic import BaseModel, Field, JsonValue

from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.plain_text import printable
from agentic_spliceai.tools.registry import AnyTool
from agentic_spliceai.tools.spec import ToolArgumentError, ToolModel

log = logging.getLogger(__name__)

#: Code of a failure that nobody foresaw.
UNEXPECTED = "unexpected"

# What may be over at the next attempt, as itself or as the cause of a typed error.
_PASSING = (ConnectionError, TimeoutError, URLError, HTTPException)
_LONGEST = 1000


class ToolFailure(ToolModel):
    """Why a tool gave no result."""

    code: str = Field(description="Stable name of the reason, such as reference_mismatch; unexpected for a defect.")
    message: str = Field(description="What is wrong, one line.")
    advice: str = Field(description="What to do about it; empty where nothing is known.")
    retryable: bool = Field(description="Whether the same call may succeed later: a connection, a lock, a time-out.")


def failure_of(error: Exception) -> ToolFailure:
    """Return what stands for `error`; one that is not typed is named as unexpected."""
    if isinstance(error, SpliceEngineError):
        return ToolFailure(
            code=error.code, message=_line(error.message), advice=_line(error.advice), retryable=_may_pass(error)
        )
    return ToolFailure(
        code=UNEXPECTED,
        message=_line(f"{type(error).__name__}: {error}"),
        advice="This is a defect of the program, not of the arguments: report it with the log.",
        retryable=_may_pass(error),
    )


def attempt(
    tool: AnyTool,
    values: object,
    context: ToolContext,
    *,
    check: Callable[[BaseModel], None] | None = None,
    pass_on: tuple[type[Exception], ...] = (),
) -> dict[str, JsonValue] | ToolFailure:
    """Check the arguments, run the tool and return its result as JSON-able values, or why there is none.

    A failure that is not typed is logged with its traceback.

    Parameters
    ----------
    tool
        The tool.
    values
        Its arguments by name, as they came: JSON-able values, or a text with a JSON object.
    context
        What the tool sees.
    check
        Raises a typed error where the caller may not give these arguments.
    pass_on
        Exceptions that are no failures, such as a pause to ask a person.
    """
    try:
        arguments = tool.parse_args(_mapping(tool, values))
        if check is not None:
            check(arguments)
        return tool.dump_result(tool.call(arguments, context))
    except pass_on:
        raise
    except SpliceEngineError as error:
        log.info("%s: %s", tool.name, error)
        return failure_of(error)
    except Exception as error:
        log.exception("%s failed unexpectedly", tool.name)
        return failure_of(error)


def _mapping(tool: AnyTool, values: object) -> Mapping[str, Any]:
    given = values
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise _no_object(tool, values) from None
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise _no_object(tool, values)
    return given


def _no_object(tool: AnyTool, values: object) -> ToolArgumentError:
    return ToolArgumentError(
        f"{tool.name}: the arguments are no JSON object: {values!r:.60}.",
        f"Give an object with: {', '.join(tool.args.model_fields) or 'nothing in it'}.",
    )


def _may_pass(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _PASSING) or (type(seen).__name__ == "OperationalError" and "locked" in str(seen)):
            return True
        seen = seen.__cause__
    return False


def _line(text: str) -> str:
    """Return `text` as one printable line of bounded length: it may quote what a file or a model said."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."

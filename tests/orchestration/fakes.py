"""A handful of toy tools, quick and without science, and a workflow that uses them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from agentic_spliceai.orchestration.loader import parse_document
from agentic_spliceai.orchestration.validator import CheckedGraph, check_document
from agentic_spliceai.settings import Settings
from agentic_spliceai.splice_engine.errors import InvalidVariantError
from agentic_spliceai.tools.context import Resources, ToolContext
from agentic_spliceai.tools.registry import ToolRegistry
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Thing(ToolModel):
    name: str
    weight: float | None = None


class MakeArgs(ToolModel):
    name: str = Field(min_length=1, description="Name.")
    weight: int = Field(default=1, ge=0, description="Weight.")


class MakeResult(ToolModel):
    thing: Thing = Field(description="The thing.")
    things: tuple[Thing, ...] = Field(description="Several.")
    size: Size = Field(description="Small or large.")
    heavy: bool = Field(description="Whether it is heavy.")
    maybe: Thing | None = Field(default=None, description="Perhaps a thing.")
    text: str = Field(default="t", description="Some text.")


class UseArgs(ToolModel):
    thing: Thing = Field(description="A thing.")
    note: str | None = Field(default=None, description="A note.")
    mode: Literal["fast", "slow"] = Field(default="fast", description="How.")
    things: tuple[Thing, ...] = Field(default=(), description="More things.")


class UseResult(ToolModel):
    line: str = Field(description="What was done.")


def make(args: MakeArgs, context: ToolContext) -> MakeResult:
    if args.name == "bad":
        raise InvalidVariantError("'bad' is no name.", "Give another.")
    thing = Thing(name=args.name, weight=float(args.weight))
    size = Size.LARGE if args.weight > 10 else Size.SMALL
    return MakeResult(thing=thing, things=(thing,), size=size, heavy=args.weight > 10)


def use(args: UseArgs, context: ToolContext) -> UseResult:
    return UseResult(line=f"{args.thing.name}/{args.note}/{args.mode}/{len(args.things)}")


def spec(name: str, args: Any, result: Any, function: Any) -> ToolSpec[Any, Any]:
    return ToolSpec(
        name=name,
        purpose=f"Toy tool {name}.",
        args=args,
        result=result,
        side_effect=SideEffect.NONE,
        cost_class=CostClass.INSTANT,
        function=function,
    )


MAKE = spec("make_thing", MakeArgs, MakeResult, make)
USE = spec("use_thing", UseArgs, UseResult, use)
REGISTRY = ToolRegistry([MAKE, USE])

#: Lines matter: the tests of the validator name them.
GRAPH = """\
version: 1
name: toy
description: A toy.
inputs:
  name: {type: string, default: ant, description: A name.}
  weight: {type: integer, default: 1, description: A weight.}
  mode: {type: string, default: fast, choices: [fast, slow], description: How.}
nodes:
  - name: make
    use: make_thing
    with:
      name: $inputs.name
      weight: $inputs.weight
  - name: pack
    use: use_thing
    with:
      thing: $make.thing
      note: packed
  - name: finish
    use: use_thing
    with:
      thing: $make.thing
      note: $pack.line?
      mode: $inputs.mode
      things: $make.things
edges:
  - {from: START, to: make}
  - from: make
    when: $make.size
    routes:
      small: finish
      large: pack
  - {from: pack, to: finish}
  - {from: finish, to: END}
outputs:
  line: $finish.line
  packed: $pack.line?
"""


def checked(text: str = GRAPH, registry: ToolRegistry = REGISTRY) -> CheckedGraph:
    return check_document(parse_document(text, "toy.yaml"), registry)


def toy_context(folder: Path, *, keep_record: bool = True) -> ToolContext:
    settings = Settings(data_dir=folder / "data", cache_dir=folder / "cache", reports_dir=folder / "reports")
    return ToolContext(Resources(settings), keep_record=keep_record)

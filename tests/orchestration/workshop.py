"""Toy tools with effects: each call leaves a line in a file, one asks, one starts a job once."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from agentic_spliceai.orchestration.loader import parse_document
from agentic_spliceai.orchestration.validator import CheckedGraph, check_document
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.interaction import Question, ToolProgress
from agentic_spliceai.tools.registry import ToolRegistry
from agentic_spliceai.tools.spec import SideEffect, ToolModel
from tests.orchestration.fakes import spec


class Plank(ToolModel):
    length: int = Field(description="Length.")


class CutArgs(ToolModel):
    count: int = Field(description="How many planks.")


class CutResult(ToolModel):
    planks: tuple[Plank, ...] = Field(description="The planks.")


class ApproveArgs(ToolModel):
    count: int = Field(description="How many planks.")


class ApproveResult(ToolModel):
    choice: str = Field(description="What was decided.")
    by: str = Field(description="By whom.")


class PaintArgs(ToolModel):
    plank: Plank = Field(description="A plank.")
    colour: str = Field(default="red", description="The colour.")


class PaintResult(ToolModel):
    text: str = Field(description="What came out.")


class OrderArgs(ToolModel):
    painted: tuple[PaintResult, ...] = Field(description="What is to be sent.")


class OrderResult(ToolModel):
    job: str = Field(description="The job.")


class CloseArgs(ToolModel):
    job: str = Field(description="The job.")
    painted: tuple[PaintResult, ...] = Field(description="What was painted.")
    by: str = Field(description="Who approved.")


class CloseResult(ToolModel):
    line: str = Field(description="All in one line.")


def note(context: ToolContext, text: str) -> None:
    """Append a line to the file of calls, at once."""
    path = context.settings.data_dir / "calls.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        handle.write(text + "\n")


def calls(data_dir: Path) -> list[str]:
    path = data_dir / "calls.txt"
    return path.read_text().splitlines() if path.exists() else []


def jobs(data_dir: Path) -> list[str]:
    folder = data_dir / "toy-jobs"
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


def cut(args: CutArgs, context: ToolContext) -> CutResult:
    note(context, "cut")
    return CutResult(planks=tuple(Plank(length=length) for length in range(args.count)))


def approve(args: ApproveArgs, context: ToolContext) -> ApproveResult:
    note(context, "ask")
    answer = context.ask(Question(title=f"Paint {args.count} planks?", choices=("approve", "reject")))
    note(context, "answered")
    return ApproveResult(choice=answer.choice, by=answer.by)


def paint(args: PaintArgs, context: ToolContext) -> PaintResult:
    context.listen(ToolProgress("painting", args.plank.length))
    if (context.settings.data_dir / f"no-paint-{args.plank.length}").exists():
        raise OSError(f"no paint for plank {args.plank.length}")
    note(context, f"paint {args.plank.length}")
    return PaintResult(text=f"{args.colour}{args.plank.length}")


def order(args: OrderArgs, context: ToolContext) -> OrderResult:
    note(context, "order")
    folder = context.settings.data_dir / "toy-jobs"
    folder.mkdir(exist_ok=True)
    key = context.key("order")
    # The file is the row with the unique key: a second call finds it.
    handle = os.open(folder / key, os.O_CREAT | os.O_WRONLY)
    os.close(handle)
    return OrderResult(job=key[:4])


def close(args: CloseArgs, context: ToolContext) -> CloseResult:
    note(context, "close")
    return CloseResult(line=f"{' '.join(item.text for item in args.painted)} by {args.by}")


REGISTRY = ToolRegistry(
    [
        spec("cut", CutArgs, CutResult, cut),
        replace(spec("approve", ApproveArgs, ApproveResult, approve), asks=True),
        spec("paint", PaintArgs, PaintResult, paint),
        replace(spec("order", OrderArgs, OrderResult, order), side_effect=SideEffect.STARTS_JOB),
        spec("close_up", CloseArgs, CloseResult, close),
    ]
)

GRAPH = """\
version: 1
name: workshop
description: Planks are cut, painted and sent.
inputs:
  count: {type: integer, default: 5, description: How many planks.}
nodes:
  - {name: cut, use: cut, with: {count: $inputs.count}}
  - {name: approve, use: approve, with: {count: $inputs.count}}
  - {name: paint, use: paint, each: $cut.planks, as: plank, parallel: 2, with: {colour: blue}}
  - {name: order, use: order, with: {painted: $paint.items}}
  - {name: close, use: close_up, with: {job: $order.job, painted: $paint.items, by: $approve.by}}
edges:
  - {from: START, to: cut}
  - {from: cut, to: approve}
  - {from: approve, to: paint}
  - {from: paint, to: order}
  - {from: order, to: close}
  - {from: close, to: END}
outputs:
  line: $close.line
  painted: $paint.items
"""


def workshop(text: str = GRAPH) -> CheckedGraph:
    return check_document(parse_document(text, "workshop.yaml"), REGISTRY)

"""A workflow like `plan_experiment` in small: it asks, starts a job that is counted in a file, and gathers evidence."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from agentic_spliceai.orchestration.chat.events import AnswerEvent, ChatEvent
from agentic_spliceai.orchestration.chat.offline import OfflineEngine
from agentic_spliceai.orchestration.chat.session import ChatSession
from agentic_spliceai.records.evidence import Evidence, EvidenceKind, make_evidence
from agentic_spliceai.reporting.claims import verify_text
from agentic_spliceai.settings import Settings
from agentic_spliceai.tools.context import Resources, ToolContext
from agentic_spliceai.tools.interaction import Question, ToolProgress
from agentic_spliceai.tools.registry import ToolRegistry, default_registry
from agentic_spliceai.tools.spec import CostClass, SideEffect, ToolModel, ToolSpec
from tests.orchestration.planner.toys import WORDS


class PlanArgs(ToolModel):
    plan: str = Field(description="The plan.")


class Decision(ToolModel):
    decision: Literal["approved", "rejected"] = Field(description="approved or rejected.")


class JobArgs(ToolModel):
    plan: str = Field(description="The plan.")


class Started(ToolModel):
    job: str = Field(description="The job.")


class Nothing(ToolModel):
    question: str | None = Field(default=None, description="What is asked.")
    runs: str | None = Field(default=None, description="Runs.")
    metric: str | None = Field(default=None, description="Measure.")


class Told(ToolModel):
    text: str = Field(description="The answer.")


def ask(args: PlanArgs, context: ToolContext) -> Decision:
    plan = context.records.plans.get(args.plan)
    answer = context.ask(
        Question(title=f"Run it? {plan.hypothesis}", details={"plan": plan.id}, choices=("approve", "reject"))
    )
    return Decision(decision="approved" if answer.choice == "approve" else "rejected")


def start(args: JobArgs, context: ToolContext) -> Started:
    """Start the job once: its key is in the file already where the step runs again."""
    book = context.settings.data_dir / "jobs.txt"
    book.parent.mkdir(parents=True, exist_ok=True)
    known = book.read_text().splitlines() if book.exists() else []
    key = context.key(args.plan)
    if key not in known:
        book.write_text("\n".join([*known, key]) + "\n")
    context.listen(ToolProgress("half of it \x1b[31m", 1, 2))
    return Started(job=key[:12])


def fact(context: ToolContext) -> Evidence:
    return make_evidence(
        EvidenceKind.FIGURE,
        "cnn: pr_auc of altering, model",
        0.8123,
        "0.812",
        source="run:toy",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        terms=("cnn",),
    )


def tell(args: Nothing, context: ToolContext) -> Told:
    found = fact(context)
    context.records.evidence.add(context.run_id, [found])
    claim = verify_text(f"The model reached {{{found.id}}}.", [found])
    context.records.evidence.add_claims(context.run_id, [claim])
    return Told(text=claim.rendered)


def tool(name: str, args: Any, result: Any, function: Any, effect: SideEffect = SideEffect.NONE, **extra: Any) -> Any:
    return ToolSpec(
        name=name,
        purpose=f"Toy tool {name}.",
        args=args,
        result=result,
        side_effect=effect,
        cost_class=CostClass.INSTANT,
        function=function,
        **extra,
    )


def registry() -> ToolRegistry:
    toys = [
        tool("toy_ask", PlanArgs, Decision, ask, asks=True),
        tool("toy_start", JobArgs, Started, start, SideEffect.STARTS_JOB),
        tool("toy_tell", Nothing, Told, tell, SideEffect.WRITES_RECORDS),
    ]
    return ToolRegistry([*default_registry().values(), *toys])


PLAN_GRAPH = """\
version: 1
name: plan_experiment
description: A toy.
inputs:
  plan: {type: string, description: The plan.}
nodes:
  - name: approve
    use: toy_ask
    with: {plan: $inputs.plan}
  - name: submit
    use: toy_start
    with: {plan: $inputs.plan}
  - name: explain
    use: toy_tell
edges:
  - {from: START, to: approve}
  - from: approve
    when: $approve.decision
    routes: {approved: submit, rejected: END}
  - {from: submit, to: explain}
  - {from: explain, to: END}
outputs:
  plan: $inputs.plan
  decision: $approve.decision
  summary: $explain.text?
"""

EXPLAIN_GRAPH = """\
version: 1
name: explain_result
description: A toy.
inputs:
  question: {type: string, default: null, description: What is asked.}
  runs: {type: string, default: null, description: Runs.}
  metric: {type: string, default: null, description: Measure.}
nodes:
  - name: explain
    use: toy_tell
    with: {question: $inputs.question, runs: $inputs.runs, metric: $inputs.metric}
edges:
  - {from: START, to: explain}
  - {from: explain, to: END}
outputs:
  summary: $explain.text
"""


def resources(folder: Path) -> Resources:
    return Resources(Settings(data_dir=folder / "data", cache_dir=folder / "cache", reports_dir=folder / "reports"))


def graphs(folder: Path) -> dict[str, str]:
    found = {}
    for name, text in (("plan_experiment", PLAN_GRAPH), ("explain_result", EXPLAIN_GRAPH)):
        path = folder / f"{name}.yaml"
        path.write_text(text)
        found[name] = str(path)
    return found


def chat(folder: Path, **options: Any) -> ChatSession:
    options.setdefault("engine", OfflineEngine(WORDS))
    return ChatSession(resources(folder), registry=registry(), graphs=graphs(folder), **options)


def jobs(folder: Path) -> list[str]:
    book = folder / "data" / "jobs.txt"
    return book.read_text().splitlines() if book.exists() else []


def answer(events: Iterable[ChatEvent]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, AnswerEvent))


def kinds(events: Iterable[ChatEvent]) -> list[str]:
    return [event.kind for event in events]

"""Killing a run at a step and taking it up again in a new process.

```python
case = Case("plan_experiment", {"request": "..."}, tmp_path / "killed")
run_id = killed_at(case, "submit", AFTER)
outcome = resumed(case, run_id)
assert outcome.outputs == undisturbed(Case("plan_experiment", {"request": "..."}, tmp_path / "whole")).outputs
```

A graph is the name of a packaged workflow, or `module:function` that gives a checked one. Every process is a fresh fork
of a server that has only imported this module, so a kill and a resume cost a fraction of a second beside the tools; a
test module of a workflow that needs torch writes `preload("torch")` at its top.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentic_spliceai.orchestration.askers import approve_all
from agentic_spliceai.orchestration.errors import PausedRun
from agentic_spliceai.orchestration.events import RunObserver, Step, StepEnd, StepStart
from agentic_spliceai.orchestration.inputs import InputValue
from agentic_spliceai.orchestration.runner import resume_run, run_graph
from agentic_spliceai.orchestration.validator import CheckedGraph, load_graph
from agentic_spliceai.settings import PREFIX, Settings
from agentic_spliceai.tools.context import Resources, ToolContext
from agentic_spliceai.tools.interaction import no_one
from agentic_spliceai.tools.registry import ToolRegistry

#: When the process is killed: before the step's tool runs; after it ran, before its result is kept; while the run waits
#: for an answer.
BEFORE, AFTER, PAUSED = "before", "after", "paused"

_TIMEOUT = 300.0
_PROCESSES = multiprocessing.get_context("forkserver")
_PRELOADED = [__name__]
_PROCESSES.set_forkserver_preload(_PRELOADED)
#: What differs between two runs that did the same.
_VOLATILE = frozenset({"created_at", "started_at", "finished_at", "timings", "seconds"})


def preload(*modules: str) -> None:
    """Have modules imported once, in the server, before its first process; called when a test module is imported."""
    _PRELOADED.extend(module for module in modules if module not in _PRELOADED)
    _PROCESSES.set_forkserver_preload(_PRELOADED)


@dataclass(frozen=True)
class Case:
    """A run in folders of its own.

    Attributes
    ----------
    graph
        Name of a packaged workflow, or `module:function`.
    inputs
        Of the workflow.
    folder
        Where data, cache and reports go.
    run_id
        The same in a disturbed and an undisturbed run, so that keys made from it are the same.
    approve
        Whether questions are answered with approval at once.
    environment
        Further variables of the process.
    """

    graph: str
    inputs: Mapping[str, InputValue]
    folder: Path
    run_id: str = "0123456789ab"
    approve: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"


@dataclass(frozen=True)
class Outcome:
    """How a process's part of a run ended: outputs, or the title of the question that it waits with."""

    outputs: Mapping[str, Any] | None
    question: str | None = None


def every_step(graph: CheckedGraph, *, items: Mapping[str, int] | None = None) -> list[tuple[str, str]]:
    """Return every place to be killed at: each node, and `items` items of each fan-out, before and after."""
    places = []
    for node in graph.spec.nodes:
        names = [node.name]
        if node.each is not None:
            names = [str(Step(node.name, item)) for item in range(1, (items or {}).get(node.name, 1) + 1)]
        for name in names:
            places += [(name, BEFORE), (name, AFTER)]
    return places


def undisturbed(case: Case) -> Outcome:
    """Run a case to its end, or to its question."""
    return _outcome(case, _spawn(case, None, resume=False))


def killed_at(case: Case, step: str, phase: str) -> str:
    """Run a case until its process kills itself at `step`, a node or `node[item]` from 1, and return the run id."""
    code = _spawn(case, (step, phase), resume=False)
    assert code == -signal.SIGKILL, f"the run was not killed {phase} {step}: exit code {code}"
    return case.run_id


def killed_again_at(case: Case, step: str, phase: str) -> str:
    """Take a case up again and kill it once more."""
    code = _spawn(case, (step, phase), resume=True)
    assert code == -signal.SIGKILL, f"the run was not killed {phase} {step}: exit code {code}"
    return case.run_id


def resumed(case: Case, run_id: str | None = None) -> Outcome:
    """Take a case up again in a new process and go to its end, or to its question."""
    assert run_id in (None, case.run_id)
    return _outcome(case, _spawn(case, None, resume=True))


def comparable(case: Case, outcome: Outcome) -> Any:
    """Return a case's outputs without times and without its folder, to be compared with those of another."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key not in _VOLATILE}
        if isinstance(value, list):
            return [strip(item) for item in value]
        return value.replace(str(case.folder), "FOLDER") if isinstance(value, str) else value

    return strip(outcome.outputs)


def load(graph: str) -> CheckedGraph:
    """Return the workflow that a case names."""
    module, colon, name = graph.partition(":")
    if not colon:
        return load_graph(graph)
    checked: CheckedGraph = getattr(importlib.import_module(module), name)()
    return checked


class _Killer(RunObserver):
    def __init__(self, step: str, phase: str) -> None:
        self._at = (step, phase)

    def _pass(self, step: str, phase: str) -> None:
        if (step, phase) == self._at:
            os.kill(os.getpid(), signal.SIGKILL)

    def step_started(self, start: StepStart) -> None:
        self._pass(str(start.step), BEFORE)

    def step_ended(self, end: StepEnd) -> None:
        if end.error is None:
            self._pass(str(end.step), AFTER)

    def run_paused(self, paused: PausedRun) -> None:
        self._pass(paused.node, PAUSED)


def _spawn(case: Case, kill: tuple[str, str] | None, *, resume: bool) -> int:
    _file(case).unlink(missing_ok=True)
    process = _PROCESSES.Process(target=_work, args=(case, kill, resume))
    process.start()
    process.join(_TIMEOUT)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"{case.graph} took longer than {_TIMEOUT:g} s")
    code = process.exitcode
    process.close()
    return code


def _work(case: Case, kill: tuple[str, str] | None, resume: bool) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    folders = {name: str(case.folder / name) for name in ("data", "cache", "reports")}
    os.environ.update({f"{PREFIX}{name.upper()}_DIR": folder for name, folder in folders.items()})
    os.environ[f"{PREFIX}ALLOW_DOWNLOAD"] = "false"
    os.environ.update(case.environment)
    context = ToolContext(
        Resources(Settings()), run_id=None if resume else case.run_id, ask=approve_all if case.approve else no_one
    )
    observers = [_Killer(*kill)] if kill else []
    graph = load(case.graph)
    try:
        if resume:
            registry = ToolRegistry(graph.registry.values())
            result = resume_run(case.run_id, context, observers=observers, registry=registry)
        else:
            result = run_graph(graph, case.inputs, context, observers=observers)
        outcome = {"outputs": dict(result.outputs)}
    except PausedRun as paused:
        outcome = {"outputs": None, "question": paused.question.title}
    _file(case).write_text(json.dumps(outcome))


def _file(case: Case) -> Path:
    case.folder.mkdir(parents=True, exist_ok=True)
    return case.folder / "outcome.json"


def _outcome(case: Case, code: int) -> Outcome:
    assert code == 0, f"the run of {case.graph} in {case.folder} failed: exit code {code}"
    return Outcome(**json.loads(_file(case).read_text()))

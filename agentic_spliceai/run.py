"""Run a workflow: `python -m agentic_spliceai.run GRAPH --set variant=... genome=...`.

Exit codes: 0 success; 1 an unexpected error, with traceback; 2 an error that the user can act on, in one line;
3 the run waits for an answer: `--resume RUN_ID` goes on with it;
130 stopped by Ctrl-C (143: by SIGTERM); 141 the reader of the output has gone, as shells call it.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from agentic_spliceai.orchestration.events import RunObserver, RunResult, RunStart
from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.tools.plain_text import json_text, printable

if TYPE_CHECKING:
    from agentic_spliceai.orchestration.errors import PausedRun
    from agentic_spliceai.orchestration.progress import ProgressDisplay
    from agentic_spliceai.orchestration.validator import CheckedGraph
    from agentic_spliceai.tools.interaction import Asker

EXIT_OK, EXIT_UNEXPECTED, EXIT_ERROR, EXIT_WAITING, EXIT_INTERRUPTED, EXIT_TERMINATED = 0, 1, 2, 3, 130, 143
EXIT_NO_READER = 141

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Request:
    """What the command line asks for; `resume` names a run to take up again instead of a workflow."""

    graph: str = ""
    assignments: Sequence[str] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    out: str | None = None
    as_json: bool = False
    quiet: bool = False
    keep_record: bool = True
    approve: bool = False
    resume: str | None = None


class StartedRun(RunObserver):
    """Remembers the run that a command started, so that its failure can name it.

    Attributes
    ----------
    run_id
        None as long as none has started.
    kept
        Whether what it has done is kept, so that it can be taken up again.
    """

    def __init__(self) -> None:
        self.run_id: str | None = None
        self.kept = False

    def run_started(self, start: RunStart) -> None:
        """Remember the run."""
        self.run_id = start.run_id


def build_parser(prog: str = "python -m agentic_spliceai.run") -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(prog=prog, description="Run a workflow.")
    add_arguments(parser)
    return parser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a workflow and its inputs."""
    parser.add_argument("graph", metavar="GRAPH", nargs="?", help="YAML file, or the name of a packaged workflow")
    parser.add_argument(
        "--set",
        dest="assignments",
        metavar="NAME=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help="inputs of the workflow; may be repeated",
    )
    parser.add_argument("--validate", action="store_true", help="check the workflow and its inputs, run nothing")
    parser.add_argument("--approve", action="store_true", help="approve what the workflow asks approval for, unasked")
    parser.add_argument(
        "--resume", metavar="RUN_ID", help="take up a run that waits, was stopped or failed, instead of a new one"
    )
    add_output_arguments(parser)


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say where results go."""
    parser.add_argument("--out", metavar="DIR", help="folder for the report (input `out`)")
    parser.add_argument("--json", dest="as_json", action="store_true", help="print only the result, as JSON")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--no-record", dest="keep_record", action="store_false", help="keep no record of the run")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = build_parser().parse_args(argv)
    return run_from(arguments)


def run_from(arguments: argparse.Namespace) -> int:
    """Run what parsed arguments ask for."""
    request = Request(
        graph=arguments.graph or "",
        assignments=arguments.assignments,
        out=arguments.out,
        as_json=arguments.as_json,
        quiet=arguments.quiet,
        keep_record=arguments.keep_record,
        approve=arguments.approve,
        resume=arguments.resume,
    )
    if arguments.validate:
        return guarded(lambda: validate(request), as_json=request.as_json)
    started = StartedRun()
    return guarded(lambda: execute(request, started), as_json=request.as_json, started=started)


def validate(request: Request) -> int:
    """Check a workflow and the inputs that were given, and say so."""
    graph = _load(request)
    if request.assignments or request.values or request.out is not None:
        _inputs(graph, request)
    if request.as_json:
        print(json.dumps({"status": "valid", "graph": graph.spec.name, "sha256": graph.document.sha256}))
    else:
        print(f"{graph.document.file}: valid ({len(graph.spec.nodes)} nodes, {len(graph.spec.edges)} edges)")
    return EXIT_OK


def execute(request: Request, started: StartedRun) -> int:
    """Run the workflow, or take a run up again, and print its result; `started` hears which run it is."""
    if request.resume is not None:
        _refuse_beside_resume(request)
    graph = _load(request) if request.resume is None else None
    inputs = _inputs(graph, request) if graph is not None else {}
    # From here on it takes a moment: LangGraph, the database and the science are loaded.
    from agentic_spliceai.orchestration.errors import PausedRun
    from agentic_spliceai.orchestration.progress import progress_display
    from agentic_spliceai.orchestration.runner import resume_run, run_graph
    from agentic_spliceai.tools.context import Resources, ToolContext

    display = progress_display(quiet=request.quiet)
    started.kept = request.keep_record
    context = ToolContext(Resources(progress=display), keep_record=request.keep_record, ask=_asker(request, display))
    try:
        if graph is not None:
            result = run_graph(graph, inputs, context, observers=[started, display])
        else:
            result = resume_run(request.resume or "", context, observers=[started, display])
    except PausedRun as paused:
        display.close()
        _print_paused(paused, request.as_json)
        return EXIT_WAITING
    finally:
        display.close()
    if request.as_json:
        print(json_text(machine_result(result)))
    else:
        _print_summary(result)
    return EXIT_OK


def _refuse_beside_resume(request: Request) -> None:
    from agentic_spliceai.orchestration.errors import InputError

    if request.graph or request.assignments or request.values or request.out is not None or not request.keep_record:
        raise InputError(
            "--resume goes on with the workflow, the inputs and the record of the run.",
            f"Write only --resume {request.resume}, with --approve, --json or --quiet.",
        )


def _asker(request: Request, display: ProgressDisplay) -> Asker:
    from agentic_spliceai.orchestration.askers import TerminalAsker, approve_all
    from agentic_spliceai.tools.interaction import no_one

    if request.approve:
        return approve_all
    # A question needs eyes and a keyboard; with --json another program reads.
    if sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty() and not request.as_json:
        return TerminalAsker(suspended=display.suspended)
    return no_one


def _print_paused(paused: PausedRun, as_json: bool) -> None:
    from agentic_spliceai.orchestration.askers import question_lines

    if as_json:
        waiting = {
            "run_id": paused.run_id,
            "status": "waiting",
            "node": paused.node,
            "question": paused.question.model_dump(mode="json"),
        }
        print(json_text(waiting))
        return
    print("\n".join(printable(line) for line in question_lines(paused.question)))
    print(f"run {paused.run_id} waits for the answer. Go on at a terminal with:")
    print(f"  agentic-spliceai run --resume {paused.run_id}")
    print(f"or, to approve:\n  agentic-spliceai run --resume {paused.run_id} --approve")


def machine_result(result: RunResult) -> dict[str, Any]:
    """Return what `--json` prints: the run, then the workflow's outputs by their names."""
    return {
        "run_id": result.run_id,
        "graph": result.graph,
        "status": "succeeded",
        "started_at": result.started_at.isoformat(),
        "seconds": round(result.seconds, 4),
        "timings": {step: round(seconds, 4) for step, seconds in result.timings.items()},
        **result.outputs,
    }


def guarded(command: Callable[[], int], *, as_json: bool = False, started: StartedRun | None = None) -> int:
    """Run `command` and turn what it raises into one line, a JSON object where asked for, and an exit code.

    With `started` the JSON object has a `run_id`, which is null where the run had not started.
    """
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        return _with_output(lambda: _explained(command, as_json, started))
    finally:
        signal.signal(signal.SIGTERM, previous)


def _with_output(command: Callable[[], int]) -> int:
    """Run `command` until its output is written, which may fail as late as then."""
    try:
        status = command()
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        return EXIT_NO_READER
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        _drop_output()
        sys.stderr.write(f"error: there is no room for the output: {error.strerror}. Free some, or write elsewhere.\n")
        return EXIT_ERROR
    return status


def _drop_output() -> None:
    """Lead standard output nowhere: Python must not complain about it again when it closes it."""
    # A standard output that is no file (in a test, in a notebook) has no number, and is not closed at the end either.
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _explained(command: Callable[[], int], as_json: bool, started: StartedRun | None) -> int:
    try:
        return command()
    except SpliceEngineError as error:
        _report_error(error, as_json, started)
        return EXIT_ERROR
    except KeyboardInterrupt as error:
        _report_stop("interrupted by Ctrl-C", error, as_json, started)
        return EXIT_INTERRUPTED
    except _TerminatedError as error:
        _report_stop("terminated", error, as_json, started)
        return EXIT_TERMINATED
    except Exception as error:
        if isinstance(error, BrokenPipeError) or (isinstance(error, OSError) and error.errno in _NO_ROOM):
            raise
        traceback.print_exc()
        if as_json:
            message = f"{type(error).__name__}: {error}"
            _print_json_error(started, "unexpected", message, "Report this with the traceback.")
        return EXIT_UNEXPECTED


class _TerminatedError(BaseException):
    """The process was asked to end; no `Exception`, so that the run is recorded as interrupted."""


def _terminate(signum: int, frame: object) -> NoReturn:
    raise _TerminatedError


def _load(request: Request) -> CheckedGraph:
    from agentic_spliceai.orchestration.errors import UnknownGraphError
    from agentic_spliceai.orchestration.loader import packaged_graphs
    from agentic_spliceai.orchestration.validator import load_graph

    if not request.graph:
        raise UnknownGraphError(
            "no workflow is named.", f"Give a YAML file, or one of: {', '.join(packaged_graphs())}; or --resume RUN_ID."
        )
    return load_graph(request.graph)


def _inputs(graph: CheckedGraph, request: Request) -> dict[str, Any]:
    from agentic_spliceai.orchestration.inputs import inputs_from_text, parse_assignments

    texts = parse_assignments(request.assignments) | dict(request.values)
    if request.out is not None:
        texts["out"] = request.out
    return dict(inputs_from_text(graph, texts))


def _print_summary(result: RunResult) -> None:
    outputs = dict(result.outputs)
    interpretation, report = outputs.pop("interpretation", None), outputs.pop("report", None)
    if interpretation is not None:
        from rich.console import Console

        from agentic_spliceai.records.interpretation import Interpretation
        from agentic_spliceai.reporting.files import ReportPaths
        from agentic_spliceai.reporting.terminal import terminal_summary

        paths = None
        if report is not None:
            paths = ReportPaths(Path(report["html"]), Path(report["markdown"]), Path(report["json_file"]))
        found = Interpretation.model_validate_json(json.dumps(interpretation))
        Console().print(terminal_summary(found, paths))
        outputs = {"record": outputs["record"]} if outputs.get("record") else {}
    elif outputs.get("summary"):
        from rich.console import Console

        from agentic_spliceai.reporting.terminal_experiment import terminal_experiment

        shown = terminal_experiment(outputs)
        if shown is not None:
            Console().print(shown)
            outputs = {name: outputs[name] for name in ("plan", "experiment") if outputs.get(name)}
    for name, value in outputs.items():
        print(f"{name}: {printable(value) if isinstance(value, str) else json_text(value)}")
    print(f"run: {result.run_id}")


def _report_error(error: SpliceEngineError, as_json: bool, started: StartedRun | None) -> None:
    problems = [str(problem) for problem in getattr(error, "problems", ())]
    if len(problems) > 1:
        sys.stderr.write("".join(f"error: {printable(problem)}\n" for problem in problems))
    else:
        sys.stderr.write(f"error: {printable(str(error))}\n")
    _report_notes(error)
    if as_json:
        _print_json_error(started, error.code, error.message, error.advice, problems)


def _report_stop(what: str, error: BaseException, as_json: bool, started: StartedRun | None) -> None:
    sys.stderr.write(f"{what}\n")
    _report_notes(error)
    advice = "Run it again."
    if started is not None and started.run_id is not None and started.kept:
        advice = f"Take it up again with `agentic-spliceai run --resume {started.run_id}`."
        sys.stderr.write(f"note: {advice}\n")
    if as_json:
        _print_json_error(started, "interrupted", what, advice, status="interrupted")


def _report_notes(error: BaseException) -> None:
    for note in getattr(error, "__notes__", ()):
        if not note.startswith("During task with name"):  # LangGraph's own, which says nothing to a user
            sys.stderr.write(f"note: {printable(note)}\n")


def _print_json_error(
    started: StartedRun | None,
    code: str,
    message: str,
    advice: str,
    problems: Sequence[str] = (),
    status: str = "failed",
) -> None:
    error: dict[str, Any] = {"code": code, "message": message, "advice": advice}
    if problems:
        error["problems"] = list(problems)
    run = {"run_id": started.run_id} if started is not None else {}
    print(json_text({**run, "status": status, "error": error}))


if __name__ == "__main__":
    sys.exit(main())

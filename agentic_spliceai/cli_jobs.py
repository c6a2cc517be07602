"""`agentic-spliceai jobs ...`: list jobs, show one, read its output, end it, compare the records with what runs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING

from agentic_spliceai.splice_engine.errors import SettingError, SpliceEngineError
from agentic_spliceai.tools.plain_text import printable

if TYPE_CHECKING:
    from agentic_spliceai.compute.manager import JobManager
    from agentic_spliceai.records.jobs import JobRecord

EXIT_OK = 0
_ID = "the job's id, or an unambiguous beginning of it"
_STATES = ("created", "queued", "running", "succeeded", "failed", "cancelled", "timed_out", "lost")
#: Seconds between two looks at what a job prints.
_LOOK = 0.3


def add_jobs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of `jobs`."""
    jobs = commands.add_parser("jobs", help="list jobs, show one, read its output, end it")
    actions = jobs.add_subparsers(metavar="ACTION", required=True)

    p = actions.add_parser("list", help="list the latest jobs")
    p.add_argument("--limit", type=int, default=20, help="how many (default: %(default)s)")
    p.add_argument("--state", action="append", choices=_STATES, help="only these; may be repeated")
    p.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    p.set_defaults(handler=_list)

    p = actions.add_parser("show", help="show one job: what it runs, where it stands, how it came there")
    p.add_argument("id", metavar="ID", help=_ID)
    p.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    p.set_defaults(handler=_show)

    p = actions.add_parser("logs", help="print what a job has printed")
    p.add_argument("id", metavar="ID", help=_ID)
    p.add_argument("-f", "--follow", action="store_true", help="go on until the job has ended")
    p.add_argument("-n", "--lines", type=int, metavar="N", help="only the last N lines (default: all)")
    p.set_defaults(handler=_logs)

    p = actions.add_parser("cancel", help="end a job")
    p.add_argument("id", metavar="ID", help=_ID)
    p.set_defaults(handler=_cancel)

    p = actions.add_parser(
        "reconcile",
        help="compare the records with what runs",
        description="Start jobs that were only written down, note those that ended or are lost, stop what no record "
        "knows, and record the end of experiment runs whose job has ended.",
    )
    p.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    p.set_defaults(handler=_reconcile)


def _manager() -> JobManager:
    from agentic_spliceai.tools.context import Resources

    return Resources().jobs


def _list(arguments: argparse.Namespace) -> int:
    if arguments.limit < 1:
        raise SettingError(f"--limit {arguments.limit} cannot be used.", "Give 1 or more.")
    manager = _manager()
    for record in manager.store.open():
        try:
            manager.refresh(record.id)
        except SpliceEngineError as error:  # one that cannot be asked does not hide the others
            sys.stderr.write(f"note: {record.id}: {printable(str(error))}\n")
    found = manager.store.list(arguments.limit, states=arguments.state)
    if arguments.as_json:
        print(json.dumps([record.model_dump(mode="json") for record in found], ensure_ascii=False))
        return EXIT_OK
    if not found:
        print("no jobs")
    for record in found:
        print(_line(record))
    return EXIT_OK


def _line(record: JobRecord) -> str:
    from agentic_spliceai.tools.jobs import seconds_of

    seconds = seconds_of(record)
    ran = "" if seconds is None else _duration(seconds)
    return printable(
        f"{record.id}  {record.created_at:%Y-%m-%d %H:%M}  {record.state:<9}  {ran:>9}  {record.backend}  "
        f"{record.name}  {record.message}"
    ).rstrip()


def _show(arguments: argparse.Namespace) -> int:
    manager = _manager()
    record = manager.store.get(arguments.id)
    try:
        record = manager.refresh(record.id)
    except SpliceEngineError as error:
        sys.stderr.write(f"note: {printable(str(error))}\n")
    events = manager.store.events(record.id)
    if arguments.as_json:
        content = record.model_dump(mode="json") | {"events": [event.model_dump(mode="json") for event in events]}
        print(json.dumps(content, ensure_ascii=False))
        return EXIT_OK
    for line in _lines(record):
        print(printable(line))
    for event in events:
        why = f": {event.message}" if event.message else ""
        print(printable(f"event        {event.at:%Y-%m-%d %H:%M:%S} UTC  {event.state}{why}"))
    return EXIT_OK


def _lines(record: JobRecord) -> list[str]:
    from agentic_spliceai.compute.types import JobSpec
    from agentic_spliceai.tools.jobs import seconds_of

    spec = JobSpec.model_validate(record.spec)
    why = f": {record.message}" if record.message else ""
    lines = [
        f"job          {record.id}",
        f"name         {record.name}",
        f"state        {record.state}{why}",
        f"backend      {record.backend}",
        f"command      {json.dumps(spec.command, ensure_ascii=False)}",
        f"needs        {spec.cpus} CPU, {spec.gpus} GPU, at most {_duration(spec.time_limit)}",
    ]
    lines += [f"file         {name}" for name in spec.files]
    if record.handle is not None:
        details = record.handle.get("details")
        lines += [f"{name:<12} {value}" for name, value in (details if isinstance(details, dict) else {}).items()]
    if record.run_id is not None:
        lines.append(f"workflow run {record.run_id}")
    if record.started_at is not None:
        lines.append(f"started      {record.started_at:%Y-%m-%d %H:%M:%S} UTC")
    if record.finished_at is not None:
        lines.append(f"finished     {record.finished_at:%Y-%m-%d %H:%M:%S} UTC")
    seconds = seconds_of(record)
    if seconds is not None:
        lines.append(f"time         {_duration(seconds)}")
    if record.exit_code is not None:
        lines.append(f"exit code    {record.exit_code}")
    if record.cost_usd:
        lines.append(f"cost         {record.cost_usd:.2f} US dollars")
    return lines


def _logs(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.compute.types import JobState

    if arguments.lines is not None and arguments.lines < 1:
        raise SettingError(f"--lines {arguments.lines} cannot be used.", "Give 1 or more.")
    manager = _manager()
    record = manager.store.get(arguments.id)
    cursor = ""
    if arguments.lines is not None:
        page = manager.tail(record.id, arguments.lines)
        cursor = page.cursor
        for line in page.lines:
            print(printable(line, keep="\t"))
    while True:
        # Looked at before the page: what an ended job printed is all in the page, and in those that follow it.
        ended = not arguments.follow or JobState(manager.refresh(record.id).state).terminal
        while (page := manager.logs(record.id, cursor)).lines:
            cursor = page.cursor
            print("\n".join(printable(line, keep="\t") for line in page.lines), flush=arguments.follow)
        if ended:
            return EXIT_OK
        time.sleep(_LOOK)


def _cancel(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.compute.types import JobState

    record = _manager().cancel(arguments.id)
    going = "" if JobState(record.state).terminal else "; it is being ended"
    print(f"{record.id}: {record.state}{going}")
    return EXIT_OK


def _reconcile(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.tools.context import Resources, ToolContext
    from agentic_spliceai.tools.settling import settle

    resources = Resources()
    found = resources.jobs.reconcile()
    settled = settle(ToolContext(resources))
    if arguments.as_json:
        rows = [finding.model_dump(mode="json") for finding in found] + [run.model_dump(mode="json") for run in settled]
        print(json.dumps(rows, ensure_ascii=False))
        return EXIT_OK
    if not found and not settled:
        print("nothing to do: no job is open")
    for finding in found:
        print(f"{finding.job_id}  {finding.state:<9}  {finding.action}")
    for run in settled:
        why = f": {run.message}" if run.message else ""
        print(printable(f"{run.run_id}  {run.status:<9}  experiment run {run.label}{why}"))
    return EXIT_OK


def _duration(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"

"""The `agentic-spliceai` command. A subcommand imports what it needs when it runs, so that help is there at once."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from agentic_spliceai import __version__
from agentic_spliceai.cli_chat import add_chat
from agentic_spliceai.cli_db import add_db
from agentic_spliceai.cli_graph import add_graph
from agentic_spliceai.cli_jobs import add_jobs
from agentic_spliceai.cli_meta import add_meta
from agentic_spliceai.cli_predict import add_predict
from agentic_spliceai.cli_saturate import add_saturate
from agentic_spliceai.cli_score import add_score
from agentic_spliceai.cli_tools import add_tools
from agentic_spliceai.run import (
    EXIT_OK,
    Request,
    StartedRun,
    add_arguments,
    add_output_arguments,
    execute,
    guarded,
    run_from,
)
from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.tools.plain_text import json_text, printable

if TYPE_CHECKING:
    from agentic_spliceai.records.models import RunDetail, RunSummary
    from agentic_spliceai.records.store import RecordStore
    from agentic_spliceai.splice_engine.base_layer.registry import BaseModelEntry

_GENOME = "demo, GRCh38, GRCh37, or the path of a FASTA file"
_VARIANT = "chr3-37012011-A-G, SPDI, HGVS (NM_...:c.) or a VCF line"
_MODEL = "base model; `models list` shows them"
_WEIGHTS = "file or folder with the model's weights, instead of the usual search"

Handler = Callable[[argparse.Namespace], int]


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with every subcommand."""
    parser = argparse.ArgumentParser(
        prog="agentic-spliceai", description="Does a variant change splicing, how, how sure are we, and why."
    )
    parser.add_argument("--version", action="version", version=f"agentic-spliceai {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_interpret(commands)
    add_score(commands)
    add_predict(commands)
    add_saturate(commands)
    run = commands.add_parser("run", help="run a workflow", description="Run a workflow.")
    add_arguments(run)
    # `run` and `interpret` handle their errors themselves, because `--json` changes how they are shown.
    run.set_defaults(whole=run_from)
    validate = commands.add_parser("validate", help="check a workflow file", description="List every problem.")
    validate.add_argument("graph", metavar="GRAPH", help="YAML file, or the name of a packaged workflow")
    validate.set_defaults(handler=_validate)
    add_graph(commands)
    _add_runs(commands)
    add_chat(commands)
    add_meta(commands)
    add_tools(commands)
    add_jobs(commands)
    add_db(commands)
    for name, handler, what in (
        ("models", _models_list, "base models, and whether their weights are on this machine"),
        ("genomes", _genomes_list, "genomes, and whether their files are on this machine"),
    ):
        group = commands.add_parser(name, help=f"list {what}").add_subparsers(metavar="ACTION", required=True)
        listing = group.add_parser("list", help=f"list {what}")
        listing.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
        listing.set_defaults(handler=handler)
    version = commands.add_parser("version", help="print the version")
    version.set_defaults(handler=_version)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; see `agentic_spliceai.run` for the codes."""
    arguments = build_parser().parse_args(argv)
    whole: Handler | None = getattr(arguments, "whole", None)
    if whole is not None:
        return whole(arguments)
    return guarded(lambda: arguments.handler(arguments), as_json=getattr(arguments, "as_json", False))


def _add_interpret(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "interpret", help="interpret one variant and write a report", description="Interpret one variant."
    )
    parser.add_argument("variant", metavar="VARIANT", help=_VARIANT)
    parser.add_argument("--genome", help=_GENOME)
    parser.add_argument("--base-model", metavar="NAME", help=_MODEL)
    parser.add_argument("--weights", metavar="PATH", help=_WEIGHTS)
    parser.add_argument("--transcript", metavar="ID", help="transcript to examine instead of the representative")
    parser.add_argument("--distance", metavar="NT", help="how far from the variant changes are looked for")
    parser.add_argument("--annotation", metavar="FILE", help="GTF, GFF3 or gene table instead of the genome's own")
    parser.add_argument("--meta-model", metavar="PATH", help="trained meta-layer model: a checkpoint or a folder")
    add_output_arguments(parser)
    parser.set_defaults(whole=_interpret)


def _interpret(arguments: argparse.Namespace) -> int:
    names = ("variant", "genome", "base_model", "weights", "transcript", "distance", "annotation", "meta_model")
    given = {name: getattr(arguments, name) for name in names}
    request = Request(
        graph="interpret_variant",
        values={name: value for name, value in given.items() if value is not None},
        out=arguments.out,
        as_json=arguments.as_json,
        quiet=arguments.quiet,
        keep_record=arguments.keep_record,
    )
    started = StartedRun()
    return guarded(lambda: execute(request, started), as_json=request.as_json, started=started)


def _validate(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.run import validate

    return validate(Request(graph=arguments.graph))


def _add_runs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    runs = commands.add_parser("runs", help="list runs, or show one").add_subparsers(metavar="ACTION", required=True)
    listing = runs.add_parser("list", help="list the latest runs")
    listing.add_argument("--limit", type=int, default=20, help="how many (default: 20)")
    listing.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    listing.set_defaults(handler=_runs_list)
    show = runs.add_parser("show", help="show one run")
    show.add_argument("id", metavar="ID", help="the run's id, or an unambiguous beginning of it")
    show.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    show.set_defaults(handler=_runs_show)


def _store() -> RecordStore:
    from agentic_spliceai.records.store import RecordStore
    from agentic_spliceai.settings import get_settings

    return RecordStore(get_settings().database_url)


def _runs_list(arguments: argparse.Namespace) -> int:
    if arguments.limit < 1:
        raise SettingError(f"--limit {arguments.limit} cannot be used.", "Give 1 or more.")
    store = _store()
    store.mark_interrupted()
    found = store.list_runs(arguments.limit)
    if arguments.as_json:
        print(json_text([run.model_dump(mode="json") for run in found]))
        return EXIT_OK
    if not found:
        print(f"no runs in {store.location}")
    for run in found:
        print(printable(_run_line(run)))
    return EXIT_OK


def _run_line(run: RunSummary) -> str:
    what = run.verdict or (run.error.message if run.error else "")
    variant = run.variant or str(run.inputs.get("variant", ""))
    return f"{run.id}  {run.started_at:%Y-%m-%d %H:%M}  {run.status:<11}  {run.graph_name}  {variant}  {what}".rstrip()


def _runs_show(arguments: argparse.Namespace) -> int:
    run = _store().get_run(arguments.id)
    if arguments.as_json:
        print(json_text(run.model_dump(mode="json")))
    else:
        print("\n".join(printable(line) for line in _run_lines(run)))
    return EXIT_OK


def _run_lines(run: RunDetail) -> list[str]:
    lines = [
        f"run          {run.id}",
        f"workflow     {run.graph_name} (sha256 {run.graph_sha256[:12]}), agentic-spliceai {run.software_version}",
        f"status       {run.status}",
        f"started      {run.started_at:%Y-%m-%d %H:%M:%S} UTC",
    ]
    if run.finished_at is not None:
        lines.append(f"finished     {run.finished_at:%Y-%m-%d %H:%M:%S} UTC")
    lines += [f"input        {name} = {value}" for name, value in run.inputs.items()]
    lines.append(f"environment  {json.dumps(run.environment, ensure_ascii=False)}")
    for step in run.steps:
        why = f"  {step.error.message}" if step.error else ""
        lines.append(f"step         {step.node} ({step.tool}) {step.status} in {step.seconds:.2f} s{why}")
    lines += [
        f"artifact     {artifact.kind} {artifact.sha256} ({artifact.bytes:,} bytes)" for artifact in run.artifacts
    ]
    if run.error is not None:
        lines.append(f"error        {run.error.message} {run.error.advice}".rstrip())
    if run.verdict is not None:
        lines.append(f"verdict      {run.verdict}")
    return lines


def _models_list(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.splice_engine.base_layer.registry import base_models
    from agentic_spliceai.tools.context import Resources

    resolver = Resources().resolver
    rows = []
    for name, entry in base_models(resolver.data_dir / "base_models.yaml").items():
        found = sum(resolver.locate(entry.resource(file)) is not None for file in entry.files)
        rows.append(
            {
                "name": name,
                "version": entry.version,
                "context": entry.context,
                "files": len(entry.files),
                "found": found,
                "downloadable": all(file.url is not None for file in entry.files),
                "how_to_get": "" if found == len(entry.files) else _how_to_get(entry),
                "licence": entry.licence,
                "description": entry.description,
            }
        )
    if arguments.as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return EXIT_OK
    for row in rows:
        print(f"{row['name']:<20} {_availability(row):<14} {row['description']}")
        if row["how_to_get"]:
            print(f"{'':<35} {row['how_to_get']}")
    return EXIT_OK


def _how_to_get(entry: BaseModelEntry) -> str:
    if all(file.url is not None for file in entry.files):
        return "downloaded at first use"
    mirror = "put its files into the folder AGENTIC_SPLICEAI_MIRROR"
    if entry.adapter == "spliceai":
        return f"pip install 'agentic-spliceai[spliceai]' or `make spliceai`; or {mirror}"
    return mirror


def _genomes_list(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.splice_engine.genome.bundle import genome_entries
    from agentic_spliceai.tools.context import Resources

    resolver = Resources().resolver
    rows = []
    for name, entry in genome_entries().items():
        files = (entry.fasta, entry.annotation)
        rows.append(
            {
                "name": name,
                "build": str(entry.build),
                "files": len(files),
                "found": sum(resolver.locate(file) is not None for file in files),
                "downloadable": all(file.url is not None for file in files),
                "description": entry.description,
            }
        )
    if arguments.as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return EXIT_OK
    for row in rows:
        print(f"{row['name']:<20} {_availability(row):<14} {row['description']}")
    return EXIT_OK


def _availability(row: dict[str, object]) -> str:
    if row["found"] == row["files"]:
        return "here"
    return "to download" if row["downloadable"] else "missing"


def _version(arguments: argparse.Namespace) -> int:
    print(f"agentic-spliceai {__version__}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())

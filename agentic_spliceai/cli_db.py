"""`agentic-spliceai db ...`: the database of records, its tables, and what is exported from it."""

from __future__ import annotations

import argparse
import json
import sys

from agentic_spliceai.run import EXIT_ERROR, EXIT_OK


def add_db(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of `db`."""
    db = commands.add_parser("db", help="look after the database of records")
    actions = db.add_subparsers(metavar="ACTION", required=True)
    for name, handler, what in (
        ("upgrade", _upgrade, "bring the tables to those of this version; any first use does so too"),
        ("current", _current, "show which tables the database has"),
        ("check", _check, "look for damage, and for tables that differ from what this version expects"),
    ):
        p = actions.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        p.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
        p.set_defaults(handler=handler)

    p = actions.add_parser(
        "export-mlflow",
        help="copy the runs of an experiment to MLflow",
        description="Copy the runs of an experiment to MLflow: parameters, metrics by step, figures, data sets, files. "
        "Repeated, it copies what is new. Needs the extra mlflow.",
    )
    p.add_argument("experiment", metavar="EXPERIMENT", help="its name, such as triage-mfass")
    p.add_argument(
        "--tracking-uri", metavar="URI", help="MLflow's tracking server or store (default: MLFLOW_TRACKING_URI)"
    )
    p.add_argument("--no-artifacts", dest="artifacts", action="store_false", help="leave the files out")
    p.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    p.set_defaults(handler=_export)


def _url() -> str:
    from agentic_spliceai.settings import get_settings

    return get_settings().database_url


def _upgrade(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.records.maintenance import upgrade

    before, after = upgrade(_url())
    if arguments.as_json:
        print(json.dumps({"location": after.location, "before": before.revision, "after": after.revision}))
    elif before.revision == after.revision:
        print(f"{after.location} has the present tables, revision {after.revision}")
    else:
        print(f"{after.location}: revision {before.revision or 'none'} -> {after.revision}")
    return EXIT_OK


def _current(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.records.maintenance import current

    state = current(_url())
    if arguments.as_json:
        print(json.dumps(state.model_dump() | {"up_to_date": state.up_to_date}))
    else:
        what = "present" if state.up_to_date else f"this version uses {state.head}"
        print(f"{state.location}: revision {state.revision or 'none'} ({what})")
    return EXIT_OK


def _check(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.records.maintenance import check

    problems = check(_url())
    if arguments.as_json:
        print(json.dumps({"problems": list(problems)}, ensure_ascii=False))
    else:
        print("\n".join(problems) or "nothing is wrong")
    return EXIT_ERROR if problems else EXIT_OK


def _export(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.records.artifacts import ArtifactStore
    from agentic_spliceai.records.mlflow_sink import export_experiment
    from agentic_spliceai.records.store import RecordStore
    from agentic_spliceai.settings import get_settings

    settings = get_settings()
    store = RecordStore(settings.database_url)
    try:
        done = export_experiment(
            store,
            arguments.experiment,
            artifacts=ArtifactStore(settings.artifacts_dir) if arguments.artifacts else None,
            tracking_uri=arguments.tracking_uri,
        )
    finally:
        store.close()
    if arguments.as_json:
        print(json.dumps(done.model_dump(), ensure_ascii=False))
    else:
        print(f"{done.experiment}: {done.exported} runs copied to {done.tracking_uri}, {done.kept} were there already")
        for problem in done.problems:
            sys.stderr.write(f"left out: {problem}\n")
    return EXIT_ERROR if done.problems else EXIT_OK

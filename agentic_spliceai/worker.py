"""Run one job's work in the current folder: `python -m agentic_spliceai.worker experiment spec.json`.

What a job leaves lies in the folder: `metrics.jsonl` while it runs, `result.json` last. Repeated after a kill it goes
on where it stopped. What went wrong is in `error.json`, and on standard error in one line.

Exit codes: 0 success; 1 an unexpected error, with traceback; 2 an error that the user can act on; 130 stopped by
Ctrl-C; 143 by SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from agentic_spliceai.run import EXIT_OK, guarded
from agentic_spliceai.splice_engine.errors import SettingError, SpliceEngineError
from agentic_spliceai.splice_engine.meta_layer.experiments.spec import ExperimentSpec

ERROR_FILE = "error.json"

_STEPS = 20
"""Lines of progress that a stage prints, at most."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(prog="python -m agentic_spliceai.worker", description="Run one job's work.")
    kinds = parser.add_subparsers(metavar="KIND", required=True)
    experiment = kinds.add_parser("experiment", help="train and evaluate one experiment")
    experiment.add_argument("spec", type=Path, metavar="SPEC", help="JSON file with an ExperimentSpec")
    experiment.set_defaults(handler=_experiment)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line in the current folder and return the exit code."""
    arguments = build_parser().parse_args(argv)
    return guarded(lambda: _noted(lambda: arguments.handler(arguments), Path.cwd()))


def read_spec(path: Path) -> ExperimentSpec:
    """Read a specification.

    Raises
    ------
    SettingError
        If the file cannot be read, or is none.
    """
    try:
        return ExperimentSpec.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "experiment"
        raise SettingError(f"{path}: {where}: {first['msg']}.", "See ExperimentSpec for the fields.") from error


def _experiment(arguments: argparse.Namespace) -> int:
    spec = read_spec(arguments.spec)
    # From here on it takes a moment: torch and the science are loaded.
    import torch

    from agentic_spliceai.splice_engine.meta_layer.experiments.run import run_experiment
    from agentic_spliceai.tools.context import Resources

    resources = Resources()
    settings = resources.settings
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    result = run_experiment(
        spec,
        resolver=resources.resolver,
        data_root=settings.data_dir,
        out=Path.cwd(),
        device=settings.device,
        listen=_Printer(),
    )
    print(f"{result.name}: {len(result.figures)} figures, {len(result.seeds)} seeds, {result.seconds:.0f} s")
    return EXIT_OK


class _Printer:
    """Prints how far the work is, some lines a stage: the job's log."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = (stage, done * _STEPS // max(total, 1))
        if now != self._last:
            self._last = now
            print(f"{stage}: {done} of {total}", flush=True)


def _noted(command: Callable[[], int], folder: Path) -> int:
    """Run `command` and leave what went wrong in a file beside its results."""
    note = folder / ERROR_FILE
    note.unlink(missing_ok=True)
    try:
        return command()
    except SpliceEngineError as error:
        note.write_text(
            json.dumps({"code": error.code, "message": error.message, "advice": error.advice}, indent=1) + "\n",
            encoding="utf-8",
        )
        raise


if __name__ == "__main__":
    sys.exit(main())

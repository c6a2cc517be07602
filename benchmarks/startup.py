"""How long the command line takes to start: help, the first score, the first interpretation; with warm caches.

    AGENTIC_SPLICEAI_MIRROR=... python benchmarks/startup.py [--rounds 5] [--write-readme]

Each run is a process of its own, from its start to its end, after one run that fills the caches; the median of the
rounds. A first score is one variant of BRCA1 on GRCh38, and includes whatever a model needs to be loaded; an
interpretation ends with its report. `imports` shows what the same command spends on importing, by library, from
`python -X importtime` (which itself slows imports down).
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

from measuring import Report, Setting, add_arguments, checked_mirror, run, table_head, table_row

GOALS = {"--help": 0.5, "score, small": 3.0, "score, openspliceai": 3.0}
"""Seconds."""
COLUMNS = ("command", "imports", "seconds", "goal", "MiB")
_VARIANT = "chr17-43047642-C-T"
_IMPORT = re.compile(r"import time:\s+(?P<own>\d+) \|\s+\d+ \|\s*(?P<module>\S+)")
_SHOWN = 4


def commands(listed: Path, out: Path) -> dict[str, list[str]]:
    """Return the measured commands' arguments by name."""
    found = {"--help": ["--help"]}
    for model in ("small", "openspliceai"):
        found[f"score, {model}"] = ["score", str(listed), "--genome", "GRCh38", "--base-model", model, "--quiet"]
    for model in ("small", "openspliceai"):
        rest = ["--genome", "GRCh38", "--base-model", model, "--quiet", "--out", str(out)]
        found[f"interpret, {model}"] = ["interpret", _VARIANT, *rest]
    return found


def imports(errors: str) -> str:
    """Return the libraries that take longest to import, with their milliseconds, from what `importtime` says."""
    own: Counter[str] = Counter()
    for match in _IMPORT.finditer(errors):
        own[match["module"].partition(".")[0]] += int(match["own"])
    return ", ".join(f"{name} {micros / 1000:.0f} ms" for name, micros in own.most_common(_SHOWN))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=5, help="(default: 5)")
    arguments = parser.parse_args()
    mirror, setting, report = checked_mirror(arguments), Setting(arguments.threads, arguments.processor_time), Report()
    report.say(f"{report.machine}, {setting}, rounds: {arguments.rounds}", "", table_head(COLUMNS, texts=2))
    report.data["rows"] = []
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        extra = {f"AGENTIC_SPLICEAI_{name}_DIR": str(scratch / name.lower()) for name in ("DATA", "CACHE")}
        extra |= {"AGENTIC_SPLICEAI_MIRROR": str(mirror), "AGENTIC_SPLICEAI_DEVICE": arguments.device}
        listed = scratch / "one.txt"
        listed.write_text(f"{_VARIANT}\n", encoding="utf-8")
        for name, given in commands(listed, scratch / "report").items():
            command = ["-m", "agentic_spliceai.cli", *given]
            # The first run fills the caches.
            slowest = imports(run(name, [sys.executable, "-X", "importtime", *command], setting, extra).errors)
            rounds = [run(name, [sys.executable, *command], setting, extra) for _ in range(arguments.rounds)]
            seconds = statistics.median(done.seconds for done in rounds)
            mib = statistics.median(done.mib for done in rounds)
            goal = GOALS.get(name)
            report.data["rows"].append(
                {"command": name, "imports": slowest, "seconds": [done.seconds for done in rounds], "mib": mib}
            )
            report.say(table_row((name, slowest, f"{seconds:.2f}", "–" if goal is None else f"{goal}", f"{mib:.0f}")))
            if goal is not None and seconds > goal:
                missed.append(f"- {name} takes {seconds:.2f} s, more than {goal} s")
    report.say("", *(missed or ["Every goal is reached."]))
    report.write(arguments.json, "startup" if arguments.write_readme else None)


if __name__ == "__main__":
    main()

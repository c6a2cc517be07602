"""How fast variants and whole genes are scored, beside the published programs, on the same variants in one run.

    AGENTIC_SPLICEAI_MIRROR=... python benchmarks/speed.py [--peers FOLDER ...] [--quick] [--write-readme]
    AGENTIC_SPLICEAI_MIRROR=... python benchmarks/speed.py --device cuda
    AGENTIC_SPLICEAI_MIRROR=... python benchmarks/speed.py --profile saturation --methods float32

Cases, all of SNVs: `isolated`, one a gene; `genes`, twenty in each of ten genes of 45 kb; `saturation`, every SNV of a
stretch of a gene of 20 kb; and `track`, a gene of 45 kb whole, in nt instead of variants.

Each measurement is a process of its own. Programs take turns, round by round; a figure is the median of the rounds, a
ratio the median of the ratios within a round. Start-up does not count: ours are timed in their process after a warm-up
on a few variants, with reference passes counted in; the peers, and our command, by what many variants take more than
one. Peers and whole alleles (`plain`) do not gain from neighbours, but for OpenSpliceAI's reference windows, which the
alleles of one position share; they are measured on a sample of the case's variants, of a saturation on whole
positions. SpliceAI and our command are measured in the first round only.

`GFLOP` is the least that a variant (of a track, a thousand nt) needs over all networks, counted as direct convolutions;
GFLOP/s is that times the rate, and `of peak` its share of the rate of a matrix product in the same number format,
measured in the same process. It may pass 100 %, since `base_layer.fourier` needs fewer operations. `difference` is the
largest of a gain or loss, or of a site's probability, to our float32; SpliceAI has other networks. `MiB` is the most
that a process held, or that was allocated on the device.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from cases import TRACK, USUAL, VARIANT_CASES, Sizes
from measuring import Report, Setting, add_arguments, checked_mirror, table_head, table_row
from ours import METHODS, PLAIN, profile
from peers import Peer
from programs import COMMAND, OPENSPLICEAI, SPLICEAI, Bench, Choice, Measured

GOALS = {
    ("isolated", "float32"): 4,
    ("isolated", "bfloat16"): 8,
    ("genes", "float32"): 8,
    ("genes", "bfloat16"): 14,
    ("saturation", "float32"): 20,
    ("saturation", "bfloat16"): 35,
    (TRACK, "float32"): 5,
    (TRACK, "bfloat16"): 8,
}
"""Times as fast as OpenSpliceAI."""
GOAL_OF_PEAK = 0.6
GOAL_ON_CUDA = 2_000
"""Variants a second."""

QUICK = Sizes(isolated=8, genes=2, positions=24, sample=6)
ON_CUDA = Sizes(isolated=400, positions=2_000, sample=48)

COLUMNS = (
    "case", "D", "program", "n", "a second", "× OpenSpliceAI", "goal", "× plain", "GFLOP", "GFLOP/s", "of peak", "MiB",
    "difference",
)  # fmt: skip
_NAMES = {
    "plain": "ours, whole alleles",
    "float32": "ours, float32",
    "bfloat16": "ours, bfloat16",
    COMMAND: "`agentic-spliceai score`",
    SPLICEAI: "SpliceAI",
}
_NOTHING = "–"


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    arguments.distances = arguments.distances or ([50] if arguments.quick else [50, 500])
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 2)
    mirror = checked_mirror(arguments)
    peers = {name: peer for name in (OPENSPLICEAI, SPLICEAI) if (peer := Peer(name, arguments.peers)).path}
    with tempfile.TemporaryDirectory() as folder:
        choice = Choice(
            mirror=mirror,
            scratch=Path(folder),
            setting=Setting(1 if arguments.profile else arguments.threads, arguments.processor_time),
            sizes=QUICK if arguments.quick else ON_CUDA if arguments.device != "cpu" else Sizes(),
            base_model=arguments.base_model,
            device=arguments.device,
            methods=tuple(arguments.methods),
            batch=arguments.batch_sizes[0],
        )
        if arguments.profile:
            _profile(Bench(choice, {}), arguments.profile, arguments.distances[0])
            return
        report = Report()
        if OPENSPLICEAI in peers and arguments.device == "cpu" and len(arguments.batch_sizes) > 1:
            choice = replace(choice, batch=_best_batch(choice, peers, arguments, report))
        _compare(Bench(choice, peers), arguments, report)
    report.write(arguments.json, "speed" if arguments.write_readme else None)


def _compare(bench: Bench, arguments: argparse.Namespace, report: Report) -> None:
    """Measure and print everything."""
    choice = bench.choice
    report.say(
        f"{report.machine}, {choice.setting}, device {choice.device}, {choice.base_model}, "
        f"OpenSpliceAI's batch {choice.batch}, rounds: {arguments.rounds}",
        "",
        table_head(COLUMNS, texts=3),
    )
    report.data["rows"], short = [], []
    for case in arguments.cases:
        for distance in arguments.distances if case != TRACK else [0]:
            found = bench.measure(case, distance, arguments.rounds)
            by_name = {row.program: row for row in found}
            for row in found:
                report.say(_row(case, distance, row, by_name))
                short += _shortfalls(case, distance, row, by_name, bench.choice.device)
                report.data["rows"].append({"case": case, "distance": distance} | asdict(row) | {"scores": None})
    if not bench.beside_openspliceai:
        short.append("- Nothing was compared with OpenSpliceAI: it is not installed (`--peers`), or runs elsewhere.")
    report.say("", *(short or ["Every goal is reached."]))


def _row(case: str, distance: int, row: Measured, by_name: dict[str, Measured]) -> str:
    """Return a row of the table."""
    goal = GOALS.get((case, row.program))
    flop = None if row.flop is None else row.flop * (1000 if case == TRACK else 1) / 1e9
    rate_flop = None if row.flop is None else row.rate * row.flop / 1e9
    return table_row(
        (
            case,
            str(distance or _NOTHING),
            _NAMES.get(row.program, "OpenSpliceAI"),
            f"{row.count:,}",
            f"{row.rate:,.0f}" if row.rate >= 100 else f"{row.rate:.2f}",
            _number(row.times(by_name.get(OPENSPLICEAI)), ".1f"),
            _number(goal, "d"),
            _number(row.times(by_name.get(PLAIN)), ".1f"),
            _number(flop, ".1f"),
            _number(rate_flop, ".0f"),
            _number(row.of_peak, ".0%"),
            _number(row.memory, ".0f"),
            _number(None if row.program == SPLICEAI else row.difference(by_name.get("float32")), ".0e"),
        )
    )


def _number(value: float | None, form: str) -> str:
    return _NOTHING if value is None else format(value, form)


def _shortfalls(case: str, distance: int, row: Measured, by_name: dict[str, Measured], device: str) -> list[str]:
    """Say which goals a row of ours misses, and with what command to see why."""
    if row.program not in METHODS or row.program == PLAIN:
        return []
    missed = []
    times, goal = row.times(by_name.get(OPENSPLICEAI)), GOALS.get((case, row.program))
    if times is not None and goal is not None and times < goal:
        missed.append(f"{times:.1f} of {goal} times OpenSpliceAI's speed")
    if row.of_peak is not None and row.of_peak < GOAL_OF_PEAK:
        missed.append(f"{row.of_peak:.0%} of {GOAL_OF_PEAK:.0%} of the matrix peak")
    peers = [by_name[name].memory for name in (OPENSPLICEAI, SPLICEAI) if name in by_name]
    if peers and row.memory > min(peers):
        missed.append(f"{row.memory:.0f} MiB where a peer takes {min(peers):.0f}")
    if device != "cpu" and case != TRACK and row.rate < GOAL_ON_CUDA:
        missed.append(f"{row.rate:.0f} of {GOAL_ON_CUDA} variants a second")
    if not missed:
        return []
    command = f"python benchmarks/speed.py --profile {case} --methods {row.program}"
    command += f" --distances {distance}" * bool(distance) + f" --device {device}" * (device != "cpu")
    at = f", D = {distance}" if distance else ""
    return [f"- {case}{at}, {row.program}: {'; '.join(missed)}. Why: `{command}`"]


def _best_batch(choice: Choice, peers: dict[str, Peer], arguments: argparse.Namespace, report: Report) -> int:
    """Return the batch size at which OpenSpliceAI is fastest on isolated variants."""
    rates: dict[int, float] = {}
    for size in arguments.batch_sizes:
        tried = Bench(replace(choice, batch=size, methods=()), {OPENSPLICEAI: peers[OPENSPLICEAI]}, command=False)
        rates[size] = tried.measure("isolated", arguments.distances[0], 1)[0].rate
    report.data["batch_sizes"] = rates
    listed = ", ".join(f"{rate:.2f} at {size}" for size, rate in rates.items())
    report.say(f"OpenSpliceAI's isolated variants a second by batch size: {listed}.", "")
    return max(rates, key=lambda size: rates[size])


def _profile(bench: Bench, case: str, distance: int) -> None:
    """Print the operators that take most of a case's time."""
    what = bench.cases.genes(USUAL)[0].gene_name
    if case != TRACK:
        what = str(bench.cases.write_vcf(case, bench.cases.case(case, bench.choice.sizes).variants))
    for method in bench.choice.methods:
        rows = profile(bench.job(method, what, distance), top=15)
        print(f"{case}, {method}, one thread:\n")
        print(table_head(("operator", "calls", "seconds", "share"), texts=1))
        for name, calls, seconds in rows:
            print(table_row((name, f"{calls:,}", f"{seconds:.2f}", f"{seconds / rows[-1][2]:.1%}")))
        print()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cases = (*VARIANT_CASES, TRACK)
    add_arguments(parser)
    parser.add_argument(
        "--peers", type=Path, nargs="+", default=[], help="folders with openspliceai and spliceai (default: PATH)"
    )
    parser.add_argument("--cases", nargs="+", choices=cases, default=cases)
    parser.add_argument("--distances", type=int, nargs="+", help="nt (default: 50 500; with --quick 50)")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="of ours (default: all)")
    parser.add_argument("--rounds", type=int, help="(default: 2; with --quick 1)")
    parser.add_argument(
        "--batch-sizes", type=int, nargs="+", default=[1, 4, 16], help="of OpenSpliceAI; the best is taken"
    )
    parser.add_argument("--quick", action="store_true", help="small cases, for a first impression")
    parser.add_argument("--profile", choices=cases, metavar="CASE", help="show what a case's time goes into instead")
    return parser


if __name__ == "__main__":
    main()

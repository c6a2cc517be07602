"""How the cost of a variant grows: with variants a gene, with the distance, and with the length of the gene.

    AGENTIC_SPLICEAI_MIRROR=... python benchmarks/growth.py [--threads 2] [--write-readme]

One of the three varies; the others are 20 variants, 50 nt, and a gene of 45 kb. Each row is a process of its own, with
reference passes counted in; for the columns see `speed.py`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cases import USUAL, Cases
from measuring import Report, Setting, add_arguments, checked_mirror, table_head, table_row
from ours import METHODS, Job, ask

VARIANTS, DISTANCE = 20, 50
COLUMNS = ("varies", "variants", "D", "gene, nt", "ms a variant", "GFLOP", "GFLOP/s", "of peak", "MiB")


def points() -> Iterator[tuple[str, int, int, int]]:
    """Yield what varies, variants, distance and length of the gene."""
    yield from (("variants", count, DISTANCE, USUAL) for count in (1, 2, 5, 10, 20, 50, 100))
    yield from (("D", VARIANTS, distance, USUAL) for distance in (50, 200, 500, 2_000))
    yield from (("gene", VARIANTS, DISTANCE, length) for length in (10_000, 20_000, 45_000, 100_000, 250_000))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--method", choices=METHODS, default="float32", help="(default: float32)")
    arguments = parser.parse_args()
    mirror, setting, report = checked_mirror(arguments), Setting(arguments.threads, arguments.processor_time), Report()
    report.say(f"{report.machine}, {setting}, {arguments.base_model}, {arguments.method}", "")
    report.say(table_head(COLUMNS, texts=1))
    report.data["rows"] = []
    with tempfile.TemporaryDirectory() as folder:
        cases = Cases(mirror, Path(folder))
        for varies, count, distance, length in points():
            gene = cases.genes(length)[0]
            job = Job(
                method=arguments.method,
                what=str(cases.write_vcf("growth", cases.along(gene, count))),
                distance=distance,
                table=str(cases.table),
                fasta=str(cases.fasta),
                mirror=str(mirror),
                scratch=folder,
                base_model=arguments.base_model,
                device=arguments.device,
                threads=arguments.threads,
                processor_time=arguments.processor_time,
            )
            found = ask(job, setting)
            rate = found.flop * found.count / found.seconds
            report.data["rows"].append(
                {
                    "varies": varies,
                    "variants": count,
                    "distance": distance,
                    "length": gene.end - gene.start,
                    "seconds": found.seconds,
                    "flop": found.flop,
                    "peak": found.peak,
                    "mib": found.mib,
                }
            )
            report.say(
                table_row(
                    (
                        varies,
                        str(count),
                        f"{distance:,}",
                        f"{gene.end - gene.start:,}",
                        f"{1e3 * found.seconds / found.count:.0f}",
                        f"{found.flop / 1e9:.1f}",
                        f"{rate / 1e9:.0f}",
                        f"{rate / found.peak:.0%}",
                        f"{found.mib:.0f}",
                    )
                )
            )
    report.write(arguments.json, "growth" if arguments.write_readme else None)


if __name__ == "__main__":
    main()

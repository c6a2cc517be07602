"""Variants a second and start-up of the plain scorer on real records, beside the peers where they are installed.

    AGENTIC_SPLICEAI_MIRROR=... python benchmarks/score_variants.py [--records 20] [--distance 50]

Every row is measured in this run, on the same records, genome and gene table. A program's rate is what it takes for all
records less what it takes for one, so that start-up is not counted in it; start-up is the time for one record less
one record's share. Ours runs as a fresh process too. Rows with the same network can be compared; `ratio` is to the
first row.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

OURS = """
import sys
from pathlib import Path
from agentic_spliceai.splice_engine.base_layer.registry import load_base_model
from agentic_spliceai.splice_engine.base_layer.scoring import score_variants
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.resources import ResourceResolver
vcf, fasta, table, mirror, model, distance, cache = sys.argv[1:8]
network = load_base_model(model, ResourceResolver(Path(cache), mirror=Path(mirror), allow_download=False))
genome = ReferenceGenome(fasta, cache_dir=cache)
annotation = GeneAnnotation.load(table, cache_dir=cache)
texts = ["-".join(line.split("\\t")[i] for i in (0, 1, 3, 4)) for line in open(vcf) if not line.startswith("#")]
rows = list(score_variants(texts, genome, annotation, network, distance=int(distance)))
assert len(rows) == len(texts) and all(row.deltas for row in rows)
"""


@dataclass(frozen=True)
class Row:
    """One program's figures: seconds for one record and for all."""

    name: str
    one: float
    all: float
    records: int

    @property
    def rate(self) -> float:
        """Records a second, without start-up."""
        return (self.records - 1) / max(self.all - self.one, 1e-9)

    @property
    def start_up(self) -> float:
        """Seconds before the first record."""
        return max(self.one - 1 / self.rate, 0.0)


def measure(name: str, command: list[str], one: Path, every: Path, records: int, scratch: Path) -> Row:
    """Run `command` (with {vcf} and {out} in it) on one record and on all, after a warm-up on one."""
    seconds = []
    for number, vcf in enumerate((one, one, every)):
        filled = [part.format(vcf=vcf, out=scratch / f"{name.split()[0]}{number}.vcf") for part in command]
        start = time.perf_counter()
        done = subprocess.run(filled, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name} failed: {done.stderr[-2000:]}")
        seconds.append(time.perf_counter() - start)
    return Row(name, seconds[1], seconds[2], records)


def select(golden: Path, wanted: int) -> tuple[list[str], list[str]]:
    """Header and the first `wanted` SNV records that every program scores."""
    lines = (golden / "variants.vcf").read_text().splitlines()
    header = [line for line in lines if line.startswith("#")]
    rows = [line for line in lines if line and not line.startswith("#")]
    snvs = [line for line in rows if line.split("\t")[2].startswith(("snv_", "known_"))]
    return header, snvs[:wanted]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, default=os.environ.get("AGENTIC_SPLICEAI_MIRROR"))
    parser.add_argument("--records", type=int, default=20)
    parser.add_argument("--distance", type=int, default=50)
    parser.add_argument("--base-model", default="openspliceai")
    parser.add_argument(
        "--peers", type=Path, help="folder with the executables openspliceai and spliceai (default: PATH)"
    )
    arguments = parser.parse_args()
    if arguments.mirror is None:
        raise SystemExit("Set AGENTIC_SPLICEAI_MIRROR or give --mirror: this benchmark runs on real data.")
    golden, fasta = arguments.mirror / "golden/variants", arguments.mirror / "GRCh38/genome.fa.gz"
    table, d = golden / "annotation.tsv", str(arguments.distance)
    header, records = select(golden, arguments.records)
    if len(records) < 2:
        raise SystemExit("At least two records are needed.")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        one, every = scratch / "one.vcf", scratch / "every.vcf"
        one.write_text("\n".join([*header, records[0]]) + "\n")
        every.write_text("\n".join([*header, *records]) + "\n")
        ours = [sys.executable, "-c", OURS.replace("{", "{{").replace("}", "}}"), "{vcf}", str(fasta), str(table)]
        ours += [str(arguments.mirror), arguments.base_model, d, str(scratch)]
        rows = [measure(f"ours ({arguments.base_model})", ours, one, every, len(records), scratch)]
        common = ["-I", "{vcf}", "-O", "{out}", "-R", str(fasta), "-A", str(table), "-D", d, "-M", "0"]
        weights = arguments.mirror / "models/openspliceai-mane/10000nt"
        peers = {
            "openspliceai": ["variant", *common, "-m", str(weights), "-f", "10000", "-t", "pytorch", "-p", "4"],
            "spliceai": common,
        }
        for name, options in peers.items():
            path = shutil.which(name, path=str(arguments.peers) if arguments.peers else None)
            if path is None:
                print(f"{name}: not installed, no row", file=sys.stderr)
                continue
            rows.append(measure(f"{name} (its own)", [path, *options], one, every, len(records), scratch))
    print(f"{len(records)} SNVs of the golden set, D = {d}, {os.cpu_count()} cores\n")
    print("| program | variants/s | ratio | start-up s | ratio |\n|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.name} | {row.rate:.2f} | {row.rate / rows[0].rate:.2f} "
            f"| {row.start_up:.1f} | {row.start_up / max(rows[0].start_up, 1e-9):.1f} |"
        )


if __name__ == "__main__":
    main()

"""The published programs, run as their users run them, and their answers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from measuring import Finished, Setting, run
from ours import Scores, key


class Peer:
    """A program of that name in one of some folders, or on the path.

    Parameters
    ----------
    name
        `openspliceai` or `spliceai`.
    folders
        Where to look first.
    """

    def __init__(self, name: str, folders: Sequence[Path]) -> None:
        self.name = name
        candidates = [shutil.which(name, path=str(folder)) for folder in folders] + [shutil.which(name)]
        self.path = next((path for path in candidates if path is not None), None)

    def score(
        self, vcf: Path, fasta: Path, table: Path, distance: int, setting: Setting, options: Sequence[str] = ()
    ) -> tuple[Finished, Scores]:
        """Score a VCF without masking; an empty class's change is 0 where the program writes a negative one.

        Raises
        ------
        SystemExit
            If the program fails, or scores nothing.
        """
        assert self.path is not None
        out = vcf.with_suffix(f".{self.name}.vcf")
        command: list[str | Path] = [self.path, "variant"] if self.name == "openspliceai" else [self.path]
        command += [*options, "-I", vcf, "-O", out, "-R", fasta, "-A", table, "-D", str(distance), "-M", "0"]
        done = run(self.name, command, setting)
        scores = _read_vcf(out)
        if not scores:
            raise SystemExit(f"{self.name} scored none of the variants of {vcf.name}.")
        return done, scores

    def predict(self, sequence: Path, weights: Path, setting: Setting, threshold: float) -> tuple[Finished, Scores]:
        """Score a sequence, of which its sites from `threshold` are returned, counted from 0."""
        assert self.path is not None
        out = sequence.with_suffix("")
        command: list[str | Path] = [self.path, "predict", "-i", sequence, "-m", weights, "-f", "10000", "-o", out]
        done = run(f"{self.name} predict", [*command, "-t", str(threshold)], setting)
        scores: Scores = {}
        # An acceptor's row stands one base before the position that the network scored, a donor's at it.
        for name, moved in (("acceptor", 1), ("donor", 0)):
            for bed in out.rglob(f"{name}*.bed"):
                for line in bed.read_text(encoding="utf-8").splitlines():
                    fields = line.split("\t")
                    scores[f"{name}:{int(fields[1]) + moved}"] = [float(fields[4])]
        return done, scores


def _read_vcf(path: Path) -> Scores:
    found: Scores = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or "SpliceAI=" not in line:
            continue
        contig, position, _, ref, alt, _, _, info = line.split("\t")[:8]
        entry = info.partition("SpliceAI=")[2].partition(";")[0].split(",")[0].split("|")
        found[key(contig, int(position), ref, alt)] = [max(0.0, float(value)) for value in entry[2:6]]
    return found

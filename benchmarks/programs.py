"""Programs that score the same variants or genes, measured round by round."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cases import TRACK, USUAL, Case, Cases, Sizes
from measuring import Finished, Setting, run
from ours import METHODS, PLAIN, Job, Scores, ask
from peers import Peer

from agentic_spliceai.splice_engine.genome.types import Variant

OPENSPLICEAI, SPLICEAI, COMMAND = "openspliceai", "spliceai", "command"
PROGRAMS = (OPENSPLICEAI, SPLICEAI, *METHODS, COMMAND)
_ONCE = (SPLICEAI, COMMAND)
"""Measured in the first round only: nothing is compared with them."""

_SHORT = 10_000
"""Part of a gene that is taken off, so that start-up is not counted, nt."""

_SITE = 0.1


@dataclass
class Measured:
    """One program on one case.

    Attributes
    ----------
    program
        One of `PROGRAMS`.
    count
        Variants, or nt.
    flop
        See `ours.Answer`; None for whole alleles and other programs.
    rates
        Variants or nt a second, by round.
    mib, peaks
        Of each round.
    scores
        Of the last round.
    """

    program: str
    count: int
    flop: float | None = None
    rates: dict[int, float] = field(default_factory=dict)
    mib: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    scores: Scores = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Median variants or nt a second."""
        return statistics.median(self.rates.values())

    @property
    def memory(self) -> float:
        """Median MiB."""
        return statistics.median(self.mib)

    @property
    def of_peak(self) -> float | None:
        """Median share of the matrix peak that the least work would take."""
        return self.rate * self.flop / statistics.median(self.peaks) if self.flop else None

    def times(self, other: Measured | None) -> float | None:
        """Return how many times as fast as the other, the median of the rounds that both have."""
        both = [] if other is None else [self.rates[n] / other.rates[n] for n in self.rates if n in other.rates]
        return statistics.median(both) if both else None

    def difference(self, other: Measured | None) -> float | None:
        """Return the largest difference of a score that both have."""
        if other is None or other is self:
            return None
        common = self.scores.keys() & other.scores.keys()
        pairs = (pair for name in common for pair in zip(self.scores[name], other.scores[name], strict=True))
        return max((abs(a - b) for a, b in pairs), default=None)


@dataclass(frozen=True)
class Choice:
    """What is measured, and how.

    Attributes
    ----------
    mirror, scratch
        Folder with the data, and one for files.
    setting
        Threads and clock.
    sizes
        How large the cases are.
    base_model
        Of ours; OpenSpliceAI has its 10,000-nt models.
    device
        Of ours; the peers are left out where it is not the processor.
    methods
        Of ours.
    batch
        Batch size of OpenSpliceAI.
    """

    mirror: Path
    scratch: Path
    setting: Setting
    sizes: Sizes
    base_model: str
    device: str
    methods: tuple[str, ...]
    batch: int


class Bench:
    """Measures programs on cases.

    Parameters
    ----------
    choice
        What, and how.
    peers
        The published programs that are installed, by name.
    command
        Whether our command is measured, too.
    """

    def __init__(self, choice: Choice, peers: dict[str, Peer], *, command: bool = True) -> None:
        self.choice = choice
        self.cases = Cases(choice.mirror, choice.scratch)
        on_processor = choice.device == "cpu"
        self._peers = peers if on_processor else {}
        self._command_too = command and on_processor
        self._weights = choice.mirror / "models" / "openspliceai-mane" / "10000nt"
        self._least: dict[tuple[str, int, int, int], float] = {}

    @property
    def beside_openspliceai(self) -> bool:
        """Whether OpenSpliceAI is measured, too."""
        return OPENSPLICEAI in self._peers

    def job(self, method: str, what: str, distance: int) -> Job:
        """Return a job for a process of ours."""
        return Job(
            method=method,
            what=what,
            distance=distance,
            table=str(self.cases.table),
            fasta=str(self.cases.fasta),
            mirror=str(self.choice.mirror),
            scratch=str(self.choice.scratch),
            base_model=self.choice.base_model,
            device=self.choice.device,
            threads=self.choice.setting.threads,
            processor_time=self.choice.setting.processor_time,
        )

    def measure(self, name: str, distance: int, rounds: int) -> list[Measured]:
        """Measure every program on a case; they take turns."""
        case = None if name == TRACK else self.cases.case(name, self.choice.sizes)
        found: dict[str, Measured] = {}
        for number in range(rounds):
            for program in self._programs(name):
                if number and program in _ONCE:
                    continue
                if case is None:
                    self._track(program, found, number)
                elif program in METHODS:
                    variants = case.sample if program == PLAIN else case.variants
                    self._ours(program, self.cases.write_vcf(f"{name}_{program}", variants), distance, found, number)
                else:
                    self._others(program, case, distance, found, number)
        return list(found.values())

    def _programs(self, name: str) -> list[str]:
        if name == TRACK:  # whole alleles are what a track is made of
            return [*self._peers.keys() & {OPENSPLICEAI}, *(m for m in self.choice.methods if m != PLAIN)]
        return [*self._peers, *self.choice.methods, *([COMMAND] if self._command_too else [])]

    def _ours(self, method: str, what: Path | str, distance: int, found: dict[str, Measured], number: int) -> None:
        answer = ask(self.job(method, str(what), distance), self.choice.setting)
        # The sample that whole alleles are measured on lies apart, and shares less work than the case.
        row = found.setdefault(method, Measured(method, answer.count, None if method == PLAIN else answer.flop))
        row.rates[number] = answer.count / answer.seconds
        row.mib.append(answer.mib)
        row.peaks.append(answer.peak)
        row.scores = answer.scores

    def _others(self, program: str, case: Case, distance: int, found: dict[str, Measured], number: int) -> None:
        """Measure a program by what many variants take more than one, or one position: start-up is in both."""
        least = case.sample[: case.unit]
        known = program, distance, number, len(least)
        if known not in self._least:
            done, _ = self._whole_program(program, f"{case.name}_least", least, distance)
            self._least[known] = done.seconds
        variants = case.variants if program == COMMAND else case.sample
        done, scores = self._whole_program(program, f"{case.name}_{program}", variants, distance)
        row = found.setdefault(program, Measured(program, len(variants)))
        row.rates[number] = _rate(program, len(variants) - len(least), done.seconds - self._least[known])
        row.mib.append(done.mib)
        row.scores = scores

    def _whole_program(
        self, program: str, name: str, variants: Sequence[Variant], distance: int
    ) -> tuple[Finished, Scores]:
        vcf, setting = self.cases.write_vcf(name, variants), self.choice.setting
        if program == COMMAND:
            return self._command(vcf, distance), {}
        options: list[str] = []
        if program == OPENSPLICEAI:
            options = [
                "-m",
                str(self._weights),
                "-f",
                "10000",
                "-t",
                "pytorch",
                "-p",
                "10",
                "-b",
                str(self.choice.batch),
            ]
        return self._peers[program].score(vcf, self.cases.fasta, self.cases.table, distance, setting, options)

    def _command(self, vcf: Path, distance: int) -> Finished:
        out = vcf.with_suffix(".tsv")
        out.unlink(missing_ok=True)
        command: list[str | Path] = [sys.executable, "-m", "agentic_spliceai.cli", "score", vcf, "-o", out, "--quiet"]
        command += ["--genome", self.cases.fasta, "--annotation", self.cases.table, "--distance", str(distance)]
        command += ["--base-model", self.choice.base_model]
        folders = {f"AGENTIC_SPLICEAI_{name}_DIR": str(self.choice.scratch) for name in ("DATA", "CACHE")}
        mirror = {"AGENTIC_SPLICEAI_MIRROR": str(self.choice.mirror), "AGENTIC_SPLICEAI_DEVICE": "cpu"}
        return run("agentic-spliceai score", command, self.choice.setting, folders | mirror)

    def _track(self, program: str, found: dict[str, Measured], number: int) -> None:
        transcript = self.cases.genes(USUAL)[0]
        if program in METHODS:
            self._ours(program, transcript.gene_name, 0, found, number)
            return
        peer, setting = self._peers[program], self.choice.setting
        short, whole = (self.cases.write_sequence(transcript, length) for length in (_SHORT, None))
        less, _ = peer.predict(short, self._weights, setting, _SITE)
        done, scores = peer.predict(whole, self._weights, setting, _SITE)
        count = transcript.end - transcript.start
        row = found.setdefault(program, Measured(program, count))
        row.rates[number] = _rate(program, count - _SHORT, done.seconds - less.seconds)
        row.mib.append(done.mib)
        row.scores = scores


def _rate(program: str, more: int, seconds: float) -> float:
    if seconds <= 0:
        raise SystemExit(f"{program} took no longer for {more} more: the machine is too busy, or the case too small.")
    return more / seconds

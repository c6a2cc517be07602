"""Results of a batch as the VCF that they were asked for, each record with its scores in INFO."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentic_spliceai.splice_engine.base_layer.results import SpliceDelta
from agentic_spliceai.splice_engine.errors import ResourceError, SettingError
from agentic_spliceai.splice_engine.genome.vcf import VcfAllele, iter_vcf_records, read_vcf_header
from agentic_spliceai.splice_engine.meta_layer.results import VariantPrediction
from agentic_spliceai.tools.batch_meta import meta_call
from agentic_spliceai.tools.batch_types import BatchResult
from agentic_spliceai.tools.batch_writing import Piece

_COLUMNS = 8
"""CHROM to INFO."""

_FIRST_COLUMNS = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]
_TAG = re.compile(r"[A-Za-z_][0-9A-Za-z_.]*")
# Of VCF 4.3, section 1.2, as far as INFO goes; spaces, which older versions do not allow; and what stands between our
# own fields.
_RESERVED = re.compile(r"[\x00-\x20\x7f%;=,|]")
_KINDS = ("AG", "AL", "DG", "DL")
_LARGEST_TBI = 1 << 29


@dataclass(frozen=True)
class Tags:
    """Names of the INFO fields that are added.

    Attributes
    ----------
    scores
        In SpliceAI's format; the others' names begin with it.
    """

    scores: str

    def __post_init__(self) -> None:
        if not _TAG.fullmatch(self.scores):
            raise SettingError(
                f"--tag {self.scores!r} is no name of an INFO field.",
                "Letters, digits, _ and . are allowed, and the first is no digit.",
            )

    @property
    def detail(self) -> str:
        """Which gene and transcript, and the probabilities behind each change."""
        return f"{self.scores}_detail"

    @property
    def not_scored(self) -> str:
        """Alleles without scores."""
        return f"{self.scores}_not_scored"

    @property
    def meta(self) -> str:
        """What a trained meta-layer says."""
        return f"{self.scores}_meta"

    @property
    def all(self) -> tuple[str, ...]:
        """All names."""
        return (self.scores, self.detail, self.not_scored, self.meta)


@dataclass
class VcfWriter:
    """Writes the records of a VCF again, each with what was found.

    A record's own columns stay as they are; lines end with a line feed. Columns that a record lacks up to INFO are
    filled with `.`. A line that has not even five is written as it is, and has its reason in the summary alone.

    Attributes
    ----------
    path
        The VCF; it is read a second time, beside the results.
    tags
        Names of what is added.
    masked
        Which scores.
    digits
        Of the scores.
    provenance
        How the scores were made, by name, for the header.
    meta
        Whether there is a trained meta-layer.
    replace
        Whether to remove fields of the same names that an earlier run left.
    sorted
        Whether the records so far are in an order that an index can be made for.
    longest
        The largest position so far.
    """

    path: Path
    tags: Tags
    masked: bool
    digits: int
    provenance: dict[str, str]
    meta: bool = False
    replace: bool = False
    sorted: bool = field(default=True, init=False)
    longest: int = field(default=0, init=False)
    _contigs: dict[str, int] = field(default_factory=dict, init=False)

    def header(self) -> str:
        """Return the VCF's header with ours in it.

        Raises
        ------
        ResourceError
            If it has none.
        SettingError
            If fields of ours are declared already, and shall not be replaced.
        """
        lines = read_vcf_header(self.path)
        names = next((number for number, line in enumerate(lines) if line.startswith("#CHROM")), None)
        if names is None:
            raise ResourceError(
                f"{self.path.name} has no line that begins with #CHROM.",
                "Add the VCF's header, or write a table: -o out.tsv.",
            )
        kept = [line for line in lines[:names] if not self._is_ours(line)]
        if len(kept) < names and not self.replace:
            raise self._there_already("its header")
        if not (kept and kept[0].startswith("##fileformat=")):
            kept.insert(0, "##fileformat=VCFv4.2")
        columns = lines[names].split("\t")
        columns += _FIRST_COLUMNS[len(columns) :]
        return "\n".join([*kept, *self._own_lines(), "\t".join(columns)]) + "\n"

    def options(self) -> dict[str, str]:
        """Return what decides the text beside the scores, by name."""
        return {"Tag": self.tags.scores, "Digits": str(self.digits)}

    def pieces(self, results: Iterator[BatchResult], done: int = 0) -> Iterator[Piece]:
        """Yield each record with its results.

        Parameters
        ----------
        results
            One an allele, from number `done` on.
        done
            So many alleles were written before; a record's are written together.

        Raises
        ------
        SettingError
            If a record has a field of ours already, and it shall not be replaced.
        """
        passed = 0
        for alleles in iter_vcf_records(self.path):
            self._watch(alleles[0])
            passed += len(alleles)
            if passed <= done:
                continue
            own = [result for _, result in zip(alleles, results, strict=False)]
            if [result.record for result in own] != [allele.record for allele in alleles]:
                raise ResourceError(f"{self.path.name} changed while it was read.", "Run the command again.")
            yield Piece(self._line(alleles, own) + "\n", own)

    def _line(self, alleles: Sequence[VcfAllele], results: Sequence[BatchResult]) -> str:
        fields = alleles[0].line.split("\t", _COLUMNS)
        if len(fields) < 5:
            return alleles[0].line
        fields += ["."] * (_COLUMNS - len(fields))
        # The positions of SpliceAI's format count from POS as it is written.
        position = int(fields[1]) if alleles[0].allele_index else 0
        names = fields[4].split(",") if alleles[0].allele_index else [fields[4]]
        added = list(self._added(names, results, position))
        fields[7] = self._info(fields[7], added, alleles[0].line_number)
        return "\t".join(fields)

    def _info(self, info: str, added: Sequence[str], line_number: int) -> str:
        entries = info.split(";")
        own = [entry for entry in entries if entry.partition("=")[0] in self.tags.all]
        if own and not self.replace:
            raise self._there_already(f"line {line_number}")
        if own:
            info = ";".join(entry for entry in entries if entry not in own)
        if info in ("", "."):
            return ";".join(added)
        return info + ("" if info.endswith(";") else ";") + ";".join(added)

    def _added(self, names: Sequence[str], results: Sequence[BatchResult], position: int) -> Iterator[str]:
        scores, details, reasons, said = [], [], [], []
        for name, result in zip(map(encoded, names), results, strict=True):
            if result.not_scored is not None:
                reasons.append(f"{name}|{result.not_scored.code}")
            for number, delta in enumerate(result.deltas):
                scores.append(f"{name}|{self._scores(delta, position)}")
                details.append(f"{name}|{self._detail(delta)}")
                if self.meta:
                    said.append(f"{name}|{_meta(result.meta[number])}")
        for tag, values in zip(self.tags.all, (scores, details, reasons, said), strict=True):
            if values:
                yield f"{tag}={','.join(values)}"

    def _scores(self, delta: SpliceDelta, position: int) -> str:
        changes = (delta.masked if self.masked else delta.raw).changes()
        return "|".join(
            [
                encoded(delta.gene_name),
                *(f"{change.score:.{self.digits}f}" for change in changes),
                *(str(change.position - position) for change in changes),
            ]
        )

    def _detail(self, delta: SpliceDelta) -> str:
        changes = (delta.masked if self.masked else delta.raw).changes()
        return "|".join(
            [
                encoded(delta.gene_id),
                encoded(delta.transcript_id),
                delta.strand.value,
                *(f"{score:.4f}" for change in changes for score in (change.ref_score, change.alt_score)),
                f"{1 - delta.context.unknown_fraction:.4f}",
            ]
        )

    def _own_lines(self) -> list[str]:
        about = f"{self.provenance['Predictor']} {self.provenance['PredictorVersion']}"
        which = "masked" if self.masked else "unmasked"
        behind = "|".join(f"{kind}_{allele}" for kind in _KINDS for allele in ("REF", "ALT"))
        format_of_scores = "|".join(
            ("ALLELE", "SYMBOL", *(f"{part}_{kind}" for part in ("DS", "DP") for kind in _KINDS))
        )
        texts = {
            self.tags.scores: f"{about}, {which}, by agentic-spliceai. Delta scores (DS) and positions relative to POS "
            "(DP) of acceptor gain (AG), acceptor loss (AL), donor gain (DG) and donor loss (DL); the position is the "
            f"exon's last or first base. Format: {format_of_scores}",
            self.tags.detail: f"Behind {self.tags.scores}: gene, transcript, strand, probability of the site on "
            "reference and alternate at each DP, and the share of the transcript's bases in the window that are known. "
            f"Format: ALLELE|GENE_ID|TRANSCRIPT_ID|STRAND|{behind}|KNOWN",
            self.tags.not_scored: f"Alleles without {self.tags.scores}, and why. Format: ALLELE|REASON",
        }
        if self.meta:
            texts[self.tags.meta] = (
                "What the trained meta-layer says: calibrated probability that splicing is altered, spread over seeds, "
                "threshold and call; predicted change of donor, acceptor and exon inclusion, and the site that is hit; "
                "outside_training where the variant is unlike those that it learned from, or why it says nothing. "
                "Format: ALLELE|GENE_ID|P|P_LOW|P_HIGH|THRESHOLD|CALL|DONOR|ACCEPTOR|INCLUSION|SITE|NOTE"
            )
        lines = [f"##INFO=<ID={tag},Number=.,Type=String,Description={_quoted(text)}>" for tag, text in texts.items()]
        values = ",".join(f"{name}={_quoted(value)}" for name, value in self.provenance.items())
        return [*lines, f"##AgenticSpliceAI=<ID={self.tags.scores},{values}>"]

    def _is_ours(self, line: str) -> bool:
        for start, names in (("##INFO=<ID=", self.tags.all), ("##AgenticSpliceAI=<ID=", (self.tags.scores,))):
            if line.startswith(start) and re.split(r"[,>]", line[len(start) :], maxsplit=1)[0] in names:
                return True
        return False

    def _there_already(self, where: str) -> SettingError:
        return SettingError(
            f"{self.path.name} has fields of {self.tags.scores} already ({where}).",
            "Give another --tag to keep them, or --replace-tags to remove them, whoever wrote them.",
        )

    def _watch(self, first: VcfAllele) -> None:
        """Follow whether the records are sorted: by position within a contig, each contig in one piece."""
        if not first.allele_index:
            self.sorted = False
            return
        contig, position = first.line.split("\t", 2)[:2]
        last = next(reversed(self._contigs), None)
        if contig in self._contigs and (contig != last or int(position) < self._contigs[contig]):
            self.sorted = False
        self._contigs[contig] = int(position)
        self.longest = max(self.longest, int(position) + len(first.line.split("\t", 4)[3]))

    def make_index(self, path: Path) -> Path:
        """Make the index of what was written, block-gzipped, beside it: `.tbi`, or `.csi` for very long contigs.

        Raises
        ------
        ResourceError
            If there can be none.
        """
        if not self.sorted:
            raise ResourceError(
                "there is no index: the records are not in the order of contig and position.",
                f"Sort them first: bcftools sort {self.path.name}.",
            )
        try:
            import pysam
        except ImportError:
            raise ResourceError("there is no index: pysam is not installed.", "Make it elsewhere.") from None
        csi = self.longest >= _LARGEST_TBI
        index = path.with_name(f"{path.name}{'.csi' if csi else '.tbi'}")
        part = index.with_name(f"{index.name}.partial")
        try:
            pysam.tabix_index(str(path), preset="vcf", force=True, csi=csi, index=str(part))
            part.replace(index)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise ResourceError(f"there is no index: {error}.", "Look at the records with bcftools.") from error
        return index


def encoded(text: str) -> str:
    """Return `text` as a part of an INFO value: what has a meaning there as `%` and its code."""
    return _RESERVED.sub(lambda match: f"%{ord(match[0]):02X}", text)


def _quoted(text: str) -> str:
    plain = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


def _meta(said: VariantPrediction) -> str:
    triage, delta = said.triage, said.delta
    chance = (triage.probability, triage.probability_low, triage.probability_high, triage.threshold) if triage else ()
    change = (delta.donor, delta.acceptor, delta.inclusion) if delta else ()
    note = said.not_scored.code if said.not_scored else ""
    if (triage and triage.caveats) or (delta and delta.caveats):
        note = "outside_training"
    return "|".join(
        [
            encoded(said.gene_id or "."),
            *_numbers(chance or (None,) * 4),
            meta_call(said) or ".",
            *_numbers(change or (None,) * 3),
            (delta and delta.site) or ".",
            note or ".",
        ]
    )


def _numbers(values: Iterable[float | None]) -> list[str]:
    return ["." if value is None else f"{value:.4f}" for value in values]

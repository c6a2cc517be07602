"""The reference sequence: any stretch of a FASTA file, and where the file has none."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Self

from agentic_spliceai.splice_engine.errors import BuildMismatchError, GenomeFileError, PositionOutOfRangeError
from agentic_spliceai.splice_engine.genome import fasta
from agentic_spliceai.splice_engine.genome.contigs import ContigAliases, canonical_contig
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Interval

# Letters become upper case, the ambiguity codes of IUPAC become N; what is no letter becomes byte 0 and is refused.
_CLEAN = bytes(
    (ord(chr(code).upper()) if chr(code).upper() in "ACGT" else ord("N")) if chr(code).isalpha() and code < 128 else 0
    for code in range(256)
)

_EDGE = 1 << 16  # bytes of a file's beginning and end that are compared with its index

# Lengths that tell the builds apart (NCBI assembly reports).
_LENGTHS: dict[tuple[str, int], GenomeBuild] = {
    ("chr1", 249250621): GenomeBuild.GRCH37, ("chr2", 243199373): GenomeBuild.GRCH37,
    ("chr3", 198022430): GenomeBuild.GRCH37, ("chr7", 159138663): GenomeBuild.GRCH37,
    ("chr17", 81195210): GenomeBuild.GRCH37, ("chr21", 48129895): GenomeBuild.GRCH37,
    ("chr22", 51304566): GenomeBuild.GRCH37, ("chrX", 155270560): GenomeBuild.GRCH37,
    ("chr1", 248956422): GenomeBuild.GRCH38, ("chr2", 242193529): GenomeBuild.GRCH38,
    ("chr3", 198295559): GenomeBuild.GRCH38, ("chr7", 159345973): GenomeBuild.GRCH38,
    ("chr17", 83257441): GenomeBuild.GRCH38, ("chr21", 46709983): GenomeBuild.GRCH38,
    ("chr22", 50818468): GenomeBuild.GRCH38, ("chrX", 156040895): GenomeBuild.GRCH38,
    ("chr1", 248387328): GenomeBuild.CHM13, ("chr1", 195154279): GenomeBuild.GRCM39,
}  # fmt: skip


class ReferenceGenome:
    """Reference sequence from a FASTA file, plain or block-gzipped.

    The indices beside the file (`.fai`, for BGZF also `.gzi`) are used where they exist. Otherwise they are built once
    and kept beside the file, or in `cache_dir` where that folder cannot be written, or for as long as the object lives.
    Instances may be shared between threads, survive a fork, and are pickled by reopening the file.

    Parameters
    ----------
    path
        FASTA file.
    build
        Genome build. By default it is read off the contig lengths, and is None where they tell nothing.
    cache_dir
        Folder for indices that cannot lie beside the file.

    Raises
    ------
    GenomeFileError
        If the file is missing, empty, damaged, gzipped but not in blocks, or does not fit its index; or if it is
        block-gzipped and pysam is not installed.
    BuildMismatchError
        If `build` contradicts the contig lengths.
    """

    def __init__(self, path: Path | str, build: GenomeBuild | None = None, cache_dir: Path | str | None = None) -> None:
        self.path = Path(path)
        self._given_build = build
        self._cache_dir = None if cache_dir is None else Path(cache_dir)
        try:
            blocked = self._is_blocked()
            self._size = self.path.stat().st_size
            self._reader = fasta.FastaReader(self.path, self._cache_dir, blocked)
        except OSError as problem:
            raise GenomeFileError(
                f"the genome {self.path} cannot be read ({problem.strerror or problem}).",
                "Check the path and its permissions.",
            ) from problem
        try:
            records = self._reader.records()
            self._check(records)
        except BaseException:
            self._reader.close()
            raise
        self._contigs = {record.name: record for record in records}
        self._aliases = ContigAliases(self._contigs)
        self._identity = self._describe(records)
        self.build = self._check_build(build)

    # -- opening -----------------------------------------------------------------------------------------------------

    def _is_blocked(self) -> bool:
        """Whether the file is block-gzipped; refuses what is no FASTA."""
        with self.path.open("rb") as handle:
            head = handle.read(64)
        if not head:
            raise GenomeFileError(f"the genome {self.path} is empty.", "Fetch the file again.")
        if fasta.is_blocked(head):
            return True
        if head.startswith(b"\x1f\x8b"):
            raise GenomeFileError(
                f"{self.path} is compressed with gzip, which allows no random access.",
                f"Recompress it in blocks: `gunzip -c {self.path.name} | bgzip > new.fa.gz`, or use it uncompressed.",
            )
        if head.lstrip()[:1] not in (b">", b";"):
            raise GenomeFileError(
                f"{self.path} is no FASTA: it does not start with '>'.",
                "Give a FASTA, plain or compressed with bgzip.",
            )
        return False

    def _check(self, records: list[fasta.ContigRecord]) -> None:
        """Refuse an index that belongs to another file: the first contig's header and the last one's end tell."""
        first, last = records[0], next((record for record in reversed(records) if record.length), None)
        if last is None:
            raise GenomeFileError(f"{self.path} is no readable FASTA: it holds no base.", "Fetch the file again.")
        try:
            header = self._reader.text(0, min(first.offset, _EDGE)).splitlines(keepends=True)[-1]
            base, *rest = self._reader.text(last.last_byte, _EDGE).split(b"\n")
            fetched = self._reader.fetch(last.name, last.length - 1, last.length)
        except fasta.PROBLEMS:
            header, base, rest, fetched = b"", b"", [], ""
        fits = (
            header.startswith(b">")
            and header.endswith(b"\n")
            and header[1:].split()[:1] == [first.name.encode()]
            and len(base.strip()) == len(fetched) == 1
            and all(line.startswith(b">") or not line.strip() for line in rest)
        )
        if not fits:
            raise GenomeFileError(
                f"{self.path} does not fit its index ({first.name} to {last.name}): it is cut short, the index is "
                "another file's, or lines of a record differ in length.",
                f"Fetch the file again, or remove {self.path.name}.fai so that it is built anew.",
            )

    def _describe(self, records: list[fasta.ContigRecord]) -> str:
        # samtools leaves contigs without bases out of an index, pyfaidx does not.
        digest = hashlib.sha256("".join(f"{record}\n" for record in records if record.length).encode()).hexdigest()
        return f"{self.path.name}, {self._size} bytes, index sha256 {digest[:16]}"

    def _check_build(self, given: GenomeBuild | None) -> GenomeBuild | None:
        seen = {
            build
            for record in self._contigs.values()
            if (build := _LENGTHS.get((canonical_contig(record.name), record.length))) is not None
        }
        if len(seen) != 1:
            return given
        (found,) = seen
        if given is not None and given is not found:
            raise BuildMismatchError(
                f"{self.path.name} has the contig lengths of {found}, not of {given}.",
                f"Name the build {found}, or give the FASTA of {given}.",
            )
        return found

    # -- contigs -----------------------------------------------------------------------------------------------------

    @property
    def contigs(self) -> tuple[str, ...]:
        """Canonical contig names, in the file's order."""
        return self._aliases.canonical

    @property
    def identity(self) -> str:
        """Which file this is: its name, its size, and a digest of its index (names, lengths and layout)."""
        return self._identity

    def has_contig(self, contig: str) -> bool:
        """Whether the file has this contig under any of its names."""
        return self._aliases.get(contig) is not None

    def contig_length(self, contig: str) -> int:
        """Return the length of a contig, nt.

        Raises
        ------
        UnknownContigError
            If the file has no such contig.
        """
        return self._contigs[self._aliases.resolve(contig)].length

    # -- sequence ----------------------------------------------------------------------------------------------------

    def fetch(self, interval: Interval) -> str:
        """Return the plus-strand bases of an interval: A, C, G, T, N, upper-case.

        Raises
        ------
        UnknownContigError
            If the file has no such contig.
        PositionOutOfRangeError
            If the interval reaches past the contig's end.
        GenomeFileError
            If the file is damaged there.
        """
        length = self.contig_length(interval.contig)
        if interval.end > length:
            raise PositionOutOfRangeError(
                f"{interval} reaches past the end of {interval.contig}, which has {length} bases.",
                "Check the position and the genome build.",
            )
        return self._read(self._contigs[self._aliases.resolve(interval.contig)], interval.start, interval.end)

    def fetch_padded(self, contig: str, start: int, end: int) -> str:
        """Return bases [start, end) with N for every position before or after the contig.

        Parameters
        ----------
        contig
            Any of the contig's names.
        start, end
            0-based, half-open; `start` may be negative and `end` past the contig's end.

        Returns
        -------
        str of length end - start
            A, C, G, T, N.
        """
        record = self._contigs[self._aliases.resolve(contig)]
        inner_start, inner_end = min(max(start, 0), record.length), max(min(end, record.length), 0)
        if inner_end <= inner_start:
            return "N" * max(end - start, 0)
        return "N" * (inner_start - start) + self._read(record, inner_start, inner_end) + "N" * (end - inner_end)

    def has_sequence(self, interval: Interval) -> bool:
        """Whether every base of the interval is known (not N); raises as `fetch` does."""
        return "N" not in self.fetch(interval)

    def _read(self, record: fasta.ContigRecord, start: int, end: int) -> str:
        if end <= start:
            return ""
        cause: Exception | None = None
        try:
            bases = self._reader.fetch(record.name, start, end).encode("ascii", "replace").translate(_CLEAN)
        except fasta.PROBLEMS as problem:
            bases, cause = b"", problem
        if len(bases) != end - start or b"\0" in bases:
            raise GenomeFileError(
                f"{self.path.name} is damaged or cut short at {record.name}:{start + 1}-{end}.",
                "Fetch the file again and compare its checksum.",
            ) from cause
        return bases.decode("ascii")

    # -- life --------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[ReferenceGenome], tuple[Path, GenomeBuild | None, Path | None]]:
        return type(self), (self.path, self._given_build, self._cache_dir)

    def __repr__(self) -> str:
        return f"ReferenceGenome({str(self.path)!r}, build={self.build})"

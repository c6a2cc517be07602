"""The base layer's artifacts: which positions of which genes a meta-model learns from, with everything known of them.

Files, in the layout of the published tables:

- `analysis_sequences_<chrom>_chunk_<a>_<b>.tsv[.gz]`: one position a row, columns of `schema.COLUMNS`; a and b number
  the genes of the chromosome in this run, from 1;
- `splice_errors_<chrom>_chunk_<a>_<b>.tsv[.gz]`: the base model's false calls among them;
- `gene_manifest.tsv`: one gene a row, with counts;
- `manifest.json`: provenance, settings, digests, counts.

Flanks: the base model sees N beyond a gene's extent, as in variant scoring. The `sequence` column has the genome's real
bases there, and N only where the genome has none.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from agentic_spliceai.splice_engine.base_layer.gene_tracks import GeneTrack, score_gene
from agentic_spliceai.splice_engine.base_layer.model import BaseModel
from agentic_spliceai.splice_engine.errors import BuildMismatchError, SettingError, TrainingDataError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.contigs import canonical_contig
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.types import Gene, Strand
from agentic_spliceai.splice_engine.meta_layer.config import MetaLayerConfig
from agentic_spliceai.splice_engine.meta_layer.data.artifact_files import (
    MANIFEST,
    file_sha256,
    read_manifest,
    write_atomically,
    writing,
)
from agentic_spliceai.splice_engine.meta_layer.data.codes import Codes, encode
from agentic_spliceai.splice_engine.meta_layer.data.gene_rows import (
    ERROR_COLUMNS,
    ArtifactSettings,
    choose_positions,
    gene_lines,
)
from agentic_spliceai.splice_engine.meta_layer.data.schema import COLUMNS, FORMAT, schema_digest
from agentic_spliceai.splice_engine.meta_layer.data.site_labels import SiteLabels, label_track

Progress = Callable[[str, int, int], None]
"""Hears the name of the gene that was written, the positions done, and the positions in all."""

_GENE_COLUMNS = (
    "gene_id", "gene_name", "transcript_id", "chrom", "strand", "start", "end", "transcripts", "positions", "rows",
    "donors", "acceptors", "TP", "FP", "FN", "TN", "contradicting", "other_gene", "unknown", "real_context", "chunk",
)  # fmt: skip


@dataclass(frozen=True)
class ArtifactSummary:
    """What a run left in the folder.

    Attributes
    ----------
    folder
        Where.
    written, skipped
        Chunks that were made, and that were there already.
    genes, rows, positions
        Of all chunks in the folder; `positions` is what the rows stand for.
    outcomes
        Rows by TP, FP, FN, TN.
    """

    folder: Path
    written: int
    skipped: int
    genes: int
    rows: int
    positions: int
    outcomes: dict[str, int]


def write_artifacts(
    target: MetaLayerConfig | Path,
    genome: ReferenceGenome,
    annotation: GeneAnnotation,
    model: BaseModel,
    *,
    genes: Iterable[Gene] | None = None,
    chromosomes: Collection[str] | None = None,
    settings: ArtifactSettings | None = None,
    progress: Progress | None = None,
) -> ArtifactSummary:
    """Run the base layer over genes and write what the meta-layer learns from.

    One gene is in memory at a time. A chunk is written under another name, flushed to disk and renamed, so that an
    interrupted run leaves whole chunks only, and the next run goes on behind them; the files are the same, byte by
    byte, as those of a run that was not interrupted.

    Parameters
    ----------
    target
        The configuration, whose `artifacts_dir` is written to, or a folder.
    genome, annotation, model
        What is scored; all of one build.
    genes
        Genes to take; by default all of the annotation that have an intron.
    chromosomes
        Take genes of these chromosomes only.
    settings
        What is kept.
    progress
        Called after each gene.

    Raises
    ------
    SettingError
        If the folder holds artifacts of other settings, of another model or genome, or of other genes in the same
        chunk; or if another process writes there.
    BuildMismatchError
        If genome, annotation and configuration are not of one build.
    TrainingDataError
        If no gene is left.
    """
    folder = target if isinstance(target, Path) else target.artifacts_dir
    if isinstance(target, MetaLayerConfig):
        _check_config(target, genome, model)
    if annotation.build is not None and genome.build is not None and annotation.build is not genome.build:
        raise BuildMismatchError(
            f"The annotation is on {annotation.build}, the genome on {genome.build}.", "Give both of one build."
        )
    settings = settings or ArtifactSettings()
    writer = _Writer(folder, genome, annotation, model, settings, progress)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            return writer.run(_by_chromosome(annotation, genes, chromosomes))
    except Timeout:
        raise SettingError(f"Another process writes artifacts to {folder}.", "Wait for it to end.") from None


def gene_inputs(
    gene: Gene, genome: ReferenceGenome, annotation: GeneAnnotation, model: BaseModel, *, flank: int
) -> tuple[GeneTrack, SiteLabels, Codes]:
    """Score and label a gene, and fetch its bases.

    Returns
    -------
    track
        The base model along the whole gene.
    labels
        What the annotation says.
    codes : uint8 [flank + L + flank]
        Bases in transcript sense; the genome's own beyond the gene, N where it has none.
    """
    track = score_gene(gene, genome, model)
    labels = label_track(track, gene, annotation.genes_at(gene.contig, gene.start, gene.end))
    bases = genome.fetch_padded(gene.contig, gene.start - flank, gene.end + flank)
    return track, labels, encode(reverse_complement(bases) if gene.strand is Strand.MINUS else bases)


class _Writer:
    """One run over one folder."""

    def __init__(
        self,
        folder: Path,
        genome: ReferenceGenome,
        annotation: GeneAnnotation,
        model: BaseModel,
        settings: ArtifactSettings,
        progress: Progress | None,
    ) -> None:
        self.folder, self.genome, self.annotation, self.model = folder, genome, annotation, model
        self.settings, self.progress = settings, progress
        info = model.info
        self.about: dict[str, Any] = {
            "format": FORMAT,
            "schema_sha256": schema_digest(),
            "base_model": {
                "name": info.name,
                "version": info.version,
                "weights_sha256": list(info.weights_sha256),
                "context": info.context,
                "members": info.members,
            },
            "build": None if genome.build is None else str(genome.build),
            "genome": genome.identity,
            "annotation": annotation.source,
            "annotation_sha256": annotation.digest,
            "settings": settings.as_dict(),
        }
        self.digest = _digest(self.about)

    def run(self, plan: dict[str, list[Gene]]) -> ArtifactSummary:
        chunks = self._open()
        todo: list[tuple[str, list[Gene]]] = []
        size = self.settings.genes_per_chunk
        for contig, genes in plan.items():
            for at in range(0, len(genes), size):
                part = genes[at : at + size]
                todo.append((f"{contig}_chunk_{at + 1}_{at + len(part)}", part))
        _refuse_overlap(self.folder, chunks, todo)
        total, done = sum(g.end - g.start for _, part in todo for g in part), 0
        written = 0
        for name, part in todo:
            if self._is_finished(chunks.get(name)):
                done += sum(gene.end - gene.start for gene in part)
                if self.progress is not None:
                    self.progress(name, done, total)
                continue
            chunks[name] = self._write_chunk(name, part, done, total)
            done += sum(gene.end - gene.start for gene in part)
            written += 1
            self._save(chunks)
        outcomes = _outcomes(chunks)
        return ArtifactSummary(
            folder=self.folder,
            written=written,
            skipped=len(todo) - written,
            genes=sum(len(chunk["genes"]) for chunk in chunks.values()),
            rows=sum(outcomes.values()),
            positions=sum(gene["positions"] for chunk in chunks.values() for gene in chunk["genes"]),
            outcomes=outcomes,
        )

    def _open(self) -> dict[str, Any]:
        manifest = read_manifest(self.folder)
        if manifest is None:
            return {}
        if manifest["digest"] != self.digest:
            changed = [key for key, value in self.about.items() if manifest.get(key) != value]
            raise SettingError(
                f"{self.folder} holds artifacts of another {' and '.join(changed) or 'run'}.",
                "Write to another folder, repeat the earlier settings, or remove the folder.",
            )
        chunks: dict[str, Any] = manifest["chunks"]
        return chunks

    def _is_finished(self, chunk: dict[str, Any] | None) -> bool:
        """Whether a chunk's files are there as they were written; a damaged one is made again."""
        return chunk is not None and all(
            (path := self.folder / name).is_file() and file_sha256(path) == digest
            for name, digest in chunk["files"].items()
        )

    def _write_chunk(self, name: str, genes: Sequence[Gene], done: int, total: int) -> dict[str, Any]:
        ending = ".tsv.gz" if self.settings.compress else ".tsv"
        table = self.folder / f"analysis_sequences_{name}{ending}"
        errors = self.folder / f"splice_errors_{name}{ending}"
        rows = []
        with writing(table) as table_out, writing(errors) as error_out:
            table_out.write("\t".join(COLUMNS) + "\n")
            error_out.write("\t".join(ERROR_COLUMNS) + "\n")
            for gene in genes:
                half = self.settings.window // 2
                track, sites, codes = gene_inputs(gene, self.genome, self.annotation, self.model, flank=half)
                kept = choose_positions(track, sites, self.settings)
                for line, error in gene_lines(track, gene, codes, sites, kept, self.settings):
                    table_out.write(line + "\n")
                    if error is not None:
                        error_out.write(error + "\n")
                rows.append(_gene_row(gene, track, sites, kept.positions, Counter(kept.outcomes.tolist())))
                done += gene.end - gene.start
                if self.progress is not None:
                    self.progress(gene.name, done, total)
        return {"genes": rows, "files": {path.name: file_sha256(path) for path in (table, errors)}}

    def _save(self, chunks: dict[str, Any]) -> None:
        ordered = dict(sorted(chunks.items(), key=lambda item: _chunk_key(item[0])))
        genes = [{**gene, "chunk": name} for name, chunk in ordered.items() for gene in chunk["genes"]]
        lines = ["\t".join(_GENE_COLUMNS), *("\t".join(str(g[c]) for c in _GENE_COLUMNS) for g in genes)]
        write_atomically(self.folder / "gene_manifest.tsv", "\n".join(lines) + "\n")
        document = {**self.about, "digest": self.digest, "outcomes": _outcomes(ordered), "chunks": ordered}
        write_atomically(self.folder / MANIFEST, json.dumps(document, indent=1) + "\n")


def _gene_row(
    gene: Gene, track: GeneTrack, sites: SiteLabels, positions: int, outcomes: Counter[str]
) -> dict[str, str | int | float]:
    """Return what the manifests say of a gene."""
    return {
        "gene_id": gene.id,
        "gene_name": gene.name,
        "transcript_id": gene.representative_id,
        "chrom": gene.contig,
        "strand": str(gene.strand),
        "start": gene.start,
        "end": gene.end,
        "transcripts": len(gene.transcripts),
        "positions": positions,
        "rows": sum(outcomes.values()),
        "donors": int((sites.labels == 0).sum()),
        "acceptors": int((sites.labels == 1).sum()),
        **{kind: outcomes.get(kind, 0) for kind in ("TP", "FP", "FN", "TN")},
        "contradicting": sites.contradicting,
        "other_gene": sites.other_gene,
        "unknown": sites.unknown,
        "real_context": round(track.context.real / track.context.total, 4),
    }


def _outcomes(chunks: dict[str, Any]) -> dict[str, int]:
    genes = [gene for chunk in chunks.values() for gene in chunk["genes"]]
    return {kind: sum(gene[kind] for gene in genes) for kind in ("TP", "FP", "FN", "TN")}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _chunk_key(name: str) -> tuple[str, int]:
    contig, _, numbers = name.rpartition("_chunk_")
    return contig, int(numbers.split("_")[0])


def _refuse_overlap(folder: Path, chunks: dict[str, Any], todo: Sequence[tuple[str, Sequence[Gene]]]) -> None:
    """Refuse a plan that would write a gene a second time, or other genes under the name of a finished chunk."""
    home = {(g["gene_id"], g["chrom"]): name for name, chunk in chunks.items() for g in chunk["genes"]}
    for name, part in todo:
        same = name in chunks and [g["gene_id"] for g in chunks[name]["genes"]] == [gene.id for gene in part]
        clash = name in chunks or any((gene.id, gene.contig) in home for gene in part)
        if clash and not same:
            raise SettingError(
                f"{folder} already holds other genes of {part[0].contig}, or the same in other chunks.",
                "Ask for the same genes of a chromosome again, write to another folder, or remove this one.",
            )


def _by_chromosome(
    annotation: GeneAnnotation, genes: Iterable[Gene] | None, chromosomes: Collection[str] | None
) -> dict[str, list[Gene]]:
    """Return the genes to write, by chromosome and place, each once."""
    wanted = None if chromosomes is None else {canonical_contig(name) for name in chromosomes}
    if genes is None:
        genes = (gene for gene in annotation.genes if any(t.introns for t in gene.transcripts))
    chosen = {(g.contig, g.start, g.end, g.id): g for g in genes if wanted is None or g.contig in wanted}
    if not chosen:
        raise TrainingDataError(
            "No gene is left to make artifacts of.", "Check the chromosomes' names and the choice of genes."
        )
    plan: dict[str, list[Gene]] = {}
    for key in sorted(chosen):
        plan.setdefault(key[0], []).append(chosen[key])
    return plan


def _check_config(config: MetaLayerConfig, genome: ReferenceGenome, model: BaseModel) -> None:
    if model.info.name != config.base_model:
        raise SettingError(
            f"The configuration names the base model {config.base_model}, the one given is {model.info.name}.",
            "Give the model that the configuration names.",
        )
    if genome.build is not None and config.genome_build is not None and genome.build is not config.genome_build:
        raise BuildMismatchError(
            f"The configuration is for {config.genome_build}, the genome is {genome.build}.",
            "Give the genome of the configuration's build, or set genome_build.",
        )

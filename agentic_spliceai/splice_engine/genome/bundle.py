"""Genomes by name: sequence and annotation together, from `configs/genomes.yaml` or from a user's own files."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints, field_validator

from agentic_spliceai.splice_engine.errors import RegistryError, SettingError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import GenomeBuild
from agentic_spliceai.splice_engine.resources import ResourceFile, ResourceResolver, load_registry


class GenomeEntry(BaseModel):
    """One entry of the registry of genomes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    build: GenomeBuild
    description: str
    is_demo: bool = Field(default=False, description="Synthetic data: results say so.")
    fasta: ResourceFile
    annotation: ResourceFile

    @field_validator("build", mode="before")
    @classmethod
    def _parse_build(cls, value: object) -> object:
        return GenomeBuild.parse(value) if isinstance(value, str) else value


class PreferredTranscript(RootModel[Annotated[str, StringConstraints(pattern=r"^(N[MR]_|ENST)\d+$")]]):
    """One entry of the list of preferred transcripts: an accession without its version."""


_PREFERRED = "preferred_transcripts.yaml"
_HUMAN = (GenomeBuild.GRCH37, GenomeBuild.GRCH38, GenomeBuild.CHM13)


@dataclass(frozen=True)
class GenomeBundle:
    """A genome, its annotation, and what to call them."""

    name: str
    build: GenomeBuild | None
    genome: ReferenceGenome
    annotation: GeneAnnotation
    is_demo: bool


def genome_entries() -> dict[str, GenomeEntry]:
    """Read `configs/genomes.yaml`."""
    text = files("agentic_spliceai.configs").joinpath("genomes.yaml").read_text(encoding="utf-8")
    return load_registry(text, GenomeEntry, source="configs/genomes.yaml")


def preferred_transcripts(build: GenomeBuild | None) -> tuple[str, ...]:
    """Read `configs/preferred_transcripts.yaml`: MANE Select accessions for files without MANE tags.

    Parameters
    ----------
    build
        Genome build; only human ones have a list.

    Raises
    ------
    RegistryError
        If the list is malformed.
    """
    if build not in _HUMAN:
        return ()
    text = files("agentic_spliceai.configs").joinpath(_PREFERRED).read_text(encoding="utf-8")
    entries = load_registry(text, PreferredTranscript, source=f"configs/{_PREFERRED}")
    return tuple(entry.root for entry in entries.values())


def open_genome(
    name: str,
    resolver: ResourceResolver,
    *,
    annotation: Path | None = None,
    build: GenomeBuild | None = None,
    cache_dir: Path | None = None,
) -> GenomeBundle:
    """Open a genome by its name, or a FASTA by its path.

    Parameters
    ----------
    name
        `demo`, `GRCh38`, `hg19`, ..., or the path of a FASTA file.
    resolver
        Finds or fetches the files of a named genome.
    annotation
        GTF, GFF3 or gene table to use; needed with a path, optional with a name.
    build
        Build of a FASTA given by its path.
    cache_dir
        Where indices and the compact annotation are kept.

    Raises
    ------
    RegistryError
        If `name` is neither a known genome nor an existing file.
    SettingError
        If a FASTA is given without annotation.
    GenomeFileError, AnnotationFileError, ResourceError
        If a file is missing or cannot be read.
    """
    entries = genome_entries()
    path = Path(name).expanduser()
    try:
        key: str | None = name if name in entries else str(GenomeBuild.parse(name))
    except ValueError:
        key = None
    if key is not None and key in entries and not path.is_file():
        entry = entries[key]
        fasta = resolver.resolve(entry.fasta, what=f"sequence of {key}")
        genes = resolver.resolve(entry.annotation, what=f"annotation of {key}", explicit=annotation)
        return GenomeBundle(
            name=key,
            build=entry.build,
            genome=ReferenceGenome(fasta, build=entry.build, cache_dir=cache_dir),
            annotation=GeneAnnotation.load(
                genes, build=entry.build, cache_dir=cache_dir, preferred=preferred_transcripts(entry.build)
            ),
            is_demo=entry.is_demo,
        )
    if not path.is_file():
        near = difflib.get_close_matches(name, entries, n=2, cutoff=0.5)
        hint = (
            f"Did you mean {' or '.join(near)}?"
            if near
            else f"Known: {', '.join(entries)}; or give the path of a FASTA."
        )
        raise RegistryError(f"No genome is called {name!r}, and there is no such file.", hint)
    if annotation is None:
        raise SettingError(
            f"{path.name} comes without gene annotation.", "Give annotation=FILE (GTF, GFF3 or gene table)."
        )
    if not annotation.is_file():
        raise SettingError(f"No annotation file {annotation}.", "Check the path.")
    return GenomeBundle(
        name=path.name,
        build=build,
        genome=ReferenceGenome(path, build=build, cache_dir=cache_dir),
        annotation=GeneAnnotation.load(
            annotation, build=build, cache_dir=cache_dir, preferred=preferred_transcripts(build)
        ),
        is_demo=False,
    )

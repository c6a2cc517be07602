"""Base models by name: `configs/base_models.yaml` and a user's own file of the same form."""

from __future__ import annotations

import difflib
import importlib
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel as PydanticModel
from pydantic import ConfigDict, Field, field_validator

from agentic_spliceai.splice_engine.base_layer.results import Thresholds
from agentic_spliceai.splice_engine.errors import RegistryError, WeightsError
from agentic_spliceai.splice_engine.genome.types import GenomeBuild
from agentic_spliceai.splice_engine.resources import ResourceFile, ResourceResolver, load_registry, sha256_of

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.base_layer.loaders import Adapter
    from agentic_spliceai.splice_engine.base_layer.model import EnsembleModel


class BaseModelEntry(PydanticModel):
    """One entry of the registry."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = Field(description="Version of the weights.")
    description: str
    adapter: str = Field(
        description="`safetensors`, `openspliceai`, `spliceai`, or `package.module:function` of your own."
    )
    training_build: GenomeBuild | None = Field(default=None, description="Build that the model was trained on.")
    annotation_source: str = Field(description="Annotation that the model was trained on, for example `mane`.")
    context: int = Field(gt=0, description="Bases seen beside a position, both sides together, nt.")
    licence: str
    model_card: str | None = None
    url_prefix: str = Field(default="", description="Put before each file's `url`.")
    files: tuple[ResourceFile, ...] = Field(min_length=1, description="Weights, one or more members a file.")
    thresholds: Thresholds
    vcf_tag: str | None = Field(
        default=None, pattern=r"^[A-Za-z_][0-9A-Za-z_.]*$", description="INFO field of a VCF with this model's scores."
    )

    @field_validator("training_build", mode="before")
    @classmethod
    def _parse_build(cls, value: object) -> object:
        return GenomeBuild.parse(value) if isinstance(value, str) else value

    def resource(self, file: ResourceFile) -> ResourceFile:
        """Return `file` with its whole address."""
        return file if file.url is None else file.model_copy(update={"url": self.url_prefix + file.url})


def base_models(extra: Path | None = None) -> dict[str, BaseModelEntry]:
    """Read the registry.

    Parameters
    ----------
    extra
        A user's own YAML of the same form; its entries win over ours.

    Raises
    ------
    RegistryError
        If a file is malformed.
    """
    own = files("agentic_spliceai.configs").joinpath("base_models.yaml").read_text(encoding="utf-8")
    entries = load_registry(own, BaseModelEntry, source="configs/base_models.yaml")
    if extra is not None and extra.is_file():
        try:
            text = extra.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RegistryError(f"{extra} cannot be read: {error}.", "Mend or remove the file.") from error
        entries |= load_registry(text, BaseModelEntry, source=str(extra))
    return entries


def vcf_tag(name: str, entries: dict[str, BaseModelEntry]) -> str:
    """Return the INFO field of a VCF with a model's scores: its entry's, or one of its name; raises `find_entry`."""
    return find_entry(name, entries).vcf_tag or f"AgenticSpliceAI_{re.sub(r'[^0-9A-Za-z_.]', '_', name)}"


def load_base_model(
    name: str, resolver: ResourceResolver, *, device: str = "cpu", weights: Path | None = None
) -> EnsembleModel:
    """Load a base model by its registry name.

    Parameters
    ----------
    name
        Name in the registry; the user's own registry is `base_models.yaml` in the data folder.
    resolver
        Finds or fetches the weights.
    device
        `cpu`, `cuda`, `mps` or `auto`.
    weights
        A file, or a folder that holds the entry's files by name, instead of the resolver's search.

    Raises
    ------
    RegistryError
        If the name or its adapter is unknown.
    WeightsError, ResourceError
        If the weights are missing or damaged; no other model is taken instead.
    """
    from agentic_spliceai.splice_engine.base_layer.model import EnsembleModel, ModelInfo

    entry = find_entry(name, base_models(resolver.data_dir / "base_models.yaml"))
    load = _adapter(name, entry.adapter)
    networks, digests = [], []
    for path in _weight_files(name, entry, resolver, weights):
        networks += load(path, entry.context)
        digests.append(sha256_of(path))
    known = [file.sha256 for file in entry.files]
    custom = weights is not None and digests != known
    info = ModelInfo(
        name=name,
        version=f"{entry.version}+custom" if custom else entry.version,
        weights_sha256=tuple(digests),
        context=entry.context,
        members=len(networks),
        training_build=entry.training_build,
        annotation_source=entry.annotation_source,
        thresholds=_uncalibrated(entry.thresholds) if custom else entry.thresholds,
    )
    return EnsembleModel(info, networks, device)


def _uncalibrated(thresholds: Thresholds) -> Thresholds:
    """Thresholds belong to one predictor and version: other weights only borrow them."""
    source = f"{thresholds.source}; borrowed, because these weights are not the registry's"
    return thresholds.model_copy(update={"calibrated": False, "source": source})


def find_entry(name: str, entries: dict[str, BaseModelEntry]) -> BaseModelEntry:
    """Return the entry called `name`.

    Raises
    ------
    RegistryError
        If there is none; the advice lists near names.
    """
    if name not in entries:
        near = difflib.get_close_matches(name, entries, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(entries)}."
        raise RegistryError(f"No base model is called {name!r}.", hint)
    return entries[name]


def _weight_files(name: str, entry: BaseModelEntry, resolver: ResourceResolver, weights: Path | None) -> list[Path]:
    if weights is None:
        return [resolver.resolve(entry.resource(file), what=f"weights of {name}") for file in entry.files]
    if weights.is_file():
        return [weights]
    paths = [weights / Path(file.paths[-1]).name for file in entry.files]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise WeightsError(
            f"{weights} lacks {', '.join(missing)}.", f"Give a file, or a folder with all files of {name}."
        )
    return paths


def _adapter(name: str, adapter: str) -> Adapter:
    from agentic_spliceai.splice_engine.base_layer.loaders import ADAPTERS

    if adapter in ADAPTERS:
        return ADAPTERS[adapter]
    module, colon, function = adapter.partition(":")
    if not colon:
        raise RegistryError(
            f"Base model {name}: unknown adapter {adapter!r}.", f"Known: {', '.join(ADAPTERS)}, or module:function."
        )
    try:
        loaded: Adapter = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise RegistryError(
            f"Base model {name}: adapter {adapter!r} cannot be imported: {error}.", "Check the entry."
        ) from error
    return loaded

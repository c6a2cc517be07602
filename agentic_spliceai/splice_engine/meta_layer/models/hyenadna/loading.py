"""Pretrained HyenaDNA from a path, a data folder, a mirror or the hub; weights that do not fit raise."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from agentic_spliceai.splice_engine.errors import SettingError, WeightsError
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.configuration import HyenaDNAConfig
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.files import (
    WEIGHT_FILES,
    damaged,
    first_line,
    read_config,
    read_tensors,
    weight_file,
)
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.layouts import (
    LayoutError,
    canonical_names,
    config_from,
    fill_constants,
)
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.network import (
    HyenaDNAForCausalLM,
    HyenaDNAModel,
    HyenaDNAPreTrainedModel,
)
from agentic_spliceai.splice_engine.meta_layer.models.hyenadna.releases import RELEASES, Release, find_release
from agentic_spliceai.splice_engine.meta_layer.models.naming import unknown
from agentic_spliceai.splice_engine.resources import ResourceFile, ResourceResolver, sha256_of

DEFAULT_RELEASE = "hyenadna-small-32k-seqlen"

_LOG = logging.getLogger(__name__)
_Model = TypeVar("_Model", bound=HyenaDNAPreTrainedModel)


def load_hyenadna(
    name_or_path: str | Path = DEFAULT_RELEASE,
    *,
    pretrained: bool = True,
    config: Mapping[str, Any] | None = None,
    model_class: type[_Model] = HyenaDNAModel,
    revision: str | None = None,
    sha256: str | None = None,
    resolver: ResourceResolver | None = None,
    local_files_only: bool = False,
    endpoint: str | None = None,
    cache_dir: Path | None = None,
) -> _Model:
    """Load a HyenaDNA, in evaluation mode.

    Parameters
    ----------
    name_or_path
        A release under any of its names (`hyenadna-small-32k`, `LongSafari/hyenadna-small-32k-seqlen-hf`), a hub
        repository `owner/name` in the `-hf` layout, or a folder or file in the `-hf` or the original layout.
    pretrained
        False builds the release's architecture with random weights, as the original code initialises them.
    config
        Fields of `HyenaDNAConfig` that win over the stored ones, such as `embed_dropout`; the shapes of tensors win
        over both. Without `pretrained`, over the release's.
    model_class
        `HyenaDNAModel`, or `HyenaDNAForCausalLM` for the head as well.
    revision
        Commit on the hub; by default the release's pinned one, for other repositories the newest.
    sha256
        Digest that the weight file must have; by default the release's, where its pinned revision is read.
    resolver
        Where `models/hyenadna/<name>/` is looked for before the hub; decides whether the network may be used.
    local_files_only
        Read the hub's cache on this machine, and never the network.
    endpoint, cache_dir
        Of the hub; by default huggingface_hub's own, with its environment variables.

    Raises
    ------
    WeightsError
        If there are no weights, or they are damaged, incomplete, of other shapes or of another digest.
    SettingError
        If the name, or a field of `config`, is unknown.
    """
    for field in config or {}:
        if field not in HyenaDNAConfig.fields():
            raise unknown("field of HyenaDNAConfig", field, HyenaDNAConfig.fields())
    if not pretrained:
        return _random(name_or_path, config, model_class)
    release = find_release(name_or_path) if isinstance(name_or_path, str) else None
    path = locate_hyenadna(name_or_path, resolver)
    from_hub = path is None
    if path is None:
        offline = local_files_only or (resolver is not None and not resolver.allow_download)
        repository = release.repository if release is not None else str(name_or_path)
        if release is not None and revision is None:
            revision = release.revision
        path = _download(repository, revision, offline=offline, endpoint=endpoint, cache_dir=cache_dir)
    file = weight_file(path)
    pinned = release is not None and file.name == WEIGHT_FILES[0] and (not from_hub or revision == release.revision)
    expected = sha256 or (release.sha256 if pinned and release is not None else None)
    digest = sha256_of(file)
    if expected is not None and digest != expected:
        raise damaged(file, f"its sha256 is {digest[:12]}... and not {expected[:12]}...")
    model = _build(file, config or {}, model_class, release)
    model.weights_sha256 = digest
    return model


def locate_hyenadna(name_or_path: str | Path, resolver: ResourceResolver | None = None) -> Path | None:
    """Return where weights are on this machine, or None where only the hub may have them.

    A `Path` is a path. Text is a release's name first, then a path that exists, then a hub repository.

    Raises
    ------
    WeightsError
        If a path does not exist.
    SettingError
        If text is nothing of that.
    """
    if isinstance(name_or_path, Path):
        return weight_file(name_or_path)
    release = find_release(name_or_path)
    if release is not None:
        folders = (f"{release.name}-hf", release.name, release.name.replace("-seqlen", ""))
        paths = tuple(f"models/hyenadna/{folder}/{name}" for folder in folders for name in WEIGHT_FILES)
        return None if resolver is None else resolver.locate(ResourceFile(paths=paths))
    if Path(name_or_path).exists():
        return weight_file(Path(name_or_path))
    if name_or_path.count("/") == 1 and not name_or_path.startswith((".", "/", "~")):
        return None
    raise SettingError(
        f"{name_or_path!r} is neither a HyenaDNA release, nor a path that exists, nor a hub repository.",
        f"Releases: {', '.join(RELEASES)}.",
    )


def _random(name_or_path: str | Path, config: Mapping[str, Any] | None, model_class: type[_Model]) -> _Model:
    release = find_release(str(name_or_path))
    fields = {**(release.architecture if release is not None else {}), **(config or {})}
    if release is None and config is None:
        raise SettingError(
            f"{name_or_path!r} is no HyenaDNA release, so its architecture is not known.",
            f"Give config, or one of {', '.join(RELEASES)}.",
        )
    model = model_class(HyenaDNAConfig(**fields))
    model.eval()
    return model


def _build(file: Path, overrides: Mapping[str, Any], model_class: type[_Model], release: Release | None) -> _Model:
    raw, header = read_tensors(file)
    try:
        tensors = canonical_names(raw)
        config, overruled = config_from(tensors, {**header, **read_config(file), **overrides})
    except (LayoutError, SettingError) as error:
        raise damaged(file, error) from error
    if overruled:
        _LOG.warning("%s: the stored configuration is wrong, the tensors are right (%s)", file, "; ".join(overruled))
    if release is not None and (config.n_layer, config.d_model) != (release.layers, release.width):
        why = f"it has {config.n_layer} layers of width {config.d_model}: not {release.name}"
        raise damaged(file, why)
    bad = [name for name, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if bad:
        raise damaged(file, f"{bad[0]} holds NaN or infinite values")
    head = tensors.pop("lm_head.weight", None)
    state = {f"backbone.{name}": tensor for name, tensor in fill_constants(tensors, config).items()}
    if not issubclass(model_class, HyenaDNAModel):
        state = {f"hyena.{name}": tensor for name, tensor in state.items()}
    if issubclass(model_class, HyenaDNAForCausalLM):
        if config.tie_word_embeddings:
            head = tensors["embeddings.word_embeddings.weight"]
        if head is not None:
            state["lm_head.weight"] = head
    return _filled(file, model_class, config, state)


def _filled(file: Path, model_class: type[_Model], config: HyenaDNAConfig, state: dict[str, Tensor]) -> _Model:
    with torch.device("meta"):  # nothing is initialised, so that nothing random can be left over
        model = model_class(config)
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    missing = sorted(wanted.keys() - state.keys())
    unexpected = sorted(state.keys() - wanted.keys())
    wrong = [
        f"{name} {tuple(state[name].shape)} and not {tuple(shape)}"
        for name, shape in wanted.items()
        if name in state and state[name].shape != shape
    ]
    for what, names in (("lacks", missing), ("has unknown", unexpected), ("has of another shape", wrong)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise damaged(file, f"it {what} {', '.join(names[:3])}{more}")
    model.load_state_dict(state, strict=True, assign=True)
    model.tie_weights()
    model.eval()
    return model


def _download(
    repository: str, revision: str | None, *, offline: bool, endpoint: str | None, cache_dir: Path | None
) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    def fetch(name: str) -> Path:
        return Path(
            hf_hub_download(
                repository, name, revision=revision, endpoint=endpoint, cache_dir=cache_dir, local_files_only=offline
            )
        )

    advice = (
        "Check the network, set HF_ENDPOINT or HF_HOME, put the files under models/hyenadna/ of the data folder, or "
        "give an explicit path."
    )
    try:
        fetch("config.json")
        for name in WEIGHT_FILES[:2]:
            try:
                return fetch(name)
            except LocalEntryNotFoundError:
                raise
            except EntryNotFoundError:
                continue
    except LocalEntryNotFoundError as error:
        where = "is not in the hub's cache on this machine" if offline else "cannot be fetched"
        raise WeightsError(f"HyenaDNA {repository} {where}: {first_line(error)}.", advice) from error
    except (HfHubHTTPError, HFValidationError, EntryNotFoundError, OSError) as error:
        raise WeightsError(f"HyenaDNA {repository} cannot be fetched: {first_line(error)}.", advice) from error
    raise WeightsError(f"{repository} has none of {', '.join(WEIGHT_FILES[:2])}.", advice)

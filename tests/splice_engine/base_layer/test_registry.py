from pathlib import Path

import pytest
import torch

from agentic_spliceai.splice_engine.base_layer.model import BaseModel
from agentic_spliceai.splice_engine.base_layer.network import NetworkSpec, SpliceNetwork
from agentic_spliceai.splice_engine.base_layer.registry import base_models, load_base_model, vcf_tag
from agentic_spliceai.splice_engine.errors import RegistryError, ResourceError, SettingError, WeightsError
from agentic_spliceai.splice_engine.genome.types import GenomeBuild
from agentic_spliceai.splice_engine.resources import ResourceResolver, sha256_of

ENTRY = """
mine:
  version: "3"
  description: my own
  adapter: {adapter}
  training_build: hg19
  annotation_source: own
  context: 80
  licence: mine
  files: [{{paths: [own/mine.bin]}}]
  thresholds: {{weak: 0.1, moderate: 0.2, strong: 0.5, source: me, calibrated: true}}
"""


def my_adapter(path: Path, context: int) -> list[SpliceNetwork]:
    """What a user would write for a file format that the project does not know."""
    torch.manual_seed(len(path.read_bytes()))
    return [SpliceNetwork(NetworkSpec.for_context(context)).eval()]


def test_shipped_registry_is_complete() -> None:
    entries = base_models()
    assert {"small", "openspliceai", "spliceai", "openspliceai-400nt"} <= set(entries)
    for name, entry in entries.items():
        assert entry.licence, name
        if entry.adapter == "openspliceai":
            assert all(f.sha256 and entry.resource(f).url.startswith("https://") for f in entry.files), name


def test_scores_in_a_vcf_have_a_name_of_their_model(tmp_path: Path) -> None:
    own = tmp_path / "base_models.yaml"
    own.write_text(ENTRY.format(adapter="safetensors").replace("mine:", "my-model+2:", 1))
    entries = base_models(own)
    names = {name: vcf_tag(name, entries) for name in entries}
    assert names["spliceai"] == "SpliceAI"
    assert names["openspliceai"] == "OpenSpliceAI"
    assert names["small"] == "AgenticSpliceAI_small"
    assert names["my-model+2"] == "AgenticSpliceAI_my_model_2"
    assert len(set(names.values())) == len(names)
    own.write_text(own.read_text() + "  vcf_tag: 1up\n")
    with pytest.raises(RegistryError):
        base_models(own)


def test_a_new_model_is_an_entry_and_an_adapter(tmp_path: Path) -> None:
    (tmp_path / "base_models.yaml").write_text(ENTRY.format(adapter=f"{__name__}:my_adapter"))
    (tmp_path / "own").mkdir()
    (tmp_path / "own/mine.bin").write_bytes(b"abc")
    model = load_base_model("mine", ResourceResolver(tmp_path))
    assert isinstance(model, BaseModel)
    assert model.info.training_build is GenomeBuild.GRCH37
    assert model.info.weights_sha256 == (sha256_of(tmp_path / "own/mine.bin"),)
    assert model.info.members == 1
    assert "small" in base_models(tmp_path / "base_models.yaml")


@pytest.mark.parametrize("adapter", ["unheard-of", "no.such.module:f", "agentic_spliceai.settings:nothing"])
def test_unknown_adapter(adapter: str, tmp_path: Path) -> None:
    (tmp_path / "base_models.yaml").write_text(ENTRY.format(adapter=adapter))
    with pytest.raises(RegistryError, match="adapter"):
        load_base_model("mine", ResourceResolver(tmp_path))


def test_unknown_name_suggests_near_ones(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="openspliceai"):
        load_base_model("openspliceia", ResourceResolver(tmp_path))


@pytest.mark.parametrize("text", ["[]", "mine: 3", "mine: {version: 1", ENTRY.format(adapter="x") + "  colour: blue\n"])
def test_malformed_user_registry(text: str, tmp_path: Path) -> None:
    (tmp_path / "base_models.yaml").write_text(text)
    with pytest.raises(RegistryError, match=r"base_models\.yaml"):
        load_base_model("mine", ResourceResolver(tmp_path))


def test_missing_weights_say_where_they_were_sought(tmp_path: Path) -> None:
    resolver = ResourceResolver(tmp_path / "d", mirror=tmp_path / "m", allow_download=False)
    with pytest.raises(ResourceError, match="weights of openspliceai"):
        load_base_model("openspliceai", resolver)


def test_explicit_folder_must_hold_every_member(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="model_400nt_rs10"):
        load_base_model("openspliceai-400nt", ResourceResolver(tmp_path), weights=tmp_path)


def test_explicit_folder_of_real_weights(mirror: Path, tmp_path: Path) -> None:
    folder = mirror / "models/openspliceai-mane/400nt"
    model = load_base_model("openspliceai-400nt", ResourceResolver(tmp_path, allow_download=False), weights=folder)
    assert model.info.members == 5
    assert model.info.context == 400


@pytest.mark.parametrize("device", ["cuda:99", "abacus", "mps:7x"])
def test_device_that_is_not_there_is_refused(device: str, tmp_path: Path) -> None:
    (tmp_path / "base_models.yaml").write_text(ENTRY.format(adapter=f"{__name__}:my_adapter"))
    (tmp_path / "own").mkdir()
    (tmp_path / "own/mine.bin").write_bytes(b"abc")
    with pytest.raises(SettingError, match="evice"):
        load_base_model("mine", ResourceResolver(tmp_path), device=device)


def test_shipped_small_model_loads_without_mirror_or_network(tmp_path: Path) -> None:
    model = load_base_model("small", ResourceResolver(tmp_path, allow_download=False))
    assert model.info.context == 400
    entry = base_models()["small"]
    assert entry.files[0].sha256 == model.info.weights_sha256[0]


def test_other_weights_under_a_known_name_are_named_custom(mirror: Path, tmp_path: Path) -> None:
    """Thresholds belong to a predictor and version."""
    resolver = ResourceResolver(tmp_path, mirror=mirror, allow_download=False)
    folder = mirror / "models/openspliceai-mane/400nt"
    one = load_base_model("openspliceai-400nt", resolver, weights=folder / "model_400nt_rs10.pt")
    whole = load_base_model("openspliceai-400nt", resolver, weights=folder)
    assert one.info.version.endswith("+custom")
    assert not one.info.thresholds.calibrated
    assert whole.info.version == base_models()["openspliceai-400nt"].version


def test_user_registry_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "base_models.yaml").write_bytes(b"\xff\xfe\x00m")
    with pytest.raises(RegistryError, match="cannot be read"):
        base_models(tmp_path / "base_models.yaml")

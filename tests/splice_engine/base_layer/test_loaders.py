from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from agentic_spliceai.splice_engine.base_layer.loaders import load_openspliceai, load_safetensors, load_spliceai
from agentic_spliceai.splice_engine.base_layer.network import NetworkSpec, SpliceNetwork
from agentic_spliceai.splice_engine.base_layer.registry import load_base_model
from agentic_spliceai.splice_engine.base_layer.windows import encode
from agentic_spliceai.splice_engine.errors import ResourceError, WeightsError
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Strand
from agentic_spliceai.splice_engine.resources import ResourceResolver


@pytest.mark.parametrize("model", ["openspliceai", "spliceai"])
def test_raw_probabilities_equal_the_published_tools(model: str, mirror: Path, tmp_path: Path) -> None:
    """Independent oracle: the tools' own per-position output for six SNVs, both strands; limit 1e-5."""
    golden = np.load(mirror / "golden/variants/raw_probabilities.npz")
    extent = {}
    for line in (mirror / "golden/variants/annotation.tsv").read_text().splitlines()[1:]:
        name, _, _, start, end, *_ = line.split("\t")
        extent[name] = int(start), int(end)
    resolver = ResourceResolver(tmp_path, mirror=mirror, allow_download=False)
    try:
        network = load_base_model(model, resolver)
    except ResourceError as error:
        if model == "spliceai":
            pytest.skip(f"SpliceAI's package is not installed: {error}")
        raise
    genome = ReferenceGenome(mirror / "GRCh38/genome.fa.gz", build=GenomeBuild.GRCH38, cache_dir=tmp_path)
    for i in range(0, 6, 2):
        start, end = extent[str(golden["gene"][i])]
        left = int(golden["pos"][i]) - 1 - 50 - 5000
        raw = genome.fetch_padded(str(golden["chrom"][i]), left, left + 10101)
        ref = "".join(base if start <= left + k < end else "N" for k, base in enumerate(raw))
        assert ref[5050] == str(golden["ref"][i])
        strand = Strand(str(golden["strand"][i]))
        for allele, sequence in (("ref", ref), ("alt", ref[:5050] + str(golden["alt"][i]) + ref[5051:])):
            ours = network.predict(encode(sequence, strand)[None]).probabilities[0].mean(axis=0)
            if strand is Strand.MINUS:
                ours = ours[::-1]
            np.testing.assert_allclose(ours[:, [2, 1, 0]], golden[f"{model}_{allele}"][i], atol=1e-5)


@pytest.mark.parametrize("context", [80, 400, 2000, 10000])
def test_every_openspliceai_size_loads_and_finds_a_real_donor(context: int, mirror: Path, tmp_path: Path) -> None:
    [network] = load_openspliceai(mirror / f"models/openspliceai-mane/{context}nt/model_{context}nt_rs10.pt", context)
    genome = ReferenceGenome(mirror / "GRCh38/genome.fa.gz", build=GenomeBuild.GRCH38, cache_dir=tmp_path)
    # BRCA1 exon 22 ends at 43047643 (minus strand): its last base is a donor.
    half = context // 2
    sequence = genome.fetch_padded("chr17", 43047643 - 1 - half - 20, 43047643 + half + 20)
    x = torch.from_numpy(encode(sequence, Strand.MINUS))[None].transpose(1, 2)
    with torch.inference_mode():
        donor = network(x).softmax(dim=1)[0, 0]
    assert int(donor.argmax()) == 20
    assert float(donor[20]) > 0.1


def test_missing_file(tmp_path: Path) -> None:
    for load in (load_openspliceai, load_spliceai, load_safetensors):
        with pytest.raises(WeightsError, match="No weights at"):
            load(tmp_path / "absent", 400)


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04broken", b"\x89HDF\r\n\x1a\n" + b"\0" * 64])
def test_damaged_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(content)
    for load in (load_openspliceai, load_spliceai, load_safetensors):
        with pytest.raises(WeightsError, match="weights cannot be used"):
            load(path, 400)


def test_truncated_real_file(mirror: Path, tmp_path: Path) -> None:
    whole = (mirror / "models/openspliceai-mane/80nt/model_80nt_rs10.pt").read_bytes()
    path = tmp_path / "cut.pt"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="cannot be used"):
        load_openspliceai(path, 80)


def test_weights_of_another_context(mirror: Path) -> None:
    with pytest.raises(WeightsError, match="400 nt"):
        load_openspliceai(mirror / "models/openspliceai-mane/80nt/model_80nt_rs10.pt", 400)


def save_small(path: Path, networks: list[SpliceNetwork], dtype: torch.dtype = torch.float32, **changed: str) -> None:
    tensors = {
        f"{i}/{name}": (value.to(dtype) if value.is_floating_point() else value).contiguous()
        for i, network in enumerate(networks)
        for name, value in network.state_dict().items()
    }
    metadata = {
        "context": "80",
        "members": str(len(networks)),
        "negative_slope": "0.1",
        "batch_norm_eps": "1e-05",
    } | changed
    save_file(tensors, path, metadata=metadata)


def test_safetensors_round_trip(tmp_path: Path) -> None:
    networks = [SpliceNetwork(NetworkSpec.for_context(80)).eval() for _ in range(2)]
    save_small(tmp_path / "w.safetensors", networks)
    loaded = load_safetensors(tmp_path / "w.safetensors", 80)
    x = torch.randn(1, 4, 100)
    with torch.inference_mode():
        for ours, theirs in zip(loaded, networks, strict=True):
            torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)


def test_safetensors_of_another_context_and_nan_are_refused(tmp_path: Path) -> None:
    network = SpliceNetwork(NetworkSpec.for_context(80)).eval()
    save_small(tmp_path / "w.safetensors", [network], context="400")
    with pytest.raises(WeightsError, match="context"):
        load_safetensors(tmp_path / "w.safetensors", 80)
    with torch.no_grad():
        network.final.bias[0] = float("nan")
    save_small(tmp_path / "nan.safetensors", [network])
    with pytest.raises(WeightsError, match="NaN"):
        load_safetensors(tmp_path / "nan.safetensors", 80)


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    """torch.load must not execute what a stranger put into a weight file."""
    marker = tmp_path / "ran"

    class Bad:
        def __reduce__(self) -> tuple[object, tuple[str, ...]]:
            import os

            return os.system, (f"touch {marker}",)

    torch.save({"initial_conv.weight": Bad()}, tmp_path / "bad.pt")
    with pytest.raises(WeightsError):
        load_openspliceai(tmp_path / "bad.pt", 80)
    assert not marker.exists()


@pytest.mark.parametrize(
    "state",
    [
        {"residual_units.x.conv1.weight": torch.zeros(1)},
        {3: torch.zeros(1)},
        {"final_conv.weight": torch.tensor(1.0)},
        {"nothing": torch.zeros(1)},
        [torch.zeros(1)],
        {"initial_conv.weight": "text"},
    ],
)
def test_state_dict_of_something_else(state: object, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match=r"x\.pt cannot be used"):
        load_openspliceai(tmp_path / "x.pt", 80)


@pytest.mark.parametrize("members", ["x", "0", "-1", "1.5", "[]"])
def test_safetensors_header_that_lies(members: str, tmp_path: Path) -> None:
    network = SpliceNetwork(NetworkSpec.for_context(80)).eval()
    save_small(tmp_path / "w.safetensors", [network], members=members)
    with pytest.raises(WeightsError, match="members"):
        load_safetensors(tmp_path / "w.safetensors", 80)


def test_h5_of_something_else(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["model_weights"] = np.zeros(3)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["model_weights/conv1d_1/conv1d_1/kernel:0"] = np.zeros(3)
    for name in ("a.h5", "b.h5"):
        with pytest.raises(WeightsError, match="cannot be used"):
            load_spliceai(tmp_path / name, 10000)

"""What each model of the meta-layer costs: parameters, milliseconds an example at batch 1 and 64, peak memory.

    python benchmarks/meta_models.py [--models NAME ...] [--threads 2] [--repeats 5] [--device cpu] [--json]

Every row is measured in this run, each in a process of its own, on random input of the shapes of `data/batches.py`. A
row has the configuration that the documents name, where they name one. Times are medians after one warm-up. Memory is
the process's peak at batch 64 above what it holds before the model is built, torch loaded. `ratio` is to the first row,
at batch 64. The last rows, for scale: what the base models take for one variant (reference and alternate, distance 50).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agentic_spliceai.splice_engine.base_layer.registry import load_base_model
from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.splice_engine.meta_layer.data.schema import FEATURE_NAMES
from agentic_spliceai.splice_engine.meta_layer.data.variant_features import VARIANT_FEATURES
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model
from agentic_spliceai.splice_engine.resources import ResourceResolver

SIZES = {"tiny-1k": (2, 128, 1026), "small-32k": (4, 256, 32770)}


def hyena(size: str) -> dict[str, Any]:
    """Options of a HyenaDNA encoder of a released shape with random weights: cost does not depend on them."""
    layers, width, length = SIZES[size]
    shape = {"n_layer": layers, "d_model": width, "d_inner": 4 * width, "max_seq_len": length, "emb_dim": 5}
    return {"pretrained": False, "hyena_config": {**shape, "activation_freq": 10}}


def meta(encoder: str, fusion: str, **encoder_options: Any) -> tuple[str, dict[str, Any], int]:
    """A row of the multimodal model at 501 nt."""
    options = {"encoder": encoder, "hidden_dim": 256, "fusion": fusion, "num_features": len(FEATURE_NAMES)}
    return "meta_splice", {**options, "encoder_options": encoder_options}, 501


ROWS: dict[str, tuple[str, dict[str, Any], int]] = {
    "simple_cnn_delta (64, 6, 15)": ("simple_cnn_delta", {"hidden_dim": 64, "n_layers": 6, "kernel_size": 15}, 401),
    "delta": ("delta", {}, 401),
    "delta_v2": ("delta_v2", {}, 401),
    "validated_delta basic (128, 6)": ("validated_delta", {"variant": "basic"}, 401),
    "validated_delta attention (128, 6)": ("validated_delta", {"variant": "attention"}, 401),
    "validated_delta basic (256, 8)": ("validated_delta", {"hidden_dim": 256, "n_layers": 8}, 401),
    "variant_aware, as trained": (
        "variant_aware",
        {"num_features": len(VARIANT_FEATURES), "width": 24, "blocks": 3},
        201,
    ),
    "variant_aware, default": ("variant_aware", {"num_features": len(VARIANT_FEATURES)}, 401),
    "splice_inducing (256, 8)": ("splice_inducing", {"hidden_dim": 256, "n_layers": 8}, 401),
    "splice_inducing, separable": ("splice_inducing", {"encoder_options": {"separable": True}}, 401),
    "effect_type": ("effect_type", {}, 401),
    "attention_localizer": ("attention_localizer", {}, 401),
    "segmentation_localizer": ("segmentation_localizer", {}, 401),
    "conditioned_delta": ("conditioned_delta", {}, 401),
    "calibrated simple_cnn_delta": ("calibrated", {"base": "simple_cnn_delta", "strategy": "quantile"}, 401),
    "multi_step, separable": (
        "multi_step",
        {
            "inducing": {"name": "splice_inducing", "options": {"encoder_options": {"separable": True}}},
            "delta": {"name": "validated_delta"},
        },
        401,
    ),
    "ensemble of 3 variant_aware": (
        "ensemble",
        {
            "members": 3
            * [{"name": "variant_aware", "options": {"num_features": len(VARIANT_FEATURES), "width": 24, "blocks": 3}}]
        },
        201,
    ),
    "cnn_hyenadna_ensemble small-32k": (
        "cnn_hyenadna_ensemble",
        {"hyenadna_options": {"encoder_options": hyena("small-32k")}},
        501,
    ),
    "hyenadna_delta small-32k": ("hyenadna_delta", {"encoder_options": hyena("small-32k")}, 501),
    "hyenadna_binary small-32k": ("hyenadna_binary", {"encoder_options": hyena("small-32k")}, 1001),
    "siamese_hyenadna small-32k": ("siamese_hyenadna", {"encoder_options": hyena("small-32k")}, 501),
    "hyenadna_delta tiny-1k": ("hyenadna_delta", {"encoder_options": hyena("tiny-1k")}, 501),
    "meta_splice cnn, concat": meta("cnn", "concat"),
    "meta_splice gated_cnn, concat": meta("gated_cnn", "concat"),
    "meta_splice gated_cnn, gated": meta("gated_cnn", "gated"),
    "meta_splice gated_cnn, cross_attention": meta("gated_cnn", "cross_attention"),
    "meta_splice hyenadna tiny-1k, cross_attention": meta("hyenadna", "cross_attention", **hyena("tiny-1k")),
    "meta_splice none, concat": meta("none", "concat"),
    "recalibrator": ("recalibrator", {}, 501),
}
"""Label: registry name, options, length of the input in nt."""

BASES = ("small", "openspliceai-400nt", "openspliceai")


def batch(keys: tuple[str, ...], size: int, length: int, features: int) -> list[Tensor]:
    """Random input of the shapes that `data/batches.py` names."""
    generator = torch.Generator().manual_seed(0)

    def one_hot() -> Tensor:
        codes = torch.randint(0, 4, (size, length), generator=generator)
        return torch.nn.functional.one_hot(codes, 4).transpose(1, 2).float()

    shapes: dict[str, tuple[int, ...]] = {
        "gap": (size, 2, length), "base_ref": (size, 6, length), "base_alt": (size, 6, length),
        "place": (size, 6, length), "features": (size, features), "ref_base": (size, 4), "alt_base": (size, 4),
    }  # fmt: skip
    made = []
    for key in keys:
        if key in ("sequence", "ref", "alt"):
            made.append(one_hot())
        elif key == "base":
            made.append(torch.rand(size, length, 3, generator=generator).softmax(dim=-1))
        elif key == "effect":
            made.append(torch.zeros(size, dtype=torch.int64))
        elif key == "position":
            made.append(torch.full((size,), length // 2))
        elif key == "place":
            made.append(torch.ones(shapes[key]))
        else:
            made.append(torch.zeros(shapes[key]))
    return made


def milliseconds(run: Any, repeats: int, device: str) -> float:
    """Median time of a call after one warm-up, ms."""

    def timed() -> float:
        begin = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - begin)

    timed()
    return statistics.median(timed() for _ in range(repeats))


def measure_model(label: str, repeats: int, device: str) -> dict[str, Any]:
    """Measure one row; runs in a process of its own."""
    name, options, length = ROWS[label]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = build_model(name, **options).to(device).eval()
    features = len(VARIANT_FEATURES) if length == 201 else int(options.get("num_features", 1))
    found: dict[str, Any] = {"name": label, "length": length, "parameters": model.parameter_count}
    with torch.inference_mode():
        for size in (1, 64):
            inputs = [tensor.to(device) for tensor in batch(model.inputs, size, length, features)]
            found[f"ms_{size}"] = milliseconds(lambda inputs=inputs: model(*inputs), repeats, device) / size
    if device == "cuda":
        found["mib"] = torch.cuda.max_memory_allocated() / 2**20
    else:
        found["mib"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return found


def measure_base(name: str, repeats: int, device: str) -> dict[str, Any]:
    """Measure a base model on the two sequences of a variant; runs in a process of its own."""
    mirror = os.environ.get("AGENTIC_SPLICEAI_MIRROR")
    resolver = ResourceResolver(Path("data"), mirror=Path(mirror) if mirror else None, allow_download=False)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = load_base_model(name, resolver, device=device)
    length = model.info.context + 101
    found: dict[str, Any] = {
        "name": f"base model {name} ({model.info.members})",
        "length": length,
        "parameters": sum(p.numel() for network in model.networks for p in network.parameters()),
    }
    for size in (1, 64) if model.info.context < 1000 else (1,):
        codes = np.random.default_rng(0).integers(0, 4, (2 * size, length))
        one_hot = np.eye(4, dtype=np.float32)[codes]
        found[f"ms_{size}"] = milliseconds(lambda x=one_hot: model.predict(x), repeats, device) / size
    found["mib"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return found


def render(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    first = rows[0]["ms_64"]
    lines = [
        "| model | nt | parameters | ms at batch 1 | ms at batch 64 | ratio | peak MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        many = row.get("ms_64")
        cells = (f"{many:.2f}", f"{many / first:.2f}") if many is not None else ("–", "–")
        lines.append(
            f"| {row['name']} | {row['length']:,} | {row['parameters']:,} | {row['ms_1']:.1f} | {cells[0]} | "
            f"{cells[1]} | {row['mib']:.0f} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure every row and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", metavar="NAME", help="rows whose label begins with one of these")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="calls of which the median is taken")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.one:
        measure = measure_base if arguments.one in BASES else measure_model
        try:
            print(json.dumps(measure(arguments.one, arguments.repeats, arguments.device)))
        except SpliceEngineError as error:
            sys.stderr.write(f"{arguments.one}: {error}\n")
            return 2
        return 0
    labels = [*ROWS, *BASES]
    if arguments.models:
        labels = [label for label in labels if label.startswith(tuple(arguments.models))]
    rows = []
    for label in labels:
        command = [sys.executable, __file__, "--one", label, "--threads", str(arguments.threads)]
        command += ["--repeats", str(arguments.repeats), "--device", arguments.device]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode == 0:
            rows.append(json.loads(done.stdout))
        elif done.returncode != 2:  # 2: weights that are not at hand, said on standard error
            return done.returncode
    print(json.dumps(rows, indent=1) if arguments.json else render(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""What each model of the meta-layer costs: parameters, milliseconds an example at batch 1 and 64, memory, context.

    AGENTIC_SPLICEAI_MIRROR=... python benchmarks/meta_models.py [--models NAME ...] [--threads 1] [--repeats 5]
                                                                 [--device cpu] [--json]

Every row is measured in this run, in a process of its own, on random input of the shapes of `data/batches.py`; weights
are random too, for cost does not depend on them. A row has the configuration that the documents name, where they name
one. `ratio` is to `REFERENCE`, at batch 64. The rows of base models, for scale, are what one SNV takes, its reference
and its alternate allele with the context of distance 50; those whose weights are not at hand are left out.

- ms: median of the repeats after a warm-up (of five times as many at batch 1), over the batch's examples. One thread by
  default: several wait for each other, so that whatever else the machine does weighs more than the model.
- peak: most memory of the process up to batch 64, above what it held with torch loaded and no model. The library
  transformers is in it, for models on HyenaDNA (about 150 MiB). On CUDA: of the device, and what PyTorch allocated.
- context: bases that the output sees, found by changing one at a time: the output at the middle, where the model has
  one for each position, and else the whole output.
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
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import machine, table_head, table_row
from torch import Tensor

from agentic_spliceai.splice_engine.base_layer.registry import load_base_model
from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.splice_engine.meta_layer.data.batches import EffectType
from agentic_spliceai.splice_engine.meta_layer.data.schema import FEATURE_NAMES
from agentic_spliceai.splice_engine.meta_layer.data.variant_features import VARIANT_FEATURES
from agentic_spliceai.splice_engine.meta_layer.models.base import MetaModule
from agentic_spliceai.splice_engine.meta_layer.models.multi_step import MultiStepPredictor
from agentic_spliceai.splice_engine.meta_layer.models.registry import build_model
from agentic_spliceai.splice_engine.resources import ResourceResolver

BATCHES = (1, 64)
DISTANCE = 50
REFERENCE = "simple_cnn_delta (64, 6, 15)"
NO_WEIGHTS = 2
"""Exit status of a row's process where there is nothing to measure; it says why on standard error."""


@dataclass(frozen=True)
class Row:
    """A model as it is measured.

    Attributes
    ----------
    model
        Name in the registry.
    length
        Columns of its input.
    options
        Arguments of its constructor.
    example
        What one example of a batch is.
    """

    model: str
    length: int
    options: dict[str, Any] = field(default_factory=dict)
    example: str = "variant"


def hyena(size: str) -> dict[str, Any]:
    """Options of a HyenaDNA encoder of a released shape."""
    return {"model_name": f"hyenadna-{size}", "pretrained": False}


SEPARABLE = {"encoder_options": {"separable": True}}
TRAINED = {"num_features": len(VARIANT_FEATURES), "width": 24, "blocks": 3}  # as configs/meta_layer/variants.yaml
ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "cnn": ("cnn", {}),
    "gated_cnn": ("gated_cnn", {}),
    "hyenadna tiny-1k": ("hyenadna", hyena("tiny-1k")),
    "hyenadna small-32k": ("hyenadna", hyena("small-32k")),
}
ROWS = {
    REFERENCE: Row("simple_cnn_delta", 401, {"hidden_dim": 64, "n_layers": 6, "kernel_size": 15}),
    "calibrated (simple_cnn_delta, quantile)": Row(
        "calibrated", 401, {"base": "simple_cnn_delta", "strategy": "quantile", "quantile": 0.9}
    ),
    "delta": Row("delta", 401),
    "delta_v2": Row("delta_v2", 401),
    "validated_delta (128, 6), basic": Row("validated_delta", 401, {"hidden_dim": 128, "n_layers": 6}),
    "validated_delta (128, 6), attention": Row("validated_delta", 401, {"variant": "attention"}),
    "validated_delta (256, 8), basic": Row("validated_delta", 401, {"hidden_dim": 256, "n_layers": 8}),
    "splice_inducing (256, 8)": Row("splice_inducing", 401, {"hidden_dim": 256, "n_layers": 8}),
    "splice_inducing (256, 8), separable": Row("splice_inducing", 401, SEPARABLE),
    "effect_type": Row("effect_type", 401),
    "attention_localizer": Row("attention_localizer", 401),
    "segmentation_localizer": Row("segmentation_localizer", 401),
    "conditioned_delta": Row("conditioned_delta", 401),
    # Threshold 0: every variant goes through all four steps, so that the cost is the largest there is.
    "multi_step, all four steps": Row(
        "multi_step",
        401,
        {
            "inducing": {"name": "splice_inducing"},
            "effect": {"name": "effect_type"},
            "localizer": {"name": "attention_localizer"},
            "delta": {"name": "conditioned_delta"},
            "threshold": 0.0,
        },
    ),
    "hyenadna_delta small-32k": Row("hyenadna_delta", 501, {"encoder_options": hyena("small-32k")}),
    "hyenadna_delta medium-160k": Row("hyenadna_delta", 501, {"encoder_options": hyena("medium-160k")}),
    "hyenadna_binary small-32k": Row("hyenadna_binary", 1001, {"encoder_options": hyena("small-32k")}),
    "siamese_hyenadna small-32k": Row("siamese_hyenadna", 501, {"encoder_options": hyena("small-32k")}),
    "cnn_hyenadna_ensemble small-32k": Row(
        "cnn_hyenadna_ensemble", 501, {"hyenadna_options": {"encoder_options": hyena("small-32k")}}
    ),
    "variant_aware (24, 3), as trained": Row("variant_aware", 201, TRAINED),
    "variant_aware (32, 5)": Row("variant_aware", 201, {"num_features": len(VARIANT_FEATURES)}),
    "ensemble (3 variant_aware)": Row(
        "ensemble", 201, {"members": 3 * [{"name": "variant_aware", "options": TRAINED}]}
    ),
    "recalibrator": Row("recalibrator", 501, example="501 positions"),
    "meta_splice none, concat": Row(
        "meta_splice", 501, {"encoder": "none", "fusion": "concat", "num_features": len(FEATURE_NAMES)}, "position"
    ),
    **{
        f"meta_splice {label}, {fusion}": Row(
            "meta_splice",
            501,
            {"encoder": encoder, "encoder_options": options, "fusion": fusion, "num_features": len(FEATURE_NAMES)},
            example="position",
        )
        for label, (encoder, options) in ENCODERS.items()
        for fusion in ("concat", "gated", "cross_attention")
    },
}
"""Rows by label, in the order of the table."""

BASES = {"base small": "small", "base openspliceai-400nt": "openspliceai-400nt", "base openspliceai": "openspliceai"}
"""Base models of the registry by label."""

PER_POSITION = ("paired_delta", "localization", "recalibration")
"""Tasks whose models have an output for each position, in dimension 1."""

HEAVIEST = 2000
"""Context of a base model, nt, above which it is measured at batch 1 only: 64 SNVs would take minutes."""


def batch(model: MetaModule, size: int, length: int) -> dict[str, Tensor]:
    """Return random input of the shapes that `data/batches.py` names, the variant in the middle column."""
    generator = torch.Generator().manual_seed(0)
    middle = length // 2

    def bases(*shape: int) -> Tensor:
        codes = torch.randint(0, 4, shape, generator=generator)
        return torch.nn.functional.one_hot(codes, 4).float()

    def probabilities() -> Tensor:
        return torch.randn(size, length, 3, generator=generator).softmax(dim=2)

    ref = bases(size, length).transpose(1, 2).contiguous()
    alt = ref.clone()
    alt[:, :, middle] = ref[:, [1, 2, 3, 0], middle]
    place = torch.zeros(size, 6, length)  # variant, acceptor, donor, exon, known sequence, and one more
    place[:, [0, 1, 2], [middle, middle - 30, middle + 30]] = 1
    place[:, 3, middle - 30 : middle + 31] = 1
    place[:, 4] = 1
    features = len(VARIANT_FEATURES) if "place" in model.inputs else len(FEATURE_NAMES)
    every = {
        "sequence": ref,
        "ref": ref,
        "alt": alt,
        "gap": torch.zeros(size, 2, length),
        "ref_base": ref[:, :, middle],
        "alt_base": alt[:, :, middle],
        "base": probabilities(),
        "base_ref": torch.randn(size, 6, length, generator=generator),
        "base_alt": torch.randn(size, 6, length, generator=generator),
        "place": place,
        "features": torch.randn(size, features, generator=generator),
        "effect": torch.full((size,), int(EffectType.DONOR_LOSS)),
        "position": torch.full((size,), middle),
    }
    return {key: every[key] for key in model.inputs}


def milliseconds(run: Callable[[], object], repeats: int, device: str) -> float:
    """Return the median time of a call after a warm-up, ms."""

    def timed() -> float:
        begin = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - begin)

    timed()
    return statistics.median(timed() for _ in range(repeats))


def held(device: str) -> float:
    """Return the most memory held so far, MiB."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def seen(model: MetaModule, inputs: dict[str, Tensor]) -> int:
    """Return how many bases the output sees, by bisection on either side of the middle; `inputs` has one example.

    Both alleles get the same other base. Compared are calls of one shape, which round alike.
    """
    sequences = [key for key in ("sequence", "ref", "alt") if key in inputs]
    length = inputs[sequences[0]].shape[2]
    middle = length // 2

    def output(changed: int | None) -> Tensor:
        given = {key: value.clone() for key, value in inputs.items()}
        if changed is not None:
            for key in sequences:
                given[key][:, :, changed] = given[key][:, [1, 2, 3, 0], changed]
        if isinstance(model, MultiStepPredictor):
            steps = model.predict(given)
            return torch.cat([steps.probability, steps.delta.reshape(-1)])
        found = model(*given.values())
        if isinstance(found, dict):
            return torch.cat([found[key].reshape(-1) for key in ("altering", "psi", "site")])
        result: Tensor = found[:, middle] if model.task in PER_POSITION else found
        return result

    usual = output(None)

    def matters(position: int) -> bool:
        return not torch.equal(output(position), usual)

    def reach(direction: int) -> int:
        if matters(middle + direction * middle):
            return middle
        inside, outside = 0, middle
        while outside - inside > 1:
            distance = (inside + outside) // 2
            if matters(middle + direction * distance):
                inside = distance
            else:
                outside = distance
        return inside

    before, after = reach(-1), reach(1)
    return before + 1 + after if before or after or matters(middle) else 0


def wake(model: MetaModule) -> None:
    """Give layers that begin at zero random weights, so that the output depends on what they read."""
    for parameter in model.parameters():
        if parameter.ndim > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)


def measure_model(label: str, repeats: int, device: str) -> dict[str, Any]:
    """Measure a row of `ROWS`; to be run in a process of its own."""
    row = ROWS[label]
    before = held(device)
    torch.manual_seed(0)
    model = build_model(row.model, **row.options).to(device).eval()
    found: dict[str, Any] = {"name": label, "example": row.example, "length": row.length}
    found["parameters"] = model.parameter_count
    with torch.inference_mode():
        for size in BATCHES:
            inputs = [value.to(device) for value in batch(model, size, row.length).values()]
            calls = repeats if size > 1 else 5 * repeats
            found[f"ms_{size}"] = milliseconds(partial(model, *inputs), calls, device) / size
        found["peak_mib"] = held(device) - before
        wake(model)
        found["context"] = seen(model, {key: value.to(device) for key, value in batch(model, 1, row.length).items()})
    return found


def measure_base(label: str, repeats: int, device: str) -> dict[str, Any]:
    """Measure a base model of `BASES` on both alleles of SNVs; to be run in a process of its own."""
    mirror = os.environ.get("AGENTIC_SPLICEAI_MIRROR")
    resolver = ResourceResolver(Path("data"), mirror=Path(mirror) if mirror else None, allow_download=False)
    before = held(device)
    model = load_base_model(BASES[label], resolver, device=device)
    length = model.info.context + 2 * DISTANCE + 1
    found: dict[str, Any] = {"name": f"{label}, {model.info.members} networks", "example": "variant", "length": length}
    found["parameters"] = sum(p.numel() for network in model.networks for p in network.parameters())
    random = np.random.default_rng(0)
    for size in BATCHES if model.info.context <= HEAVIEST else BATCHES[:1]:
        alleles = np.eye(4, dtype=np.float32)[random.integers(0, 4, (2 * size, length))]
        calls = repeats if size > 1 else 5 * repeats
        found[f"ms_{size}"] = milliseconds(partial(model.predict, alleles), calls, device) / size
    found["peak_mib"] = held(device) - before
    found["context"] = model.info.context + 1
    return found


def where(threads: int, repeats: int, device: str) -> dict[str, Any]:
    """Return what the figures were measured on."""
    name = {"processor": torch.cuda.get_device_name()} if device == "cuda" else {}
    return machine() | name | {"threads": threads, "repeats": repeats}


def render(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    head = (
        "model",
        "an example is",
        "nt",
        "parameters",
        "ms, batch 1",
        "ms, batch 64",
        "ratio",
        "peak MiB",
        "context nt",
    )
    lines = [table_head(head, texts=2)]
    for row in rows:
        many = "–" if "ms_64" not in row else f"{row['ms_64']:.2f}"
        ratio = "–" if "ratio" not in row else f"{row['ratio']:.2f}"
        figures = (f"{row['length']:,}", f"{row['parameters']:,}", f"{row['ms_1']:.1f}", many, ratio)
        lines.append(
            table_row((row["name"], row["example"], *figures, f"{row['peak_mib']:.0f}", f"{row['context']:,}"))
        )
    return "\n".join(lines)


def main() -> int:
    """Measure every row, each in a process of its own, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--models", nargs="+", metavar="NAME", help=f"rows whose label begins with one of these, beside {REFERENCE}"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="calls of which the median is taken")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if min(arguments.threads, arguments.repeats) < 1:
        parser.error("--threads and --repeats are at least 1")
    torch.set_num_threads(arguments.threads)
    if arguments.one:
        measure = measure_base if arguments.one in BASES else measure_model
        try:
            print(json.dumps(measure(arguments.one, arguments.repeats, arguments.device)))
        except SpliceEngineError as error:
            print(f"{arguments.one}: no row: {error}", file=sys.stderr)
            return NO_WEIGHTS
        return 0
    labels = [*ROWS, *BASES]
    if arguments.models:
        wanted = tuple(arguments.models)
        labels = [label for label in labels if label == REFERENCE or label.startswith(wanted)]
        unknown = [name for name in wanted if not any(label.startswith(name) for label in (*ROWS, *BASES))]
        if unknown:
            parser.error(f"no row begins with {', '.join(unknown)}; rows: {', '.join((*ROWS, *BASES))}")
    rows: list[dict[str, Any]] = []
    for label in labels:
        command = [sys.executable, __file__, "--one", label, "--threads", str(arguments.threads)]
        command += ["--repeats", str(arguments.repeats), "--device", arguments.device]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode == 0:
            rows.append(json.loads(done.stdout))
        elif done.returncode != NO_WEIGHTS:
            raise SystemExit(f"{label} failed; see above.")
    for row in rows:
        if "ms_64" in row:
            row["ratio"] = row["ms_64"] / rows[0]["ms_64"]
    about = where(arguments.threads, arguments.repeats, arguments.device)
    if arguments.json:
        print(json.dumps({"machine": about, "reference": REFERENCE, "rows": rows}, indent=1))
        return 0
    print(
        f"{about['processor']}, {about['cores']} cores, {about['threads']} threads, PyTorch {about['torch']}, float32, "
        f"median of {about['repeats']}; ratio to {REFERENCE}\n"
    )
    print(render(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

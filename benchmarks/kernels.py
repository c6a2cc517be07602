"""Which library's convolution is fastest on the layers that occur: GFLOP/s by layer, each in one run on one thread.

    python benchmarks/kernels.py [--rounds 7] [--compile]

The layers are those of the published 10,000-nt network, each in two shapes: a reference pass over one variant's context
(one long sequence) and a batch of alternates. `direct` is conv2d over height 1 in channels-last memory, `transform` is
`base_layer.fourier`; both are what `base_layer.folding` chooses from. onnxruntime and OpenVINO have a column where they
are installed (`pip install openvino onnxruntime onnx`), torch.compile with `--compile` (it needs a C++ compiler, and a
minute). Work is counted as direct convolution for all, so that a transform may pass the matrix peak, which the last
line prints. Candidates take turns, and the fastest of the rounds counts. The error is the largest difference to float64
where outputs have variance 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from agentic_spliceai.splice_engine.base_layer.fourier import transform

Run = Callable[[], Tensor]


@dataclass(frozen=True)
class Shape:
    """A layer and the batch that it reads: outputs are `length` a sequence."""

    what: str
    width: int
    dilation: int
    batch: int
    length: int

    @property
    def flop(self) -> int:
        """Of the direct convolution of 32 to 32 channels."""
        return 2 * 32 * 32 * self.width * self.batch * self.length


LAYERS = ((11, 1, 10_000, 60), (11, 4, 9_800, 350), (21, 10, 8_800, 1_700), (41, 25, 4_000, 3_000))
"""Width, dilation, outputs of a reference pass, outputs of an alternate."""

SHAPES = [
    Shape(what, width, dilation, batch, length)
    for width, dilation, reference, alternate in LAYERS
    for what, batch, length in (("reference", 1, reference), ("alternates", 8, alternate))
]


def candidates(shape: Shape, weight: Tensor, x: Tensor, with_compile: bool) -> dict[str, Run]:
    """Return every way of computing `shape` at hand, by name; x is [B, L, 32] and results are [B, length, 32]."""
    rows = x.transpose(1, 2).contiguous()
    planes = x.unsqueeze(1).permute(0, 3, 1, 2)
    dilation = shape.dilation
    found: dict[str, Run] = {"conv1d": lambda: F.conv1d(rows, weight, dilation=dilation).transpose(1, 2)}
    for name, dtype in (("", torch.float32), (" bf16", torch.bfloat16)):
        kernel = weight.unsqueeze(2).to(dtype).clone(memory_format=torch.channels_last)

        def direct(kernel: Tensor = kernel, dtype: torch.dtype = dtype) -> Tensor:
            out = F.conv2d(planes.to(dtype), kernel, dilation=(1, dilation))
            return out.permute(0, 2, 3, 1).squeeze(1).float()

        found[f"direct{name}"] = direct
        tiles = transform(weight, dilation, dtype=dtype)
        count = shape.length // tiles.tile
        if count:
            out = x.new_empty(shape.batch, count * tiles.tile, 32)

            def tiled(tiles: object = tiles, out: Tensor = out) -> Tensor:
                tiles.into(out, x)  # type: ignore[attr-defined]
                return out

            found[f"transform{name}"] = tiled
    if with_compile:
        compiled = torch.compile(lambda: F.conv2d(planes, weight.unsqueeze(2), dilation=(1, dilation)))
        found["torch.compile"] = lambda: compiled().permute(0, 2, 3, 1).squeeze(1)
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
        found["onnxruntime"] = _onnxruntime(shape, weight, rows)
    if importlib.util.find_spec("openvino"):
        found["OpenVINO"] = _openvino(shape, weight, rows, "f32")
        found["OpenVINO bf16"] = _openvino(shape, weight, rows, "bf16")
    return found


def _onnxruntime(shape: Shape, weight: Tensor, rows: Tensor) -> Run:
    import onnx
    import onnxruntime

    given = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, list(rows.shape))
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], dilations=[shape.dilation])
    graph = onnx.helper.make_graph(
        [node], "layer", [given], [result], [onnx.numpy_helper.from_array(weight.numpy(), "w")]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = {"x": rows.numpy()}
    return lambda: torch.from_numpy(session.run(None, values)[0]).transpose(1, 2)


def _openvino(shape: Shape, weight: Tensor, rows: Tensor, precision: str) -> Run:
    import numpy as np
    import openvino
    from openvino import opset13

    given = opset13.parameter(list(rows.shape), dtype=np.float32)
    kernel = opset13.constant(weight.numpy())
    layer = opset13.convolution(given, kernel, [1], [0], [0], [shape.dilation])
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision}
    request = openvino.compile_model(openvino.Model([layer], [given]), "CPU", settings).create_infer_request()
    values = rows.numpy()
    return lambda: torch.from_numpy(request.infer([values], share_inputs=True)[0]).transpose(1, 2)


def measure(runs: dict[str, Run], rounds: int) -> dict[str, float]:
    """Return the least seconds of each, candidates taking turns."""
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):
        for name, run in runs.items():
            run()
            start = time.perf_counter()
            for _ in range(3):
                run()
            best[name] = min(best[name], (time.perf_counter() - start) / 3)
    return best


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compile", action="store_true", help="also torch.compile")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    errors: dict[str, float] = {}
    names: list[str] = []
    lines = []
    with torch.inference_mode():
        for shape in SHAPES:
            weight = torch.randn(32, 32, shape.width) / (32 * shape.width) ** 0.5
            x = torch.randn(shape.batch, shape.length + shape.dilation * (shape.width - 1), 32)
            exact = F.conv1d(x.transpose(1, 2).double(), weight.double(), dilation=shape.dilation).transpose(1, 2)
            runs = candidates(shape, weight, x, arguments.compile)
            names = list(dict.fromkeys([*names, *runs]))
            for name, run in runs.items():
                out = run()
                errors[name] = max(errors.get(name, 0.0), float((out - exact[:, : out.shape[1]]).abs().max()))
            shares = {name: run().shape[1] / shape.length for name, run in runs.items()}
            seconds = measure(runs, arguments.rounds)
            lines.append((shape, {name: shares[name] * shape.flop / s / 1e9 for name, s in seconds.items()}))
        print(f"| layer, inputs | {' | '.join(names)} |")
        print("|---|" + "---:|" * len(names))
        for shape, rates in lines:
            cells = [f"{rates[name]:.0f}" if name in rates else "" for name in names]
            what = f"{shape.what}, width {shape.width}, dilation {shape.dilation}, {shape.batch} x {shape.length:,}"
            print(f"| {what} | {' | '.join(cells)} |")
        print(f"| largest error | {' | '.join(f'{errors[name]:.0e}' for name in names)} |")
        for dtype in (torch.float32, torch.bfloat16):
            square = torch.randn(2048, 2048).to(dtype)
            seconds = measure({"": lambda square=square: torch.mm(square, square)}, 5)[""]  # type: ignore[misc]
            print(f"\nmatrix product in {dtype}: {2 * 2048**3 / seconds / 1e9:.0f} GFLOP/s", end="")
        print()


if __name__ == "__main__":
    main()

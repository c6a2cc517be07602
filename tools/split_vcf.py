"""Cut a VCF or a list of variants into parts that can be worked on one by one."""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agentic_spliceai.tools.batch import read_inputs
from agentic_spliceai.tools.context import ToolContext
from agentic_spliceai.tools.interaction import ToolProgress
from agentic_spliceai.tools.spec import CostClass, PathAccess, SideEffect, ToolArgumentError, ToolModel, ToolSpec
from agentic_spliceai.tools.triage_rows import VcfChunk, input_line

_MOST_CHUNKS = 5_000


class SplitVcfArgs(ToolModel):
    """The file, and how large its parts are."""

    source: Annotated[str, PathAccess.READ] = Field(
        min_length=1, description="VCF, or a text file with one variant a line; plain or gzipped."
    )
    chunk_size: int = Field(default=1_000, ge=1, le=50_000, description="Inputs of a part, one an allele.")


class SplitVcfResult(ToolModel):
    """The parts."""

    source: str = Field(description="The file.")
    inputs: int = Field(ge=0, description="Inputs in all: every allele of every record, also those that are malformed.")
    chunks: tuple[VcfChunk, ...] = Field(description="The parts, in the order of the file.")


def run(args: SplitVcfArgs, context: ToolContext) -> SplitVcfResult:
    """Read the file as a stream and keep its parts in the artifact store.

    Raises
    ------
    ResourceError
        If the file cannot be read or is damaged.
    ToolArgumentError
        If it is standard input, or has more parts than a run can hold.
    """
    if args.source == "-":
        raise ToolArgumentError(
            "split_vcf reads a file, not standard input: a run that is resumed reads it again.", "Give a path."
        )
    stream = enumerate(read_inputs(args.source))
    chunks: list[VcfChunk] = []
    inputs = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chunk.jsonl"
        while first := next(stream, None):
            if len(chunks) == _MOST_CHUNKS:
                raise ToolArgumentError(
                    f"{args.source} has more than {_MOST_CHUNKS:,} parts of {args.chunk_size:,} inputs.",
                    "Give a larger chunk_size.",
                )
            count = 1
            with path.open("w", encoding="utf-8") as handle:
                handle.write(input_line(*first))
                for index, item in islice(stream, args.chunk_size - 1):
                    handle.write(input_line(index, item))
                    count += 1
            chunks.append(
                VcfChunk(index=len(chunks), first=first[0], inputs=count, sha256=context.artifacts.put_file(path))
            )
            inputs += count
            context.listen(ToolProgress(f"{inputs:,} variants read", inputs))
    return SplitVcfResult(source=args.source, inputs=inputs, chunks=tuple(chunks))


TOOL = ToolSpec(
    name="split_vcf",
    purpose="Cut a VCF or a list of variants into parts that are kept as artifacts; every allele is in one of them.",
    args=SplitVcfArgs,
    result=SplitVcfResult,
    side_effect=SideEffect.WRITES_FILES,
    cost_class=CostClass.SECONDS,
    function=run,
)

"""Where the results of a batch go, and what they are made of."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from agentic_spliceai import __version__
from agentic_spliceai.splice_engine.resources import sha256_of
from agentic_spliceai.tools.batch import Batch
from agentic_spliceai.tools.batch_reading import Source
from agentic_spliceai.tools.batch_writing import Sink, StreamSink
from agentic_spliceai.tools.result_file import is_replaceable, result_file
from agentic_spliceai.tools.resumable_file import resumable_file


def made_by(batch: Batch, *, masked: bool) -> dict[str, str]:
    """Return all that decides the scores of a batch, by name; no folder of this machine is in it."""
    made = batch.provenance
    return {
        "Version": __version__,
        "Predictor": made.predictor,
        "PredictorVersion": made.version,
        "WeightsSHA256": _joined(made.weights_sha256),
        "Genome": made.genome_id,
        "Build": str(made.build or "unknown"),
        "Annotation": made.annotation_source,
        "AnnotationSHA256": made.annotation_sha256,
        "Transcripts": " ".join(batch.options.transcripts) or "representative",
        "Context": str(made.context),
        "Distance": str(made.distance),
        "Masked": made.mask.value if masked else "no",
        "Precision": made.precision.value,
        "MetaModelCardSHA256": batch.meta_card or "none",
    }


@contextmanager
def opened_sink(
    output: str | None, source: Source, made_of: Mapping[str, str], *, restart: bool = False
) -> Iterator[Sink]:
    """Yield what takes the pieces of a result.

    Parameters
    ----------
    output
        A file, block-gzipped where its name ends with `.gz` or `.bgz`; None for standard output.
    source
        What the results are of. Where it can be read again, a file that was not finished is gone on with.
    made_of
        What decides the content, beside the source.
    restart
        Begin a file again.

    Raises
    ------
    SettingError
        See `resumable_file` and `result_file`.
    """
    if output is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # What came in comes out, also where it is no UTF-8.
            sys.stdout.reconfigure(errors="surrogateescape")
        yield StreamSink(sys.stdout)
    elif source.path is None or not is_replaceable(output):
        with result_file(output) as handle:
            yield StreamSink(handle)
    else:
        everything = {"Input": f"sha256 {sha256_of(source.path)}", **made_of}
        with resumable_file(output, everything, blocks=is_blocked(output), restart=restart) as growing:
            yield growing
            if is_blocked(output):
                # Of an earlier file; with the new one it would lead astray.
                for index in indices(output):
                    index.unlink(missing_ok=True)


def is_blocked(output: str | None) -> bool:
    """Whether a file is written block-gzipped: what is no file, such as a pipe, is not."""
    return output is not None and output.lower().endswith((".gz", ".bgz")) and is_replaceable(output)


def indices(output: str) -> tuple[Path, ...]:
    """Return where the index of a file may be."""
    path = Path(output).expanduser()
    return tuple(path.with_name(path.name + suffix) for suffix in (".tbi", ".csi"))


def _joined(digests: tuple[str, ...]) -> str:
    """Return one digest as it is, and of several the digest of all."""
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()

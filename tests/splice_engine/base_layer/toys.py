"""A base model whose answers can be computed by hand, and a toy genome to run it on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agentic_spliceai.splice_engine.base_layer.model import FloatArray, ModelInfo, Prediction, softmax
from agentic_spliceai.splice_engine.base_layer.results import Thresholds
from agentic_spliceai.splice_engine.genome.sequence import one_hot

DONOR_MOTIF = "CAGGTAAG"  # the donor is the G before GT
ACCEPTOR_MOTIF = "TTTCAGG"  # the acceptor is the last G
THRESHOLDS = Thresholds(weak=0.1, moderate=0.2, strong=0.5, source="toy", calibrated=False)


class MotifModel:
    """Donor and acceptor probability from the share of motif bases that match; two members that differ by a factor.

    The logit of a site is `steepness * (matches - (motif length - 0.5))`, of neither 0, so that a whole motif gives
    more than one half, and one mismatch less.
    """

    def __init__(self, context: int = 40) -> None:
        self.info = ModelInfo(
            name="motif",
            version="1",
            weights_sha256=("0" * 64,),
            context=context,
            members=2,
            training_build=None,
            annotation_source="toy",
            thresholds=THRESHOLDS,
        )
        self.calls = 0
        self.sequences = 0

    def predict(self, one_hot_batch: FloatArray) -> Prediction:
        self.calls += 1
        self.sequences += len(one_hot_batch)
        half = self.info.context // 2
        length = one_hot_batch.shape[1] - self.info.context
        logits = np.zeros((len(one_hot_batch), 2, length, 3), dtype=np.float32)
        for column, motif, shift in ((0, DONOR_MOTIF, 2), (1, ACCEPTOR_MOTIF, len(ACCEPTOR_MOTIF) - 1)):
            wanted = one_hot(motif)
            for at in range(length):
                start = at + half - shift
                seen = one_hot_batch[:, start : start + len(motif)]
                matches = (seen * wanted).sum(axis=(1, 2))
                for member, steepness in enumerate((4.0, 8.0)):
                    logits[:, member, at, column] = steepness * (matches - (len(motif) - 0.5))
        return Prediction(softmax(logits), logits)


def write_genome(folder: Path, sequence: str, *, contig: str = "chr1") -> Path:
    path = folder / "toy.fa"
    path.write_text(
        f">{contig}\n" + "\n".join(sequence[i : i + 60] for i in range(0, len(sequence), 60)) + "\n", encoding="ascii"
    )
    return path


def write_gtf(folder: Path, genes: list[tuple[str, str, str, list[tuple[int, int]]]]) -> Path:
    """Write genes given as (name, contig, strand, exons), exons 1-based inclusive and ascending."""
    rows = []
    for name, contig, strand, exons in genes:
        attributes = f'gene_id "{name}"; gene_name "{name}";'
        extent = (exons[0][0], exons[-1][1])
        rows.append(("gene", *extent, strand, attributes, contig))
        attributes += f' transcript_id "{name}.t"; tag "representative";'
        rows.append(("transcript", *extent, strand, attributes, contig))
        rows += [("exon", *exon, strand, attributes, contig) for exon in exons]
    path = folder / "toy.gtf"
    path.write_text(
        "".join(f"{c}\ttoy\t{kind}\t{start}\t{end}\t.\t{strand}\t.\t{a}\n" for kind, start, end, strand, a, c in rows),
        encoding="ascii",
    )
    return path

"""Commands: `prepare`, `train`, `export`, `evaluate`; each reads and writes one folder."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.base_layer.training.card import build_card, render_card
from agentic_spliceai.splice_engine.base_layer.training.corpus import IGNORE, Corpus, build_corpus
from agentic_spliceai.splice_engine.base_layer.training.evaluate import evaluate, sha256
from agentic_spliceai.splice_engine.base_layer.training.export import export_members, read_metadata
from agentic_spliceai.splice_engine.base_layer.training.leakage import REACH, set_paralogs_aside
from agentic_spliceai.splice_engine.base_layer.training.loop import Limits, Trainer, TrainSettings
from agentic_spliceai.splice_engine.base_layer.training.split import PARALOG, TEST, TRAIN, VALIDATION, ChromosomeSplit
from agentic_spliceai.splice_engine.errors import SettingError, SpliceEngineError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.types import GenomeBuild

log = logging.getLogger(__name__)

NAME = "small-400nt"
MIRROR = "AGENTIC_SPLICEAI_MIRROR"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 after a one-line message on standard error."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        options.run(options)
    except SpliceEngineError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    module = "agentic_spliceai.splice_engine.base_layer.training"
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description="Train the small base model.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    defaults = TrainSettings()

    p = commands.add_parser("prepare", help="turn genome and annotation into arrays")
    _out(p, _prepare)
    p.add_argument("--genome", type=Path, help=f"FASTA; default: GRCh38/genome.fa.gz of ${MIRROR}")
    p.add_argument("--annotation", type=Path, help=f"GTF or GFF3; default: GRCh38/annotation.gtf.gz of ${MIRROR}")
    p.add_argument("--build", default="GRCh38", help="genome build (default %(default)s)")
    p.add_argument("--context", type=int, default=defaults.context, help="nt of context (default %(default)s)")
    p.add_argument("--test", nargs="+", default=list(ChromosomeSplit.test), help="test contigs (default %(default)s)")
    p.add_argument("--validation", nargs="+", default=list(ChromosomeSplit.validation), help="(default %(default)s)")

    p = commands.add_parser("train", help="train one member of the ensemble; continues where it stopped")
    _out(p, _train)
    p.add_argument("--threads", type=int, default=1, help="processor threads (default %(default)s)")
    p.add_argument("--max-minutes", type=float, default=45.0, help="time for this member (default %(default)s)")
    p.add_argument("--checkpoint-minutes", type=float, default=3.0, help="(default %(default)s)")
    p.add_argument("--evaluate-minutes", type=float, default=4.0, help="between validations (default %(default)s)")
    p.add_argument("--no-bf16", action="store_true", help="compute in float32")
    for name in ("seed", "steps", "context", "width", "batch", "warmup"):
        p.add_argument(f"--{name}", type=int, default=getattr(defaults, name), help="(default %(default)s)")
    for name in ("learning-rate", "weight-decay", "empty-fraction", "mask-fraction", "decay-fraction", "ema-decay"):
        value = getattr(defaults, name.replace("-", "_"))
        p.add_argument(f"--{name}", type=float, default=value, help="(default %(default)s)")

    p = commands.add_parser("export", help="write the trained members to one safetensors file")
    _out(p, _export)
    p.add_argument("--seeds", type=int, nargs="+", help="members to take; default: all that are trained")

    p = commands.add_parser("evaluate", help="measure on the test chromosomes, write the model card")
    _out(p, _evaluate)
    p.add_argument("--weights", type=Path, help=f"safetensors file; default: {NAME}.safetensors in --out")
    p.add_argument(
        "--openspliceai", type=Path, help=f"folder of .pt files to compare with; default: the 400-nt ones of ${MIRROR}"
    )
    p.add_argument("--workers", type=int, default=2, help="genes scored at once, a thread each (default %(default)s)")
    p.add_argument("--draws", type=int, default=1000, help="bootstrap draws (default %(default)s)")
    p.add_argument("--seed", type=int, default=0, help="of bootstrap and draw of genes (default %(default)s)")
    p.add_argument("--nucleotides", type=int, help="stop drawing test genes there; default: all test genes")
    return parser


def _out(parser: argparse.ArgumentParser, run: object) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder for arrays, checkpoints and results")
    parser.set_defaults(run=run)


def _from_mirror(*parts: str) -> Path:
    folder = os.environ.get(MIRROR)
    if not folder:
        raise SettingError(f"no file was named and {MIRROR} is not set.", "Name the file, or set the mirror's folder.")
    return Path(folder).joinpath(*parts)


def _prepare(options: argparse.Namespace) -> None:
    genome_path = options.genome or _from_mirror("GRCh38", "genome.fa.gz")
    annotation_path = options.annotation or _from_mirror("GRCh38", "annotation.gtf.gz")
    build = GenomeBuild.parse(options.build)
    split = ChromosomeSplit(test=tuple(options.test), validation=tuple(options.validation))
    annotation = GeneAnnotation.load(annotation_path, build=build)
    with ReferenceGenome(genome_path, build) as genome:
        log.info("%d genes", len(annotation))
        corpus = build_corpus(annotation.genes, genome.fetch_padded, split, flank=options.context // 2)
    corpus, leaks = set_paralogs_aside(corpus)
    corpus.about.update(
        {
            "build": str(build),
            "genome": genome_path.name,
            "genome_sha256": sha256(genome_path),
            "annotation": annotation.source,
            "annotation_sha256": annotation.digest,
            "split": asdict(split),
            "paralog_window": 2 * REACH + 1,
            "paralogs": [asdict(leak) for leak in leaks],
            "counts": count(corpus),
            "corpus_sha256": corpus.digest(),
        }
    )
    corpus.save(options.out)
    log.info("%s", json.dumps(corpus.about["counts"]))


def count(corpus: Corpus) -> dict[str, dict[str, int]]:
    """Return genes, loci, labelled positions and sites of each part that has any."""
    counts = {}
    for part in (TRAIN, VALIDATION, TEST, PARALOG):
        loci = corpus.of(part)
        if not loci:
            continue
        labels = [corpus.labels[x.offset : x.offset + x.length] for x in loci]
        counts[part] = {
            "genes": sum(len(x.genes) for x in loci),
            "loci": len(loci),
            "positions": sum(int((x != IGNORE).sum()) for x in labels),
            "donors": sum(int((x == SpliceClass.DONOR).sum()) for x in labels),
            "acceptors": sum(int((x == SpliceClass.ACCEPTOR).sum()) for x in labels),
        }
    return counts


def _train(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    settings = TrainSettings(
        autocast=not options.no_bf16,
        **{
            name: getattr(options, name)
            for name in (
                "seed", "steps", "context", "width", "batch", "warmup", "learning_rate", "weight_decay",
                "empty_fraction", "mask_fraction", "decay_fraction", "ema_decay",
            )
        },
    )  # fmt: skip
    limits = Limits(options.max_minutes, options.checkpoint_minutes, options.evaluate_minutes)
    hardware = (
        f"{platform.machine()} CPU, {options.threads} thread(s), {'bfloat16' if settings.autocast else 'float32'}"
    )
    Trainer(Corpus.load(options.out), settings, limits, options.out / f"member-{settings.seed}", hardware).run()


def _export(options: argparse.Namespace) -> None:
    folders = (
        [options.out / f"member-{seed}" for seed in options.seeds]
        if options.seeds
        else sorted(path.parent for path in options.out.glob("member-*/best.pt"))
    )
    if not folders:
        raise SettingError(f"{options.out.name} holds no trained member.", "Run the `train` command first.")
    path = options.out / f"{NAME}.safetensors"
    export_members(folders, Corpus.load(options.out).about, path)
    log.info("%d members, %d bytes", len(folders), path.stat().st_size)


def _evaluate(options: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    weights = options.weights or options.out / f"{NAME}.safetensors"
    corpus = Corpus.load(options.out)
    metadata: dict[str, Any] = read_metadata(weights)
    if metadata["corpus"]["corpus_sha256"] != corpus.about["corpus_sha256"]:
        raise SettingError("these weights were trained on other arrays than --out holds.", "Run `prepare` as for them.")
    found = evaluate(
        corpus,
        weights,
        options.openspliceai or _from_mirror("models", "openspliceai-mane", "400nt"),
        context=metadata["context"],
        cache=options.out / "scores",
        draws=options.draws,
        seed=options.seed,
        nucleotides=options.nucleotides,
        workers=options.workers,
    )
    card = build_card(metadata, found)
    (options.out / f"{NAME}.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (options.out / f"{NAME}.md").write_text(render_card(card), encoding="utf-8")
    log.info("wrote the model card")

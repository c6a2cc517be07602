"""Commands of the studies: `artifacts`, `sites`; each goes on where it stopped."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agentic_spliceai.splice_engine.errors import SpliceEngineError
from agentic_spliceai.splice_engine.meta_layer.config import PRESETS, MetaLayerConfig
from agentic_spliceai.splice_engine.meta_layer.extras import require
from agentic_spliceai.splice_engine.resources import Progress, ResourceResolver

MIRROR = "AGENTIC_SPLICEAI_MIRROR"
MODULE = "agentic_spliceai.splice_engine.meta_layer"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 after a one-line message on standard error."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except SpliceEngineError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description="Train and evaluate the meta-layer.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    p = _command(commands, "artifacts", "score genes with a base model and write what the meta-layer learns from")
    p.add_argument("--genome", default="GRCh38", help="genome to score, or a FASTA (default %(default)s)")
    p.add_argument("--annotation", type=Path, help="GTF or GFF3, with a FASTA of your own")
    p.add_argument("--weights", type=Path, help="file or folder with the base model's weights")
    p.add_argument("--chromosomes", nargs="+", help="only these (default: all)")
    p.add_argument("--genes", nargs="+", help="only these, by name or id (default: a study's choice, see --counts)")
    p.add_argument(
        "--counts", nargs=3, type=int, metavar=("TRAIN", "VALIDATION", "TEST"), default=(10**6, 10**6, 10**6),
        help="how many wholly sequenced coding genes of each part, chosen by a seeded hash (default: all)",
    )  # fmt: skip
    p.add_argument("--max-length", type=int, default=60_000, help="longest gene, nt (default %(default)s)")
    p.set_defaults(run=_artifacts)

    p = _command(commands, "sites", "train on canonical sites and evaluate beside the base model")
    p.add_argument("--keep-negatives", type=float, default=0.1, help="share of easy negatives trained on")
    p.add_argument("--draws", type=int, default=1000, help="bootstrap draws (default %(default)s)")
    p.add_argument("--report", type=Path, help="also write the tables to this file (Markdown), the figures beside it")
    p.set_defaults(run=_sites)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help_text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_text, description=f"{help_text[0].upper()}{help_text[1:]}.")
    parser.add_argument("--config", default="sites", help=f"YAML file, or {', '.join(PRESETS)} (default %(default)s)")
    parser.add_argument("--base-model", metavar="NAME", help="instead of the configuration's")
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="folder of artifacts and runs")
    parser.add_argument("--run", default="20000101_000000", dest="timestamp", help="name of the run, YYYYMMDD_HHMMSS")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch decides)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def _config(options: argparse.Namespace) -> MetaLayerConfig:
    values: dict[str, object] = {"data_root": options.data_root, "timestamp": options.timestamp}
    if options.base_model:
        values["base_model"] = options.base_model
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    if options.config in PRESETS:
        return MetaLayerConfig.preset(options.config, **values)
    return MetaLayerConfig.from_yaml(Path(options.config), **values)


def _resolver(options: argparse.Namespace) -> ResourceResolver:
    mirror = os.environ.get(MIRROR)
    return ResourceResolver(options.data_root, mirror=Path(mirror) if mirror else None)


def _artifacts(options: argparse.Namespace) -> None:
    from agentic_spliceai.splice_engine.base_layer.registry import load_base_model
    from agentic_spliceai.splice_engine.genome.bundle import open_genome
    from agentic_spliceai.splice_engine.meta_layer.data.artifacts import write_artifacts
    from agentic_spliceai.splice_engine.meta_layer.data.gene_choice import choose_genes

    config, resolver = _config(options), _resolver(options)
    bundle = open_genome(options.genome, resolver, annotation=options.annotation, cache_dir=options.data_root / "cache")
    model = load_base_model(config.base_model, resolver, device="auto", weights=options.weights)
    if options.genes:
        genes = [bundle.annotation.gene(name) for name in options.genes]
    else:
        counts = dict(zip(("train", "validation", "test"), options.counts, strict=True))
        chosen = choose_genes(bundle.annotation, bundle.genome, counts=counts, max_length=options.max_length)
        genes = [gene for part in chosen.values() for gene in part]
    with _bar(options.quiet, "nt") as progress:
        summary = write_artifacts(
            config, bundle.genome, bundle.annotation, model,
            genes=genes, chromosomes=options.chromosomes, progress=progress,
        )  # fmt: skip
    outcomes = ", ".join(f"{count:,} {name}" for name, count in summary.outcomes.items())
    sys.stdout.write(
        f"{summary.folder}: {summary.written} tables written, {summary.skipped} kept; {summary.genes:,} genes, "
        f"{summary.rows:,} rows for {summary.positions:,} positions ({outcomes})\n"
    )


def _sites(options: argparse.Namespace) -> None:
    from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
    from agentic_spliceai.splice_engine.meta_layer.pipelines.sites_report import run_study

    config = _config(options)
    study = run_study(
        config,
        keep_negatives=options.keep_negatives,
        bootstrap=Bootstrap(draws=options.draws),
        progress=not options.quiet,
    )
    study.write(options.report or config.evaluation_dir / "sites.md")
    sys.stdout.write(study.markdown + "\n")
    sys.stdout.write(json.dumps({"evaluation": str(config.evaluation_dir)}) + "\n")


@contextmanager
def _bar(quiet: bool, unit: str) -> Iterator[Progress | None]:
    """Show a progress bar on standard error."""
    if quiet:
        yield None
        return
    bar = require("tqdm", purpose="the progress bar").tqdm(unit=unit, unit_scale=True, file=sys.stderr)

    def progress(name: str, done: int, total: int | None) -> None:
        bar.total = total
        bar.set_postfix_str(name, refresh=False)
        bar.update(done - bar.n)

    with bar:
        yield progress

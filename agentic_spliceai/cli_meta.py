"""`agentic-spliceai meta ...`: artifacts, the two studies, and a trained model on variants and genes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentic_spliceai.splice_engine.errors import SettingError

if TYPE_CHECKING:
    from agentic_spliceai.splice_engine.meta_layer.config import MetaLayerConfig
    from agentic_spliceai.splice_engine.meta_layer.inference import MetaPredictor
    from agentic_spliceai.splice_engine.meta_layer.pipelines.study import Study
    from agentic_spliceai.splice_engine.resources import Progress
    from agentic_spliceai.tools.context import Resources

EXIT_OK = 0
_PARTS = ("train", "validation", "test")
_ALL = 10**6
_CHUNK = 64
_RUN = "20260101_000000"


def add_meta(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands of `meta`."""
    meta = commands.add_parser("meta", help="train, evaluate and use the meta-layer")
    actions = meta.add_subparsers(metavar="ACTION", required=True)

    p = _base(actions, "artifacts", "score genes with a base model and write what the meta-layer learns from", "sites")
    p.add_argument("--genome", default="GRCh38", help="genome to score (default: %(default)s)")
    p.add_argument("--annotation", metavar="FILE", help="GTF or GFF3 instead of the genome's own")
    p.add_argument("--chromosomes", nargs="+", metavar="NAME", help="only these (default: all)")
    p.add_argument("--genes", nargs="+", metavar="NAME", help="only these, instead of the study's choice")
    p.add_argument(
        "--counts", nargs=3, type=int, metavar=("TRAIN", "VALIDATION", "TEST"), default=(_ALL, _ALL, _ALL),
        help="how many wholly sequenced coding genes of each part, drawn by a seeded hash (default: all)",
    )  # fmt: skip
    p.add_argument("--max-length", type=int, default=60_000, metavar="NT", help="longest gene (default: %(default)s)")
    p.set_defaults(handler=_artifacts)

    p = _study(actions, "sites", "train on canonical sites, evaluate beside the base model", "sites")
    p.add_argument(
        "--folds", type=int, default=0, metavar="N",
        help="cut the test genes into N folds and predict each from the others (default: train on the training part)",
    )  # fmt: skip
    p.set_defaults(handler=_sites)

    p = _study(actions, "variants", "train on measured variants, evaluate beside the base model", "variants")
    p.add_argument("--table", metavar="FILE", help="MFASS table (default: variants/mfass.tsv.gz of the mirror)")
    p.set_defaults(handler=_variants)

    for name, what in (("triage", "probability that variants alter splicing"), ("delta", "what variants change")):
        p = actions.add_parser(name, help=f"a trained model: {what}", description=f"A trained model: {what}.")
        p.add_argument("model", metavar="MODEL", help="checkpoint, or folder with the members of an ensemble")
        p.add_argument("source", metavar="FILE", help="VCF or text file with one variant a line; - for standard input")
        p.add_argument("--genome", required=True, help="genome of the variants")
        p.add_argument("--annotation", metavar="FILE", help="gene annotation instead of the genome's own")
        p.set_defaults(handler=_predict, action=name)

    p = actions.add_parser("recalibrate", help="a trained model: splice sites of a gene, as TSV")
    p.add_argument("model", metavar="MODEL", help="checkpoint, or folder with the members of an ensemble")
    p.add_argument("gene", metavar="GENE", help="name or id")
    p.add_argument("--genome", required=True, help="genome")
    p.add_argument("--annotation", metavar="FILE", help="gene annotation instead of the genome's own")
    p.add_argument("--from", dest="least", type=float, default=0.01, help="smallest probability shown")
    p.set_defaults(handler=_recalibrate)

    p = actions.add_parser("summary", help="several studies as one table, from the files that they wrote")
    p.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="what `--out` named")
    p.set_defaults(handler=_summary)

    p = actions.add_parser("card", help="what a checkpoint says about itself, as JSON")
    p.add_argument("model", metavar="MODEL", help="checkpoint")
    p.set_defaults(handler=_card)


def _base(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str, preset: str
) -> argparse.ArgumentParser:
    p = actions.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}. Goes on where it stopped.")
    p.add_argument("--config", default=preset, help="YAML file or preset (default: %(default)s)")
    p.add_argument("--base-model", metavar="NAME", help="instead of the configuration's")
    p.add_argument("--data-root", type=Path, default=Path("data"), help="folder of artifacts and runs (default: data)")
    p.add_argument("--quiet", action="store_true", help="no progress")
    return p


def _study(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str, preset: str
) -> argparse.ArgumentParser:
    p = _base(actions, name, what, preset)
    p.add_argument(
        "--run", default=_RUN, metavar="NAME", help="name of the run, YYYYMMDD_HHMMSS (default: %(default)s)"
    )
    p.add_argument("--seeds", type=int, nargs="+", help="instead of the configuration's")
    p.add_argument("--epochs", type=int, help="at most so many, instead of the configuration's")
    p.add_argument("--draws", type=int, default=1000, help="bootstrap draws (default: %(default)s)")
    p.add_argument("--out", type=Path, help="folder for figures and tables (default: in evaluation/ of the run)")
    return p


def _config(arguments: argparse.Namespace) -> MetaLayerConfig:
    from agentic_spliceai.splice_engine.meta_layer.config import PRESETS, MetaLayerConfig

    values: dict[str, Any] = {"data_root": arguments.data_root, "timestamp": getattr(arguments, "run", _RUN)}
    if arguments.base_model:
        values["base_model"] = arguments.base_model
    if arguments.config in PRESETS:
        config = MetaLayerConfig.preset(arguments.config, **values)
    else:
        config = MetaLayerConfig.from_yaml(Path(arguments.config), **values)
    changes: dict[str, Any] = {}
    if getattr(arguments, "seeds", None):
        changes["seeds"] = arguments.seeds
    if getattr(arguments, "epochs", None):
        changes["max_epochs"] = arguments.epochs
    training = type(config.training).model_validate(config.training.model_dump() | changes)
    return config.model_copy(update={"training": training})


def _artifacts(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.splice_engine.meta_layer.data.artifacts import write_artifacts
    from agentic_spliceai.splice_engine.meta_layer.data.gene_choice import choose_genes

    config, resources = _config(arguments), _resources()
    bundle = resources.genome(arguments.genome, arguments.annotation)
    model = resources.base_model(config.base_model)
    if arguments.genes:
        genes = [bundle.annotation.gene(name) for name in arguments.genes]
    else:
        counts = dict(zip(_PARTS, arguments.counts, strict=True))
        chosen = choose_genes(bundle.annotation, bundle.genome, counts=counts, max_length=arguments.max_length)
        genes = [gene for part in chosen.values() for gene in part]
    with _bar(arguments.quiet, "nt") as progress:
        done = write_artifacts(
            config, bundle.genome, bundle.annotation, model,
            genes=genes, chromosomes=arguments.chromosomes, progress=progress,
        )  # fmt: skip
    outcomes = ", ".join(f"{count:,} {name}" for name, count in done.outcomes.items())
    print(
        f"{done.folder}: {done.written} tables written, {done.skipped} kept; {done.genes:,} genes, {done.rows:,} rows "
        f"for {done.positions:,} positions ({outcomes})"
    )
    return EXIT_OK


def _sites(arguments: argparse.Namespace) -> int:
    _require_training()
    from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
    from agentic_spliceai.splice_engine.meta_layer.pipelines.study import study_sites

    config = _config(arguments)
    _resources()  # the number of threads
    study = study_sites(
        config,
        folds=arguments.folds,
        bootstrap=Bootstrap(draws=arguments.draws),
        progress=not arguments.quiet,
    )
    name = f"sites-{arguments.folds}-folds" if arguments.folds else "sites"
    return _finish(study, arguments.out or config.evaluation_dir / name)


def _variants(arguments: argparse.Namespace) -> int:
    _require_training()
    from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
    from agentic_spliceai.splice_engine.meta_layer.pipelines.study import study_variants
    from agentic_spliceai.splice_engine.meta_layer.pipelines.variants import load_mfass_examples, split_variants

    config, resources = _config(arguments), _resources()
    model = resources.base_model(config.base_model)
    with _bar(arguments.quiet, "sequences") as progress:
        examples = load_mfass_examples(
            _table(arguments.table, resources),
            model,
            cache=config.eval_dir / "base_scores",
            progress=None if progress is None else lambda done, total: progress("scored", done, total),
        )
    study = study_variants(
        config,
        split_variants(examples, config),
        bootstrap=Bootstrap(draws=arguments.draws),
        progress=not arguments.quiet,
    )
    return _finish(study, arguments.out or config.evaluation_dir / "variants")


def _require_training() -> None:
    """Say which extra is missing before anything is read."""
    from agentic_spliceai.splice_engine.meta_layer.extras import require

    for module in ("lightning", "pandas", "sklearn"):
        require(module, purpose="training and evaluation")


def _table(path: str | None, resources: Resources) -> Path:
    if path is not None:
        return Path(path)
    mirror = resources.settings.mirror
    found = None if mirror is None else mirror / "variants" / "mfass.tsv.gz"
    if found is None or not found.is_file():
        raise SettingError("No table of variants was named, and the mirror has none.", "Give --table FILE.")
    return found


def _finish(study: Study, folder: Path) -> int:
    from agentic_spliceai.reporting.study_plots import write_plots

    study.write(folder)
    write_plots(study.arrays, {name: section.result for name, section in study.sections.items()}, folder)
    print(study.markdown)
    print(f"written to {folder}")
    return EXIT_OK


def _predict(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.splice_engine.meta_layer.results import VariantPrediction
    from agentic_spliceai.tools.batch import read_inputs

    resources = _resources()
    predictor = _predictor(arguments.model)
    bundle = resources.genome(arguments.genome, arguments.annotation)
    model = resources.base_model(_base_name(predictor))
    run = predictor.triage if arguments.action == "triage" else predictor.predict_delta
    stream = enumerate(read_inputs(arguments.source))
    while chunk := list(islice(stream, _CHUNK)):
        good = [(index, given) for index, given in chunk if given.not_scored is None]
        rows: dict[int, list[VariantPrediction]] = {}
        for row in run([given.raw or given.text for _, given in good], bundle.genome, bundle.annotation, model):
            index = good[row.index][0]
            rows.setdefault(index, []).append(
                row.model_copy(update={"index": index, "id": good[row.index][1].id or None})
            )
        for index, given in chunk:
            if given.not_scored is not None:
                rows[index] = [
                    VariantPrediction(index=index, text=given.text, id=given.id or None, not_scored=given.not_scored)
                ]
            for row in rows[index]:
                print(row.model_dump_json(exclude_none=True))
    return EXIT_OK


def _recalibrate(arguments: argparse.Namespace) -> int:
    resources = _resources()
    predictor = _predictor(arguments.model)
    bundle = resources.genome(arguments.genome, arguments.annotation)
    model = resources.base_model(_base_name(predictor))
    track = predictor.recalibrate(bundle.annotation.gene(arguments.gene), bundle.genome, model)
    print("gene\tchrom\tposition\tstrand\tbase_donor\tbase_acceptor\tdonor\tacceptor\trecalibrated")
    shown = (track.probabilities[:, :2].max(axis=1) >= arguments.least) | (
        track.base[:, :2].max(axis=1) >= arguments.least
    )
    for i in shown.nonzero()[0].tolist():
        numbers = (*track.base[i, :2], *track.probabilities[i, :2])
        print(
            f"{track.gene_name}\t{track.contig}\t{track.positions[i]}\t{track.strand}\t"
            + "\t".join(f"{number:.4f}" for number in numbers)
            + f"\t{int(track.recalibrated[i])}"
        )
    return EXIT_OK


def _summary(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.splice_engine.meta_layer.pipelines.summary import summarise

    print(summarise(arguments.folders), end="")
    return EXIT_OK


def _card(arguments: argparse.Namespace) -> int:
    from agentic_spliceai.splice_engine.meta_layer.checkpoint import read_card
    from agentic_spliceai.splice_engine.meta_layer.inference import checkpoints_in

    path = Path(arguments.model).expanduser()
    for one in (checkpoints_in(path) or [path]) if path.is_dir() else [path]:
        card = read_card(one)
        about = {"sha256": card.sha256, "same_code": card.same_code}
        print(json.dumps(about | card.model_dump(mode="json"), indent=1))
    return EXIT_OK


def _predictor(model: str) -> MetaPredictor:
    from agentic_spliceai.settings import get_settings
    from agentic_spliceai.splice_engine.meta_layer.inference import MetaPredictor

    predictor = MetaPredictor.load(Path(model).expanduser(), device=get_settings().device)
    if not predictor.same_code:
        sys.stderr.write("note: the model was trained with another version of the code of models and features\n")
    return predictor


def _base_name(predictor: MetaPredictor) -> str:
    if predictor.base is None:
        raise SettingError("The checkpoint names no base model.", "Take one that was trained with `meta`.")
    return predictor.base.predictor


def _resources() -> Resources:
    from agentic_spliceai.tools.context import Resources

    resources = Resources()
    if resources.settings.threads is not None:
        import torch

        torch.set_num_threads(resources.settings.threads)
    return resources


@contextmanager
def _bar(quiet: bool, unit: str) -> Iterator[Progress | None]:
    """Show a progress bar with rate and time left on standard error."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description:>12}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Bar(*columns, console=Console(file=sys.stderr), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)

        def progress(name: str, done: int, total: int | None) -> None:
            bar.update(task, description=name[-12:], completed=done, total=total)

        yield progress

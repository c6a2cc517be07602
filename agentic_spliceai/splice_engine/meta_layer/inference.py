"""A trained model at work: sites recalibrated, variants triaged, deltas predicted.

Only what a trained model needs is imported: no Lightning, no pandas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from agentic_spliceai.splice_engine.base_layer.gene_tracks import score_gene
from agentic_spliceai.splice_engine.base_layer.model import BaseModel, pick_device
from agentic_spliceai.splice_engine.errors import CheckpointError, OutsideGenesError, SpliceEngineError
from agentic_spliceai.splice_engine.genome.annotation import GeneAnnotation
from agentic_spliceai.splice_engine.genome.normalization import normalize_variant
from agentic_spliceai.splice_engine.genome.reference import ReferenceGenome
from agentic_spliceai.splice_engine.genome.resolve import resolve_variant
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.types import Gene, Strand, Variant
from agentic_spliceai.splice_engine.genome.variant_parsing import RawVariant
from agentic_spliceai.splice_engine.meta_layer.checkpoint import (
    BaseProvenance,
    CheckpointContent,
    ModelCard,
    load_checkpoint,
    weights_digest,
)
from agentic_spliceai.splice_engine.meta_layer.config import DataConfig
from agentic_spliceai.splice_engine.meta_layer.data.batches import IGNORE_INDEX, AffectedSite, EffectType
from agentic_spliceai.splice_engine.meta_layer.data.codes import encode, one_hot, tokens
from agentic_spliceai.splice_engine.meta_layer.data.features import FLANK, gene_features
from agentic_spliceai.splice_engine.meta_layer.data.normalization import Normalizer
from agentic_spliceai.splice_engine.meta_layer.data.schema import FEATURE_NAMES
from agentic_spliceai.splice_engine.meta_layer.data.variant_classes import VariantClass
from agentic_spliceai.splice_engine.meta_layer.data.variant_dataset import VariantDataset
from agentic_spliceai.splice_engine.meta_layer.data.variant_examples import (
    VariantExamples,
    build_examples,
    site_distance,
)
from agentic_spliceai.splice_engine.meta_layer.data.variant_features import VARIANT_FEATURES
from agentic_spliceai.splice_engine.meta_layer.data.variant_inputs import (
    GENOMIC_WINDOW,
    RejectedInput,
    genomic_inputs,
)
from agentic_spliceai.splice_engine.meta_layer.results import (
    DeltaPrediction,
    MetaStatus,
    RecalibratedTrack,
    TriageResult,
    VariantPrediction,
)
from agentic_spliceai.splice_engine.meta_layer.said import member_range, triage_words, with_caveats
from agentic_spliceai.splice_engine.meta_layer.training.tasks import Scores, model_inputs, task_of

_TRIAGE = ("binary", "effect_type", "multi_task")
_DELTA = ("delta", "paired_delta", "multi_task")
_SITES = ("classification", "recalibration")
_READS_BASE = {"features", "base", "base_ref", "base_alt", "hidden_ref", "hidden_alt"}
_CHUNK = 64
_OVERLAP = 500  # context on either side of a tile of the per-position model, nt
_TILE = 5_000


@dataclass(frozen=True)
class _Query:
    """A variant on one gene, in the form that examples are built from; nothing is known of it."""

    id: str
    variant: Variant
    gene: str
    source: str = "query"
    group: str = ""
    classification: VariantClass | None = None
    altering: bool | None = None
    psi: float | None = None
    published: Mapping[str, float] = field(default_factory=dict)


class MetaPredictor:
    """One trained model, or an ensemble of models that were trained alike.

    Parameters
    ----------
    members
        Checkpoints of one task, on the same features and the same base model. Each member's calibration is applied
        before probabilities are averaged.
    device
        `cpu`, `cuda`, `mps`, or `auto` for the best one at hand.

    Raises
    ------
    CheckpointError
        If there is none, or the members do not belong together.
    """

    def __init__(self, members: Sequence[CheckpointContent], *, device: str = "cpu") -> None:
        if not members:
            raise CheckpointError("An ensemble without a member predicts nothing.", "Give at least one checkpoint.")
        self.device = pick_device(device)
        self._models = [member.model.to(self.device).eval() for member in members]
        self.cards: tuple[ModelCard, ...] = tuple(member.card for member in members)
        for what in ("task", "features", "base", "thresholds"):
            if any(getattr(card, what) != getattr(self.cards[0], what) for card in self.cards):
                raise CheckpointError(
                    f"The members of the ensemble differ in their {what}.", "Give the checkpoints of one training."
                )
        self._normalizers = [
            None if card.normaliser is None else Normalizer.from_dict(card.normaliser) for card in self.cards
        ]

    @classmethod
    def load(cls, source: Path | Sequence[Path], *, device: str = "cpu", strict: bool = False) -> Self:
        """Load one checkpoint, several, or those of a folder; see `checkpoints_in`.

        Parameters
        ----------
        source
            File, files, or folder.
        device
            See the class.
        strict
            Refuse a model that was trained with other code of models and features.

        Raises
        ------
        CheckpointError
            If a file is missing or damaged, a folder has none, or the members do not belong together.
        """
        if isinstance(source, Path):
            paths: Sequence[Path] = checkpoints_in(source) if source.is_dir() else [source]
            if not paths:
                raise CheckpointError(f"{source} holds no checkpoint.", "Give a folder with .safetensors files.")
        else:
            paths = source
        return cls([load_checkpoint(path, strict=strict) for path in paths], device=device)

    @property
    def card(self) -> ModelCard:
        """Card of the first member; the others share its task, features, base model and thresholds."""
        return self.cards[0]

    @property
    def task(self) -> str:
        """What the model was trained for."""
        return self.card.task

    @property
    def base(self) -> BaseProvenance | None:
        """The base model whose scores it reads."""
        return self.card.base

    @property
    def same_code(self) -> bool:
        """Whether models and features are defined by the code that every member was trained with."""
        return all(card.same_code for card in self.cards)

    @property
    def card_sha256(self) -> str:
        """Digest that results name: of the card, or over the cards of all members."""
        if len(self.cards) == 1:
            return self.card.sha256
        return hashlib.sha256("".join(card.sha256 for card in self.cards).encode()).hexdigest()

    @property
    def weights_sha256(self) -> tuple[str, ...]:
        """One digest a member, of its tensors and their names."""
        return tuple(weights_digest(model) for model in self._models)

    # -- sites -------------------------------------------------------------------------------------------------------

    def recalibrate(
        self,
        gene: Gene,
        genome: ReferenceGenome,
        base_model: BaseModel,
        *,
        floor: float | None = None,
        batch_size: int = 256,
    ) -> RecalibratedTrack:
        """Recalibrate the splice sites of a gene.

        A model of single positions judges those that the base model does not exclude; a per-position model judges all.

        Parameters
        ----------
        gene, genome
            What is scored; its own strand.
        base_model
            The one that the model was trained on.
        floor
            Base probability of donor or acceptor below which a position keeps its base probability; by default the
            one that the model was trained with.
        batch_size
            Positions at once.

        Raises
        ------
        CheckpointError
            If the model is for another task, or was trained on another base model or other features.
        """
        self._require(_SITES, "recalibrate sites", base_model)
        track = score_gene(gene, genome, base_model)
        base = track.mean
        single = self.task == "classification"
        flank = max(FLANK, self._window // 2 if single else _OVERLAP)
        bases = genome.fetch_padded(gene.contig, gene.start - flank, gene.end + flank)
        codes = encode(reverse_complement(bases) if gene.strand is Strand.MINUS else bases)
        if not single:
            # As in training: the genome's own bases beyond the gene, where the base model has no scores.
            padded = np.pad(base, ((flank, flank), (0, 0)))
            members = [_tiled(model, codes, padded, self.device)[flank : flank + len(base)] for model in self._models]
            judged = np.ones(len(track), dtype=bool)
        else:
            self._require_features(FEATURE_NAMES)
            least = self._floor if floor is None else floor
            rows = np.flatnonzero(base[:, :2].max(axis=1) >= least)
            judged = np.zeros(len(track), dtype=bool)
            judged[rows] = True
            raw = gene_features(track, codes[flank - FLANK : len(codes) - (flank - FLANK)], rows)
            form = tokens if self.card.sequence_form == "tokens" else one_hot
            half = self._window // 2
            members = []
            for model, normalizer in zip(self._models, self._normalizers, strict=True):
                assert normalizer is not None  # `_require_features` has seen to it
                features = torch.from_numpy(normalizer.transform(raw, FEATURE_NAMES))
                out = np.empty((len(rows), 3), dtype=np.float32)
                for at in range(0, len(rows), batch_size):
                    part = rows[at : at + batch_size]
                    windows = np.stack([codes[flank + r - half : flank + r + half + 1] for r in part])
                    batch = {
                        "sequence": form(windows),
                        "features": features[at : at + batch_size],
                        "label": torch.full((len(part),), IGNORE_INDEX),  # unknown, that is the point
                    }
                    out[at : at + batch_size] = self._run(model, batch)["score"]
                members.append(out)
        mean = np.mean([self._calibrated(p, card, "site") for p, card in zip(members, self.cards, strict=True)], axis=0)
        probabilities = base.copy()
        probabilities[judged] = mean
        return RecalibratedTrack(
            gene_id=gene.id,
            gene_name=gene.name,
            contig=gene.contig,
            strand=gene.strand,
            positions=track.positions,
            base=base,
            probabilities=probabilities,
            recalibrated=judged,
            model_card_sha256=self.card_sha256,
        )

    # -- variants ----------------------------------------------------------------------------------------------------

    def triage(
        self,
        variants: Iterable[Variant | RawVariant | str],
        genome: ReferenceGenome,
        annotation: GeneAnnotation,
        base_model: BaseModel,
        *,
        gene: str | None = None,
    ) -> Iterator[VariantPrediction]:
        """Give the calibrated probability that each variant alters splicing.

        Parameters
        ----------
        variants
            Variants, parsed or checked, or text in any accepted form.
        genome, annotation
            Of one build.
        base_model
            The one that the model was trained on.
        gene
            Id of the only gene to judge the variants on; by default every gene that a variant touches.

        Yields
        ------
        VariantPrediction
            In the order of the inputs, one a gene, or one with the reason for an input that cannot be judged.

        Raises
        ------
        CheckpointError
            If the model is for another task, or was trained on another base model or other features.
        """
        self._require(_TRIAGE, "triage variants", base_model)
        return self._variants(variants, genome, annotation, base_model, gene, ("triage",))

    def predict_delta(
        self,
        variants: Iterable[Variant | RawVariant | str],
        genome: ReferenceGenome,
        annotation: GeneAnnotation,
        base_model: BaseModel,
        *,
        gene: str | None = None,
    ) -> Iterator[VariantPrediction]:
        """Predict what each variant changes: donor and acceptor, or the exon's inclusion, as the model was trained.

        Arguments, rows and errors are those of `triage`.
        """
        self._require(_DELTA, "predict deltas", base_model)
        return self._variants(variants, genome, annotation, base_model, gene, ("delta",))

    def predict_variants(
        self,
        variants: Iterable[Variant | RawVariant | str],
        genome: ReferenceGenome,
        annotation: GeneAnnotation,
        base_model: BaseModel,
        *,
        gene: str | None = None,
    ) -> Iterator[VariantPrediction]:
        """Say of each variant all that the model was trained for: what `triage` says, `predict_delta`, or both at once.

        Arguments, rows and errors are those of `triage`.
        """
        self._require(tuple(dict.fromkeys(_TRIAGE + _DELTA)), "judge variants", base_model)
        saying = {"triage": _TRIAGE, "delta": _DELTA}
        wanted = tuple(what for what, tasks in saying.items() if self.task in tasks)
        return self._variants(variants, genome, annotation, base_model, gene, wanted)

    def _variants(
        self,
        variants: Iterable[Variant | RawVariant | str],
        genome: ReferenceGenome,
        annotation: GeneAnnotation,
        base_model: BaseModel,
        gene: str | None,
        wanted: Sequence[str],
    ) -> Iterator[VariantPrediction]:
        if any("features" in model.inputs for model in self._models):
            self._require_features(VARIANT_FEATURES)
        stream = enumerate(variants)
        while chunk := list(islice(stream, _CHUNK)):
            yield from self._chunk(chunk, genome, annotation, base_model, gene, wanted)

    def _chunk(
        self,
        chunk: Sequence[tuple[int, Variant | RawVariant | str]],
        genome: ReferenceGenome,
        annotation: GeneAnnotation,
        base_model: BaseModel,
        only: str | None,
        wanted: Sequence[str],
    ) -> Iterator[VariantPrediction]:
        rows: list[dict[str, Any]] = []
        queries: list[_Query] = []
        about = {
            "base_model": f"{base_model.info.name} {base_model.info.version}",
            "genome_id": genome.identity,
            "annotation_sha256": annotation.digest,
        }
        for index, given in chunk:
            row: dict[str, Any] = {
                **about,
                "index": index,
                "text": given.text if isinstance(given, RawVariant) else str(given),
            }
            try:
                if isinstance(given, str):
                    variant = resolve_variant(given, genome, annotation)
                else:
                    variant = normalize_variant(given, genome)
                row["variant"] = variant
                for gene in _genes(variant, annotation, only):
                    rows.append({**row, "gene_id": gene.id, "gene_name": gene.name, "query": len(queries)})
                    queries.append(_Query(str(variant), variant, gene.id))
            except SpliceEngineError as error:
                rows.append({**row, "not_scored": error.as_not_scored()})
        context = base_model.info.context
        inputs = genomic_inputs(queries, genome, annotation, context=context, window=GENOMIC_WINDOW)
        reasons = {i: item.reason for i, item in enumerate(inputs) if isinstance(item, RejectedInput)}
        results = self._predict(inputs, base_model, wanted) if len(reasons) < len(inputs) else {}
        for row in rows:
            number = row.pop("query", None)
            if number is not None:
                row |= {"not_scored": reasons[number]} if number in reasons else results[number]
            yield VariantPrediction(**row)

    def _predict(
        self, inputs: Sequence[Any], base_model: BaseModel, wanted: Sequence[str]
    ) -> dict[int, dict[str, Any]]:
        """Return the result of each input that has an example, by the input's number."""
        examples = build_examples(inputs, base_model, window=GENOMIC_WINDOW, center="variant")
        scores = []
        for model, normalizer in zip(self._models, self._normalizers, strict=True):
            dataset = VariantDataset(examples, normalizer)
            scores.append(self._run(model, dataset.batch(range(len(dataset)))))
        caveats = self._caveats(examples)
        made: dict[str, Sequence[Any]] = {}
        if "triage" in wanted:
            made["triage"] = self._triage_results(scores, caveats)
        if "delta" in wanted:
            made["delta"] = self._delta_results(scores, caveats)
        return {
            i: {what: rows[row] for what, rows in made.items()}
            for i, row in enumerate(examples.input_row.tolist())
            if row >= 0
        }

    def _caveats(self, examples: VariantExamples) -> list[tuple[str, ...]]:
        """Say of each example in what it lies outside of what the model was trained on."""
        found: list[tuple[str, ...]] = []
        domain = self.card.domain
        lengths = examples.end - examples.start
        for away, length in zip(site_distance(examples).tolist(), lengths.tolist(), strict=True):
            notes = []
            if np.isinf(away):
                notes.append("the transcript has no splice site")
            elif away > domain.get("site_distance", np.inf):
                reach = domain["site_distance"]
                notes.append(f"the nearest annotated site is {away:,.0f} nt away, in training at most {reach:,.0f}")
            if length > domain.get("allele_length", np.inf):
                notes.append(f"the change is {length:,} nt long, in training at most {domain['allele_length']:,.0f}")
            found.append(tuple(notes))
        return found

    def _triage_results(self, scores: Sequence[Scores], caveats: Sequence[tuple[str, ...]]) -> list[TriageResult]:
        members = []
        for score, card in zip(scores, self.cards, strict=True):
            values = score["score"]
            if self.task == "effect_type":
                values = 1.0 - values[:, EffectType.NONE]
            members.append(self._calibrated(values, card, "altering"))
        probabilities = np.stack(members)
        low, high = member_range(probabilities)
        threshold = self.card.thresholds.get("altering")
        value = None if threshold is None else threshold.value
        return [
            TriageResult(
                status=MetaStatus.PREDICTED,
                message=with_caveats(triage_words(p, value), caveats[i]),
                caveats=caveats[i],
                probability=p,
                probability_low=None if low is None else float(low[i]),
                probability_high=None if high is None else float(high[i]),
                threshold=value,
                model_card_sha256=self.card_sha256,
            )
            for i, p in enumerate(probabilities.mean(axis=0).clip(0, 1).tolist())
        ]

    def _delta_results(self, scores: Sequence[Scores], caveats: Sequence[tuple[str, ...]]) -> list[DeltaPrediction]:
        if self.task == "multi_task":
            inclusion = np.mean([s["psi_score"] for s in scores], axis=0).clip(-1, 1)
            sites = np.mean([s["site_score"] for s in scores], axis=0).argmax(axis=1)
            return [
                DeltaPrediction(
                    status=MetaStatus.PREDICTED,
                    message=with_caveats(f"Predicted change of the exon's inclusion: {psi:+.2f}.", notes),
                    caveats=notes,
                    inclusion=psi,
                    site=AffectedSite(site).name.lower(),
                    model_card_sha256=self.card_sha256,
                )
                for psi, site, notes in zip(inclusion.tolist(), sites.tolist(), caveats, strict=True)
            ]
        mean = np.mean([s["score"] for s in scores], axis=0)
        if self.task == "paired_delta":  # [N, L, 2]: the largest change of each kind, wherever it is
            at = np.abs(mean).argmax(axis=1)
            mean = np.take_along_axis(mean, at[:, None], axis=1)[:, 0]
        return [
            DeltaPrediction(
                status=MetaStatus.PREDICTED,
                message=with_caveats(f"Predicted change of donor {donor:+.2f}, of acceptor {acceptor:+.2f}.", notes),
                caveats=notes,
                donor=donor,
                acceptor=acceptor,
                model_card_sha256=self.card_sha256,
            )
            for (donor, acceptor), notes in zip(mean[:, :2].clip(-1, 1).tolist(), caveats, strict=True)
        ]

    # -- what all share ----------------------------------------------------------------------------------------------

    @property
    def _floor(self) -> float:
        config = self.card.config
        return DataConfig.model_validate(config["data"]).floor if config else 0.0

    @property
    def _window(self) -> int:
        """Length of the windows that the model was trained on.

        Raises
        ------
        CheckpointError
            If the card does not say.
        """
        if self.card.window is None:
            raise CheckpointError(
                "The model does not say how long the sequences were that it was trained on.", "Train it again."
            )
        return self.card.window

    def _require(self, tasks: Sequence[str], what: str, base_model: BaseModel) -> None:
        if self.task not in tasks:
            raise CheckpointError(
                f"A model that was trained for {self.task} cannot {what}.",
                f"Take one that was trained for {', '.join(tasks)}.",
            )
        given = BaseProvenance.of(base_model.info)
        if self.base is None:
            if any(_READS_BASE & set(model.inputs) for model in self._models):
                raise CheckpointError(
                    "The model reads a base model's scores and does not say of which.", "Train it again."
                )
        elif given != self.base:
            raise CheckpointError(
                f"The model was trained on the scores of {self.base.predictor} {self.base.version}, "
                f"not of {given.predictor} {given.version} with these weights.",
                f"Score with {self.base.predictor}.",
            )

    def _require_features(self, names: Sequence[str]) -> None:
        if self.card.features != tuple(names) or None in self._normalizers:
            raise CheckpointError(
                "The model was trained on other features than this version computes, or without their normalisation.",
                "Train it again, or install the version that trained it.",
            )

    def _run(self, model: Any, batch: Mapping[str, torch.Tensor]) -> Scores:
        moved = {name: value.to(self.device) for name, value in batch.items()}
        with torch.inference_mode():
            return task_of(model).scores(model(*model_inputs(moved, model)), moved)

    @staticmethod
    def _calibrated(scores: npt.NDArray[Any], card: ModelCard, output: str) -> npt.NDArray[Any]:
        calibration = card.calibration.get(output)
        return scores if calibration is None else calibration.apply(scores)


def checkpoints_in(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder: its `.safetensors` files, or the best of each seed of a training."""
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("seed_*/best.safetensors"))


def _genes(variant: Variant, annotation: GeneAnnotation, only: str | None) -> tuple[Gene, ...]:
    genes = annotation.genes_at_variant(variant)
    chosen = tuple(gene for gene in genes if only is None or gene.id == only)
    if not chosen:
        where = "no gene" if only is None else f"not in {only}"
        raise OutsideGenesError(
            f"{variant} lies in {where} of {annotation.source}." if only is None else f"{variant} lies {where}.",
            "Splicing is judged inside genes; check build and annotation.",
        )
    return chosen


def _tiled(
    model: Any, codes: npt.NDArray[np.uint8], base: npt.NDArray[np.float32], device: torch.device
) -> npt.NDArray[np.float32]:
    """Run a per-position model along a gene in tiles that overlap by more than it sees."""
    out = np.empty_like(base)
    for at in range(0, len(base), _TILE):
        low, high = max(at - _OVERLAP, 0), min(at + _TILE + _OVERLAP, len(base))
        batch = (one_hot(codes[None, low:high]).to(device), torch.from_numpy(base[None, low:high]).to(device))
        with torch.inference_mode():
            piece = torch.softmax(model(*batch).float(), dim=-1)[0].cpu().numpy()
        stop = min(at + _TILE, len(base))
        out[at:stop] = piece[at - low : stop - low]
    return out

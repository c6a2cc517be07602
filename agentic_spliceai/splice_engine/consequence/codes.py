"""ACMG/AMP codes that a variant's effect on splicing suggests, by rules kept as data.

The rules are in `configs/splicing_codes.yaml`: the ClinGen SVI Splicing Subgroup's recommendations (Walker et al., AJHG
2023) and the PVS1 decision tree (Abou Tayoun et al., Human Mutation 2018). Nothing here assigns a code: a person does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from string import Formatter
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agentic_spliceai.splice_engine.base_layer.results import SpliceDelta
from agentic_spliceai.splice_engine.consequence.place import CodingChange, Region, SplicePlace
from agentic_spliceai.splice_engine.consequence.types import (
    Consequence,
    EventType,
    Frame,
    NmdPrediction,
    TranscriptEffect,
)
from agentic_spliceai.splice_engine.errors import RegistryError
from agentic_spliceai.splice_engine.genome.types import SiteType
from agentic_spliceai.splice_engine.meta_layer.results import MetaStatus, TriageResult

_PLACEHOLDERS = frozenset({"site", "event", "frame", "lost", "predictor", "score", "supports_from", "against_to"})
_NOISE = 6  # decimals: finer than this, a difference of two float32 probabilities is rounding
_SHOWN = 2  # decimals that SpliceAI prints


class CodeStrength(StrEnum):
    """How much a code weighs."""

    VERY_STRONG = "very_strong"
    STRONG = "strong"
    MODERATE = "moderate"
    SUPPORTING = "supporting"
    UNDETERMINED = "undetermined"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CodeSuggestion(_Frozen):
    """A code that a rule suggests. It is no assignment."""

    code: str = Field(description="PVS1, PP3, BP4 or BP7.")
    strength: CodeStrength = Field(
        description="For PVS1: the most that the decision tree gives for what is known here."
    )
    rule: str = Field(description="Id of the rule, with the version of the rules: `pp3-splicing@1`.")
    citation: str
    why: str = Field(description="What of the variant made the rule fit.")
    open_questions: tuple[str, ...] = Field(default=(), description="What the rule needs and this program cannot know.")
    suggestion: Literal[True] = True

    @property
    def label(self) -> str:
        """The code in ClinGen's spelling, for example `PVS1_Strong`; PVS1 and supporting codes stand alone."""
        plain = {CodeStrength.SUPPORTING, CodeStrength.VERY_STRONG, CodeStrength.UNDETERMINED}
        return self.code if self.strength in plain else f"{self.code}_{self.strength.value.capitalize()}"


class CodeAssessment(_Frozen):
    """What the rules say of one variant on one transcript."""

    suggestions: tuple[CodeSuggestion, ...] = ()
    notes: tuple[str, ...] = Field(default=(), description="Why a code that one may expect is not suggested.")
    place: SplicePlace
    rules_version: str
    rules_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class When(_Frozen):
    """The conditions of a rule; those that are given must all hold."""

    site: Literal["altered", "intact"] | None = Field(
        default=None, description="The bases +1,+2 or -2,-1 of an annotated GT-AG site."
    )
    score: Literal["supports", "against"] | None = None
    regions: tuple[Region, ...] | None = None
    coding: tuple[CodingChange, ...] | None = None
    donor_distance_from: int | None = Field(default=None, ge=1, description="At +n or further.")
    acceptor_distance_from: int | None = Field(default=None, ge=1, description="At -n or further.")
    calibrated: bool | None = Field(default=None, description="The base model's thresholds are known and calibrated.")
    nmd: tuple[NmdPrediction, ...] | None = None
    frame: tuple[Frame, ...] | None = None
    protein_lost_above: float | None = Field(default=None, ge=0, lt=1, description="Share of the protein, exclusive.")
    with_codes: tuple[str, ...] = Field(default=(), description="Codes suggested by the rules above.")
    without_codes: tuple[str, ...] = ()


class CodeRule(_Frozen):
    """One rule."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    code: Literal["PVS1", "PP3", "BP4", "BP7"]
    strength: CodeStrength
    citation: str = Field(description="Key in `citations`.")
    when: When
    why: str = Field(min_length=1, description="Sentence with placeholders.")

    @field_validator("why")
    @classmethod
    def _known_placeholders(cls, value: str) -> str:
        named = {name for _, name, _, _ in Formatter().parse(value) if name is not None}
        if unknown := named - _PLACEHOLDERS:
            raise ValueError(f"unknown placeholder {', '.join(sorted(unknown))}")
        return value


class PredictorThresholds(_Frozen):
    """Published thresholds of one predictor, for its very weights."""

    name: str
    versions: tuple[str, ...] = Field(min_length=1)
    weights_sha256: tuple[str, ...] = Field(min_length=1)
    supports_from: float = Field(gt=0, lt=1, description="Inclusive.")
    against_to: float = Field(gt=0, lt=1, description="Inclusive.")
    min_distance: int = Field(ge=1, description="Least distance, nt, within which changes must have been looked for.")
    citation: str


class MetaThresholds(_Frozen):
    """Thresholds on the calibrated probability of one trained model."""

    model_card_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    supports_from: float = Field(gt=0, lt=1, description="Inclusive.")
    against_to: float = Field(gt=0, lt=1, description="Inclusive.")
    citation: str


class CodeRules(_Frozen):
    """All rules, with their version."""

    version: str
    citations: dict[str, str]
    predictors: tuple[PredictorThresholds, ...]
    meta_models: tuple[MetaThresholds, ...]
    rules: tuple[CodeRule, ...] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the file.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        thresholds: tuple[PredictorThresholds | MetaThresholds, ...] = (*self.predictors, *self.meta_models)
        cited = {item.citation for item in thresholds} | {rule.citation for rule in self.rules}
        if missing := cited - set(self.citations):
            raise ValueError(f"no citation {', '.join(sorted(missing))}")
        ids = [rule.id for rule in self.rules]
        if len(set(ids)) != len(ids):
            raise ValueError("two rules have one id")
        if any(item.against_to >= item.supports_from for item in thresholds):
            raise ValueError("against_to must lie below supports_from")
        return self


def parse_rules(text: str, source: str) -> CodeRules:
    """Read rules from YAML.

    Raises
    ------
    RegistryError
        If they are malformed.
    """
    try:
        raw = yaml.safe_load(text)
        if not isinstance(raw, dict):
            raise RegistryError(f"{source} holds no rules.", "Mend the file.")
        return CodeRules.model_validate({**raw, "sha256": hashlib.sha256(text.encode()).hexdigest()})
    except yaml.YAMLError as error:
        raise RegistryError(f"{source} is not valid YAML: {' '.join(str(error).split())}.", "Mend the file.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "rules"
        raise RegistryError(f"{source}: {place}: {first['msg']}.", "Mend the rule.") from error


@lru_cache(maxsize=1)
def splicing_rules() -> CodeRules:
    """Return the rules that ship with the package."""
    source = files("agentic_spliceai.configs").joinpath("splicing_codes.yaml")
    return parse_rules(source.read_text(encoding="utf-8"), "configs/splicing_codes.yaml")


class _Reading(_Frozen):
    """What a calibrated predictor says, or why none does."""

    says: Literal["supports", "against", "neither", "nothing"]
    notes: tuple[str, ...] = ()
    predictor: str = ""
    calibrated: bool = Field(default=False, description="The thresholds of the base model are known and calibrated.")
    base: str = Field(default="", description="The base model whose scores the events rest on.")
    score: float = 0.0
    supports_from: float = 0.0
    against_to: float = 0.0


def suggest_codes(
    delta: SpliceDelta,
    consequence: Consequence,
    place: SplicePlace,
    triage: TriageResult | None = None,
    rules: CodeRules | None = None,
) -> CodeAssessment:
    """Say which codes the rules suggest for a variant on a transcript, and why others are not suggested.

    Parameters
    ----------
    delta
        Scores on the gene, with the provenance that decides whether thresholds apply to them.
    consequence
        Events, reading frame and protein on the transcript.
    place
        Where the variant lies on the same transcript, see `place_of`.
    triage
        The meta-layer's probability; counts only if the rules hold thresholds for its model card and the variant lies
        within what it was trained on.
    rules
        By default those that ship with the package.
    """
    rules = rules or splicing_rules()
    reading = _read_scores(delta, triage, rules)
    suggestions: list[CodeSuggestion] = []
    for rule in rules.rules:
        given = {suggestion.code for suggestion in suggestions}
        if rule.code not in given and _holds(rule.when, place, consequence, reading, given):
            suggestions.append(_suggestion(rule, rules, place, consequence, reading))
    return CodeAssessment(
        suggestions=tuple(suggestions),
        notes=_notes(place, reading, {suggestion.code for suggestion in suggestions}),
        place=place,
        rules_version=rules.version,
        rules_sha256=rules.sha256,
    )


def _read_scores(delta: SpliceDelta, triage: TriageResult | None, rules: CodeRules) -> _Reading:
    base, meta = _read_base(delta, rules), _read_meta(triage, rules)
    events = {"calibrated": base.calibrated, "base": base.base}  # a trained model's probability makes no event
    if meta is None or meta.says == "nothing":
        return base if meta is None else base.model_copy(update={"notes": (*base.notes, *meta.notes)})
    if base.says == "nothing":
        return meta.model_copy(update=events)
    if base.says == meta.says:
        return base.model_copy(update={"notes": (*base.notes, *meta.notes)})
    note = f"{base.predictor} and {meta.predictor} do not agree: no code is suggested from scores."
    return base.model_copy(update={"says": "neither", "notes": (*base.notes, *meta.notes, note)})


def _read_base(delta: SpliceDelta, rules: CodeRules) -> _Reading:
    made = delta.provenance
    name = f"{made.predictor} {made.version}"
    own = next(
        (
            item
            for item in rules.predictors
            if item.name == made.predictor
            and made.version in item.versions
            and sorted(item.weights_sha256) == sorted(made.weights_sha256)
        ),
        None,
    )
    if own is None or not made.thresholds.calibrated:
        return _Reading(
            says="nothing",
            base=name,
            notes=(
                f"No code is suggested from scores (PP3, BP4, BP7): their thresholds belong to the predictor that they "
                f"were calibrated for, and none are known for these weights of {name}.",
            ),
        )
    raw, masked = round(delta.raw.max_score, _NOISE), round(delta.masked.max_score, _NOISE)
    says: Literal["supports", "against", "neither"] = "neither"
    notes: list[str] = []
    limits = (own.against_to, own.supports_from)
    if raw >= own.supports_from and masked >= own.supports_from:
        says = "supports"
    elif raw >= own.supports_from:
        notes.append(
            f"The raw scores reach {own.supports_from:g} ({_short(raw, limits)}) and the masked do not "
            f"({_short(masked, limits)}): neither PP3 nor BP4 is suggested."
        )
    elif raw > own.against_to:
        notes.append(
            f"The largest change, {_short(raw, limits)}, lies between {own.against_to:g} and {own.supports_from:g}: "
            "uninformative, neither PP3 nor BP4."
        )
        if (shown := round(raw, _SHOWN)) in limits:
            notes.append(f"As {own.name} prints it, with two decimals, it is {shown:.2f}, which is the threshold.")
    elif made.distance < own.min_distance:
        notes.append(
            f"Changes were looked for within {made.distance} nt only, less than {own.min_distance} nt: no BP4."
        )
    elif delta.context.no_sequence:
        notes.append(f"{delta.context.no_sequence} nt of what the network saw have no sequence: no BP4.")
    else:
        says = "against"
    return _Reading(
        says=says,
        notes=tuple(notes),
        predictor=name,
        calibrated=True,
        base=name,
        score=raw,
        supports_from=own.supports_from,
        against_to=own.against_to,
    )


def _read_meta(triage: TriageResult | None, rules: CodeRules) -> _Reading | None:
    if triage is None or triage.status is not MetaStatus.PREDICTED or triage.probability is None:
        return None
    own = next((item for item in rules.meta_models if item.model_card_sha256 == triage.model_card_sha256), None)
    name = "the trained meta-layer model"
    if own is None:
        return _Reading(
            says="nothing",
            notes=(f"No thresholds for codes were calibrated for {name}: its probability suggests none.",),
        )
    if triage.caveats:
        return _Reading(
            says="nothing",
            notes=(f"The variant lies outside of what {name} was trained on: its probability suggests no code.",),
        )
    probability = round(triage.probability, _NOISE)
    says: Literal["supports", "against", "neither"] = (
        "supports" if probability >= own.supports_from else "against" if probability <= own.against_to else "neither"
    )
    return _Reading(
        says=says,
        predictor=name,
        score=probability,
        supports_from=own.supports_from,
        against_to=own.against_to,
    )


def _holds(when: When, place: SplicePlace, consequence: Consequence, reading: _Reading, given: set[str]) -> bool:
    effect = consequence.primary.effect
    donor, acceptor = place.donor_distance, place.acceptor_distance
    return all(
        (
            when.site is None or (when.site == "altered") == bool(place.altered_sites),
            when.site != "altered" or all(site.is_canonical for site in place.altered_sites),
            when.score is None or when.score == reading.says,
            when.regions is None or place.region in when.regions,
            when.coding is None or place.coding in when.coding,
            when.donor_distance_from is None or (donor is not None and donor >= when.donor_distance_from),
            when.acceptor_distance_from is None or (acceptor is not None and acceptor >= when.acceptor_distance_from),
            when.calibrated is None or when.calibrated == reading.calibrated,
            when.nmd is None or (effect is not None and effect.nmd in when.nmd),
            when.frame is None or (effect is not None and effect.frame in when.frame),
            when.protein_lost_above is None or (lost_share(effect) or 0.0) > when.protein_lost_above,
            set(when.with_codes) <= given,
            not set(when.without_codes) & given,
        )
    )


def lost_share(effect: TranscriptEffect | None) -> float | None:
    """Return the share of the reference protein that is not made, 0 to 1; None where the protein is not known.

    Of a frameshift or premature stop, everything from the first changed residue on; else the residues that are missing.
    """
    if effect is None or not effect.protein_length_ref:
        return None
    length = effect.protein_length_ref
    if effect.frame is Frame.FRAMESHIFT or effect.stop_residue is not None:
        return (
            None if effect.first_changed_residue is None else max(0, length + 1 - effect.first_changed_residue) / length
        )
    if effect.frame is Frame.IN_FRAME and effect.protein_length_alt is not None:
        return max(0, length - effect.protein_length_alt) / length
    return None


def _suggestion(
    rule: CodeRule, rules: CodeRules, place: SplicePlace, consequence: Consequence, reading: _Reading
) -> CodeSuggestion:
    primary, effect = consequence.primary, consequence.primary.effect
    lost = lost_share(effect)
    why = rule.why.format(
        site=" and ".join(f"the {site.type} of intron {site.intron_number}" for site in place.altered_sites),
        event="no event in the scores" if primary.type is EventType.NONE else primary.type.value.replace("_", " "),
        frame="reading frame not worked out"
        if effect is None
        else f"reading frame: {effect.frame.value}".replace("_", " "),
        lost="an unknown part" if lost is None else f"{lost:.1%}",
        predictor=reading.predictor,
        score=_short(reading.score, (reading.against_to, reading.supports_from)),
        supports_from=f"{reading.supports_from:g}",
        against_to=f"{reading.against_to:g}",
    )
    return CodeSuggestion(
        code=rule.code,
        strength=rule.strength,
        rule=f"{rule.id}@{rules.version}",
        citation=rules.citations[rule.citation],
        why=" ".join(why.split()),
        open_questions=_open_questions(place, consequence, reading) if rule.code == "PVS1" else (),
    )


def _open_questions(place: SplicePlace, consequence: Consequence, reading: _Reading) -> tuple[str, ...]:
    """Say what the PVS1 decision tree asks and this program does not know."""
    questions = [
        f"Is loss of function how {consequence.gene_name} causes disease?",
        "Is the exon in the transcripts that matter in the tissue, and is its loss rare in the population?",
        "Is the part of the protein that is lost critical to its function?",
    ]
    if not reading.calibrated:
        questions.append(
            f"Frame and decay rest on scores of {reading.base}, whose thresholds are not calibrated: does a calibrated "
            "predictor, or RNA, show the same event?"
        )
    if any(event.alternative for event in consequence.events):
        questions.append("The scores have a second reading; does it lead to the same end of the tree?")
    if any((site.type, site.reference, site.alternate) == (SiteType.DONOR, "GT", "GC") for site in place.altered_sites):
        questions.append("GC is a weak donor of its own: does the variant still make normal transcript?")
    return tuple(questions)


def _notes(place: SplicePlace, reading: _Reading, given: set[str]) -> tuple[str, ...]:
    notes: list[str] = []
    if place.altered_sites:
        if not all(site.is_canonical for site in place.altered_sites):
            notes.append(
                "A splice site whose bases are changed is not GT-AG on the reference: the PVS1 rules leave it out."
            )
        notes.append("At the canonical bases of a site PP3, BP4 and BP7 are not suggested.")
        return tuple(notes)
    notes.extend(reading.notes)
    if place.region is Region.OUTSIDE:
        notes.append("The variant lies outside of the transcript.")
    if reading.says == "against" and "BP4" not in given:
        if place.coding is CodingChange.ALTERED:
            notes.append("The scores speak against a splice change, but the protein is changed otherwise: no BP4.")
        elif place.coding is CodingChange.UNKNOWN:
            notes.append("What the variant does to the protein is not known: no BP4.")
        elif place.region is Region.BOUNDARY:
            notes.append("The variant spans the end of an exon: no BP4.")
    if "BP4" in given and "BP7" not in given and place.region is Region.INTRON:
        notes.append(
            f"At +{place.donor_distance} and -{place.acceptor_distance} the variant lies nearer to a site than +7 and "
            "-21: no BP7."
        )
    return tuple(dict.fromkeys(notes))


def _short(score: float, limits: Sequence[float]) -> str:
    """Return a score with as many decimals as it takes, at least two, to stand on its side of every threshold."""
    for digits in range(_SHOWN, _NOISE):
        shown = round(score, digits)
        if all((shown >= limit, shown <= limit) == (score >= limit, score <= limit) for limit in limits):
            return f"{score:.{digits}f}"
    return f"{score:.{_NOISE}f}"

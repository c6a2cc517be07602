"""The evaluator as its users see it: the base model beside, thresholds from elsewhere, refusals, seeds, round trips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats
from sklearn import metrics

from agentic_spliceai.splice_engine.errors import SettingError, TrainingDataError
from agentic_spliceai.splice_engine.meta_layer.evaluation import evaluator as e
from agentic_spliceai.splice_engine.meta_layer.evaluation.bootstrap import Bootstrap
from agentic_spliceai.splice_engine.meta_layer.evaluation.results import (
    ClassificationReport,
    Confusion,
    DeltaReport,
    Estimate,
    EvaluationResult,
    PositionReport,
    Threshold,
    TriageReport,
)

SUBJECT = e.Subject(model="meta", base_model="openspliceai", split="test")
FEW = Bootstrap(draws=60, seed=0)
HALF = Threshold(value=0.5, chosen_on="validation")


def softmax(logits: np.ndarray) -> np.ndarray:
    power = np.exp(logits - logits.max(axis=1, keepdims=True))
    return power / power.sum(axis=1, keepdims=True)


def positions(n: int = 600, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, n, p=[0.15, 0.1, 0.75])
    logits = rng.normal(size=(n, 3))
    sites = np.eye(3)[labels]
    return {
        "labels": labels,
        "probabilities": softmax(logits + 3 * sites),
        "groups": np.array([f"gene{i}" for i in rng.integers(0, 40, n)]),
        "base_probabilities": softmax(logits + 2 * sites),
        "subject": SUBJECT,
        "bootstrap": FEW,
    }


def variants(n: int = 500, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.2
    noise = rng.normal(size=n)
    return {
        "labels": labels.astype(int),
        "scores": 1 / (1 + np.exp(-(noise + 2 * labels - 1))),
        "groups": rng.integers(0, 50, n),
        "base_scores": 1 / (1 + np.exp(-(noise + labels - 1))),
        "subject": SUBJECT,
        "bootstrap": FEW,
        "threshold": HALF,
        "base_threshold": Threshold(value=0.4, chosen_on="validation"),
        "subgroups": {"region": np.where(np.arange(n) % 3 == 0, "exonic", "intronic")},
    }


def deltas(n: int = 300, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    targets = rng.uniform(-1, 1, size=(n, 2)) * (rng.random((n, 1)) < 0.4)
    return {
        "targets": targets,
        "predictions": targets + 0.2 * rng.normal(size=(n, 2)),
        "groups": rng.integers(0, 30, n),
        "base_predictions": targets + 0.6 * rng.normal(size=(n, 2)),
        "outputs": ("donor", "acceptor"),
        "subject": SUBJECT,
        "altering": np.abs(targets).max(axis=1) > 0.2,
        "bootstrap": FEW,
    }


def places(n: int = 200, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    true = rng.integers(20, 80, n)
    return {
        "positions": true,
        "predicted": true + rng.choice([0, 0, 1, -4], n),
        "groups": rng.integers(0, 30, n),
        "base_positions": true + rng.choice([0, 9, -5], n),
        "subject": SUBJECT,
        "bootstrap": FEW,
    }


KINDS = [
    (e.evaluate_classification, positions, "base_probabilities", "probabilities"),
    (e.evaluate_triage, variants, "base_scores", "scores"),
    (e.evaluate_delta, deltas, "base_predictions", "predictions"),
    (e.evaluate_positions, places, "base_positions", "predicted"),
]
every_kind = pytest.mark.parametrize(("evaluate", "make", "base", "own"), KINDS)


def test_figures_are_scikit_learns_for_both_models() -> None:
    case = positions()
    result = e.evaluate_classification(**case, thresholds={"donor": HALF}, base_thresholds={"donor": HALF})
    report = result.report
    assert isinstance(report, ClassificationReport)
    for kind, name in enumerate(("donor", "acceptor", "neither")):
        truth = case["labels"] == kind
        for who, p in (("base", case["base_probabilities"]), ("model", case["probabilities"])):
            for measure, function in (
                ("pr_auc", metrics.average_precision_score),
                ("roc_auc", metrics.roc_auc_score),
                ("brier", metrics.brier_score_loss),
            ):
                estimate = getattr(report.row(measure, name), who)
                assert estimate.value == pytest.approx(function(truth, p[:, kind]))
                assert estimate.low <= estimate.value <= estimate.high
                assert (estimate.n, estimate.positives, estimate.groups) == (600, truth.sum(), 40)
        assert report.row("pr_auc", name).prevalence == pytest.approx(truth.mean())
    right = metrics.accuracy_score(case["labels"], case["probabilities"].argmax(axis=1))
    assert report.row("accuracy", "all classes").model.value == pytest.approx(right)
    called = case["probabilities"][:, 0] >= 0.5
    assert report.row("f1", "donor").model.value == pytest.approx(metrics.f1_score(case["labels"] == 0, called))
    table = metrics.confusion_matrix(case["labels"], case["base_probabilities"].argmax(axis=1))
    assert np.array(report.base_confusion.counts).tolist() == table.tolist()
    assert sum(b.positions for b in report.model_reliability["donor"]) == 600


def test_site_is_the_mean_of_donor_and_acceptor() -> None:
    report = e.evaluate_classification(**positions()).report
    both = [report.row("pr_auc", name) for name in ("donor", "acceptor")]
    mean = report.row("pr_auc", "site")
    assert mean.model.value == pytest.approx(np.mean([row.model.value for row in both]))
    assert mean.model.positives == sum(row.model.positives or 0 for row in both)
    low = np.mean([row.model.low for row in both])
    assert mean.model.low is not None
    assert mean.model.low > low, "the mean of two varies less than either"


def test_triage_by_subgroup() -> None:
    case = variants()
    report = e.evaluate_triage(**case).report
    assert isinstance(report, TriageReport)
    for region in ("exonic", "intronic"):
        inside = case["subgroups"]["region"] == region
        truth = case["labels"][inside].astype(bool)
        row = report.row("detection_rate_at_0.1", "altering", f"region = {region}")
        assert row.base.value == pytest.approx((case["base_scores"][inside][truth] >= 0.1).mean())
        assert (row.base.n, row.base.positives) == (inside.sum(), truth.sum())
        false = report.row("false_positive_rate_at_0.1", "altering", f"region = {region}")
        assert false.model.value == pytest.approx((case["scores"][inside][~truth] >= 0.1).mean())
        assert not false.higher_is_better
    # Each model at its own threshold.
    f1 = report.row("f1", "altering")
    assert f1.base.value == pytest.approx(metrics.f1_score(case["labels"], case["base_scores"] >= 0.4))
    assert f1.model.value == pytest.approx(metrics.f1_score(case["labels"], case["scores"] >= 0.5))
    assert report.model_confusion is not None
    assert sum(map(sum, report.model_confusion.counts)) == 500


def test_a_better_model_is_found_better() -> None:
    row = e.evaluate_triage(**variants()).report.row("pr_auc", "altering")
    assert row.model.value is not None
    assert row.base.value is not None
    assert row.difference.value == pytest.approx(row.model.value - row.base.value)
    assert row.difference.low is not None
    assert row.difference.low > 0
    assert row.difference.better == 1
    assert row.difference.p == pytest.approx(2 / 61)


@every_kind
def test_a_model_equal_to_its_base_differs_by_exactly_nothing(evaluate: Any, make: Any, base: str, own: str) -> None:
    for predictions in (make()[base], {1: make()[base], 2: make()[base], 3: make()[base]}):
        case = make() | {own: predictions}
        if "base_threshold" in case:
            case["base_threshold"] = case["threshold"]
        for row in evaluate(**case).report.rows:
            # There are 500 variants, and fewer in most draws.
            if row.difference.value is not None and row.measure != "top_500":
                found = (row.difference.value, row.difference.low, row.difference.high, row.difference.p)
                assert found == (0, 0, 0, 1), row.measure


def test_delta_is_scipys_and_altering_variants_are_a_subset() -> None:
    case = deltas()
    report = e.evaluate_delta(**case).report
    assert isinstance(report, DeltaReport)
    x, y = case["targets"], case["predictions"]
    assert report.row("pearson", "donor").model.value == pytest.approx(stats.pearsonr(x[:, 0], y[:, 0]).statistic)
    unsigned = stats.spearmanr(abs(x[:, 1]), abs(y[:, 1])).statistic
    assert report.row("spearman_unsigned", "acceptor").model.value == pytest.approx(unsigned)
    inside = case["altering"]
    largest = stats.pearsonr(abs(x).max(axis=1)[inside], abs(y).max(axis=1)[inside]).statistic
    row = report.row("pearson_unsigned", "largest", "altering = True")
    assert row.model.value == pytest.approx(largest)
    assert row.model.n == inside.sum()
    found = report.row("detection_rate_at_0.1", "largest").base.value
    assert found == pytest.approx((abs(case["base_predictions"]).max(axis=1)[inside] >= 0.1).mean())
    only = report.row("false_positive_rate_at_0.1", "largest", "altering = True").model
    assert (only.value, only.reason) == (None, "no row is false")


def test_one_output_may_be_a_plain_array() -> None:
    case = deltas()
    flat = {name: case[name][:, 0] for name in ("targets", "predictions", "base_predictions")}
    report = e.evaluate_delta(**case | flat | {"outputs": ("psi",)}).report
    both = e.evaluate_delta(**case).report
    assert report.row("mse", "psi") == both.row("mse", "donor").model_copy(update={"of": "psi"})


def test_position_hits_are_shares() -> None:
    case = places()
    report = e.evaluate_positions(**case).report
    assert isinstance(report, PositionReport)
    distance = abs(case["predicted"] - case["positions"])
    for within in (0, 1, 5):
        assert report.row(f"hit_within_{within}", "position").model.value == pytest.approx((distance <= within).mean())
    assert report.row("distance", "position").model.value == pytest.approx(distance.mean())


def test_seeds_have_mean_spread_and_an_interval_that_knows_of_it() -> None:
    case = variants()
    noise = np.random.default_rng(1).normal(size=500)
    runs = {seed: 1 / (1 + np.exp(-(case["labels"] * 2 + scale * noise))) for seed, scale in ((7, 1), (3, 2), (5, 4))}
    several = e.evaluate_triage(**case | {"scores": runs})
    assert several.seeds == (3, 5, 7)
    apart = [e.evaluate_triage(**case | {"scores": runs[seed]}).report.row("pr_auc", "altering").model for seed in runs]
    row = several.report.row("pr_auc", "altering").model
    assert row.value == pytest.approx(np.mean([x.value for x in apart]))
    assert row.sd == pytest.approx(np.std([x.value for x in apart], ddof=1))
    assert several.report.row("pr_auc", "altering").base.sd is None
    # Runs that differ so much make the mean less certain than any of them.
    assert row.high is not None
    assert row.low is not None
    assert row.high - row.low > max(x.high - x.low for x in apart if x.high is not None and x.low is not None)
    # One seed is the run itself.
    one = e.evaluate_triage(**case | {"scores": {5: runs[5]}}).report.row("pr_auc", "altering").model
    assert (one.value, one.low, one.high) == (apart[2].value, apart[2].low, apart[2].high)


@every_kind
def test_no_model_is_evaluated_without_its_base_model(evaluate: Any, make: Any, base: str, own: str) -> None:
    case = make()
    del case[base]
    with pytest.raises(TypeError, match=base):
        evaluate(**case)
    with pytest.raises(TrainingDataError, match="beside its base model only"):
        evaluate(**case | {base: None})


@every_kind
def test_nan_and_wrong_shapes_are_refused(evaluate: Any, make: Any, base: str, own: str) -> None:
    for name in (base, own):
        case = make()
        broken = np.array(case[name], dtype=float)
        broken[3] = np.nan
        with pytest.raises(TrainingDataError, match=rf"{name}: .* NaN or infinite, the first in row 3"):
            evaluate(**case | {name: broken})
        with pytest.raises(TrainingDataError, match=rf"{name}: shape"):
            evaluate(**case | {name: case[name][:-1]})
    with pytest.raises(TrainingDataError, match="groups: shape"):
        evaluate(**case | {"groups": case["groups"][:-1]})
    with pytest.raises(TrainingDataError, match="weights: some are negative"):
        evaluate(**case | {"weights": -np.ones(len(case["groups"]))})
    with pytest.raises(TrainingDataError, match="subgroup 'kind': shape"):
        evaluate(**case | {"subgroups": {"kind": ["a"]}})
    with pytest.raises(SettingError, match="has 101 values"):
        evaluate(**case | {"subgroups": {"kind": np.minimum(np.arange(len(case["groups"])), 100)}})


def test_logits_and_unknown_labels_are_refused() -> None:
    case = positions()
    with pytest.raises(TrainingDataError, match="no probabilities that sum to 1"):
        e.evaluate_classification(**case | {"probabilities": np.log(case["probabilities"])})
    labels = case["labels"].copy()
    labels[0] = -100
    with pytest.raises(TrainingDataError, match="-100 is not among 0 to 2"):
        e.evaluate_classification(**case | {"labels": labels})
    with pytest.raises(TrainingDataError, match="labels: shape"):
        e.evaluate_triage(**variants() | {"labels": []})


def test_a_threshold_of_the_evaluated_split_is_refused() -> None:
    own = Threshold(value=0.3, chosen_on="test")
    with pytest.raises(SettingError, match="chosen on 'test', the split that is evaluated"):
        e.evaluate_triage(**variants() | {"threshold": own})
    with pytest.raises(SettingError, match="chosen on 'test'"):
        e.evaluate_classification(**positions(), thresholds={"donor": HALF}, base_thresholds={"donor": own})
    with pytest.raises(SettingError, match="Only one"):
        e.evaluate_triage(**variants() | {"base_threshold": None})


def test_each_seed_is_measured_at_its_own_threshold() -> None:
    case = variants()
    scores = {1: case["scores"], 2: case["scores"] ** 2}
    own = {1: HALF, 2: Threshold(value=0.25, chosen_on="validation")}
    report = e.evaluate_triage(**case | {"scores": scores, "threshold": own}).report
    assert isinstance(report, TriageReport)
    # The second run is the first on another scale, and its threshold too.
    f1 = metrics.f1_score(case["labels"], case["scores"] >= 0.5)
    row = report.row("f1", "altering").model
    assert (row.value, row.sd) == (pytest.approx(f1), pytest.approx(0))
    assert [x.value for x in report.thresholds] == [0.5, 0.25]
    with pytest.raises(SettingError, match=r"of seeds \[1\], predictions of \[1, 2\]"):
        e.evaluate_triage(**case | {"scores": scores, "threshold": {1: HALF}})
    with pytest.raises(SettingError, match="Thresholds are of"):
        e.evaluate_classification(**positions(), thresholds={"donour": HALF}, base_thresholds={"donour": HALF})


def test_a_subgroup_of_one_class_or_one_group_says_so() -> None:
    case = variants()
    region = np.where(case["labels"] == 1, "all altering", "mixed").astype(object)
    region[np.flatnonzero(case["labels"] == 0)[:20]] = "none altering"
    region[(case["groups"] == 4)] = "one gene"
    report = e.evaluate_triage(**case | {"subgroups": {"region": region}}).report
    row = report.row("roc_auc", "altering", "region = all altering")
    for estimate in (row.base, row.model, row.difference):
        assert (estimate.value, estimate.low, estimate.reason) == (None, None, "no row is false")
    assert report.row("pr_auc", "altering", "region = none altering").model.reason == "no row is true"
    one = report.row("brier", "altering", "region = one gene").model
    assert one.value is not None
    assert (one.low, one.reason) == (None, "one group only: no interval")


def test_scores_that_are_no_probabilities_have_no_calibration() -> None:
    case = variants()
    report = e.evaluate_triage(**case | {"base_scores": case["base_scores"] * 8}).report
    assert isinstance(report, TriageReport)
    row = report.row("ece", "altering")
    assert row.base.reason == row.difference.reason == "scores are no probabilities"
    assert row.model.value is not None
    assert report.base_reliability is None
    assert report.model_reliability


@every_kind
def test_the_order_of_rows_does_not_matter(evaluate: Any, make: Any, base: str, own: str) -> None:
    case = make()
    case["weights"] = np.random.default_rng(0).integers(1, 5, len(case["groups"]))
    order = np.random.default_rng(1).permutation(len(case["groups"]))
    shuffled = {
        name: value[order] if isinstance(value, np.ndarray) and len(value) == len(order) else value
        for name, value in case.items()
    }
    if "subgroups" in case:
        shuffled["subgroups"] = {name: values[order] for name, values in case["subgroups"].items()}
    for one, other in zip(evaluate(**case).report.rows, evaluate(**shuffled).report.rows, strict=True):
        assert (one.measure, one.of, one.subset) == (other.measure, other.of, other.subset)
        for who in ("base", "model", "difference"):
            for end in ("value", "low", "high"):
                a, b = getattr(getattr(one, who), end), getattr(getattr(other, who), end)
                assert a == pytest.approx(b, abs=1e-9), (one.measure, who, end)


@every_kind
def test_weights_are_rows_so_often(evaluate: Any, make: Any, base: str, own: str) -> None:
    case = make() | {"subgroups": None}
    times = np.random.default_rng(2).integers(1, 4, len(case["groups"]))
    repeated = {
        name: np.repeat(value, times, axis=0) if isinstance(value, np.ndarray) else value
        for name, value in case.items()
    }
    for one, other in zip(evaluate(**case, weights=times).report.rows, evaluate(**repeated).report.rows, strict=True):
        for who in ("base", "model", "difference"):
            for end in ("value", "low", "high"):
                a, b = getattr(getattr(one, who), end), getattr(getattr(other, who), end)
                assert a == pytest.approx(b, abs=1e-9), (one.measure, who, end)


@every_kind
def test_a_result_is_the_same_after_json_and_cannot_be_changed(evaluate: Any, make: Any, base: str, own: str) -> None:
    result = evaluate(**make())
    assert EvaluationResult.model_validate_json(result.model_dump_json()) == result
    assert evaluate(**make()) == result, "same data, same seed, same result"
    with pytest.raises(ValidationError, match="frozen"):
        result.split = "train"
    with pytest.raises(KeyError):
        result.report.row("pr_auc", "nothing")


@every_kind
def test_the_data_digest_is_of_the_data(evaluate: Any, make: Any, base: str, own: str) -> None:
    once = Bootstrap(draws=1)

    def digest(seed: int = 0, **changed: Any) -> str:
        return str(evaluate(**make(seed=seed) | {"bootstrap": once} | changed).data_digest)

    first = make()
    assert digest(**{own: first[base]}) == digest(), "the model is not the data"
    others = [digest(1), digest(**{base: first[own]}), digest(weights=np.ones(len(first["groups"])))]
    assert len({digest(), *others}) == 4


def test_an_estimate_without_interval_needs_a_reason() -> None:
    with pytest.raises(ValidationError, match="needs its reason"):
        Estimate(value=0.5, n=3, groups=1)
    with pytest.raises(ValidationError, match="two ends"):
        Estimate(value=0.5, low=0.1, n=3, groups=1, reason="odd")
    with pytest.raises(ValidationError, match="finite"):
        Estimate(value=float("nan"), n=3, groups=1, reason="odd")
    with pytest.raises(ValidationError, match="square"):
        Confusion(classes=("a", "b"), counts=((1.0, 2.0),))

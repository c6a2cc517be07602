"""Every feature against a slow computation of its own, one position at a time."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from agentic_spliceai.splice_engine.base_layer.gene_tracks import GeneTrack
from agentic_spliceai.splice_engine.base_layer.model import softmax
from agentic_spliceai.splice_engine.base_layer.results import ContextReport
from agentic_spliceai.splice_engine.errors import SchemaError
from agentic_spliceai.splice_engine.genome.types import Strand
from agentic_spliceai.splice_engine.meta_layer.data.artifacts import gene_inputs
from agentic_spliceai.splice_engine.meta_layer.data.codes import encode
from agentic_spliceai.splice_engine.meta_layer.data.features import FLANK, gene_features, recomputed, score_columns
from agentic_spliceai.splice_engine.meta_layer.data.schema import (
    FEATURE_NAMES,
    LEAK_COLUMNS,
    REFERENCE_FEATURE_NAMES,
)

from .artifact_toys import changed, toy_world

EPS = 1e-10


def probabilities(length: int, seed: int, sharp: float = 4.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return softmax((rng.normal(size=(length, 3)) * sharp + [-2, -2, 3]).astype(np.float32)).astype(np.float64)


def reference_features(p: np.ndarray, i: int) -> dict[str, float]:
    """The 43 formulas of the reference design, for one position."""

    def at(track: list[float], j: int) -> float:
        return track[j] if 0 <= j < len(track) else 0.0

    ds, as_ = [float(v) for v in p[:, 0]], [float(v) for v in p[:, 1]]
    best = [max(x, y) for x, y in zip(ds, as_, strict=True)]
    d, a, n = ds[i], as_[i], float(p[i, 2])
    m2, m1, p1, p2 = at(best, i - 2), at(best, i - 1), at(best, i + 1), at(best, i + 2)
    out = {
        "donor_score": d,
        "acceptor_score": a,
        "neither_score": n,
        "context_score_m2": m2,
        "context_score_m1": m1,
        "context_score_p1": p1,
        "context_score_p2": p2,
        "relative_donor_probability": d / (d + a + EPS),
        "splice_probability": (d + a) / (d + a + n + EPS),
        "donor_acceptor_diff": (d - a) / (max(d, a) + EPS),
        "splice_neither_diff": (max(d, a) - n) / (max(d, a, n) + EPS),
        "donor_acceptor_logodds": math.log(d + EPS) - math.log(a + EPS),
        "splice_neither_logodds": math.log(d + a + EPS) - math.log(n + EPS),
        "probability_entropy": -(d * math.log(d + EPS) + a * math.log(a + EPS) + n * math.log(n + EPS)),
        "context_neighbor_mean": (m2 + m1 + p1 + p2) / 4,
        "context_asymmetry": m1 + m2 - p1 - p2,
        "context_max": max(m2, m1, p1, p2),
    }
    for kind, track in (("donor", ds), ("acceptor", as_)):
        s = track[i]
        m2, m1, p1, p2 = at(track, i - 2), at(track, i - 1), at(track, i + 1), at(track, i + 2)
        mean = (m2 + m1 + p1 + p2) / 4
        out[f"{kind}_diff_m1"], out[f"{kind}_diff_m2"] = s - m1, s - m2
        out[f"{kind}_diff_p1"], out[f"{kind}_diff_p2"] = s - p1, s - p2
        out[f"{kind}_surge_ratio"] = s / (m1 + p1 + EPS)
        out[f"{kind}_is_local_peak"] = 1.0 if s > m1 and s > p1 and s > 0.001 else 0.0
        out[f"{kind}_weighted_context"] = 0.1 * m2 + 0.2 * m1 + 0.4 * s + 0.2 * p1 + 0.1 * p2
        out[f"{kind}_peak_height_ratio"] = s / (mean + EPS)
        out[f"{kind}_second_derivative"] = 2 * s - m1 - p1
        out[f"{kind}_signal_strength"] = s - mean
        out[f"{kind}_context_diff_ratio"] = s / (max(m2, m1, p1, p2) + EPS)
    out["donor_acceptor_peak_ratio"] = out["donor_peak_height_ratio"] / (out["acceptor_peak_height_ratio"] + EPS)
    out["type_signal_difference"] = out["donor_signal_strength"] - out["acceptor_signal_strength"]
    out["score_difference_ratio"] = (d - a) / (d + a + EPS)
    out["signal_strength_ratio"] = out["donor_signal_strength"] / (out["acceptor_signal_strength"] + EPS)
    return out


@pytest.mark.parametrize(("length", "seed", "sharp"), [(1, 0, 1), (2, 1, 4), (3, 2, 4), (60, 3, 1), (60, 4, 8)])
def test_the_43_formulas_at_every_position(length: int, seed: int, sharp: float) -> None:
    p = probabilities(length, seed, sharp)
    columns = score_columns(p)
    assert tuple(columns) == REFERENCE_FEATURE_NAMES
    assert len(columns) == 43
    for i in range(length):
        wanted = reference_features(p, i)
        assert set(wanted) == set(columns)
        for name, value in wanted.items():
            assert columns[name][i] == pytest.approx(value, rel=1e-9, abs=1e-12), (name, i)


def test_a_hand_computed_position() -> None:
    p = np.array([[0.1, 0.0, 0.9], [0.0, 0.2, 0.8], [0.6, 0.1, 0.3], [0.0, 0.0, 1.0], [0.3, 0.0, 0.7]])
    row = {name: float(values[2]) for name, values in score_columns(p).items()}
    assert [row[f"context_score_{s}"] for s in ("m2", "m1", "p1", "p2")] == [0.1, 0.2, 0.0, 0.3]
    assert row["relative_donor_probability"] == pytest.approx(6 / 7)
    assert row["donor_acceptor_diff"] == pytest.approx(5 / 6)
    assert row["splice_neither_diff"] == pytest.approx(0.5)
    assert row["probability_entropy"] == pytest.approx(0.897946)
    assert row["context_asymmetry"] == pytest.approx(0.0)
    assert row["donor_peak_height_ratio"] == pytest.approx(6.0)
    assert row["acceptor_surge_ratio"] == pytest.approx(0.5)
    assert (row["donor_is_local_peak"], row["acceptor_is_local_peak"]) == (1.0, 0.0)
    assert row["acceptor_weighted_context"] == pytest.approx(0.08)


def test_extreme_probabilities_stay_finite() -> None:
    for p in ([0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]):
        for values in score_columns(np.array([p] * 6)).values():
            assert np.isfinite(values).all()


def random_track(length: int, members: int, seed: int) -> tuple[GeneTrack, str]:
    rng = np.random.default_rng(seed)
    bases = "".join(rng.choice(list("ACGTN"), length + 2 * FLANK, p=[0.24, 0.24, 0.24, 0.24, 0.04]))
    logits = (rng.normal(size=(members, length, 3)) * 4 + [-1, -1, 2]).astype(np.float32)
    track = GeneTrack(
        "G", "G", "chr1", Strand.PLUS, 0, length, bases[FLANK:-FLANK], softmax(logits), logits,
        ContextReport(total=length, real=length, outside_gene=0, no_sequence=0, past_contig_end=0),
        None,  # type: ignore[arg-type]
    )  # fmt: skip
    return track, bases


def own_features(track: GeneTrack, bases: str, i: int) -> dict[str, float]:
    """Our further features, for one position."""
    out: dict[str, float] = {}
    logits, probs = track.logits.astype(float), track.probabilities.astype(float)
    members, length = logits.shape[:2]

    def odds(member: int, j: int, c: int) -> float:
        others = [logits[member, j, k] for k in range(3) if k != c]
        return logits[member, j, c] - math.log(sum(math.exp(o) for o in others))

    mean_p = probs.mean(axis=0)
    site = [math.log(math.exp(z[0]) + math.exp(z[1])) - z[2] for z in logits[:, i]]
    out["site_logodds"] = sum(site) / members
    for c, kind in enumerate(("donor", "acceptor")):
        track_odds = [sum(odds(m, j, c) for m in range(members)) / members for j in range(length)]
        mine = [odds(m, i, c) for m in range(members)]
        out[f"{kind}_logodds"] = track_odds[i]
        out[f"{kind}_logodds_std"] = math.sqrt(sum((x - track_odds[i]) ** 2 for x in mine) / members)
        out[f"{kind}_score_std"] = math.sqrt(sum((x - mean_p[i, c]) ** 2 for x in probs[:, i, c]) / members)
        for reach in (10, 50, 200):
            around = [track_odds[j] for j in range(max(0, i - reach), min(length, i + reach + 1)) if j != i]
            out[f"{kind}_rival_{reach}"] = max(around, default=-20.0)
        around = [track_odds[j] for j in range(max(0, i - 50), min(length, i + 51)) if j != i]
        out[f"{kind}_rank_50"] = sum(x > track_odds[i] for x in around) / max(len(around), 1)
        sites = [j for j in range(length) if mean_p[j, c] >= 0.5]
        before, after = [j for j in sites if j < i], [j for j in sites if j > i]
        for side, j in (("upstream", max(before, default=None)), ("downstream", min(after, default=None))):
            out[f"{kind}_{side}_distance"] = math.log(1 + (100_000 if j is None else abs(j - i)))
            out[f"{kind}_{side}_logodds"] = 0.0 if j is None else track_odds[j]
    here = i + FLANK
    for width in (51, 201, 501):
        window = bases[here - width // 2 : here + width // 2 + 1]
        known = [b for b in window if b != "N"]
        out[f"gc_{width}"] = sum(b in "GC" for b in known) / len(known) if known else 0.5
    out["motif_gt"] = float(bases[here + 1 : here + 3] == "GT")
    out["motif_gc"] = float(bases[here + 1 : here + 3] == "GC")
    out["motif_ag"] = float(bases[here - 2 : here] == "AG")
    out["gene_start_distance"] = math.log(1 + i)
    out["gene_end_distance"] = math.log(1 + length - 1 - i)
    return out


@pytest.mark.parametrize(("length", "members"), [(1, 1), (30, 5), (260, 2)])
def test_our_own_features_at_every_position(length: int, members: int) -> None:
    track, bases = random_track(length, members, seed=length)
    table = gene_features(track, encode(bases))
    assert table.shape == (length, len(FEATURE_NAMES))
    assert len(FEATURE_NAMES) >= 50
    for i in {0, 1, 2, length // 3, length // 2, length - 2, length - 1} & set(range(length)):
        row = dict(zip(FEATURE_NAMES, table[i].tolist(), strict=True))
        wanted = own_features(track, bases, i)
        assert set(wanted) == set(FEATURE_NAMES[43:])
        for name, value in wanted.items():
            assert row[name] == pytest.approx(value, rel=1e-5, abs=1e-5), (name, i)


def test_chosen_rows_are_those_of_the_whole_gene() -> None:
    track, bases = random_track(400, 3, seed=7)
    rows = np.array([0, 3, 399, 200])
    np.testing.assert_array_equal(gene_features(track, encode(bases), rows), gene_features(track, encode(bases))[rows])


def test_one_network_has_no_spread() -> None:
    track, bases = random_track(20, 1, seed=1)
    table = gene_features(track, encode(bases))
    for name in FEATURE_NAMES:
        if name.endswith("_std"):
            np.testing.assert_allclose(table[:, FEATURE_NAMES.index(name)], 0, atol=1e-7)


def test_no_feature_knows_the_label() -> None:
    assert not LEAK_COLUMNS & set(FEATURE_NAMES)


def test_features_do_not_change_with_the_annotated_sites(tmp_path: Path) -> None:
    """The same extent with other exons: other labels, the same features."""
    world = toy_world(tmp_path, {"chr1": "+"})
    gene = world.gene("chr1")
    first = gene.transcripts[0]
    moved = changed(first, exons=((100, 200), (400, 1400)), cds=())
    other = changed(gene, transcripts=(moved,), representative_id=moved.id)
    one, labels, codes = gene_inputs(gene, world.genome, world.annotation, world.model, flank=FLANK)
    two, other_labels, same = gene_inputs(other, world.genome, world.annotation, world.model, flank=FLANK)
    assert (labels.labels != other_labels.labels).any()
    np.testing.assert_array_equal(gene_features(one, codes), gene_features(two, same))


def test_both_strands_give_the_same_features(tmp_path: Path) -> None:
    world = toy_world(tmp_path, {"chr1": "+", "chr2": "-"}, seed=5)
    made = []
    for contig in ("chr1", "chr2"):
        track, labels, codes = gene_inputs(world.gene(contig), world.genome, world.annotation, world.model, flank=FLANK)
        made.append((gene_features(track, codes), labels.labels, codes))
    for plus, minus in zip(*made, strict=True):
        np.testing.assert_array_equal(plus, minus)


def test_what_other_tools_leave_out_is_computed_where_it_can_be() -> None:
    track, bases = random_track(300, 2, seed=9)
    table = gene_features(track, encode(bases)).astype(np.float64)
    column = {name: table[:, index] for index, name in enumerate(FEATURE_NAMES)}
    codes = encode(bases)
    windows = np.stack([codes[i : i + 501] for i in range(300)])
    sources = {name: column[name] for name in FEATURE_NAMES[:7]}
    for name in ("probability_entropy", "context_asymmetry", "score_difference_ratio", "gc_201", "motif_ag"):
        np.testing.assert_allclose(recomputed(name, sources, windows), column[name], rtol=1e-5, atol=1e-6)
    for name in ("donor_surge_ratio", "donor_logodds_std", "acceptor_rank_50"):
        with pytest.raises(SchemaError, match=name):
            recomputed(name, sources, windows)
    with pytest.raises(SchemaError, match="gc_201"):
        recomputed("gc_201", sources, None)

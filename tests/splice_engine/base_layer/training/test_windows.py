"""Sampling: nothing of the test chromosomes trains, and weights undo the thinning of empty windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agentic_spliceai.splice_engine.base_layer.training.corpus import IGNORE, UNKNOWN, Corpus
from agentic_spliceai.splice_engine.base_layer.training.loop import weighted_loss
from agentic_spliceai.splice_engine.base_layer.training.split import TEST, TRAIN, VALIDATION
from agentic_spliceai.splice_engine.base_layer.training.windows import Counts, WindowPlan, gather, plan_windows
from tests.splice_engine.base_layer.training.toys import planted_corpus

CONTEXT = 80


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return planted_corpus(("chr1", "chr2", "chr3", "chr4", "chr13"), length=3000, flank=CONTEXT // 2)


def plan(corpus: Corpus, seed: int, *, width: int = 30, empty: float = 0.25, mask: float = 0.5) -> WindowPlan:
    rng = np.random.default_rng(seed)
    return plan_windows(
        corpus, corpus.of(TRAIN), Counts.of(corpus), rng, width=width, empty_fraction=empty, mask_fraction=mask
    )


def test_no_base_of_test_or_validation_contigs_is_ever_seen(corpus: Corpus) -> None:
    assert {x.contig for x in corpus.of(TEST)} == {"chr1", "chr3"}
    assert {x.contig for x in corpus.of(VALIDATION)} == {"chr13"}
    allowed = np.zeros(len(corpus.codes), dtype=bool)
    for locus in corpus.of(TRAIN):
        allowed[locus.offset - corpus.flank : locus.offset + locus.length + corpus.flank] = True
    # Mark every base that no training window may see, and look for the mark in what windows see.
    marked = Corpus(
        np.where(allowed, corpus.codes, 9).astype(np.uint8),
        np.where(allowed, corpus.labels, 7).astype(np.uint8),
        corpus.representative, corpus.loci, corpus.flank, {},
    )  # fmt: skip
    for seed in range(5):
        codes, labels = gather(marked, plan(corpus, seed, width=200, empty=1.0, mask=0.0), CONTEXT)
        assert codes.max() <= UNKNOWN
        assert set(np.unique(labels)) <= {0, 1, 2, IGNORE}


def test_windows_tile_each_locus_once(corpus: Corpus) -> None:
    for seed in range(3):
        p = plan(corpus, seed, empty=1.0)
        _, labels = gather(corpus, p, CONTEXT)
        whole = np.concatenate([corpus.labels[x.offset : x.offset + x.length] for x in corpus.of(TRAIN)])
        for kind in (0, 1, 2):
            assert (labels == kind).sum() == (whole == kind).sum()


def test_every_site_is_sampled_and_weights_restore_the_number_of_positions(corpus: Corpus) -> None:
    whole = np.concatenate([corpus.labels[x.offset : x.offset + x.length] for x in corpus.of(TRAIN)])
    restored = []
    for seed in range(60):
        p = plan(corpus, seed)
        _, labels = gather(corpus, p, CONTEXT)
        has_site = (labels < 2).any(axis=1)
        assert (labels < 2).sum() == (whole < 2).sum()
        np.testing.assert_array_equal(p.weight, np.where(has_site, 1.0, 4.0))
        restored.append(((labels != IGNORE).sum(axis=1) * p.weight).sum())
    mean, error = np.mean(restored), np.std(restored) / np.sqrt(len(restored))
    assert abs(mean - (whole != IGNORE).sum()) < 4 * error
    assert error < 0.02 * mean


def test_the_loss_weighs_windows_and_ignores_unlabelled_positions() -> None:
    logits = torch.tensor([[[0.0, 2.0], [0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]])
    labels = torch.tensor([[IGNORE, 0], [2, 2]])
    first = float(torch.log(torch.exp(torch.tensor(2.0)) + 2) - 2)
    second = 2 * float(torch.log(torch.tensor(3.0)))
    found = weighted_loss(logits, labels, torch.tensor([1.0, 5.0]), sites_per_window=0.5)
    assert float(found) == pytest.approx((first + 5 * second) / (0.5 * 2), rel=1e-6)


def test_flanks_are_real_or_unknown_as_asked(corpus: Corpus) -> None:
    first = corpus.of(TRAIN)[0]
    for mask, seen in ((1.0, 0), (0.0, corpus.flank)):
        p = plan(corpus, 1, empty=1.0, mask=mask)
        row = int(np.argmin(p.start))
        codes, _ = gather(corpus, p.take(np.array([row])), CONTEXT)
        left = p.start[row] - CONTEXT // 2
        at = np.arange(left, left + codes.shape[1])
        expected = np.where(at >= first.offset - seen, corpus.codes[at], UNKNOWN)
        np.testing.assert_array_equal(codes[0], expected)


def test_the_same_seed_gives_the_same_windows(corpus: Corpus) -> None:
    np.testing.assert_array_equal(plan(corpus, 3).start, plan(corpus, 3).start)
    assert not np.array_equal(plan(corpus, 3).start, plan(corpus, 4).start)

"""Paralogs across the split: training genes whose splice sites are copies of a test gene's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from agentic_spliceai.splice_engine.base_layer.results import SpliceClass
from agentic_spliceai.splice_engine.base_layer.training.corpus import UNKNOWN, Corpus, Locus
from agentic_spliceai.splice_engine.base_layer.training.split import PARALOG, TEST

REACH = 20
"""Bases on each side of a site that have to agree: a copy is an identical stretch of 41 nt around the same class."""


@dataclass(frozen=True)
class Leak:
    """A locus outside the test part that shares splice-site surroundings with it."""

    genes: tuple[str, ...]
    contig: str
    sites: int
    shared: int


def site_keys(corpus: Corpus, locus: Locus, reach: int = REACH) -> list[bytes]:
    """Return class and surroundings (`2 * reach + 1` codes) of each splice site whose surroundings are all known."""
    inner = corpus.labels[locus.offset : locus.offset + locus.length]
    keys = []
    for index in np.flatnonzero(inner < SpliceClass.NEITHER) + locus.offset:
        around = corpus.codes[index - reach : index + reach + 1]
        if (around != UNKNOWN).all():
            keys.append(bytes([corpus.labels[index]]) + around.tobytes())
    return keys


def set_paralogs_aside(corpus: Corpus, *, reach: int = REACH) -> tuple[Corpus, tuple[Leak, ...]]:
    """Move every locus that shares a splice site's surroundings with a test locus to the part `PARALOG`.

    Returns
    -------
    corpus
        Same arrays, loci renamed.
    leaks
        What was moved, most shared sites first.
    """
    known: Counter[bytes] = Counter()
    for locus in corpus.of(TEST):
        known.update(site_keys(corpus, locus, reach))
    loci, leaks = [], []
    for locus in corpus.loci:
        keys = [] if locus.split == TEST else site_keys(corpus, locus, reach)
        shared = sum(key in known for key in keys)
        if shared:
            leaks.append(Leak(tuple(g.name for g in locus.genes), locus.contig, len(keys), shared))
            locus = replace(locus, split=PARALOG)
        loci.append(locus)
    return replace(corpus, loci=tuple(loci)), tuple(sorted(leaks, key=lambda leak: -leak.shared))

"""Data sets by name: the simulated one follows its rule, draws keep exon groups whole, what is missing is said."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from agentic_spliceai.splice_engine.meta_layer.data.variant_splits import TEST_CHROMOSOMES, SplitKey, split_by_group
from agentic_spliceai.splice_engine.meta_layer.experiments.datasets import DATASETS, draw_groups, read_dataset
from agentic_spliceai.splice_engine.meta_layer.experiments.errors import MissingDatasetError, UnknownDatasetError
from agentic_spliceai.splice_engine.meta_layer.experiments.minigene import NOISE, inclusion, minigene_records
from tests.splice_engine.meta_layer.experiments.toys import resolver


def test_the_simulated_set_says_that_it_is_simulated(tmp_path: Path) -> None:
    found = read_dataset("minigene", resolver(tmp_path))
    assert found.dataset.synthetic
    assert "simulated" in found.dataset.title.lower()
    assert len(found.records) == found.dataset.n
    assert all(record.group.startswith("simulated_") for record in found.records)
    assert len(found.source_sha256) == 64
    assert [name for name, entry in DATASETS.items() if entry.synthetic] == ["minigene"]


def test_simulated_effects_follow_the_stated_rule() -> None:
    records = minigene_records()
    gaps, altering = [], []
    for record in records[::7]:
        construct = record.construct
        assert construct is not None
        assert record.psi is not None
        start, end = construct.exon_offset, construct.exon_offset + construct.exon_length
        before, after = inclusion(construct.ref, start, end), inclusion(construct.alt, start, end)
        assert 0.7 < before < 1
        gaps.append(record.psi - max(-1.0, min(1.0, after - before)))
        altering.append(record.altering)
        assert construct.ref[construct.ref_at] == record.variant.ref
    assert abs(np.mean(gaps)) < 0.02
    assert np.std(gaps) == pytest.approx(NOISE, rel=0.25)
    assert 0.08 < np.mean(altering) < 0.3


def test_the_usual_split_works_on_the_simulated_set() -> None:
    keys = [SplitKey(record.chrom, record.group, record.gene, record.exon_sequence) for record in minigene_records()]
    split = split_by_group(keys, test_chromosomes=TEST_CHROMOSOMES)
    assert len(split.copies) == len(split.related) == 0
    assert min(len(split.train), len(split.validation), len(split.test)) > 200


def test_a_draw_keeps_groups_whole_and_the_share_of_test_chromosomes() -> None:
    records = minigene_records()
    drawn = draw_groups(records, 400, test_chromosomes=TEST_CHROMOSOMES)
    assert 380 <= len(drawn) <= 400
    assert drawn == draw_groups(records, 400, test_chromosomes=TEST_CHROMOSOMES)
    assert drawn != draw_groups(records, 400, test_chromosomes=TEST_CHROMOSOMES, seed=1)
    whole = Counter(record.group for record in records)
    assert all(whole[group] == count for group, count in Counter(record.group for record in drawn).items())
    share = np.mean([record.chrom in TEST_CHROMOSOMES for record in records])
    assert np.mean([record.chrom in TEST_CHROMOSOMES for record in drawn]) == pytest.approx(share, abs=0.03)
    assert draw_groups(records, None, test_chromosomes=TEST_CHROMOSOMES) == records


def test_what_is_missing_or_unknown_comes_with_advice(tmp_path: Path) -> None:
    with pytest.raises(MissingDatasetError) as missing:
        read_dataset("mfass", resolver(tmp_path))
    assert "variants/mfass.tsv.gz" in missing.value.message
    assert "minigene" in missing.value.advice
    with pytest.raises(MissingDatasetError):
        read_dataset("mfass", resolver(tmp_path), file=tmp_path / "elsewhere.tsv.gz")
    with pytest.raises(UnknownDatasetError, match="Did you mean 'minigene'"):
        read_dataset("minigen", resolver(tmp_path))

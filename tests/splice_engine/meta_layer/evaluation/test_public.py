"""What the package offers, what it costs to import, and published figures that it finds again."""

from __future__ import annotations

import csv
import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agentic_spliceai.splice_engine.meta_layer import evaluation


def test_every_public_name_is_there() -> None:
    for name in evaluation.__all__:
        assert getattr(evaluation, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        _ = evaluation.nothing


@pytest.mark.parametrize("module", ["results", "digest"])
def test_results_are_read_without_scikit_learn(module: str) -> None:
    code = (
        f"import sys, agentic_spliceai.splice_engine.meta_layer.evaluation.{module};"
        "print(*sorted(set(sys.modules) & {'sklearn', 'scipy', 'torchmetrics', 'lightning', 'pandas', 'matplotlib'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_pangolin_beside_spliceai_on_measured_variants(mirror: Path) -> None:
    """27,733 variants of MFASS, 1,050 of them disrupting: figures known of the published scores, to three digits."""
    with gzip.open(mirror / "variants" / "mfass.tsv.gz", "rt") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    pangolin, spliceai, psi = (np.array([float(row[x]) for row in rows]) for x in ("pangolin", "spliceai", "delta_psi"))
    exon = np.array([row["exon_group"] for row in rows])
    subject = evaluation.Subject("Pangolin", "SpliceAI", "all", group_unit="exon")
    triage = evaluation.evaluate_triage(
        np.array([int(row["splice_disrupting"]) for row in rows]),
        pangolin,
        exon,
        base_scores=spliceai,
        subject=subject,
        subgroups={"region": np.array([row["location"] for row in rows])},
        bootstrap=evaluation.Bootstrap(draws=100),
    ).report
    roc, pr = (triage.row(name, "altering") for name in ("roc_auc", "pr_auc"))
    assert (roc.model.n, roc.model.positives) == (27_733, 1_050)
    found = [round(float(x.value or 0), 3) for x in (roc.model, pr.model, roc.base, pr.base)]
    assert found == [0.888, 0.421, 0.819, 0.321]
    assert roc.difference.low is not None
    assert roc.difference.low > 0
    assert {row.subset for row in triage.rows} == {
        "all", "region = exonic", "region = intronic", "region = unknown"
    }  # fmt: skip
    delta = evaluation.evaluate_delta(
        psi,
        pangolin,
        exon,
        base_predictions=spliceai,
        outputs=("psi",),
        subject=subject,
        bootstrap=evaluation.Bootstrap(draws=50),
    ).report
    r = delta.row("pearson_unsigned", "psi")
    assert (round(float(r.model.value or 0), 3), round(float(r.base.value or 0), 3)) == (0.506, 0.441)

"""A summary of experiments written by rules: sentences whose every number and name is a reference to evidence."""

from __future__ import annotations

from collections.abc import Iterable

from agentic_spliceai.records.evidence import Evidence


def summarise_experiment(evidence: Iterable[Evidence]) -> tuple[str, ...]:
    """Return the sentences of a summary of one experiment or of a comparison of several."""
    return ()

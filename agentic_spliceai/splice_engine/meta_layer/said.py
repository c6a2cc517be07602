"""What predictions of a trained model say: ranges over its members, and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def member_range(
    probabilities: npt.NDArray[Any],
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]] | tuple[None, None]:
    """Return the range of the members' probabilities [M, N] about their mean, or none for a single member.

    The mean of the log-odds plus and minus 1.96 standard deviations over members: how far another training of the same
    model may differ. It covers nothing that all members have in common, and is no confidence interval.
    """
    if len(probabilities) < 2:
        return None, None
    p = probabilities.clip(1e-6, 1 - 1e-6)
    odds = np.log(p / (1 - p))
    half = 1.96 * odds.std(axis=0, ddof=1)
    mean = probabilities.mean(axis=0)
    low = np.minimum(1 / (1 + np.exp(-(odds.mean(axis=0) - half))), mean)
    high = np.maximum(1 / (1 + np.exp(-(odds.mean(axis=0) + half))), mean)
    return low, high


def with_caveats(message: str, caveats: Sequence[str]) -> str:
    """Return a message with what may make it untrue."""
    return f"{message} Outside of what the model was trained on: {'; '.join(caveats)}." if caveats else message


def triage_words(probability: float, threshold: float | None) -> str:
    """Return what a probability means to a reader; without a threshold it is no call."""
    if threshold is None:
        return f"Probability that the variant alters splicing: {probability:.2f}."
    verdict = "splice-altering" if probability >= threshold else "not splice-altering"
    return f"The meta-layer calls the variant {verdict} (probability {probability:.2f}, threshold {threshold:.2f})."

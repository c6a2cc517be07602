"""Evidence and claims in what a tool returned to a language model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from agentic_spliceai.records.evidence import Claim, ClaimStatus, Evidence

_ID = re.compile(r"E-[0-9a-f]{8}")
_DEEPEST = 12


def facts_in(
    text: str, artifact: Any, look_up: Callable[[Sequence[str]], tuple[Evidence, ...]]
) -> tuple[Evidence, ...]:
    """Return the facts that a tool's result holds.

    Parameters
    ----------
    text
        The result as the model reads it: JSON.
    artifact
        The ids in it, as `tools.langchain` leaves them.
    look_up
        Returns recorded facts by id; those that are not recorded are left out.
    """
    found = {fact.id: fact for fact in _models(_json(text), Evidence)}
    ids = artifact.get("ids", {}) if isinstance(artifact, dict) else {}
    named = [name for values in ids.values() for name in values if _ID.fullmatch(str(name))]
    wanted = [name for name in dict.fromkeys((*named, *_ID.findall(text))) if name not in found]
    found.update((fact.id, fact) for fact in look_up(wanted))
    return tuple(found.values())


def claims_in(text: str) -> tuple[Claim, ...]:
    """Return the verified sentences that a tool's result holds."""
    return tuple(claim for claim in _models(_json(text), Claim) if claim.status is ClaimStatus.VERIFIED)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _models(value: Any, model: Any, depth: int = 0) -> Iterator[Any]:
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        if set(model.model_fields) <= set(value):
            try:
                yield model.model_validate_json(json.dumps(value), strict=True)
            except ValidationError:
                pass  # something else of the same shape
            else:
                return
        for inner in value.values():
            yield from _models(inner, model, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _models(inner, model, depth + 1)

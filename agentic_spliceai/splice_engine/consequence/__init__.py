"""What a splice change does to the transcript and its protein."""

from agentic_spliceai.splice_engine.consequence.infer import infer_consequence
from agentic_spliceai.splice_engine.consequence.types import (
    Consequence,
    EventType,
    Frame,
    NmdPrediction,
    SpliceEvent,
    Strength,
    TranscriptEffect,
)

__all__ = [
    "Consequence",
    "EventType",
    "Frame",
    "NmdPrediction",
    "SpliceEvent",
    "Strength",
    "TranscriptEffect",
    "infer_consequence",
]

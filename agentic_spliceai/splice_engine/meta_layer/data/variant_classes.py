"""What is known about a variant's effect: SpliceVarDB's four classes and their sample weights."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

NORMAL_BELOW = 0.03
"""|change of exon inclusion| below which a measured variant counts as Normal."""

ALTERING_FROM = -0.5
"""Change of exon inclusion from which on downward a variant counts as Splice-altering; MFASS's own threshold (Cheung
et al., Mol Cell 2019)."""


class VariantClass(IntEnum):
    """SpliceVarDB's classes."""

    SPLICE_ALTERING = 0
    NORMAL = 1
    LOW_FREQUENCY = 2
    CONFLICTING = 3

    @property
    def label(self) -> str:
        """The class as SpliceVarDB writes it."""
        return _LABELS[self]

    @classmethod
    def parse(cls, text: str) -> VariantClass | None:
        """Return the class for its name in any case and with any separators, or None where there is none."""
        return _BY_KEY.get("".join(c for c in text.lower() if c.isalpha()))

    @classmethod
    def of_psi(cls, psi: float) -> VariantClass:
        """Return the class of a measured change of exon inclusion, -1 to 1, by the two thresholds above."""
        if psi <= ALTERING_FROM:
            return cls.SPLICE_ALTERING
        return cls.NORMAL if abs(psi) < NORMAL_BELOW else cls.LOW_FREQUENCY

    @property
    def altering(self) -> bool | None:
        """True for Splice-altering, False for Normal, None for the two classes that say neither."""
        return {VariantClass.SPLICE_ALTERING: True, VariantClass.NORMAL: False}.get(self)


_LABELS = {
    VariantClass.SPLICE_ALTERING: "Splice-altering",
    VariantClass.NORMAL: "Normal",
    VariantClass.LOW_FREQUENCY: "Low-frequency",
    VariantClass.CONFLICTING: "Conflicting",
}
_BY_KEY = {"".join(c for c in label.lower() if c.isalpha()): member for member, label in _LABELS.items()}

SAMPLE_WEIGHTS: Mapping[VariantClass, float] = MappingProxyType(
    {
        VariantClass.SPLICE_ALTERING: 2.0,
        VariantClass.NORMAL: 1.0,
        VariantClass.LOW_FREQUENCY: 0.5,
        VariantClass.CONFLICTING: 0.5,
    }
)
"""Weight of a training example by class, as the design documents have them."""

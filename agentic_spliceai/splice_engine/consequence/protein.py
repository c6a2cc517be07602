"""From coding sequence to protein, and the predicted protein change in HGVS's words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_BASES = "TCAG"
_AMINO_ACIDS = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"  # NCBI translation table 1
CODONS = {
    a + b + c: _AMINO_ACIDS[16 * i + 4 * j + k]
    for i, a in enumerate(_BASES)
    for j, b in enumerate(_BASES)
    for k, c in enumerate(_BASES)
}
"""Standard genetic code, one letter; `*` is a stop."""

THREE_LETTERS = {
    "A": "Ala", "C": "Cys", "D": "Asp", "E": "Glu", "F": "Phe", "G": "Gly", "H": "His", "I": "Ile", "K": "Lys",
    "L": "Leu", "M": "Met", "N": "Asn", "P": "Pro", "Q": "Gln", "R": "Arg", "S": "Ser", "T": "Thr", "V": "Val",
    "W": "Trp", "Y": "Tyr", "*": "Ter", "X": "Xaa",
}  # fmt: skip


class StopKind(StrEnum):
    """Which stop codon ends an altered protein."""

    REFERENCE = "reference"
    PREMATURE = "premature"
    LATER = "later"
    NONE = "none"


@dataclass(frozen=True)
class Translation:
    """What a coding sequence says.

    Attributes
    ----------
    protein
        One letter a residue, without the stop; X where a codon has an unknown base.
    has_stop
        Whether a stop codon ended it; otherwise the sequence did.
    """

    protein: str
    has_stop: bool

    @property
    def is_known(self) -> bool:
        """Whether every residue is known."""
        return "X" not in self.protein


def translate(sequence: str) -> Translation:
    """Translate from the first base to the first stop codon, with the standard genetic code.

    Parameters
    ----------
    sequence
        Upper-case bases; the first codon is read as methionine, as initiation does with near-cognate codons too.
    """
    residues: list[str] = []
    for at in range(0, len(sequence) - 2, 3):
        residue = CODONS.get(sequence[at : at + 3], "X")
        if residue == "*":
            return Translation("".join(residues), True)
        residues.append(residue if at else "M")
    return Translation("".join(residues), False)


def first_difference(ref: str, alt: str) -> int:
    """Return the 0-based index of the first residue that differs; the shorter's length if one starts with the other."""
    return next((i for i, (a, b) in enumerate(zip(ref, alt, strict=False)) if a != b), min(len(ref), len(alt)))


def hgvs_p(ref: str, alt: Translation, *, in_frame: bool, stop: StopKind, resumes: int) -> str:
    """Return the predicted protein change, for example `p.(Gly410AlafsTer12)`.

    Follows the HGVS recommendations for protein variants (hgvs-nomenclature.org, version 21): three-letter code,
    parentheses because it is predicted, the most 3' place of several, a change to an immediate stop is nonsense
    whatever the frame, `fsTer` counts from the first changed residue, and `extTer` counts the residues added.

    Parameters
    ----------
    ref
        Reference protein without its stop, which is known to follow.
    alt
        Altered protein, from the same start codon.
    in_frame
        Whether the altered transcript is in the reference's frame again after the change.
    stop
        Which stop codon ends the altered protein.
    resumes
        0-based index of the first residue at or after the first difference whose codon is intact in the altered
        transcript: tells an insertion with a stop in it from a deletion-insertion. Read only if in frame with a
        premature stop.

    Returns
    -------
    str
        `p.(=)` if nothing changes, `p.?` if translation runs off the transcript's end and HGVS has no word for it.
    """
    new = alt.protein
    at = first_difference(ref, new)
    if at == len(ref) == len(new) and alt.has_stop:
        return "p.(=)"
    if at == len(new):
        return f"p.({_residue(ref, at)}Ter)" if alt.has_stop else "p.?"
    if at == len(ref):
        return f"p.({_residue(ref + '*', at)}{THREE_LETTERS[new[at]]}extTer{len(new) - at if alt.has_stop else '?'})"
    if not in_frame:
        return f"p.({_residue(ref, at)}{THREE_LETTERS[new[at]]}fsTer{len(new) - at + 1 if alt.has_stop else '?'})"
    if not alt.has_stop:
        return "p.?"
    if stop is StopKind.PREMATURE:
        return _delins(ref, at, resumes - at, new[at:] + "*")
    if stop is StopKind.LATER:
        return _delins(ref + "*", at, len(ref) + 1 - at, new[at:] + "*")
    tail = first_difference(ref[at:][::-1], new[at:][::-1])
    return _delins(ref, at, len(ref) - at - tail, new[at : len(new) - tail])


def _residue(protein: str, at: int) -> str:
    return f"{THREE_LETTERS[protein[at]]}{at + 1}"


def _delins(ref: str, at: int, removed: int, inserted: str) -> str:
    """Name the replacement of `removed` residues from 0-based `at` by `inserted`."""
    new = "".join(THREE_LETTERS[residue] for residue in inserted)
    if removed == 0:
        size = len(inserted)
        if ref[at - size : at] == inserted and at >= size:
            first, last = _residue(ref, at - size), _residue(ref, at - 1)
            return f"p.({first}dup)" if size == 1 else f"p.({first}_{last}dup)"
        return f"p.({_residue(ref, at - 1)}_{_residue(ref, at)}ins{new})"
    first, last = _residue(ref, at), _residue(ref, at + removed - 1)
    if removed == 1 and len(inserted) == 1:
        return f"p.({first}{new})"
    place = first if removed == 1 else f"{first}_{last}"
    return f"p.({place}delins{new})" if inserted else f"p.({place}del)"

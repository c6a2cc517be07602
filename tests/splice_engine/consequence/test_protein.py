"""Translation and HGVS protein names, against cases written out by hand."""

from __future__ import annotations

import pytest

from agentic_spliceai.splice_engine.consequence.protein import CODONS, StopKind, Translation, hgvs_p, translate

REF = "MAKLEGQRSTVW"  # Met1 Ala2 Lys3 Leu4 Glu5 Gly6 Gln7 Arg8 Ser9 Thr10 Val11 Trp12


def test_the_genetic_code_is_the_standard_one() -> None:
    assert len(CODONS) == 64
    assert {codon for codon, residue in CODONS.items() if residue == "*"} == {"TAA", "TAG", "TGA"}
    known = {"ATG": "M", "TGG": "W", "TTT": "F", "CTA": "L", "ATA": "I", "AGC": "S", "TCA": "S", "AGA": "R", "CGT": "R",
             "GGG": "G", "GAC": "D", "GAG": "E", "CAT": "H", "CAG": "Q", "AAT": "N", "AAG": "K", "TGC": "C", "TAC": "Y",
             "GTT": "V", "GCT": "A", "CCC": "P", "ACG": "T"}  # fmt: skip
    assert {codon: CODONS[codon] for codon in known} == known


def test_translation_ends_at_the_first_stop_and_says_whether_there_was_one() -> None:
    assert translate("ATGGCTTAAGGG") == Translation("MA", True)
    assert translate("ATGGCTGG") == Translation("MA", False)
    assert translate("ATGGNTTAA") == Translation("MX", True)
    assert translate("CTGGCTTAA").protein == "MA"  # initiation reads a near-cognate start as methionine


@pytest.mark.parametrize(
    ("alt", "in_frame", "stop", "expected"),
    [
        ("MAKLEGQRSTVW*", True, "reference", "p.(=)"),
        ("MAKLEGQRSTV*", True, "premature", "p.(Trp12Ter)"),
        ("MAKL*", False, "premature", "p.(Glu5Ter)"),  # nonsense, whatever the frame
        ("MAKLPPP*", False, "premature", "p.(Glu5ProfsTer4)"),
        ("MAKLP*", False, "premature", "p.(Glu5ProfsTer2)"),
        ("MAKLPPP", False, "none", "p.(Glu5ProfsTer?)"),
        ("MAQRSTVW*", True, "reference", "p.(Lys3_Gly6del)"),
        ("MALEGQRSTVW*", True, "reference", "p.(Lys3del)"),
        ("MAKLEGQRSTVVW*", True, "reference", "p.(Val11dup)"),
        ("MAKLEGLEGQRSTVW*", True, "reference", "p.(Leu4_Gly6dup)"),
        ("MAKLDPEGQRSTVW*", True, "reference", "p.(Leu4_Glu5insAspPro)"),
        ("MAKLDGQRSTVW*", True, "reference", "p.(Glu5Asp)"),
        ("MAKWQRSTVW*", True, "reference", "p.(Leu4_Gly6delinsTrp)"),
        ("MAKLPPGQRSTVW*", True, "reference", "p.(Glu5delinsProPro)"),
        ("MAKLEGQRSTVWKCCCC*", True, "later", "p.(Ter13LysextTer5)"),
        ("MAKLEGQRSTVWKC", True, "none", "p.(Ter13LysextTer?)"),
        ("MAKLEGCC*", True, "later", "p.(Gln7_Ter13delinsCysCysTer)"),
        ("MAKLEGCC", True, "none", "p.?"),
        ("MAKLEG", False, "none", "p.?"),
    ],
)
def test_hgvs_p(alt: str, in_frame: bool, stop: str, expected: str) -> None:
    translation = Translation(alt.rstrip("*"), alt.endswith("*"))
    assert hgvs_p(REF, translation, in_frame=in_frame, stop=StopKind(stop), resumes=0) == expected


def test_a_deletion_in_a_run_stands_at_its_last_place() -> None:
    assert hgvs_p("MAEEEEK", Translation("MAEEK", True), in_frame=True, stop=StopKind.REFERENCE, resumes=0) == (
        "p.(Glu5_Glu6del)"
    )


def test_an_insertion_with_a_stop_in_it_is_told_from_a_deletion_insertion() -> None:
    alt = Translation("MAKLPP", True)
    assert hgvs_p(REF, alt, in_frame=True, stop=StopKind.PREMATURE, resumes=4) == "p.(Leu4_Glu5insProProTer)"
    assert hgvs_p(REF, alt, in_frame=True, stop=StopKind.PREMATURE, resumes=5) == "p.(Glu5delinsProProTer)"
    assert hgvs_p(REF, alt, in_frame=True, stop=StopKind.PREMATURE, resumes=7) == "p.(Glu5_Gln7delinsProProTer)"

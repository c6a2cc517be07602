"""The variant on the sense axis: sequence and images against brute force."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentic_spliceai.splice_engine.consequence.allele import Allele, Sense, edit_of
from agentic_spliceai.splice_engine.genome.sequence import reverse_complement
from agentic_spliceai.splice_engine.genome.types import Strand, Variant
from tests.splice_engine.consequence.toys import ToyGenome

FEW = st.text("AC", min_size=1, max_size=4)  # two letters only, so that repeats are common


@st.composite
def _changes(draw: st.DrawFn) -> tuple[str, Variant]:
    sequence = draw(st.text("AC", min_size=14, max_size=24))
    start = draw(st.integers(4, len(sequence) - 8))
    ref = sequence[start : start + draw(st.integers(1, 4))]
    alt = draw(FEW.filter(lambda text: text != ref))
    return sequence, Variant(contig="c", position=start + 1, ref=ref, alt=alt)


@given(_changes(), st.sampled_from(Strand))
def test_sequence_and_images_agree_with_brute_force(change: tuple[str, Variant], strand: Strand) -> None:
    sequence, variant = change
    sense, genome, size = Sense("c", strand), ToyGenome("c", sequence), len(sequence)
    changed = sequence[: variant.position - 1] + variant.alt + sequence[variant.end :]
    ref_text, alt_text = sequence, changed
    first = 0
    if strand is Strand.MINUS:
        ref_text, alt_text, first = reverse_complement(sequence), reverse_complement(changed), -size
    edit = edit_of(variant, sense, genome)
    assert edit.shift == len(variant.alt) - len(variant.ref)
    assert Allele(sense, genome).sequence(first, first + size) == ref_text
    allele = Allele(sense, genome, edit)
    for start in range(0, size + edit.shift, 3):
        for end in range(start, size + edit.shift + 1, 2):
            assert allele.sequence(first + start, first + end) == alt_text[start:end]

    for boundary in range(size + 1):
        images = {image - first for image in edit.images(first + boundary)}
        # Brute force: b maps to b if everything before it is unchanged, to b + shift if everything after it is.
        prefix = alt_text.startswith(ref_text[:boundary])
        suffix = alt_text.endswith(ref_text[boundary:]) and boundary + edit.shift >= 0
        possible = {boundary} if prefix else set()
        possible |= {boundary + edit.shift} if suffix else set()
        if edit.shift == 0:
            assert images == {boundary}
        elif edit.start == edit.end or not edit.alt:
            # Within the same allele pair, a pure indel's images are exactly the ones that leave either side intact.
            assert images == possible
        else:
            assert images <= possible
            assert bool(images) == (not edit.start < first + boundary < edit.end)
        for image in images:
            assert first + boundary in edit.preimages(first + image)


@given(_changes(), st.sampled_from(Strand))
def test_every_unchanged_base_keeps_its_letter(change: tuple[str, Variant], strand: Strand) -> None:
    sequence, variant = change
    sense, genome = Sense("c", strand), ToyGenome("c", sequence)
    edit = edit_of(variant, sense, genome)
    ref, alt = Allele(sense, genome), Allele(sense, genome, edit)
    for position in range(1, len(sequence) + 1):
        base = sense.base(position)
        assert sense.position(base) == position
        letter = ref.sequence(base, base + 1)
        inside = edit.start <= base < edit.end
        if not inside:
            assert edit.base_images(base)
        if not inside or edit.shift:
            assert all(alt.sequence(image, image + 1) == letter for image in edit.base_images(base))

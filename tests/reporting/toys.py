"""Interpretations and tracks made by hand: one for each thing that a report has to show well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from agentic_spliceai.records.interpretation import GeneInterpretation, Interpretation
from agentic_spliceai.splice_engine.base_layer.results import (
    ChangeKind,
    ContextReport,
    DeltaScores,
    Mask,
    Provenance,
    SiteChange,
    SiteTrack,
    SpliceClass,
    SpliceDelta,
    Thresholds,
    VariantTracks,
)
from agentic_spliceai.splice_engine.consequence.types import (
    Consequence,
    EventType,
    Frame,
    NmdPrediction,
    SpliceEvent,
    Strength,
    TranscriptEffect,
)
from agentic_spliceai.splice_engine.genome.types import GenomeBuild, Interval, Strand, Transcript, Variant
from agentic_spliceai.splice_engine.meta_layer.results import DeltaPrediction, MetaStatus, TriageResult

D, A = SpliceClass.DONOR, SpliceClass.ACCEPTOR
Sites = dict[tuple[int, int, SpliceClass], tuple[float, float]]

THRESHOLDS = Thresholds(weak=0.2, moderate=0.5, strong=0.8, source="SpliceAI, Jaganathan et al. 2019", calibrated=False)
PROVENANCE = Provenance(
    predictor="openspliceai",
    version="1.0-mane-400nt",
    weights_sha256=tuple(f"{i}" * 64 for i in "12345"),
    build=GenomeBuild.GRCH38,
    genome_id="GRCh38.primary.fa, 3,099,750,718 bytes",
    annotation_source="MANE v1.3 GRCh38 (GENCODE)",
    annotation_sha256="ab" * 32,
    context=400,
    distance=500,
    mask=Mask.ANNOTATED,
    thresholds=THRESHOLDS,
)
NO_MODEL = TriageResult(status=MetaStatus.NO_TRAINED_MODEL, message="There is no trained meta-layer model yet.")


@dataclass(frozen=True)
class Toy:
    """An interpretation and its tracks by gene_id."""

    interpretation: Interpretation
    tracks: dict[str, VariantTracks]


def make_tracks(
    variant: Variant, strand: Strand, sites: Sites, distance: int = 500, unseen: tuple[int, int] | None = None
) -> VariantTracks:
    """Return tracks with the probabilities named in `sites` and near nothing elsewhere."""
    first, last = variant.position - distance, variant.position + distance
    ref_keys = [(p, 0) for p in range(first, last + 1)]
    bases = {key: "ACGT"[(key[0] * 7 // 3) % 4] for key in ref_keys}
    for i, base in enumerate(variant.ref):
        bases[variant.position + i, 0] = base
    if unseen:
        bases.update({(p, 0): "N" for p in range(unseen[0], unseen[1] + 1)})
    alt = dict(bases)
    shared = min(len(variant.ref), len(variant.alt))
    for i in range(shared):
        alt[variant.position + i, 0] = variant.alt[i]
    for i in range(shared, len(variant.ref)):
        del alt[variant.position + i, 0]
    for k, base in enumerate(variant.alt[shared:], start=1):
        alt[variant.position + shared - 1, k] = base
    noise = np.random.default_rng(7)

    def track(letters: dict[tuple[int, int], str], which: int) -> SiteTrack:
        keys = sorted(letters)
        probabilities = np.zeros((1, len(keys), 3), np.float32)
        probabilities[0, :, :2] = noise.uniform(0, 0.004, (len(keys), 2))
        for i, (position, inserted) in enumerate(keys):
            for site in (D, A):
                values = sites.get((position, inserted, site))
                if values is not None:
                    probabilities[0, i, site] = values[which]
        probabilities[0, :, 2] = 1 - probabilities[0, :, :2].sum(axis=1)
        return SiteTrack(
            strand=strand,
            positions=np.array([k[0] for k in keys], np.int64),
            insert_offsets=np.array([k[1] for k in keys], np.int32),
            bases="".join(letters[k] for k in keys),
            probabilities=probabilities,
            logits=np.log(probabilities + 1e-9),
        )

    return VariantTracks(ref=track(bases, 0), alt=track(alt, 1))


def change(
    kind: ChangeKind,
    variant: Variant,
    position: int,
    ref: float,
    alt: float,
    annotated: bool = False,
    inserted: int = 0,
) -> SiteChange:
    return SiteChange(
        kind=kind, score=round(abs(alt - ref), 6), position=position, offset=position - variant.position,
        insert_offset=inserted, ref_score=ref, alt_score=alt, annotated=annotated,
    )  # fmt: skip


def scores(variant: Variant, changes: tuple[SiteChange, ...]) -> tuple[DeltaScores, DeltaScores]:
    """Return raw and masked scores; kinds not given have a tiny change at the variant."""
    by_kind = {c.kind: c for c in changes}
    raw = {kind.value: by_kind.get(kind, change(kind, variant, variant.position, 0.001, 0.001)) for kind in ChangeKind}
    masked = {
        name: c.model_copy(update={"score": 0.0}) if name.endswith("gain") == c.annotated else c
        for name, c in raw.items()
    }
    return DeltaScores(**raw), DeltaScores(**masked)


def make_gene(
    name: str,
    variant: Variant,
    strand: Strand,
    exons: tuple[tuple[int, int], ...],
    cds: tuple[tuple[int, int], ...],
    sites: Sites,
    changes: tuple[SiteChange, ...],
    events: tuple[SpliceEvent, ...],
    verdict: str,
    hgvs_c: str | None,
    region: str,
    *,
    context: ContextReport | None = None,
    provenance: Provenance = PROVENANCE,
    limits: tuple[str, ...] = ("Regulatory elements further away than the context are not seen by this model.",),
    triage: TriageResult = NO_MODEL,
    prediction: DeltaPrediction | None = None,
    unseen: tuple[int, int] | None = None,
    transcript_id: str = "",
) -> tuple[GeneInterpretation, VariantTracks]:
    """Return one gene's interpretation and its tracks."""
    transcript_id = transcript_id or f"NM_{name}.4"
    raw, masked = scores(variant, changes)
    gene = GeneInterpretation(
        gene_id=f"ID_{name}",
        gene_name=name,
        transcript=Transcript(
            id=transcript_id, gene_id=f"ID_{name}", gene_name=name, contig=variant.contig, strand=strand,
            exons=exons, cds=cds, biotype="protein_coding", tags=("MANE_Select",),
        ),
        other_transcripts=("NM_other.1", "NM_other.2"),
        delta=SpliceDelta(
            variant=variant, gene_id=f"ID_{name}", gene_name=name, transcript_id=transcript_id, strand=strand,
            provenance=provenance, window_start=variant.position - provenance.distance,
            window_end=variant.position + provenance.distance,
            context=context or ContextReport(total=1401, real=1401, outside_gene=0, no_sequence=0, past_contig_end=0),
            raw=raw, masked=masked,
        ),
        triage=triage,
        delta_prediction=prediction,
        consequence=Consequence(
            variant=variant, gene_name=name, transcript_id=transcript_id, strand=strand, hgvs_c=hgvs_c, region=region,
            events=events, verdict=verdict, limits=limits,
        ),
    )  # fmt: skip
    return gene, make_tracks(variant, strand, sites, provenance.distance, unseen)


def wrap(
    variant: Variant,
    genes: tuple[tuple[GeneInterpretation, VariantTracks], ...],
    *,
    text: str | None = None,
    is_demo: bool = False,
    unknowns: tuple[str, ...] = ("No population frequency was looked up.",),
) -> Toy:
    """Return a whole interpretation."""
    return Toy(
        Interpretation(
            run_id="4f1c9a2e-77aa-4c11-9e7e-0a1b2c3d4e5f",
            created_at=datetime(2025, 11, 21, 3, 11, 12, tzinfo=UTC),
            software_version="0.1.0",
            text=text or str(variant),
            variant=variant,
            genes=tuple(gene for gene, _ in genes),
            verdict=genes[0][0].consequence.verdict,
            is_demo=is_demo,
            unknowns=unknowns,
            timings={"resolve": 0.0123, "base_scores": 1.874, "consequence": 0.031},
        ),
        {gene.gene_id: tracks for gene, tracks in genes},
    )


def shift() -> Toy:
    """MYBPC3 c.1227-13G>A in small: minus strand, a new acceptor makes exon 14 eleven nucleotides longer."""
    v = Variant(contig="chr11", position=47343158, ref="C", alt="T", build=GenomeBuild.GRCH38)
    exons = (
        (47342500, 47342700),
        (47342735, 47342875),
        (47343030, 47343145),
        (47343250, 47343330),
        (47343480, 47343640),
    )
    gain = change(ChangeKind.ACCEPTOR_GAIN, v, 47343156, 0.012, 0.934)
    loss = change(ChangeKind.ACCEPTOR_LOSS, v, 47343145, 0.981, 0.243, annotated=True)
    donor = change(ChangeKind.DONOR_GAIN, v, 47343031, 0.93, 0.952, annotated=True)
    sites: Sites = {
        (47343156, 0, A): (0.012, 0.934), (47343145, 0, A): (0.981, 0.243), (47343031, 0, D): (0.93, 0.952),
        (47343251, 0, D): (0.991, 0.99), (47343330, 0, A): (0.96, 0.958), (47343481, 0, D): (0.97, 0.97),
        (47343640, 0, A): (0.93, 0.93), (47342875, 0, A): (0.88, 0.89), (47342736, 0, D): (0.91, 0.91),
        (47342700, 0, A): (0.9, 0.9), (47343060, 0, D): (0.06, 0.05), (47343400, 0, A): (0.03, 0.04),
        (47342950, 0, D): (0.11, 0.12), (47343150, 0, A): (0.02, 0.09),
    }  # fmt: skip
    effect = TranscriptEffect(
        frame=Frame.FRAMESHIFT, mrna_length_change=11, protein_length_ref=1274, protein_length_alt=420,
        first_changed_residue=410, stop_residue=421, hgvs_p="p.(Gly410AlafsTer12)", nmd=NmdPrediction.PREDICTED,
        nmd_reason="the stop codon lies 2,345 nt before the last exon junction, more than 50 nt",
    )  # fmt: skip
    events = (
        SpliceEvent(
            type=EventType.ACCEPTOR_SHIFT, strength=Strength.MODERATE, score=0.738, support=(gain, loss),
            interval=Interval(contig="chr11", start=47343145, end=47343156), exon_number=3, cryptic_position=47343156,
            length_change=11, effect=effect,
            description="A new acceptor 11 nt upstream of exon 3 makes the exon 11 nt longer.",
        ),
        SpliceEvent(
            type=EventType.EXON_SKIPPING, strength=Strength.MODERATE, score=0.738, support=(loss,),
            interval=Interval(contig="chr11", start=47343030, end=47343145), exon_number=3, length_change=-115,
            alternative=True, description="If the lost acceptor is not replaced, exon 3 (115 nt) is skipped.",
        ),
    )  # fmt: skip
    gene = make_gene(
        "MYBPC3", v, Strand.MINUS, exons, ((47342600, 47342700), *exons[1:4], (47343480, 47343500)), sites,
        (gain, loss, donor), events,
        "A new acceptor 13 nt before exon 3 makes the exon 11 nt longer, with a frameshift and decay predicted.",
        "NM_000256.3:c.1227-13G>A", "intron 2, 13 nt before exon 3",
        context=ContextReport(total=1401, real=1390, outside_gene=0, no_sequence=11, past_contig_end=0),
    )  # fmt: skip
    return wrap(v, (gene,))


def skipping() -> Toy:
    """A donor lost on the plus strand: the exon is skipped in frame; calibrated; a meta-layer that speaks."""
    v = Variant(contig="chr17", position=200601, ref="G", alt="A", build=GenomeBuild.GRCH37)
    exons = ((200100, 200220), (200480, 200600), (200900, 201050))
    loss = change(ChangeKind.DONOR_LOSS, v, 200600, 0.989, 0.004, annotated=True)
    other = change(ChangeKind.ACCEPTOR_LOSS, v, 200481, 0.94, 0.31, annotated=True)
    cryptic = change(ChangeKind.DONOR_GAIN, v, 200571, 0.03, 0.259)
    sites: Sites = {
        (200220, 0, D): (0.97, 0.97), (200481, 0, A): (0.94, 0.31), (200600, 0, D): (0.989, 0.004),
        (200571, 0, D): (0.03, 0.259), (200901, 0, A): (0.95, 0.95), (201050, 0, D): (0.9, 0.9),
        (200590, 0, D): (0.011, 0.06),
    }  # fmt: skip
    effect = TranscriptEffect(
        frame=Frame.IN_FRAME, mrna_length_change=-120, protein_length_ref=393, protein_length_alt=353,
        first_changed_residue=74, hgvs_p="p.(Val74_Lys113del)", nmd=NmdPrediction.NOT_APPLICABLE,
        nmd_reason="no premature stop codon",
    )  # fmt: skip
    event = SpliceEvent(
        type=EventType.EXON_SKIPPING, strength=Strength.STRONG, score=0.985, support=(loss, other),
        interval=Interval(contig="chr17", start=200480, end=200600), exon_number=2, length_change=-120, effect=effect,
        description="The donor of exon 2 is lost and the exon (120 nt) is skipped, in frame.",
    )  # fmt: skip
    provenance = PROVENANCE.model_copy(
        update={
            "predictor": "spliceai", "version": "1.3.1", "build": GenomeBuild.GRCH37, "context": 10000,
            "thresholds": THRESHOLDS.model_copy(update={"calibrated": True}),
        }
    )  # fmt: skip
    gene = make_gene(
        "TP53", v, Strand.PLUS, exons, exons, sites, (loss, other, cryptic), (event,),
        "The donor of exon 2 is lost: the exon is skipped, 40 amino acids are missing, the frame is kept.",
        "NM_000546.6:c.340+1G>A", "intron 2, first base", provenance=provenance,
        triage=TriageResult(
            status=MetaStatus.PREDICTED, message="The meta-layer calls the variant splice-altering.", probability=0.973,
            probability_low=0.91, probability_high=0.99, threshold=0.42, model_card_sha256="cd" * 32,
        ),
        prediction=DeltaPrediction(
            status=MetaStatus.PREDICTED, message="Deltas as the meta-layer recalibrates them.",
            donor=-0.91, acceptor=-0.37,
        ),
    )  # fmt: skip
    return wrap(v, (gene,), text="17:200601 G>A")


def pseudoexon() -> Toy:
    """CFTR c.3718-2477C>T in small: a weak pair of gains 84 nt apart, deep in an intron, all below the threshold."""
    v = Variant(contig="chr7", position=117639961, ref="C", alt="T", build=GenomeBuild.GRCH38)
    acceptor = change(ChangeKind.ACCEPTOR_GAIN, v, 117639877, 0.02, 0.12)
    donor = change(ChangeKind.DONOR_GAIN, v, 117639960, 0.09, 0.25).model_copy(update={"score": 0.16})
    sites: Sites = {(117639877, 0, A): (0.02, 0.12), (117639960, 0, D): (0.09, 0.25), (117639700, 0, A): (0.05, 0.05)}
    event = SpliceEvent(
        type=EventType.PSEUDOEXON, strength=Strength.WEAK, score=0.10, support=(donor, acceptor),
        interval=Interval(contig="chr7", start=117639876, end=117639960), intron_number=22, length_change=84,
        cryptic_position=117639960, description="A weak pair of new sites bounds a candidate pseudoexon of 84 nt.",
        effect=TranscriptEffect(
            frame=Frame.UNKNOWN, mrna_length_change=84, nmd=NmdPrediction.UNKNOWN,
            nmd_reason="the sequence of the pseudoexon was not translated",
        ),
    )  # fmt: skip
    exons = ((117611000, 117611200), (117642000, 117642250))
    gene = make_gene(
        "CFTR", v, Strand.PLUS, exons, exons, sites, (acceptor, donor), (event,),
        "A weak candidate pseudoexon of 84 nt in intron 1.", "NM_000492.4:c.3718-2477C>T", "intron 1, deep",
    )  # fmt: skip
    return wrap(v, (gene,))


def nothing() -> Toy:
    """No change at all, and no position that reaches a hundredth."""
    v = Variant(contig="chr2", position=5000, ref="A", alt="G", build=GenomeBuild.GRCH38)
    event = SpliceEvent(
        type=EventType.NONE, strength=Strength.WEAK, score=0, support=(), description="No splice change is predicted."
    )
    gene = make_gene(
        "QUIET", v, Strand.PLUS, ((3000, 3300), (8000, 8400)), (), {}, (), (event,), "No splice change is predicted.",
        None, "intron 1", provenance=PROVENANCE.model_copy(update={"distance": 50}),
    )  # fmt: skip
    return wrap(v, (gene,))


def opposite() -> Toy:
    """Two genes on opposite strands: one loses a donor, the other is untouched."""
    v = Variant(contig="chr9", position=70100, ref="GT", alt="CA", build=GenomeBuild.GRCH38)
    loss = change(ChangeKind.DONOR_LOSS, v, 70099, 0.91, 0.02, annotated=True)
    minus = change(ChangeKind.ACCEPTOR_GAIN, v, 70180, 0.41, 0.645, annotated=True)
    event = SpliceEvent(
        type=EventType.INTRON_RETENTION, strength=Strength.STRONG, score=0.89, support=(loss,), intron_number=1,
        interval=Interval(contig="chr9", start=70099, end=70290), length_change=191,
        description="Intron 1 (191 nt) is retained.",
        effect=TranscriptEffect(
            frame=Frame.NON_CODING, mrna_length_change=191, nmd=NmdPrediction.NOT_APPLICABLE, nmd_reason="non-coding"
        ),
    )  # fmt: skip
    none = SpliceEvent(
        type=EventType.NONE, strength=Strength.WEAK, score=0, support=(), description="No splice change is predicted."
    )
    first = make_gene(
        "FWD1", v, Strand.PLUS, ((69900, 70099), (70290, 70500)), (),
        {(70099, 0, D): (0.91, 0.02), (70291, 0, A): (0.9, 0.6)}, (loss,), (event,), "Intron 1 is retained.",
        "NR_01234.1:n.200_201delinsCA", "intron 1, first two bases",
    )  # fmt: skip
    second = make_gene(
        "REV2", v, Strand.MINUS, ((69000, 70180), (70400, 70460), (70520, 71000)), ((70000, 70180), (70400, 70450)),
        {(70180, 0, A): (0.41, 0.645), (70401, 0, D): (0.99, 0.99), (70460, 0, A): (0.8, 0.8),
         (70521, 0, D): (0.7, 0.7)},
        (minus,), (none,), "No splice change is predicted.", "NM_0777.2:c.55_56delinsTG", "exon 2",
    )  # fmt: skip
    return wrap(v, (first, second))


def insertion() -> Toy:
    """An insertion of 25 nt with a donor inside the inserted bases, minus strand, missing sequence."""
    inserted = "GGTACCTTAAGCCATTTACGACCTG"
    v = Variant(contig="chrX", position=31000, ref="A", alt="A" + inserted, build=GenomeBuild.GRCH38)
    gain = change(ChangeKind.DONOR_GAIN, v, 31000, 0.002, 0.873, inserted=9)
    loss = change(ChangeKind.DONOR_LOSS, v, 30981, 0.85, 0.34, annotated=True)
    event = SpliceEvent(
        type=EventType.DONOR_SHIFT, strength=Strength.MODERATE, score=0.51, support=(gain, loss), exon_number=1,
        interval=Interval(contig="chrX", start=30980, end=31000), cryptic_position=31000, length_change=-35,
        description="A donor inside the inserted bases replaces the donor of exon 1.",
        effect=TranscriptEffect(
            frame=Frame.FRAMESHIFT, mrna_length_change=-35, protein_length_ref=211, protein_length_alt=None,
            first_changed_residue=17, hgvs_p="p.(Leu17fs)", nmd=NmdPrediction.UNKNOWN,
            nmd_reason="no stop codon before the end of the sequence that is known",
        ),
    )  # fmt: skip
    sites: Sites = {
        (31000, 9, D): (0.0, 0.873), (30981, 0, D): (0.85, 0.34), (30901, 0, A): (0.92, 0.9), (30800, 0, D): (0.9, 0.9)
    }  # fmt: skip
    gene = make_gene(
        "DMDX", v, Strand.MINUS, ((30799, 30901), (30980, 31080)), ((30799, 30901), (30980, 31040)), sites,
        (gain, loss), (event,), "A new donor in the inserted bases shortens exon 1.", "NM_004006.3:c.61_62ins[25]",
        "exon 1",
        context=ContextReport(total=1401, real=401, outside_gene=620, no_sequence=320, past_contig_end=60),
        unseen=(31081, 31500),
    )  # fmt: skip
    return wrap(v, (gene,), unknowns=())


def deletion() -> Toy:
    """A deletion of 7 nt across an acceptor on the plus strand."""
    v = Variant(contig="chr3", position=9000, ref="CAGGTTAC", alt="C", build=GenomeBuild.GRCH38)
    loss = change(ChangeKind.ACCEPTOR_LOSS, v, 9003, 0.96, 0.0, annotated=True)
    gain = change(ChangeKind.ACCEPTOR_GAIN, v, 9031, 0.04, 0.56)
    event = SpliceEvent(
        type=EventType.ACCEPTOR_SHIFT, strength=Strength.MODERATE, score=0.52, support=(loss, gain), exon_number=2,
        interval=Interval(contig="chr3", start=9002, end=9030), cryptic_position=9031, length_change=-28,
        description="The acceptor moves 28 nt into exon 2.",
    )  # fmt: skip
    gene = make_gene(
        "DELG", v, Strand.PLUS, ((8700, 8800), (9002, 9150)), ((8700, 8800), (9002, 9150)),
        {(9003, 0, A): (0.96, 0), (9031, 0, A): (0.04, 0.56), (8800, 0, D): (0.9, 0.9), (9150, 0, D): (0.97, 0.96)},
        (loss, gain), (event,), "The acceptor of exon 2 moves 28 nt downstream.", "NM_1.1:c.101-2_105del",
        "intron 1 to exon 2",
    )  # fmt: skip
    return wrap(v, (gene,))


def demo() -> Toy:
    """The synthetic minigene."""
    v = Variant(contig="demo1", position=1200, ref="G", alt="A", build=GenomeBuild.DEMO)
    loss = change(ChangeKind.DONOR_LOSS, v, 1199, 0.97, 0.05, annotated=True)
    event = SpliceEvent(
        type=EventType.EXON_SKIPPING, strength=Strength.STRONG, score=0.92, support=(loss,), exon_number=2,
        interval=Interval(contig="demo1", start=1080, end=1199), length_change=-119,
        description="Exon 2 (119 nt) is skipped.",
    )  # fmt: skip
    gene = make_gene(
        "DEMO", v, Strand.PLUS, ((800, 900), (1080, 1199), (1400, 1550)), ((850, 900), (1080, 1199), (1400, 1500)),
        {(900, 0, D): (0.9, 0.9), (1081, 0, A): (0.88, 0.7), (1199, 0, D): (0.97, 0.05), (1401, 0, A): (0.9, 0.9)},
        (loss,), (event,), "The donor of exon 2 is lost: exon 2 is skipped.", "DEMO.1:c.170+1G>A",
        "intron 2, first base",
        provenance=PROVENANCE.model_copy(update={"build": GenomeBuild.DEMO, "distance": 50}),
    )  # fmt: skip
    return wrap(v, (gene,), is_demo=True)


ALL = {
    f.__name__: f for f in (shift, skipping, pseudoexon, nothing, opposite, insertion, deletion, demo)
}  # fmt: skip

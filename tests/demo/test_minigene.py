from itertools import pairwise
from pathlib import Path

from agentic_spliceai.demo.minigene import CONTIG, make_minigene, write_minigene
from agentic_spliceai.splice_engine.base_layer.registry import load_base_model
from agentic_spliceai.splice_engine.base_layer.scoring import score_variant
from agentic_spliceai.splice_engine.genome.bundle import open_genome
from agentic_spliceai.splice_engine.genome.types import Variant
from agentic_spliceai.splice_engine.resources import ResourceResolver

SHIPPED = Path(__file__).resolve().parents[2] / "agentic_spliceai" / "demo"


def test_shipped_files_are_what_the_script_writes(tmp_path: Path) -> None:
    write_minigene(tmp_path)
    for name in ("minigene.fa", "minigene.fa.fai", "minigene.gtf"):
        assert (tmp_path / name).read_text() == (SHIPPED / name).read_text(), name


def test_structure() -> None:
    sequence, exons, (start, end) = make_minigene()
    mrna = "".join(sequence[a:b] for a, b in exons)
    coding = mrna[start - exons[0][0] : len(mrna) - (exons[-1][1] - end)]
    assert len(exons) >= 3
    assert coding.startswith("ATG")
    codons = [coding[i : i + 3] for i in range(0, len(coding), 3)]
    assert codons[-1] in {"TAA", "TAG", "TGA"}
    assert not {"TAA", "TAG", "TGA"} & set(codons[:-1])
    for (_, left), (right, _) in pairwise(exons):
        assert sequence[left : left + 2] == "GT"
        assert sequence[right - 2 : right] == "AG"


def test_the_shipped_model_sees_every_site_and_its_loss(tmp_path: Path) -> None:
    resolver = ResourceResolver(tmp_path, allow_download=False)
    bundle = open_genome("demo", resolver, cache_dir=tmp_path)
    model = load_base_model("small", resolver)
    assert bundle.is_demo
    exons = make_minigene()[1]
    sequence = bundle.genome.fetch_padded(CONTIG, 0, bundle.genome.contig_length(CONTIG))
    for (_, left), (right, _) in pairwise(exons):
        for position, ref, alt in ((left + 1, "G", "A"), (right, "G", "C")):
            assert sequence[position - 1] == ref
            variant = Variant(contig=CONTIG, position=position, ref=ref, alt=alt)
            [delta] = score_variant(variant, bundle.genome, bundle.annotation, model)
            lost = max(delta.masked.donor_loss, delta.masked.acceptor_loss, key=lambda change: change.score)
            assert lost.score > 0.5
            assert lost.position in {left, right + 1}

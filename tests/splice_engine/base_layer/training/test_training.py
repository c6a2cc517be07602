"""Training end to end on planted signals: it learns, resumes, is exported, evaluated and described."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agentic_spliceai.splice_engine.base_layer.channels_last import forward_channels_last
from agentic_spliceai.splice_engine.base_layer.loaders import load_safetensors
from agentic_spliceai.splice_engine.base_layer.network import NetworkSpec, SpliceNetwork
from agentic_spliceai.splice_engine.base_layer.training.card import build_card, render_card
from agentic_spliceai.splice_engine.base_layer.training.cli import count, main
from agentic_spliceai.splice_engine.base_layer.training.corpus import Corpus
from agentic_spliceai.splice_engine.base_layer.training.evaluate import evaluate
from agentic_spliceai.splice_engine.base_layer.training.export import export_members, read_member, read_metadata
from agentic_spliceai.splice_engine.base_layer.training.loop import Limits, Trainer, TrainSettings
from agentic_spliceai.splice_engine.base_layer.training.predict import score_span
from agentic_spliceai.splice_engine.base_layer.training.split import TEST, ChromosomeSplit
from agentic_spliceai.splice_engine.errors import ResourceError, SettingError
from tests.splice_engine.base_layer.training.toys import planted_corpus

SETTINGS = TrainSettings(
    context=80, width=200, batch=8, empty_fraction=0.5, steps=90, warmup=5, learning_rate=5e-3, settle_batches=10,
    ema_decay=0.9, bn_momentum=0.1, autocast=False,
)  # fmt: skip
LIMITS = Limits(max_minutes=5)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    made = planted_corpus(("chr1", "chr2", "chr4", "chr6", "chr13"), length=6000, flank=40)
    made.about.update(
        build="toy", genome="toy.fa", genome_sha256="0" * 64, annotation="planted", annotation_sha256="1" * 64,
        split={"test": ["chr1"], "validation": ["chr13"], "left_out": [["chr21", 5_000_000, 9_000_000]]},
        paralog_window=41, paralogs=[], counts=count(made), corpus_sha256=made.digest(),
    )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def trained(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    corpus.save(folder)
    Trainer(corpus, SETTINGS, LIMITS, folder / "member-1", "a toy").run()
    return folder


@pytest.fixture(scope="module")
def weights(corpus: Corpus, trained: Path) -> Path:
    path = trained / "small-400nt.safetensors"
    export_members([trained / "member-1", trained / "member-1"], corpus.about, path)
    return path


@pytest.mark.parametrize("context", [80, 400])
def test_channels_last_forward_is_the_networks_own(context: int) -> None:
    torch.manual_seed(0)
    network = SpliceNetwork(NetworkSpec.for_context(context)).train()
    batch = torch.nn.functional.one_hot(torch.randint(4, (2, context + 50)), 4).float().transpose(1, 2)
    own = network(batch)
    torch.testing.assert_close(forward_channels_last(network, batch, autocast=False), own, rtol=1e-4, atol=1e-4)
    network.eval()
    torch.testing.assert_close(
        forward_channels_last(network, batch, autocast=False), network(batch), rtol=1e-4, atol=1e-4
    )


def test_it_finds_planted_sites_of_a_contig_it_never_saw(corpus: Corpus, weights: Path) -> None:
    found = evaluate(
        corpus, weights, None, context=80, cache=None, draws=20, seed=0, nucleotides=None
    )  # fmt: skip
    assert found["test"]["contigs"] == ["chr1"]
    (mean,) = [row for row in found["rows"] if row["member"] is None]
    for figures in mean["panels"]["all genes"].values():
        assert figures["sites"] == 59
        assert figures["top_k"]["value"] > 0.95
        assert figures["pr_auc"]["value"] > 0.95
        assert figures["expected_over_observed_sites"] == pytest.approx(1.0, abs=0.25)


def test_scores_do_not_depend_on_where_pieces_are_cut(corpus: Corpus, weights: Path) -> None:
    network = load_safetensors(weights, 80)[0]
    (locus,) = corpus.of(TEST)
    whole = score_span([network], corpus, locus.offset, locus.offset + locus.length)[0]
    np.testing.assert_allclose(whole.sum(axis=1), 1.0, atol=1e-5)
    part = score_span([network], corpus, locus.offset + 300, locus.offset + 1300)[0]
    np.testing.assert_allclose(part[40:-40], whole[340:1260], atol=1e-5)


def test_a_stopped_run_continues_where_it_was(corpus: Corpus, tmp_path: Path) -> None:
    folder = tmp_path / "member"
    first = Trainer(corpus, SETTINGS, replace(LIMITS, max_minutes=0.0), folder, "a toy").run()
    assert first["finished"] is False
    assert first["steps"] == 0
    again = Trainer(corpus, SETTINGS, LIMITS, folder, "a toy")
    again.state.decay_from, again.state.decay_steps = 0, 4
    record = again.run()
    assert record["finished"] is True
    assert record["steps"] == 4
    resumed = Trainer(corpus, SETTINGS, LIMITS, folder, "a toy")
    assert resumed.state.step == 4
    assert len(resumed.history) == 2
    for a, b in zip(resumed.network.state_dict().values(), again.network.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    with pytest.raises(SettingError, match="other settings"):
        Trainer(corpus, replace(SETTINGS, batch=4), LIMITS, folder, "a toy")


def test_the_time_limit_brings_the_decay_forward(corpus: Corpus, tmp_path: Path) -> None:
    trainer = Trainer(corpus, SETTINGS, Limits(max_minutes=10.0), tmp_path, "a toy")
    trainer.state.step, trainer.state.minutes = 20, 5.0
    trainer._maybe_decay()
    assert trainer.state.decay_from is None
    trainer.state.minutes = 6.0
    trainer._maybe_decay()
    assert trainer.state.decay_from == 20
    # 20 steps in 6 minutes, 4 minutes left, a tenth in reserve.
    assert trainer.state.decay_steps == int(0.9 * 4 * 20 / 6)


def test_export_loads_as_float32_and_keeps_the_record(trained: Path, weights: Path) -> None:
    kept, _ = read_member(trained / "member-1")
    network = load_safetensors(weights, 80)[1]
    assert all(value.dtype == torch.float32 for name, value in network.named_parameters())
    torch.testing.assert_close(network.initial.weight, kept["initial.weight"], rtol=1e-3, atol=1e-4)
    metadata = read_metadata(weights)
    assert (metadata["members"], metadata["seeds"], metadata["context"]) == (2, [1, 1], 80)
    assert metadata["training"][0]["settings"]["width"] == 200
    assert metadata["corpus"]["genome_sha256"] == "0" * 64


def test_the_card_says_what_was_measured(corpus: Corpus, weights: Path, trained: Path) -> None:
    found = evaluate(corpus, weights, None, context=80, cache=trained / "scores", draws=20, seed=0, nucleotides=None)
    again = evaluate(corpus, weights, None, context=80, cache=trained / "scores", draws=20, seed=0, nucleotides=None)
    assert again == found
    card = json.loads(json.dumps(build_card(read_metadata(weights), found)))
    text = render_card(card)
    figures = card["evaluation"]["rows"][-1]["panels"]["all genes"]["donor"]
    assert f"{figures['pr_auc']['value']:.4f}" in text
    assert card["evaluation"]["weights_sha256"] in text
    assert "chr21:5,000,001-9,000,000" in text
    assert str(trained) not in text + json.dumps(card)


def test_commands_say_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--out", str(tmp_path)]) == 2
    assert "Run the `prepare` command first" in capsys.readouterr().err
    assert main(["export", "--out", str(tmp_path)]) == 2
    assert "no trained member" in capsys.readouterr().err
    with pytest.raises(ResourceError, match="no trained weights"):
        read_member(tmp_path)


def test_commands_from_files_to_weights(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    contigs = {name: "".join(np.array(list("ACGT"))[rng.integers(4, size=1500)]) for name in ("chr1", "chr2", "chr13")}
    (tmp_path / "g.fa").write_text("".join(f">{n}\n{s}\n" for n, s in contigs.items()), encoding="utf-8")
    rows = ["#!genome-build GRCh38\n"]
    for name in contigs:
        tags = f'gene_id "{name}g"; transcript_id "{name}t"; gene_name "{name}g"; gene_biotype "protein_coding";'
        rows += [f"{name}\ttoy\t{kind}\t101\t1400\t.\t-\t.\t{tags}\n" for kind in ("gene", "transcript")]
        rows += [f"{name}\ttoy\texon\t{a}\t{b}\t.\t-\t.\t{tags}\n" for a, b in ((101, 400), (601, 800), (1201, 1400))]
    (tmp_path / "a.gtf").write_text("".join(rows), encoding="utf-8")
    out = ["--out", str(tmp_path / "out")]
    files = ["--genome", str(tmp_path / "g.fa"), "--annotation", str(tmp_path / "a.gtf"), "--context", "80"]
    assert main(["prepare", *out, *files]) == 0
    corpus = Corpus.load(tmp_path / "out")
    counts = corpus.about["counts"]
    assert isinstance(counts, dict)
    assert counts["train"] == {"genes": 1, "loci": 1, "positions": 1300, "donors": 2, "acceptors": 2}
    split = corpus.about["split"]
    assert isinstance(split, dict)
    assert split["test"] == list(ChromosomeSplit().test)
    assert split["left_out"] == [["chr21", 5_000_000, 9_000_000]]
    small = ["--context", "80", "--width", "100", "--batch", "2", "--steps", "2", "--warmup", "1", "--no-bf16"]
    assert main(["train", *out, *small]) == 0
    assert main(["export", *out]) == 0
    assert len(load_safetensors(tmp_path / "out" / "small-400nt.safetensors", 80)) == 1

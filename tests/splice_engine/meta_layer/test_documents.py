"""Every Python block of the library page runs, and every example of the design documents is among them."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import Any

import pytest
import torch

from agentic_spliceai.splice_engine.meta_layer.checkpoint import load_checkpoint
from agentic_spliceai.splice_engine.meta_layer.config import PRESETS, MetaLayerConfig, ModelConfig
from agentic_spliceai.splice_engine.meta_layer.data.artifacts import write_artifacts
from agentic_spliceai.splice_engine.meta_layer.data.gene_rows import ArtifactSettings
from agentic_spliceai.splice_engine.meta_layer.data.schema import FEATURE_NAMES
from agentic_spliceai.splice_engine.meta_layer.data.variant_dataset import VariantDataset
from agentic_spliceai.splice_engine.meta_layer.inference import MetaPredictor
from agentic_spliceai.splice_engine.meta_layer.training.trainer import train
from tests.splice_engine.meta_layer.data.artifact_toys import toy_world
from tests.splice_engine.meta_layer.data.variant_toys import measured, toy_construct, toy_examples
from tests.tools.test_meta_tools import small_context, write_model

PAGE = Path(__file__).resolve().parents[3] / "docs" / "meta-layer.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)

DOCUMENTED = (
    "import MetaLayerConfig",
    "SequenceEncoderFactory.create",
    "ScoreEncoder(",
    "create_calibrated_predictor(",
    "load_analysis_sequences",
    "MetaPredictor.load",
)


def block(mark: str) -> str:
    (found,) = [text for text in BLOCKS if mark in text]
    return found


def run(mark: str) -> dict[str, Any]:
    space: dict[str, Any] = {}
    exec(compile(block(mark), f"{PAGE.name}: {mark}", "exec"), space)
    return space


def test_every_block_has_its_test() -> None:
    assert sorted(BLOCKS) == sorted(block(mark) for mark in DOCUMENTED)


def test_configuration() -> None:
    config = run("import MetaLayerConfig")["config"]
    assert config.artifacts_dir == Path("data/mane/GRCh38/openspliceai_eval/meta_models")
    assert config.genome_build == "GRCh38"


def test_encoders() -> None:
    encoder = run("SequenceEncoderFactory.create")["encoder"]
    assert encoder(torch.zeros(2, 4, 501)).shape == (2, 256)
    scores = run("ScoreEncoder(")["encoder"]
    assert scores(torch.zeros(2, 50)).shape == (2, 256)
    kinds = [type(module) for module in scores.modules()]
    assert torch.nn.LayerNorm in kinds
    assert torch.nn.GELU in kinds


def test_the_calibrated_predictor() -> None:
    model = run("create_calibrated_predictor(")["model"].eval()
    assert (model.strategy, model.quantile) == ("quantile", 0.9)
    one_hot = torch.nn.functional.one_hot(torch.randint(0, 4, (2, 101)), 4).transpose(1, 2).float()
    assert model(one_hot, one_hot).shape == (2, 101, 2)
    assert model(one_hot, one_hot).eq(0).all()
    # Below a large delta by 1 costs nine times what above by 1 does.
    low, high = (float(model.loss(torch.full((1,), x), torch.zeros(1) + 5)) for x in (4.0, 6.0))
    assert low == pytest.approx(9 * high)


def test_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contigs = {"chr1": "+", "chr2": "-", "chr4": "+", "chr13": "-"}
    world = toy_world(tmp_path / "world", contigs)
    settings = ArtifactSettings(fraction=0.1, minimum=20)
    write_artifacts(tmp_path / "artifacts", world.genome, world.annotation, world.model, settings=settings)
    monkeypatch.chdir(tmp_path)
    space = run("load_analysis_sequences")
    assert len(space["sequences"]) == len(space["features"]) == len(space["labels"])
    card = load_checkpoint(space["result"].best_checkpoint).card
    # What the page promises of the file: it can be used as it is.
    assert (card.task, card.window) == ("classification", 101)
    assert card.features == FEATURE_NAMES
    assert card.normaliser is not None
    assert card.base is not None
    predictor = MetaPredictor.load(space["result"].best_checkpoint)
    track = predictor.recalibrate(world.gene("chr1"), world.genome, world.model)
    assert track.recalibrated.all()


def test_a_trained_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ensemble").mkdir()
    write_model(tmp_path / "ensemble", small_context(tmp_path))
    monkeypatch.chdir(tmp_path)
    row = run("MetaPredictor.load")["row"]
    assert row.not_scored.code == "reference_mismatch"


def words(code: str) -> list[str]:
    """Names, numbers and texts of code, without what only joins them: the documents have lost some of that."""
    kinds = {tokenize.NAME, tokenize.NUMBER, tokenize.STRING}
    found = tokenize.generate_tokens(io.StringIO(code).readline)
    return [
        repr(ast.literal_eval(token.string)) if token.type == tokenize.STRING else token.string
        for token in found
        if token.type in kinds
    ]


def examples(document: str) -> list[str]:
    """Python examples, fenced or not: from an import on, as long as lines are code or comments."""
    found: list[str] = []
    lines = iter(document.splitlines())
    for line in lines:
        if not re.match(r"from agentic_spliceai\b", line):
            continue
        code, depth = [line], line.count("(") - line.count(")")
        for following in lines:
            is_code = re.match(r"\s*(#|from |import |[A-Za-z_]+ *[=.(])", following)
            if depth <= 0 and not is_code:
                break
            depth += following.count("(") - following.count(")")
            code.append(following)
        found.append("\n".join(code))
    return found


def test_the_design_documents_examples_are_on_the_page(mirror: Path) -> None:
    folder = mirror.parent / "design-documents"
    if not folder.is_dir():
        pytest.skip("the design documents do not lie beside the mirror")
    page = [words(text) for text in BLOCKS]
    seen = 0
    for path in sorted(folder.glob("*.md")):
        for example in examples(path.read_text(encoding="utf-8")):
            wanted = words(example)
            assert any(set(wanted) <= set(have) for have in page), f"{path.name}: {example}"
            exec(compile(example, path.name, "exec"), {})
            seen += 1
    assert seen >= 4


@pytest.mark.parametrize(
    ("name", "encoder_rate", "head_rate", "layers", "batch"),
    [("hyenadna_finetune", 5e-6, 5e-5, 2, 16 * 4), ("hyenadna_finetune_deep", 2.5e-6, 3e-5, 4, 8 * 8)],
)
def test_the_documents_fine_tuning(
    name: str, encoder_rate: float, head_rate: float, layers: int, batch: int, tmp_path: Path
) -> None:
    """The configuration of each shell command `--exp NAME`, trained with its rates on a network of toy size."""
    preset = MetaLayerConfig.preset(name)
    assert preset.training.batch_size * preset.training.accumulate == batch
    encoder = preset.model.options["encoder_options"]
    assert (encoder["model_name"], encoder["unfreeze_last"]) == ("hyenadna-medium-160k-seqlen", layers)
    shape = {"n_layer": 5, "d_model": 16, "d_inner": 32, "max_seq_len": 130, "emb_dim": 5}
    options = {"hidden_dim": 16, "encoder_options": {**encoder, "pretrained": False, "hyena_config": shape}}
    changes = [measured(f"v{i}", 3 + i, toy_construct()[3 + i], "G", psi=-0.9 * (i % 2)) for i in range(8)]
    examples = toy_examples(*changes, center="variant")
    normalizer = VariantDataset.fit_normalizer(examples)
    training = VariantDataset(examples, normalizer)
    held_out = [measured("h", 70, toy_construct()[70], "G", psi=-0.9, group="other")]
    validation = VariantDataset(toy_examples(*held_out, center="variant"), normalizer)
    config = preset.training.model_copy(update={"max_epochs": 1})
    model = ModelConfig(name=preset.model.name, options=options)
    run = train(model, training, validation, output_dir=tmp_path, config=config).best_run
    rates = run.history[0]["lr"]
    assert {group.split("_")[0] for group in rates} == {"encoder", "head"}
    for group, rate in rates.items():
        assert rate == pytest.approx(encoder_rate if group.startswith("encoder") else head_rate)
    assert 0 < run.trainable < run.parameters


def test_each_shell_command_has_its_configuration(mirror: Path) -> None:
    folder = mirror.parent / "design-documents"
    if not folder.is_dir():
        pytest.skip("the design documents do not lie beside the mirror")
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.md"))
    asked = set(re.findall(r"--exp (\w+)", text))
    assert asked == {"hyenadna_finetune", "hyenadna_finetune_deep"}
    assert asked <= set(PRESETS)

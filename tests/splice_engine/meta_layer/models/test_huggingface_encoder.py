"""Encoders of Hugging Face: one vector a base for character, k-mer and overlapping tokens; no foreign code is run."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from torch import Tensor
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    EsmConfig,
    EsmModel,
    EsmTokenizer,
    PreTrainedTokenizerFast,
)

from agentic_spliceai.splice_engine.errors import SettingError, WeightsError
from agentic_spliceai.splice_engine.meta_layer.models.factory import SequenceEncoderFactory
from agentic_spliceai.splice_engine.meta_layer.models.huggingface_encoder import HuggingFaceEncoder, spread
from agentic_spliceai.splice_engine.meta_layer.models.inputs import tokens_to_one_hot
from tests.splice_engine.meta_layer.models.hyena_toys import hf_state, ids, toy, write_hf

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
CODONS = ["".join(letters) for letters in itertools.product("ACGT", repeat=3)]


def save_tokenizer(folder: Path, words: list[str], split: pre_tokenizers.PreTokenizer) -> dict[str, int]:
    vocabulary = {word: i for i, word in enumerate(SPECIAL + words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = split
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=64,
    ).save_pretrained(folder)  # fmt: skip
    return vocabulary


def save_bert(folder: Path, vocabulary: dict[str, int]) -> BertModel:
    torch.manual_seed(0)
    model = BertModel(
        BertConfig(
            vocab_size=len(vocabulary), hidden_size=12, num_hidden_layers=3, num_attention_heads=2,
            intermediate_size=16, max_position_embeddings=64,
        )
    ).eval()  # fmt: skip
    model.save_pretrained(folder)
    return model


@pytest.fixture
def letters(tmp_path: Path) -> tuple[Path, BertModel, dict[str, int]]:
    """A model that reads single letters."""
    vocabulary = save_tokenizer(tmp_path, list("ACGTN"), pre_tokenizers.Split(Regex("."), "isolated"))
    return tmp_path, save_bert(tmp_path, vocabulary), vocabulary


@pytest.fixture
def codons(tmp_path: Path) -> tuple[Path, BertModel, dict[str, int]]:
    """A model that reads three bases at once, and single ones where three are not known."""
    split = pre_tokenizers.Split(Regex("[ACGT]{3}|[ACGTN]"), "isolated")
    vocabulary = save_tokenizer(tmp_path, [*CODONS, *"ACGTN"], split)
    return tmp_path, save_bert(tmp_path, vocabulary), vocabulary


def states_of(model: BertModel, words: list[str], vocabulary: dict[str, int]) -> Tensor:
    """The model's states of words, [CLS] and [SEP] left out."""
    given = torch.tensor([[vocabulary[word] for word in ["[CLS]", *words, "[SEP]"]]])
    with torch.no_grad():
        return model(input_ids=given).last_hidden_state[0, 1:-1]


def tokens_of(text: str) -> Tensor:
    return torch.tensor([["ACGTN".index(letter) + 7 for letter in text]])


def test_one_token_a_base(letters: tuple[Path, BertModel, dict[str, int]]) -> None:
    folder, bert, vocabulary = letters
    model = HuggingFaceEncoder(str(folder), None).eval()
    text = "ACGTNNTGCAA"
    positions = model.encode_positions(tokens_of(text))
    torch.testing.assert_close(positions[0], states_of(bert, list(text), vocabulary))
    torch.testing.assert_close(model(tokens_of(text)), positions.mean(dim=1))
    torch.testing.assert_close(model(tokens_to_one_hot(tokens_of(text))), model(tokens_of(text)))


def test_a_token_of_three_bases_goes_to_each_of_them(codons: tuple[Path, BertModel, dict[str, int]]) -> None:
    folder, bert, vocabulary = codons
    model = HuggingFaceEncoder(str(folder), None).eval()
    words = ["ACG", "TTT", "N", "GCA", "T"]
    expected = states_of(bert, words, vocabulary).repeat_interleave(torch.tensor([3, 3, 1, 3, 1]), dim=0)
    positions = model.encode_positions(tokens_of("".join(words)))
    torch.testing.assert_close(positions[0], expected)
    torch.testing.assert_close(model(tokens_of("".join(words)))[0], expected.mean(dim=0))


def test_overlapping_kmers_are_averaged(tmp_path: Path) -> None:
    vocabulary = save_tokenizer(tmp_path, CODONS, pre_tokenizers.Whitespace())
    bert = save_bert(tmp_path, vocabulary)
    model = HuggingFaceEncoder(str(tmp_path), None, kmer=3).eval()
    text = "ACGTGCA"
    states = states_of(bert, [text[i : i + 3] for i in range(5)], vocabulary)
    expected = torch.stack(
        [torch.stack([states[i] for i in range(5) if i <= base < i + 3]).mean(dim=0) for base in range(7)]
    )
    torch.testing.assert_close(model.encode_positions(tokens_of(text))[0], expected)
    with pytest.raises(SettingError) as caught:
        HuggingFaceEncoder(str(tmp_path))
    assert "kmer" in caught.value.advice


def test_slow_tokenizer_of_nucleotide_transformer(tmp_path: Path) -> None:
    words = ["<unk>", "<pad>", "<mask>", "<cls>", "<eos>", *CODONS, *"ACGTN"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokenizer = EsmTokenizer(str(tmp_path / "vocab.txt"), eos_token=None, model_max_length=50)
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(0)
    esm = EsmModel(
        EsmConfig(
            vocab_size=len(words), hidden_size=12, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
            max_position_embeddings=60, pad_token_id=1, mask_token_id=2, position_embedding_type="rotary",
        )
    ).eval()  # fmt: skip
    esm.save_pretrained(tmp_path)
    model = HuggingFaceEncoder(str(tmp_path), None, unfreeze_last=1).eval()
    pieces = ["ACG", "TTT", "N", "GCA"]
    given = torch.tensor([[words.index(word) for word in ["<cls>", *pieces]]])
    with torch.no_grad():
        expected = esm(input_ids=given).last_hidden_state[0, 1:].repeat_interleave(torch.tensor([3, 3, 1, 3]), dim=0)
    torch.testing.assert_close(model.encode_positions(tokens_of("".join(pieces)))[0].detach(), expected)
    again = HuggingFaceEncoder(**model.config | {"pretrained": False, "name": "elsewhere/model"}).eval()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(ids(2, 20)), model(ids(2, 20)))
    free = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert any("emb_layer_norm_after" in name for name in free)  # the final norm
    assert not any(".layer.0." in name or "word_embeddings" in name for name in free)


def test_padding_on_the_left_is_no_base(letters: tuple[Path, BertModel, dict[str, int]]) -> None:
    model = HuggingFaceEncoder(str(letters[0]), None).eval()
    alone = tokens_of("ACGTTG")
    padded = torch.cat([torch.full((1, 5), 4), alone], dim=1)
    both = torch.cat([padded, tokens_of("TTGCANNACGT")])
    positions = model.encode_positions(both)
    assert not positions[0, :5].any()
    torch.testing.assert_close(positions[0, 5:], model.encode_positions(alone)[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model(both)[:1], model(alone), rtol=1e-4, atol=1e-5)


def test_frozen_last_block_and_everything(letters: tuple[Path, BertModel, dict[str, int]]) -> None:
    model = HuggingFaceEncoder(str(letters[0]), 5).train()
    assert model.depth == 3
    model(ids(2, 20)).sum().backward()
    assert {n for n, p in model.named_parameters() if p.grad is not None} == {"projection.weight", "projection.bias"}
    assert torch.equal(model(ids(2, 20)), model(ids(2, 20)))  # dropout is off in what is frozen
    model.unfreeze_last(1)
    model(ids(2, 20)).square().sum().backward()
    trained = {n for n, p in model.named_parameters() if p.grad is not None and n.startswith("network")}
    assert {name.split(".")[3] for name in trained} == {"2"}
    model.unfreeze_last(-1)
    model(ids(2, 20)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    with pytest.raises(SettingError, match="has 3 blocks"):
        model.unfreeze_last(4)


def test_too_long_a_sequence_is_an_error(letters: tuple[Path, BertModel, dict[str, int]]) -> None:
    model = HuggingFaceEncoder(str(letters[0]))
    assert model(ids(1, 62)).shape == (1, 256)
    with pytest.raises(SettingError, match="65 tokens"):
        model(ids(1, 63))


def test_built_again_without_weights(letters: tuple[Path, BertModel, dict[str, int]]) -> None:
    folder = letters[0]
    model = HuggingFaceEncoder(str(folder), 5, pooling="last").eval()
    options = json.loads(json.dumps(model.config)) | {"pretrained": False}
    shutil.rmtree(folder)  # neither weights nor configuration nor tokenizer are at hand
    again = HuggingFaceEncoder(**options)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval()(ids(2, 20)), model(ids(2, 20)))
    assert again.config == {**model.config, "pretrained": False}
    with pytest.raises(WeightsError, match="cannot be read"):
        HuggingFaceEncoder(str(folder))


def test_factory_makes_it_from_a_folder(letters: tuple[Path, BertModel, dict[str, int]]) -> None:
    made = SequenceEncoderFactory.create(str(letters[0]), output_dim=7, unfreeze_last=1)
    assert isinstance(made, HuggingFaceEncoder)
    assert made(ids(2, 20)).shape == (2, 7)


def test_a_masked_language_model_lends_its_encoder(letters: tuple[Path, BertModel, dict[str, int]]) -> None:
    folder, _, vocabulary = letters
    torch.manual_seed(1)
    masked = BertForMaskedLM(BertConfig.from_pretrained(folder)).eval()
    masked.save_pretrained(folder)
    model = HuggingFaceEncoder(str(folder), None).eval()  # the pooler that it lacks is not used
    expected = states_of(masked.bert, list("ACGT"), vocabulary)
    torch.testing.assert_close(model.encode_positions(tokens_of("ACGT"))[0], expected)


def test_weights_that_lack_a_tensor_raise(letters: tuple[Path, BertModel, dict[str, int]]) -> None:
    from safetensors.torch import load_file, save_file

    file = letters[0] / "model.safetensors"
    state = load_file(file)
    save_file({n: t for n, t in state.items() if "layer.1.output" not in n}, file, {"format": "pt"})
    with pytest.raises(WeightsError, match=r"lack encoder\.layer\.1\.output"):
        HuggingFaceEncoder(str(letters[0]))
    state["embeddings.word_embeddings.weight"][0, 0] = float("nan")
    save_file(state, file, {"format": "pt"})
    with pytest.raises(WeightsError, match="NaN"):
        HuggingFaceEncoder(str(letters[0]))


def test_code_of_a_repository_is_never_run(letters: tuple[Path, BertModel, dict[str, int]]) -> None:
    folder = letters[0]
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "ours", "auto_map": {"AutoConfig": "code.Config", "AutoModel": "code.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"from pathlib import Path\nPath({str(folder / 'witness')!r}).touch()\n")
    with pytest.raises(SettingError, match="never run") as caught:
        HuggingFaceEncoder(str(folder))
    assert "HyenaDNAEncoder" in caught.value.advice
    assert not (folder / "witness").exists()


def test_tokenizer_that_does_not_read_dna_is_an_error(tmp_path: Path) -> None:
    vocabulary = save_tokenizer(tmp_path, ["the", "of"], pre_tokenizers.Whitespace())
    save_bert(tmp_path, vocabulary)
    with pytest.raises(SettingError, match="does not read"):
        HuggingFaceEncoder(str(tmp_path))


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        HuggingFaceEncoder(str(tmp_path))
    with pytest.raises(WeightsError, match="never-downloaded"):
        HuggingFaceEncoder("someone/never-downloaded", local_files_only=True)


def test_hyenadna_folder_needs_no_remote_code(tmp_path: Path) -> None:
    """The published folder names remote code; the native class takes its place."""
    source = toy()
    folder = write_hf(tmp_path, hf_state(source))
    save_tokenizer(folder, list("ACGTN"), pre_tokenizers.Split(Regex("."), "isolated"))
    model = HuggingFaceEncoder(str(folder), None)
    assert type(model.network).__name__ == "HyenaDNAModel"
    assert torch.equal(model.network.backbone.ln_f.weight, source.hyena.backbone.ln_f.weight)


def test_spread_is_the_mean_over_covering_tokens() -> None:
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(3, 6, 4, generator=generator)
    start = torch.randint(0, 10, (3, 6), generator=generator)
    spans = torch.stack([start, start + torch.randint(0, 4, (3, 6), generator=generator)], dim=2)
    expected = torch.zeros(3, 10, 4)
    for row, base in itertools.product(range(3), range(10)):
        covering = [states[row, i] for i, (a, b) in enumerate(spans[row].tolist()) if a <= base < b]
        if covering:
            expected[row, base] = torch.stack(covering).mean(dim=0)
    torch.testing.assert_close(spread(states, spans, 10), expected)

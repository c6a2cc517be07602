"""Any DNA encoder of transformers' own classes as a sequence encoder, by name or folder; no code of the hub is run."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from agentic_spliceai.splice_engine.errors import SettingError, SpliceEngineError, WeightsError
from agentic_spliceai.splice_engine.meta_layer.extras import require
from agentic_spliceai.splice_engine.meta_layer.models.inputs import PAD_TOKEN, TOKEN_OF_BASE
from agentic_spliceai.splice_engine.meta_layer.models.pretrained_encoder import PretrainedEncoder

_LETTER = {token: base for base, token in TOKEN_OF_BASE.items()}
_PROBE = "ACGTTGCAAACCGGTT"
_NO_LIMIT = 10**9  # tokenizers without a limit state an astronomic one


class HuggingFaceEncoder(PretrainedEncoder):
    """An encoder of Hugging Face, with one embedding a base whatever its tokens are.

    The vector of a token that stands for several bases goes to each of them; a base that several tokens cover
    (overlapping k-mers) gets their mean; one that none covers gets zeros.

    Parameters
    ----------
    name
        Hub repository or local folder with model and tokenizer.
    output_dim
        Width D of the embedding; where it is not the network's own, a linear layer is trained to reach it. None takes
        the network's own.
    pretrained
        Load the weights. False builds the network empty, to be filled from a checkpoint.
    unfreeze_last
        Blocks that are trained, counted from the last, with what follows them; 0 is frozen, None or -1 trains all.
    pooling
        `mean` over all bases, `last` base, or `max`.
    dropout
        Of the embedding's units.
    kmer
        Width of overlapping k-mers that the tokenizer wants separated by spaces, as DNABERT's does.
    revision, local_files_only
        Of the hub.
    network_config, tokenizer_files
        The model's `config.json` as a mapping, and the tokenizer's text files by name; read in the place of the
        repository's where `pretrained` is False. The encoder's `config` holds both after loading, so that a checkpoint
        is read without the repository.

    Raises
    ------
    WeightsError
        If the model cannot be found or read, or lacks a tensor.
    SettingError
        If it needs code of its own, or its tokenizer does not read DNA.
    MissingExtraError
        If transformers is not installed.
    """

    def __init__(
        self,
        name: str,
        output_dim: int | None = 256,
        *,
        pretrained: bool = True,
        unfreeze_last: int | None = 0,
        pooling: str = "mean",
        dropout: float = 0.0,
        kmer: int | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        network_config: Mapping[str, Any] | None = None,
        tokenizer_files: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        require("transformers", purpose="a Hugging Face encoder")
        if pretrained or network_config is None or tokenizer_files is None:
            hub = {"local_files_only": local_files_only} | ({} if revision is None else {"revision": revision})
            network, self.tokenizer = _load(name, pretrained, hub)
            self.config["network_config"] = json.loads(network.config.to_json_string(use_diff=False))
            self.config["tokenizer_files"] = _text_files(self.tokenizer)
        else:
            network, self.tokenizer = _rebuild(name, network_config, tokenizer_files)
        self.name, self.kmer = name, kmer
        # [UNK] is special by name, but it stands for a base. (The mask that tokenizers return is not always right.)
        self._special = torch.tensor(sorted(set(self.tokenizer.all_special_ids) - {self.tokenizer.unk_token_id}))
        if getattr(network, "pooler", None) is not None:
            network.pooler = None  # its output is not used, and many checkpoints lack it
        self._accepts = set(inspect.signature(network.forward).parameters)
        self._blocks_name = _blocks_of(network)
        self._adopt(
            network,
            network.config.hidden_size,
            output_dim=output_dim,
            unfreeze_last=unfreeze_last,
            pooling=pooling,
            dropout=dropout,
        )
        self._check_tokenizer()

    def _states(self, tokens: Tensor) -> Tensor:
        texts = ["".join(_LETTER.get(i, "N") for i in row if i != PAD_TOKEN) for row in tokens.tolist()]
        ids, mask, spans = (part.to(tokens.device) for part in self._tokenize(texts))
        if ids.shape[1] > self._limit:
            raise SettingError(
                f"The sequence has {ids.shape[1]:,} tokens; {self.name} reads at most {self._limit:,}.",
                "Take a shorter window, or a model of longer context.",
            )
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.unfrozen != 0):
            given = {"attention_mask": mask} if "attention_mask" in self._accepts else {}
            states = self.network(input_ids=ids, **given).last_hidden_state.float()
        spans = spans + (tokens == PAD_TOKEN).sum(dim=1)[:, None, None]
        return spread(states, spans, tokens.shape[1])

    def _tokenize(self, texts: list[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Return ids and mask [B, T], and the bases [start, end) of each token, int64 [B, T, 2]."""
        k = self.kmer
        if k is not None:
            texts = [" ".join(text[i : i + k] for i in range(len(text) - k + 1)) for text in texts]
        batch = self.tokenizer(
            texts,
            padding=True,
            verbose=False,  # what is too long is our error
            return_tensors="pt",
            return_offsets_mapping=self.tokenizer.is_fast,
        )
        ids, mask = batch["input_ids"], batch["attention_mask"]
        special = torch.isin(ids, self._special)
        if self.tokenizer.is_fast:
            spans = batch["offset_mapping"].long()
        else:
            spans = torch.zeros(*ids.shape, 2, dtype=torch.int64)
            for row, (text, added) in enumerate(zip(texts, special, strict=True)):
                lengths = torch.tensor([len(piece) for piece in self.tokenizer.tokenize(text)])
                ends = lengths.cumsum(0)
                spans[row, ~added] = torch.stack([ends - lengths, ends], dim=1)
        if k is not None:  # a k-mer and its space are k + 1 characters; the i-th k-mer starts at base i
            start = spans[..., :1] // (k + 1)
            spans = torch.cat([start, start + k], dim=2)
        return ids, mask, spans.masked_fill(special.unsqueeze(2), 0)

    @property
    def _limit(self) -> int:
        limit = int(self.tokenizer.model_max_length)
        return limit if limit < _NO_LIMIT else int(getattr(self.network.config, "max_position_embeddings", _NO_LIMIT))

    def _check_tokenizer(self) -> None:
        ids, _, spans = self._tokenize([_PROBE])
        covered = spread((spans[..., 1] > spans[..., 0]).float().unsqueeze(2), spans, len(_PROBE))
        unknown = self.tokenizer.unk_token_id
        if not bool((covered > 0).all()) or (unknown is not None and bool((ids == unknown).any())):
            raise SettingError(
                f"The tokenizer of {self.name} does not read the letters A, C, G, T of {_PROBE[:8]}...",
                "Take a DNA model; where it wants overlapping k-mers, give kmer.",
            )

    def _blocks(self) -> nn.ModuleList:
        if not self._blocks_name:
            return nn.ModuleList()
        blocks = self.network.get_submodule(self._blocks_name)
        assert isinstance(blocks, nn.ModuleList)
        return blocks

    def _after_blocks(self) -> list[nn.Module]:
        names = [name for name, _ in self.network.named_modules()]
        after = names[names.index(self._blocks_name) + 1 :]
        return [self.network.get_submodule(n) for n in after if not n.startswith(f"{self._blocks_name}.")]


def spread(states: Tensor, spans: Tensor, length: int) -> Tensor:
    """Give every base the mean of the tokens that cover it.

    Parameters
    ----------
    states : float [B, T, D]
        By token.
    spans : int64 [B, T, 2]
        Bases [start, end) of each token, 0-based; an empty span takes no part.
    length
        Bases L.

    Returns
    -------
    float [B, L, D], zeros where no token is
    """
    start, end = spans.unbind(dim=2)
    batch, _, width = states.shape
    # One more place than there are bases: for what goes nowhere.
    total = states.new_zeros(batch, length + 1, width)
    count = states.new_zeros(batch, length + 1, 1)
    for offset in range(int((end - start).max())):
        place = torch.where(start + offset < end, start + offset, length).clamp(max=length).unsqueeze(2)
        total = total.scatter_add(1, place.expand(-1, -1, width), states)
        count = count.scatter_add(1, place, torch.ones_like(place, dtype=count.dtype))
    return total[:, :length] / count[:, :length].clamp(min=1)


def _load(name: str, pretrained: bool, hub: dict[str, Any]) -> tuple[Any, Any]:
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    import agentic_spliceai.splice_engine.meta_layer.models.hyenadna  # noqa: F401 - registers its model type

    missing: list[str] = []
    hub = {**hub, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **hub)
        if pretrained:
            model, info = AutoModel.from_pretrained(name, dtype=torch.float32, output_loading_info=True, **hub)
            missing = sorted(key for key in info["missing_keys"] if "pooler" not in key.split("."))
        else:
            model = AutoModel.from_config(AutoConfig.from_pretrained(name, **hub), trust_remote_code=False)
    except SpliceEngineError:
        raise
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise _unreadable(name, error) from error
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise WeightsError(
            f"The weights of {name} lack {', '.join(missing[:3])}{more}.", "Fetch them again, or take another model."
        )
    if not all(bool(p.isfinite().all()) for p in model.parameters()):
        raise WeightsError(f"The weights of {name} hold NaN or infinite values.", "Fetch them again.")
    return model.eval(), tokenizer


def _rebuild(name: str, network_config: Mapping[str, Any], tokenizer_files: Mapping[str, str]) -> tuple[Any, Any]:
    """Return an empty network and its tokenizer from what an encoder's `config` holds."""
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    import agentic_spliceai.splice_engine.meta_layer.models.hyenadna  # noqa: F401 - registers its model type

    try:
        with TemporaryDirectory() as folder:
            for file, text in tokenizer_files.items():
                (Path(folder) / Path(file).name).write_text(text, encoding="utf-8")
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        config = AutoConfig.for_model(**network_config)
        model = AutoModel.from_config(config, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise _unreadable(name, error) from error
    return model.eval(), tokenizer


def _text_files(tokenizer: Any) -> dict[str, str]:
    with TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        files = sorted(file for file in Path(folder).iterdir() if file.suffix in (".json", ".txt"))
        return {file.name: file.read_text(encoding="utf-8") for file in files}


def _unreadable(name: str, error: Exception) -> SpliceEngineError:
    text = " ".join(str(error).split())
    if "trust_remote_code" in text or "custom code" in text:
        return SettingError(
            f"{name} needs Python code from its repository, which is never run.",
            "Take a model of transformers' own classes; HyenaDNA is built in: HyenaDNAEncoder.",
        )
    return WeightsError(
        f"The Hugging Face model {name} cannot be read: {text[:300]}.",
        "Check the name and the network, or give a folder that holds model and tokenizer.",
    )


def _blocks_of(network: Any) -> str:
    """Return the name of the list of the network's blocks, empty where none has their number."""
    wanted = getattr(network.config, "num_hidden_layers", None)
    lists = [name for name, part in network.named_modules() if isinstance(part, nn.ModuleList) and len(part) == wanted]
    return lists[0] if lists else ""

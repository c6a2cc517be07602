"""What every model of the meta-layer shares: the record of how it was built, and the encoders' common form."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from agentic_spliceai.splice_engine.errors import SettingError


class MetaModule(nn.Module):
    """A model that can be built again from what it remembers.

    Attributes
    ----------
    config : dict
        Constructor arguments by name, defaults included, as they were given; a checkpoint keeps them.
    inputs : tuple of str
        Keys of a batch that `forward` takes, in its order; see `meta_layer.data.batches`.
    task : str
        The task of `training.tasks` that trains the model; it says what `forward` returns.
    """

    config: dict[str, Any]
    inputs: ClassVar[tuple[str, ...]] = ()
    task: ClassVar[str] = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Record the constructor's arguments in `config`."""
        # Copying and unpickling call this without arguments and restore `config` afterwards.
        model = super().__new__(cls)
        bound = inspect.signature(cls.__init__).bind_partial(None, *args, **kwargs)
        bound.apply_defaults()
        values = dict(list(bound.arguments.items())[1:])
        values.update(values.pop("kwargs", {}))
        object.__setattr__(model, "config", values)
        return model

    def encoder_modules(self) -> tuple[SequenceEncoder, ...]:
        """Return the sequence encoders inside, outermost first: they get the encoder's learning rate."""
        found: list[SequenceEncoder] = []
        prefixes: list[str] = []
        for name, module in self.named_modules():
            if isinstance(module, SequenceEncoder) and not any(name.startswith(p) for p in prefixes):
                found.append(module)
                prefixes.append(f"{name}." if name else "")
        return tuple(found)

    @property
    def parameter_count(self) -> int:
        """Number of parameters, frozen ones included."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def trainable_count(self) -> int:
        """Number of parameters that training changes."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)


class SequenceEncoder(MetaModule):
    """Maps a sequence to one vector, and to one vector a position.

    Attributes
    ----------
    output_dim : int
        Width D of the embedding.
    """

    output_dim: int
    inputs = ("sequence",)

    @property
    def depth(self) -> int:
        """Number of blocks that `unfreeze_last` counts; 0 for an encoder that is trained whole or not at all."""
        return 0

    def unfreeze_last(self, blocks: int) -> None:
        """Let gradients into the last `blocks` blocks (and the final norm, where `blocks` > 0), and no others.

        Raises
        ------
        SettingError
            If the encoder has fewer blocks.
        """
        raise SettingError(
            f"{type(self).__name__} is not pretrained, so it has no layers to unfreeze.",
            "Leave out unfreezing, or take a pretrained encoder.",
        )

    @abstractmethod
    def encode_positions(self, sequence: Tensor) -> Tensor:
        """Embed each position.

        Parameters
        ----------
        sequence : float [B, 4, L] or int64 [B, L]
            One-hot channels A, C, G, T with N as an all-zero column, or token ids of `models.inputs`; transcript sense.

        Returns
        -------
        float [B, L, D]
        """

    @abstractmethod
    def forward(self, sequence: Tensor) -> Tensor:
        """Embed the whole sequence: input as `encode_positions`, output float [B, D]."""

"""The published HyenaDNA models: names, shapes, pinned revisions and digests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OWNER = "LongSafari"


@dataclass(frozen=True)
class Release:
    """One published model.

    Attributes
    ----------
    name
        Name on the hub, without owner and without the `-hf` of the transformers layout.
    layers, width, max_seq_len
        N, D and M.
    revision
        Commit of the `-hf` repository.
    sha256
        Digest of that commit's `model.safetensors`, where known.
    """

    name: str
    layers: int
    width: int
    max_seq_len: int
    revision: str
    sha256: str | None = None

    @property
    def repository(self) -> str:
        """Hub repository of the transformers layout."""
        return f"{OWNER}/{self.name}-hf"

    @property
    def architecture(self) -> dict[str, Any]:
        """Fields of `HyenaDNAConfig`; those that all releases share included."""
        return {
            "d_model": self.width,
            "n_layer": self.layers,
            "max_seq_len": self.max_seq_len,
            "emb_dim": 5,
            "activation_freq": 10,
        }


RELEASES = {
    release.name: release
    for release in (
        Release(
            "hyenadna-tiny-1k-seqlen", 2, 128, 1026,
            "e8c1effa8673814e257e627d2e1eda9ea5a373f6",
            "5ce2146c21e9c4baa6bddc4998fd3d029903ae84a563bf80218644082194a12d",
        ),
        Release(
            "hyenadna-tiny-1k-seqlen-d256", 2, 256, 1026,
            "6036d4e144922b44470294f510cbfd2539ba3b7e",
            "81c15c4042d5fae646f00b429b76c65644cdbe88aa7e98b61aa781c84ff09031",
        ),
        Release(
            "hyenadna-tiny-16k-seqlen-d128", 2, 128, 16386,
            "d79fa37e2cd62dd338103c630f95be8f90812d46",
            "9b30dba3d2d801c305d96cc4ac6229f1d6ce61567871e0b58754633ad764bca8",
        ),
        Release(
            "hyenadna-small-32k-seqlen", 4, 256, 32770,
            "8fe770c78eb13fe33bf81501612faeddf4d6f331",
            "b7a1c9479248edf27691b189bb6657256f1705e560cadc64d6431633932cafa1",
        ),
        Release("hyenadna-medium-160k-seqlen", 8, 256, 160002, "7ebf71773d22c0ede2cc55cb2be15ee8c289e1ce"),
        Release("hyenadna-medium-450k-seqlen", 8, 256, 450002, "42dedd4d374eac0fb8168549e546a3472fbd27ae"),
        Release(
            "hyenadna-large-1m-seqlen", 8, 256, 1000002,
            "0a629abf9c7f85b4ec9aa6a1aefa3adcf1907446",
            "deafb53209bfafb314d14bd81108546a34d473c07ed7ab7a355674376b56ad12",
        ),
    )
}  # fmt: skip
"""Every published model by `Release.name`."""


def find_release(name: str) -> Release | None:
    """Return the release that a name means, or None.

    Owner, `-hf` and `-seqlen` may be left out: `hyenadna-small-32k`, `hyenadna-small-32k-seqlen`,
    `hyenadna-small-32k-seqlen-hf` and `LongSafari/hyenadna-small-32k-seqlen-hf` are one model.
    """
    short = _short(name)
    return next((release for release in RELEASES.values() if _short(release.name) == short), None)


def _short(name: str) -> str:
    return name.strip().lower().removeprefix(f"{OWNER.lower()}/").removesuffix("-hf").replace("-seqlen", "")

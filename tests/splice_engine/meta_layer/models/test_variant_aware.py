"""The variant-aware model: nothing from nothing, position matters, and what is not sequence is not read."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from agentic_spliceai.splice_engine.meta_layer.models.variant_aware import VariantAwareModel

L, F = 61, 7
VARIANT, ACCEPTOR, DONOR, KNOWN = 0, 1, 2, 4


def make_model(**options: object) -> VariantAwareModel:
    torch.manual_seed(0)
    model = VariantAwareModel(num_features=F, width=8, blocks=3, feature_width=16, dropout=0.0, **options)  # type: ignore[arg-type]
    with torch.no_grad():  # heads start at zero; a test needs them to speak
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def make_batch(n: int = 4, *, change: int | None = 30) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(0, 4, (n, L), generator=generator)
    ref = torch.nn.functional.one_hot(codes, 4).transpose(1, 2).float()
    alt = ref.clone()
    base_ref = torch.randn(n, 6, L, generator=generator)
    base_alt = base_ref.clone()
    if change is not None:
        alt[:, :, change] = alt[:, :, change].roll(1, dims=1)
        base_alt[:, :, change] += 1.0
    place = torch.zeros(n, 6, L)
    place[:, VARIANT, 30], place[:, ACCEPTOR, 20], place[:, DONOR, 45], place[:, KNOWN] = 1, 1, 1, 1
    features = torch.randn(n, F, generator=generator)
    return {
        "ref": ref, "alt": alt, "gap": torch.zeros(n, 2, L), "base_ref": base_ref, "base_alt": base_alt,
        "place": place, "features": features,
    }  # fmt: skip


def run(model: VariantAwareModel, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    with torch.no_grad():
        return model(*(batch[name] for name in model.inputs))


def test_no_change_has_no_effect_on_inclusion() -> None:
    model = make_model()
    assert run(model, make_batch(change=None))["psi"].eq(0).all()
    assert run(model, make_batch())["psi"].abs().min() > 0


def test_an_insertion_is_a_change_even_where_its_bases_are_unknown() -> None:
    batch = make_batch(change=None)
    batch["gap"][:, 0, 30] = 1
    assert run(make_model(), batch)["psi"].abs().min() > 0


def test_where_the_change_is_matters() -> None:
    model = make_model()
    here, there = run(model, make_batch(change=30)), run(model, make_batch(change=44))
    assert not torch.allclose(here["altering"], there["altering"], atol=1e-4)


def test_what_is_not_sequence_is_not_read() -> None:
    """Positions outside the mask of real sequence may hold anything."""
    model = make_model()
    batch = make_batch()
    batch["place"][:, KNOWN, 55:] = 0
    noisy = {name: value.clone() for name, value in batch.items()}
    for name in ("ref", "alt", "base_ref", "base_alt"):
        noisy[name][:, :, 55:] += torch.randn_like(noisy[name][:, :, 55:])
    clean, dirty = run(model, batch), run(model, noisy)
    for name in ("altering", "psi", "site"):
        assert torch.allclose(clean[name], dirty[name], atol=1e-6)
    assert clean["attention"][:, 55:].abs().max() < 1e-6
    assert torch.allclose(clean["attention"].sum(dim=1), torch.ones(4))


@pytest.mark.parametrize(
    ("dropped", "keys"), [("use_sequence", ("ref", "alt")), ("use_base", ("base_ref", "base_alt"))]
)
def test_an_ablated_model_does_not_see_what_was_taken(dropped: str, keys: tuple[str, str]) -> None:
    model = make_model(**{dropped: False})
    batch = make_batch()
    batch["gap"][:, 0, 30] = 1  # so that the alleles differ in any case
    other = {**batch, **{key: torch.rand_like(batch[key]) for key in keys}}
    assert torch.equal(run(model, batch)["altering"], run(model, other)["altering"])


def test_hidden_channels_are_asked_for_and_read() -> None:
    model = make_model(hidden_channels=3)
    assert model.inputs[-2:] == ("hidden_ref", "hidden_alt")
    batch = make_batch()
    with pytest.raises(ValueError, match="hidden channels"):
        model(*(batch[name] for name in model.inputs[:-2]))
    first = run(model, {**batch, "hidden_ref": torch.zeros(4, 3, L), "hidden_alt": torch.zeros(4, 3, L)})
    second = run(model, {**batch, "hidden_ref": torch.zeros(4, 3, L), "hidden_alt": torch.ones(4, 3, L)})
    assert not torch.allclose(first["altering"], second["altering"])


def test_untrained_it_says_nothing_yet() -> None:
    """The heads start at zero: probability one half and no change of inclusion, whatever the input."""
    model = VariantAwareModel(num_features=F).eval()
    out = run(model, make_batch())
    assert out["altering"].eq(0).all()
    assert out["psi"].eq(0).all()

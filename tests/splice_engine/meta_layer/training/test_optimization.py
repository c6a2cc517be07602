"""Parameter groups, and the rate of every group at every step of every schedule."""

from __future__ import annotations

import math

import pytest
import torch

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.training.optimization import (
    Schedule,
    initially_unfrozen,
    make_optimizer,
    parameter_groups,
    rescale,
    unfreeze_plan,
)
from tests.splice_engine.meta_layer.training.toys import BlockEncoder, EncoderModel, MotifModel, settings

RATES = {"encoder": 1e-4, "encoder_no_decay": 1e-4, "head": 1e-3, "head_no_decay": 1e-3}


def test_every_parameter_is_in_the_group_it_belongs_to() -> None:
    model, scale = EncoderModel(blocks=2), torch.nn.Parameter(torch.zeros(3))
    config = settings(learning_rate=1e-3, encoder_lr_multiplier=0.1, weight_decay=0.02)
    groups = parameter_groups(model, config, [scale])
    names = {id(p): name for name, p in model.named_parameters()} | {id(scale): "scale"}
    found = {group["name"]: sorted(names[id(p)] for p in group["params"]) for group in groups}
    assert found == {
        "encoder": ["encoder.blocks.0.weight", "encoder.blocks.1.weight"],
        "encoder_no_decay": [
            "encoder.blocks.0.bias",
            "encoder.blocks.1.bias",
            "encoder.filter_fn.weight",
            "encoder.norm.bias",
            "encoder.norm.weight",
        ],
        "head": ["head.weight"],
        "head_no_decay": ["head.bias", "scale"],
    }
    assert {group["name"]: group["lr"] for group in groups} == pytest.approx(RATES)
    assert {group["name"]: group["weight_decay"] for group in groups} == {
        "encoder": 0.02,
        "encoder_no_decay": 0.0,
        "head": 0.02,
        "head_no_decay": 0.0,
    }


def test_a_model_without_encoder_has_a_head_only() -> None:
    assert [group["name"] for group in parameter_groups(MotifModel(), settings())] == ["head", "head_no_decay"]


def walk(schedule: str, epochs: int = 4, steps: int = 5, **options: object) -> list[dict[str, float]]:
    """Return the rates that each step is made with."""
    config = settings(
        schedule=schedule,
        max_epochs=epochs,
        learning_rate=1e-3,
        encoder_lr_multiplier=0.1,
        weight_decay=0.02,
        **options,
    )
    model = EncoderModel(unfreeze=3)
    optimizer, scheduler = make_optimizer(parameter_groups(model, config), Schedule(config, steps))
    seen = []
    for _ in range(epochs * steps):
        seen.append({group["name"]: group["lr"] for group in optimizer.param_groups})
        optimizer.step()
        scheduler.step()
    return seen


def assert_rates(seen: list[dict[str, float]], multipliers: list[float]) -> None:
    assert len(seen) == len(multipliers)
    for step, (rates, multiplier) in enumerate(zip(seen, multipliers, strict=True)):
        assert rates == pytest.approx({name: rate * multiplier for name, rate in RATES.items()}), step


@pytest.mark.parametrize("warmup", [0, 4])
def test_constant(warmup: int) -> None:
    expected = [(t + 1) / 5 for t in range(warmup)] + [1.0] * (20 - warmup)
    assert_rates(walk("constant", warmup_fraction=warmup / 20), expected)


@pytest.mark.parametrize("warmup", [0, 4])
def test_cosine(warmup: int) -> None:
    falling = [0.5 + 0.5 * math.cos(math.pi * t / (20 - warmup)) for t in range(20 - warmup)]
    expected = [(t + 1) / 5 for t in range(warmup)] + falling
    assert_rates(walk("cosine", warmup_fraction=warmup / 20), expected)


def test_one_cycle_is_pytorchs_for_each_group() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in RATES]
    groups = [{"params": [p], "name": name} for p, name in zip(parameters, RATES, strict=True)]
    optimizer = torch.optim.AdamW(groups)
    oracle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=list(RATES.values()), total_steps=20, cycle_momentum=False
    )
    for step, rates in enumerate(walk("one_cycle")):
        assert rates == pytest.approx({g["name"]: g["lr"] for g in optimizer.param_groups}, rel=1e-9), step
        optimizer.step()
        if step < 19:
            oracle.step()


def test_plateau_halves_every_group_as_pytorchs_halves_one() -> None:
    losses = [1.0, 0.9, 0.95, 0.91, 0.9, 0.8, 0.85, 0.85, 0.85, 0.85, 0.85, 0.85]
    config = settings(
        schedule="plateau",
        plateau_patience=2,
        max_epochs=len(losses),
        learning_rate=1e-3,
        encoder_lr_multiplier=0.1,
        weight_decay=0.02,
    )
    schedule = Schedule(config, 1)
    optimizer, scheduler = make_optimizer(parameter_groups(EncoderModel(unfreeze=3), config), schedule)
    reference = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    oracle = torch.optim.lr_scheduler.ReduceLROnPlateau(reference, factor=0.5, patience=2, threshold=0)
    factors = []
    for loss in losses:
        optimizer.step()
        scheduler.step()
        oracle.step(loss)
        if schedule.observe(loss):
            rescale(optimizer, scheduler)
        factors.append(reference.param_groups[0]["lr"])
        rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
        assert rates == pytest.approx({name: rate * factors[-1] for name, rate in RATES.items()})
    # After 0.9, three epochs without gain halve it; after 0.8 three more, and three more.
    assert factors == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]


def test_plateau_on_a_measure_that_rises() -> None:
    schedule = Schedule(settings(schedule="plateau", plateau_patience=0), 1, lower_is_better=False)
    assert [schedule.observe(value) for value in (0.5, 0.6, 0.6, 0.7)] == [False, False, True, False]
    assert schedule(3) == 0.5


def test_plateau_warms_up_first() -> None:
    schedule = Schedule(settings(schedule="plateau", max_epochs=10, warmup_fraction=0.3, plateau_patience=0), 1)
    assert [schedule(t) for t in range(5)] == [0.25, 0.5, 0.75, 1, 1]


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle", "plateau"])
def test_one_step_in_all_is_no_special_case(schedule: str) -> None:
    for rates in walk(schedule, epochs=1, steps=1):
        assert all(math.isfinite(rate) for rate in rates.values())


def test_how_many_blocks_are_free_is_found_and_left_as_it_was() -> None:
    for blocks in range(4):
        encoder = BlockEncoder(3, unfreeze=blocks)
        before = [p.requires_grad for p in encoder.parameters()]
        assert initially_unfrozen(encoder) == blocks
        assert [p.requires_grad for p in encoder.parameters()] == before


def test_plan_of_unfreezing() -> None:
    assert unfreeze_plan(BlockEncoder(3, unfreeze=1), (2, 4), 6) == [1, 1, 2, 2, 3, 3]
    with pytest.raises(SettingError, match="2 of 3 are frozen"):
        unfreeze_plan(BlockEncoder(3, unfreeze=1), (0, 1, 2), 6)
    whole = BlockEncoder(3)
    whole.requires_grad_(True)
    with pytest.raises(SettingError, match="trained whole"):
        unfreeze_plan(whole, (1,), 6)

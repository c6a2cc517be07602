"""The toy gene on either strand."""

from __future__ import annotations

import pytest

from agentic_spliceai.splice_engine.genome.types import Strand
from tests.splice_engine.consequence.toys import Toy, toy


@pytest.fixture(params=list(Strand), ids=["plus", "minus"])
def gene(request: pytest.FixtureRequest) -> Toy:
    return toy(request.param)

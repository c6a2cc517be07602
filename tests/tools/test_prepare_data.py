"""A data set scored and split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.splice_engine.errors import SettingError
from agentic_spliceai.splice_engine.meta_layer.experiments.errors import MissingDatasetError, UnknownDatasetError
from agentic_spliceai.tools.interaction import ToolProgress
from agentic_spliceai.tools.prepare_data import TOOL
from tests.tools.toolbox import small_context


def prepare(folder: Path, heard: list[ToolProgress] | None = None, **values: Any) -> dict[str, Any]:
    context = small_context(folder, listen=(heard if heard is not None else []).append)
    return TOOL.dump_result(TOOL.call(TOOL.parse_args({"dataset": "minigene", "max_variants": 200} | values), context))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prepare")


def test_a_data_set_is_scored_once_and_split(folder: Path) -> None:
    heard: list[ToolProgress] = []
    first = prepare(folder, heard)
    assert (first["dataset"], first["synthetic"], first["base_model"]) == ("minigene", True, "small 1")
    assert 100 <= first["examples"] <= 200
    assert first["left_out"] == {}
    assert sum(part["n"] for part in first["parts"]) == first["examples"]
    assert [part["role"] for part in first["parts"]] == ["train", "validation", "test"]
    assert all(part["licence"] == "Apache-2.0" and part["n"] > 0 for part in first["parts"])
    assert len({part["digest"] for part in first["parts"]}) == 3
    assert any(Path(first["cache"]).rglob("*"))
    assert heard
    again: list[ToolProgress] = []
    assert prepare(folder, again) == first
    # What is kept is heard of at once and not sequence by sequence.
    assert len(again) <= len(heard)


def test_another_draw_is_another_digest(folder: Path) -> None:
    digests = [{part["digest"] for part in prepare(folder, max_variants=n)["parts"]} for n in (150, 200)]
    assert digests[0] != digests[1]


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"dataset": "minigen"}, UnknownDatasetError, "Did you mean 'minigene'"),
        ({"dataset": "mfass"}, MissingDatasetError, "is not on this machine"),
        ({"split": "odd"}, SettingError, "no split 'odd'"),
        ({"model": "odd"}, SettingError, "odd"),
    ],
)
def test_what_cannot_be_prepared(folder: Path, values: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        prepare(folder, **values)

"""The evaluator's digest: the same wherever it lies, another when a line of it changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from agentic_spliceai.splice_engine.base_layer.training import metrics
from agentic_spliceai.splice_engine.meta_layer import evaluation
from agentic_spliceai.splice_engine.meta_layer.evaluation.digest import array_digest, evaluator_digest
from tests.splice_engine.meta_layer.evaluation.test_evaluator import KINDS


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(Path(str(evaluation.__file__)).parent, tmp_path / "elsewhere"))


def test_place_and_line_ends_do_not_matter(copy: Path) -> None:
    for path in copy.glob("*.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert evaluator_digest(copy) == evaluator_digest()


@pytest.mark.parametrize("name", ["measures.py", "bootstrap.py", "evaluator.py"])
def test_a_changed_line_is_another_evaluator(copy: Path, name: str) -> None:
    with (copy / name).open("a") as handle:
        handle.write("# one more line\n")
    assert evaluator_digest(copy) != evaluator_digest()


def test_a_moved_line_or_a_new_module_is_another_evaluator(copy: Path) -> None:
    (copy / "more.py").write_text("")
    with_more = evaluator_digest(copy)
    assert with_more != evaluator_digest()
    (copy / "more.py").rename(copy / "other.py")
    assert evaluator_digest(copy) != with_more


def test_the_shared_ranking_measures_are_part_of_the_evaluator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = evaluator_digest()
    changed = tmp_path / "metrics.py"
    changed.write_text(Path(metrics.__file__).read_text() + "# one more line\n")
    monkeypatch.setattr(metrics, "__file__", str(changed))
    assert evaluator_digest() != before


def test_every_result_carries_it() -> None:
    for evaluate, make, _, _ in KINDS:
        assert evaluate(**make()).evaluator_digest == evaluator_digest()  # type: ignore[operator]


def test_arrays_digest_by_value_name_and_shape() -> None:
    x = np.arange(6)
    digest = array_digest([("x", x)])
    assert array_digest([("x", x.astype(np.int32))]) == digest
    assert array_digest([("x", x.astype(">f8"))]) == digest
    for other in ([("y", x)], [("x", x.reshape(2, 3))], [("x", x[::-1])], [("x", x), ("w", None)]):
        assert array_digest(other) != digest
    # Neighbouring texts do not run into each other.
    assert array_digest([("s", np.array(["ab", "c"]))]) != array_digest([("s", np.array(["a", "bc"]))])

"""`--set name=value`."""

from __future__ import annotations

import pytest

from agentic_spliceai.orchestration.errors import InputError, UnknownGraphError
from agentic_spliceai.orchestration.inputs import inputs_from_text, parse_assignments
from agentic_spliceai.orchestration.loader import load_document
from agentic_spliceai.orchestration.validator import load_graph
from tests.orchestration.fakes import GRAPH, checked


def test_only_the_first_equals_sign_divides() -> None:
    found = parse_assignments(["variant=NM_000256.3:c.1227=", "note=a b", "empty="])
    assert found == {"variant": "NM_000256.3:c.1227=", "note": "a b", "empty": ""}


@pytest.mark.parametrize("wrong", ["variant", "=x", "  =x"])
def test_what_is_no_assignment(wrong: str) -> None:
    with pytest.raises(InputError, match="is no name=value"):
        parse_assignments([wrong])


def test_a_name_given_twice() -> None:
    assert parse_assignments(["a=1", "a=1"]) == {"a": "1"}
    with pytest.raises(InputError, match="given twice: '1' and '2'"):
        parse_assignments(["a=1", "a=2"])


def test_texts_become_values_of_the_inputs_types() -> None:
    extra = (
        "  share: {type: number, default: 0.5, description: A share.}\n"
        "  loud: {type: boolean, default: false, description: Loud.}\n"
        "  file: {type: string, default: null, description: A file.}\nnodes:"
    )
    graph = checked(GRAPH.replace("nodes:", extra, 1))
    given = {"weight": "12", "share": "0.25", "loud": "Yes", "file": "null", "name": "null"}
    assert inputs_from_text(graph, given) == {
        "name": "null", "weight": 12, "mode": "fast", "share": 0.25, "loud": True, "file": None,
    }  # fmt: skip
    for name, text in (("weight", "1.5"), ("weight", "ten"), ("loud", "perhaps"), ("share", "half")):
        with pytest.raises(InputError, match=f"input {name}='{text}' is no"):
            inputs_from_text(graph, {name: text})


def test_a_misspelt_input_gets_a_near_name() -> None:
    with pytest.raises(InputError) as caught:
        inputs_from_text(load_graph("interpret_variant"), {"vraiant": "x"})
    assert caught.value.advice == "Did you mean 'variant'?"


def test_a_distance_that_the_scorer_refuses_is_refused_at_the_start() -> None:
    with pytest.raises(InputError, match=r"distance=0 cannot be used by score\.distance"):
        inputs_from_text(load_graph("interpret_variant"), {"distance": "0"})


@pytest.mark.parametrize(("name", "hint"), [("interpret_varient", "interpret_variant"), ("graphs/x.yaml", "one of")])
def test_an_unknown_workflow(name: str, hint: str) -> None:
    with pytest.raises(UnknownGraphError) as caught:
        load_document(name)
    assert hint in caught.value.advice

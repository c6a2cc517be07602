"""The schema that editors check workflow files with."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from agentic_spliceai.orchestration.json_schema import published_schema, schema_text, workflow_schema
from agentic_spliceai.orchestration.loader import load_document, packaged_graphs
from agentic_spliceai.tools.registry import default_registry
from tests.orchestration import workshop
from tests.orchestration.fakes import GRAPH, REGISTRY


def errors(text: str, registry: Any = REGISTRY) -> list[str]:
    checker = Draft202012Validator(workflow_schema(registry))
    found = checker.iter_errors(yaml.safe_load(text))
    return [error.message for error in found]


def test_the_published_schema_is_current() -> None:
    current = schema_text(default_registry())
    assert published_schema() == current, "run: agentic-spliceai graph schema -o graphs/workflow.schema.json"
    Draft202012Validator.check_schema(json.loads(current))


@pytest.mark.parametrize("name", packaged_graphs())
def test_packaged_workflows_fit_it(name: str) -> None:
    checker = Draft202012Validator(workflow_schema(default_registry()))
    assert [error.message for error in checker.iter_errors(load_document(name).data)] == []


def test_toy_workflows_fit_it() -> None:
    assert errors(GRAPH) == []
    assert errors(workshop.GRAPH, workshop.REGISTRY) == []


DEFECTS = {
    "misspelt key": ("description: A toy.", "descripton: A toy."),
    "unknown tool": ("use: make_thing", "use: make_thingy"),
    "unknown parameter": ("      weight: $", "      wieght: $"),
    "missing parameter": ("      name: $inputs.name\n", ""),
    "literal of another type": ("weight: $inputs.weight", "weight: heavy"),
    "literal outside a Literal": ("mode: $inputs.mode", "mode: medium"),
    "malformed reference": ("$inputs.name", "$inputs"),
    "out of range": ("weight: $inputs.weight", "weight: -1"),
    "both to and routes": ("    when: $make.size", "    to: pack\n    when: $make.size"),
    "edge without an end": ("{from: pack, to: finish}", "{from: pack}"),
    "as without each": ("    use: make_thing", "    use: make_thing\n    as: name"),
    "parallel without each": ("    use: make_thing", "    use: make_thing\n    parallel: 2"),
    "null": ("    use: make_thing", "    use: make_thing\n    timeout: null"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_it_sees_defects(defect: str) -> None:
    old, new = DEFECTS[defect]
    assert GRAPH.count(old) >= 1
    assert errors(GRAPH.replace(old, new, 1))


def test_the_item_of_a_fan_out_need_not_be_given() -> None:
    assert errors(workshop.GRAPH.replace(", each: $cut.planks, as: plank, parallel: 2", ""), workshop.REGISTRY)
    assert errors(workshop.GRAPH.replace("as: plank", "as: plnak"), workshop.REGISTRY)


def test_a_literal_that_begins_with_a_dollar_sign() -> None:
    assert errors(GRAPH.replace("note: packed", "note: $$5")) == []


def test_editors_can_show_what_tools_do() -> None:
    use = workflow_schema(default_registry())["$defs"]["NodeSpec"]["properties"]["use"]
    described = {option["const"]: option["description"] for option in use["oneOf"]}
    assert described["score_variant"] == default_registry()["score_variant"].purpose

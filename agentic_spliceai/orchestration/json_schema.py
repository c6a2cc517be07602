"""The JSON Schema of workflow files, for editors: the format, the tools by name, and what each of them takes.

It is a help while writing. What it cannot say, such as that a reference speaks of an earlier node, the validator does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from agentic_spliceai.orchestration.spec import GraphSpec
from agentic_spliceai.tools.registry import AnyTool

FILE = "workflow.schema.json"

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = r"^\$[a-z][a-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+\??$"
_LIST = r"^\$[a-z][a-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$"


def workflow_schema(registry: Mapping[str, AnyTool]) -> dict[str, Any]:
    """Return the schema for workflows that use the tools of `registry`."""
    schema = GraphSpec.model_json_schema(by_alias=True, mode="validation")
    definitions = schema["$defs"]
    reference = {"type": "string", "pattern": _REFERENCE, "description": "Reference: $inputs.NAME or $NODE.FIELD."}
    # YAML's default of an optional key is that it is not there: null is said by the spec's types, not by people.
    for part in (schema, *definitions.values()):
        for name, field in list(part.get("properties", {}).items()):
            if name != "default":
                part["properties"][name] = _without_null(field)
    node = definitions["NodeSpec"]
    node["properties"]["each"] |= {"pattern": _LIST}
    node["properties"]["use"] = {
        "description": "Name of a tool.",
        "oneOf": [{"const": tool.name, "description": tool.purpose} for tool in registry.values()],
    }
    node["dependentRequired"] = {"each": ["as"], "as": ["each"], "parallel": ["each"]}
    node["allOf"] = [
        {
            "if": {"properties": {"use": {"const": tool.name}}, "required": ["use"]},
            "then": _arguments(tool),
        }
        for tool in registry.values()
    ]
    edge = definitions["EdgeSpec"]
    edge["properties"]["when"] = {"$ref": "#/$defs/Reference"} | _description(edge["properties"]["when"])
    edge["oneOf"] = [{"required": ["to"]}, {"required": ["when", "routes"]}]
    schema["properties"]["outputs"]["additionalProperties"] = {"$ref": "#/$defs/Reference"}
    definitions["Reference"] = reference
    return {
        "$schema": _DIALECT,
        "title": "Workflow of agentic-spliceai",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def schema_text(registry: Mapping[str, AnyTool]) -> str:
    """Return the schema as the file that is published."""
    return json.dumps(workflow_schema(registry), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def published_schema() -> str:
    """Return the file that ships with the package."""
    return files("agentic_spliceai.graphs").joinpath(FILE).read_text(encoding="utf-8")


def _arguments(tool: AnyTool) -> dict[str, Any]:
    """Return what `with` of a tool may hold; an argument that a fan-out's `as` names is not required there."""
    schema = tool.args.model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})
    properties = {
        name: {
            "anyOf": [{"$ref": "#/$defs/Reference"}, _literal(field, definitions)],
            **_description(field),
        }
        for name, field in schema.get("properties", {}).items()
    }
    taken: dict[str, Any] = {
        "properties": {"with": {"type": "object", "properties": properties, "additionalProperties": False}}
    }
    required = schema.get("required", [])
    if required:
        given = {"properties": {"with": {"required": required}}, "required": ["with"]}
        taken |= {"if": {"not": {"required": ["each"]}}, "then": given}
    if properties:
        taken["properties"]["as"] = {"enum": sorted(properties)}
    return taken


def _literal(field: dict[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a literal, on its own: models are plain objects here, enums are spelt out.

    Text that begins with one dollar sign is a reference, so a literal text is any other.
    """
    found: dict[str, Any] = _resolved(
        {key: value for key, value in field.items() if key not in ("title", "description")}, definitions
    )
    if found.get("type") == "string" and not {"enum", "const", "pattern", "format"} & found.keys():
        found["pattern"] = r"^(?!\$[^$])"
    return found


def _resolved(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_resolved(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name:
        target = definitions[name]
        return {"enum": target["enum"]} if "enum" in target else {"type": target.get("type", "object")}
    return {
        key: _resolved(value, definitions) for key, value in schema.items() if key not in ("title", "discriminator")
    }


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    options = [option for option in field.get("anyOf", []) if option != {"type": "null"}]
    if not options or len(options) == len(field["anyOf"]):
        return field
    rest = {key: value for key, value in field.items() if key not in ("anyOf", "default")}
    return rest | (options[0] if len(options) == 1 else {"anyOf": options})


def _description(field: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": field["description"]} if "description" in field else {}

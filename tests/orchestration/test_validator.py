"""Each defect of a workflow gives a message on the line where it is."""

from __future__ import annotations

import pytest

from agentic_spliceai.orchestration.errors import GraphError
from agentic_spliceai.orchestration.loader import packaged_graphs, parse_document
from agentic_spliceai.orchestration.validator import find_problems, load_graph
from tests.orchestration import workshop
from tests.orchestration.fakes import GRAPH, REGISTRY, checked


def problems_of(text: str) -> list[tuple[int, str]]:
    try:
        document = parse_document(text, "toy.yaml")
    except GraphError as error:
        return [(problem.line, problem.message) for problem in error.problems]
    return [(problem.line, problem.message) for problem in find_problems(document, REGISTRY)]


def test_the_toy_graph_has_no_problem() -> None:
    assert problems_of(GRAPH) == []
    assert checked().spec.name == "toy"


@pytest.mark.parametrize("name", packaged_graphs())
def test_packaged_workflows_are_valid(name: str) -> None:
    assert load_graph(name).spec.name == name


# (text to replace, replacement, line of the problem, words of the message); each must be the only problem.
DEFECTS = {
    "version": ("version: 1", "version: 2", 1, "version: input should be 1"),
    "misspelt top key": ("outputs:", "ouputs:", 35, "unknown key 'ouputs'; did you mean 'outputs'?"),
    "description is missing": ("description: A toy.\n", "", 1, "the workflow lacks 'description'"),
    "misspelt key of an input": ("default: ant", "defualt: ant", 5, "unknown key 'defualt'; did you mean 'default'?"),
    "unknown type of an input": ("type: integer", "type: int", 6, "input 'weight': type: input should be 'string'"),
    "default of another type": ("default: 1,", "default: one,", 6, "default 'one' is no integer"),
    "boolean default of an integer": ("default: 1,", "default: true,", 6, "default True is no integer"),
    "default out of a parameter's bounds": (
        "default: 1,",
        "default: -500,",
        6,
        "input 'weight': the default -500 cannot be used by make.weight: ",
    ),
    "default outside the choices": ("default: fast,", "default: quick,", 7, "default 'quick' is not among its choices"),
    "choice of another type": ("[fast, slow]", "[fast, slow, 3]", 7, "choice 3 is no string"),
    "misspelt key of a node": (
        "    use: make_thing",
        "    use: make_thing\n    retries: 3",
        11,
        "unknown key 'retries'",
    ),
    "misspelt key of a retry": (
        "    use: make_thing",
        "    use: make_thing\n    retry: {attempts: 2, wiat: 1}",
        11,
        "unknown key 'wiat'; did you mean 'wait'?",
    ),
    "too few attempts": ("    use: make_thing", "    use: make_thing\n    retry: {attempts: 1}", 11, "greater than or"),
    "timeout of zero": ("    use: make_thing", "    use: make_thing\n    timeout: 0", 11, "greater than 0"),
    "unknown tool": ("use: make_thing", "use: make_thingy", 10, "no tool 'make_thingy'; did you mean 'make_thing'?"),
    "unknown parameter": ("      weight: $", "      wieght: $", 13, "no parameter 'wieght'; did you mean 'weight'?"),
    "missing parameter": ("      name: $inputs.name\n", "", 11, "node 'make' gives no 'name', which tool 'make_thing'"),
    "literal of another type": ("weight: $inputs.weight", "weight: heavy", 13, "'weight' cannot be 'heavy'"),
    "number written as text": ("weight: $inputs.weight", "weight: '5'", 13, "'weight' cannot be '5'"),
    "literal out of range": ("weight: $inputs.weight", "weight: -1", 13, "greater than or equal to 0"),
    "literal outside a Literal": ("mode: $inputs.mode", "mode: medium", 24, "'mode' cannot be 'medium'"),
    "malformed reference": ("$inputs.name", "$inputs", 12, "'$inputs' is no reference"),
    "expression": ("$inputs.name", "$inputs.name + 1", 12, "is no reference"),
    "reference in a list": ("note: packed", "note: packed\n      things: [$make.thing]", 19, "stands inside a list"),
    "unknown input": ("$inputs.name", "$inputs.nmae", 12, "there is no input 'nmae'; did you mean 'name'?"),
    "field of an input": ("$inputs.name", "$inputs.name.first", 12, "an input has no fields"),
    "unknown node in a reference": (
        "      thing: $make.thing\n      note: p",
        "      thing: $mak.thing\n      note: p",
        17,
        "there is no node 'mak'; did you mean 'make'?",
    ),
    "unknown field": (
        "note: $pack.line?",
        "note: $pack.lines?",
        23,
        "$pack has no field 'lines'; did you mean 'line'?",
    ),
    "unknown nested field": ("note: packed", "note: $make.thing.nmae", 18, "$make.thing has no field 'nmae'"),
    "field of text": ("note: packed", "note: $make.text.length", 18, "$make.text has no fields"),
    "field of what may be null": ("note: packed", "note: $make.maybe.name", 18, "$make.maybe may be null"),
    "own result": ("note: packed", "note: $pack.line", 18, "a node cannot read its own result"),
    "later node": ("note: packed", "note: $finish.line", 18, "node 'finish' does not come before 'pack'"),
    "node on some paths only": (
        "$pack.line?\n      mode",
        "$pack.line\n      mode",
        23,
        "comes before 'finish' on some paths only",
    ),
    "output on some paths only": (
        "packed: $pack.line?",
        "packed: $pack.line",
        37,
        "comes before 'END' on some paths only",
    ),
    "absent value without a default": (
        "thing: $make.thing\n      note: $pack",
        "thing: $make.thing?\n      note: $pack",
        22,
        "'thing' has no default",
    ),
    "text for a model": (
        "      thing: $make.thing\n      note: p",
        "      thing: $make.text\n      note: p",
        17,
        "$make.text is str, but 'thing' takes Thing",
    ),
    "null for a model": (
        "      thing: $make.thing\n      note: p",
        "      thing: $make.maybe\n      note: p",
        17,
        "$make.maybe is Thing | null",
    ),
    "list for a model": (
        "      thing: $make.thing\n      note: p",
        "      thing: $make.things\n      note: p",
        17,
        "is tuple[Thing, ...]",
    ),
    "text input for an integer": (
        "weight: $inputs.weight",
        "weight: $inputs.name",
        13,
        "is str, but 'weight' takes int",
    ),
    "choices beyond a Literal": ("[fast, slow]", "[fast, slow, odd]", 24, "$inputs.mode is 'fast' | 'slow' | 'odd'"),
    "two nodes of one name": (
        "  - name: finish",
        "  - {name: pack, use: make_thing, with: {name: x}}\n  - name: finish",
        19,
        "two nodes are named 'pack'",
    ),
    "edge from nowhere": (
        "{from: pack, to: finish}",
        "{from: pakc, to: finish}",
        33,
        "leaves 'pakc', but there is no such node; did you mean 'pack'?",
    ),
    "edge to nowhere": ("{from: pack, to: finish}", "{from: pack, to: finnish}", 33, "leads to 'finnish'"),
    "edge to START": ("{from: pack, to: finish}", "{from: pack, to: START}", 33, "nothing comes before START"),
    "misspelt key of an edge": ("{from: pack, to: finish}", "{from: pack, too: finish}", 33, "unknown key 'too'"),
    "edge without an end": ("{from: pack, to: finish}", "{from: pack}", 33, "leads nowhere"),
    "when without routes": ("{from: pack, to: finish}", "{from: pack, when: $make.size}", 33, "leads nowhere"),
    "both to and routes": ("    when: $make.size", "    to: pack\n    when: $make.size", 28, "not both"),
    "routes leave a value out": ("      large: pack\n", "", 30, "where to go when $make.size is large"),
    "route of no value": (
        "      large: pack",
        "      large: pack\n      lagre: pack",
        33,
        "never 'lagre'; did you mean 'large'?",
    ),
    "route on text": ("when: $make.size", "when: $make.text", 29, "$make.text is str; routes need an enum"),
    "two edges from a node": (
        "  - {from: pack, to: finish}",
        "  - {from: pack, to: finish}\n  - {from: pack, to: END}",
        34,
        "a second edge leaves 'pack' (the first is on line 33)",
    ),
    "reserved output": ("  line: $finish.line", "  run_id: $finish.line", 36, "the name is reserved"),
    "output is a number": ("  line: $finish.line", "  line: 3", 36, "output 'line' is no reference"),
    "key given twice": ("      weight: $inputs.weight", "      name: x", 13, "the key 'name' is given twice"),
    "alias": ("note: packed", "note: &a packed\n      mode: *a", 18, "anchors and aliases are not supported"),
    "code in a tag": (
        "note: packed",
        "note: !!python/object/apply:os.system [ls]",
        18,
        "apply:os.system' is not supported",
    ),
    "syntax": ("name: toy", "name: [toy", 3, "this is not YAML"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_defect_is_named_with_its_line(defect: str) -> None:
    old, new, line, words = DEFECTS[defect]
    assert GRAPH.count(old) >= 1
    found = problems_of(GRAPH.replace(old, new, 1))
    about = [(at, message) for at, message in found if at == line and words in message]
    assert about, f"expected line {line}: ...{words}...; found {found}"


FAN_OUT = {
    "list that is none": ("each: $cut.planks", "each: $inputs.count", 9, "$inputs.count is int; `each` needs a list"),
    "list of no node": ("each: $cut.planks", "each: $other.names", 9, "there is no node 'other'"),
    "each without as": (", as: plank", "", 9, "does not say `as` what its tool gets an item"),
    "unknown as": ("as: plank", "as: plnak", 9, "no parameter 'plnak'; did you mean 'plank'?"),
    "item given twice": ("with: {colour: blue}", "with: {plank: {length: 1}}", 9, "'plank' is given here, and by"),
    "as without each": ("each: $cut.planks, ", "", 9, "has 'as' but no 'each'"),
    "nothing at once": ("parallel: 2", "parallel: 0", 9, "greater than or equal to 1"),
    "a field of the items": ("$paint.items}}", "$paint.text}}", 10, "it gives $paint.items only"),
    "one item": ("painted: $paint.items}}", "painted: $paint.items.text}}", 10, "it gives $paint.items only"),
    "a list that may be absent": ("each: $cut.planks", "each: '$cut.planks?'", 9, "there must be a list"),
    "question for each": (
        "use: approve, with: {count: $inputs.count}",
        "use: approve, each: $cut.planks, as: count",
        8,
        "tool 'approve' asks a person: node 'approve' cannot have 'each'",
    ),
    "question with a timeout": ("use: approve,", "use: approve, timeout: 9,", 8, "cannot have 'timeout'"),
    "list that is no field": ("each: $cut.planks", "each: $cut.names", 9, "$cut has no field 'names'"),
}


@pytest.mark.parametrize("defect", FAN_OUT)
def test_each_defect_of_a_fan_out_is_named_with_its_line(defect: str) -> None:
    old, new, line, words = FAN_OUT[defect]
    assert workshop.GRAPH.count(old) >= 1
    document = parse_document(workshop.GRAPH.replace(old, new, 1), "workshop.yaml")
    found = [(problem.line, problem.message) for problem in find_problems(document, workshop.REGISTRY)]
    assert [(at, message) for at, message in found if at == line and words in message], found


def test_items_have_the_type_of_the_tools_result() -> None:
    text = workshop.GRAPH.replace("painted: $paint.items}}", "painted: $cut.planks}}", 1)
    (problem,) = find_problems(parse_document(text, "workshop.yaml"), workshop.REGISTRY)
    assert "$cut.planks is tuple[Plank, ...], but 'painted' takes tuple[PaintResult, ...]" in problem.message
    text = workshop.GRAPH.replace("as: plank", "as: colour").replace(
        "with: {colour: blue}", "with: {plank: {length: 1}}"
    )
    (problem,) = find_problems(parse_document(text, "workshop.yaml"), workshop.REGISTRY)
    assert "an item of $cut.planks is Plank, but 'colour' takes str" in problem.message


# Defects that follow from one cause need not be said twice.
ALONE = sorted(
    set(DEFECTS)
    - {
        "misspelt top key",
        "choice of another type",
        "two edges from a node",
        "routes leave a value out",
        "edge without an end",
        "when without routes",
        "two nodes of one name",
        "edge to nowhere",
        "edge from nowhere",
        "edge to START",
        "both to and routes",
        "choices beyond a Literal",
        "unknown type of an input",
        "route on text",
        "misspelt key of an edge",
    }
)


@pytest.mark.parametrize("defect", ALONE)
def test_one_defect_is_one_problem(defect: str) -> None:
    old, new, *_ = DEFECTS[defect]
    assert len(problems_of(GRAPH.replace(old, new, 1))) == 1


def test_every_problem_is_reported_at_once() -> None:
    text = GRAPH
    for old, new in (
        ("use: make_thing", "use: make_thingy"),
        ("default: 1,", "default: one,"),
        ("mode: $inputs.mode", "moed: $inputs.mode"),
        ("{from: pack, to: finish}", "{from: pack, to: finnish}"),
    ):
        text = text.replace(old, new, 1)
    with pytest.raises(GraphError) as caught:
        checked(text)
    assert [problem.line for problem in caught.value.problems] == [6, 10, 24, 33]
    assert "toy.yaml:6:" in caught.value.message
    assert "3 more" in caught.value.message


def test_an_unreachable_node_and_a_dead_end() -> None:
    extra = "  - {name: lost, use: make_thing, with: {name: x}}\nedges:"
    assert problems_of(GRAPH.replace("edges:", extra)) == [
        (26, "no path from START leads to node 'lost'"),
        (26, "no path from node 'lost' leads to END"),
    ]


def test_no_start_and_no_end() -> None:
    without = GRAPH.replace("  - {from: START, to: make}\n", "").replace("  - {from: finish, to: END}\n", "")
    messages = [message for _, message in problems_of(without)]
    assert "no edge leaves START" in messages
    assert "no edge leads to END" in messages


def test_a_cycle_is_spelt_out() -> None:
    found = problems_of(GRAPH.replace("{from: pack, to: finish}", "{from: pack, to: make}"))
    assert (33, "the nodes go round in a circle: make -> pack -> make") in found


def test_a_boolean_needs_both_routes_and_takes_them_unquoted() -> None:
    both = "    when: $make.heavy\n    routes: {true: pack, false: finish}\n"
    old = "    when: $make.size\n    routes:\n      small: finish\n      large: pack\n"
    assert problems_of(GRAPH.replace(old, both)) == []
    found = problems_of(GRAPH.replace(old, both.replace(", false: finish", "")))
    assert (30, "the routes do not say where to go when $make.heavy is false") in found


@pytest.mark.parametrize("text", ["", "- 1\n- 2\n", "just text", "version: 1\nnodes: {}\nedges: 3\n", "[" * 5000])
def test_what_is_no_workflow_is_refused(text: str) -> None:
    assert problems_of(text)

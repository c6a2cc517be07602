"""The shape of a workflow: what comes before what, on which paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentic_spliceai.orchestration.spec import END, START

Link = tuple[str, str]


class Paths:
    """Reachability and order in a directed graph from START to END.

    Parameters
    ----------
    nodes
        Names of the nodes, without START and END.
    links
        (from, to) pairs among them, START and END.
    """

    def __init__(self, nodes: Sequence[str], links: Iterable[Link]) -> None:
        self.nodes = tuple(dict.fromkeys(nodes))
        everything = (START, *self.nodes, END)
        self.after: dict[str, list[str]] = {name: [] for name in everything}
        self.before: dict[str, list[str]] = {name: [] for name in everything}
        for source, target in dict.fromkeys(links):
            self.after[source].append(target)
            self.before[target].append(source)
        self.reachable = _closure([START], self.after)
        self.leads_to_end = _closure([END], self.before)

    def sometimes_before(self, name: str) -> frozenset[str]:
        """Return the nodes that come before `name` on at least one path from START."""
        return (_closure(self.before[name], self.before) & self.reachable) - {START}

    def always_before(self, name: str) -> frozenset[str]:
        """Return the nodes that come before `name` on every path from START to it."""
        found = set()
        for other in self.sometimes_before(name) - {name}:
            without = {node: [n for n in after if n != other] for node, after in self.after.items()}
            if name not in _closure([START], without):
                found.add(other)
        return frozenset(found)

    def cycles(self) -> tuple[tuple[str, ...], ...]:
        """Return one cycle for each set of nodes that lead back to themselves, in order, its first node first."""
        cycles: list[tuple[str, ...]] = []
        covered: set[str] = set()
        for name in self.nodes:
            if name in covered or name not in _closure(self.after[name], self.after):
                continue
            cycle = self._way(name, name)
            cycles.append(cycle)
            back = _closure([name], self.before)
            covered |= _closure([name], self.after) & back
        return tuple(cycles)

    def _way(self, start: str, goal: str) -> tuple[str, ...]:
        """Return the shortest way from `start` along at least one link to `goal`, without `goal` itself at the end."""
        came: dict[str, str] = {}
        queue = [start]
        for node in queue:
            for following in self.after[node]:
                if following == goal:
                    way = [node]
                    while way[-1] != start:
                        way.append(came[way[-1]])
                    return tuple(reversed(way))
                if following not in came:
                    came[following] = node
                    queue.append(following)
        raise ValueError(f"no way from {start} to {goal}")


def _closure(start: Iterable[str], links: dict[str, list[str]]) -> frozenset[str]:
    found: set[str] = set()
    stack = list(start)
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            stack.extend(links[name])
    return frozenset(found)

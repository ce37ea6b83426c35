"""Which vertices of a directed graph lie on a cycle together (strongly connected components)."""

from __future__ import annotations

from collections.abc import Sequence


def components(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """For each vertex 0..count-1 a number that it shares with exactly those of its component.

    Kosaraju's algorithm, without recursion: a lineage may be deeper than Python's stack.
    """
    after: list[list[int]] = [[] for _ in range(count)]
    before: list[list[int]] = [[] for _ in range(count)]
    for source, target in pairs:
        after[source].append(target)
        before[target].append(source)
    component = [-1] * count
    for number, root in enumerate(reversed(_by_finish(after))):
        waiting = [root]
        while waiting:
            here = waiting.pop()
            if component[here] < 0:
                component[here] = number
                waiting += before[here]
    return component


def _by_finish(after: list[list[int]]) -> list[int]:
    """Vertices in the order in which a depth-first walk leaves them."""
    finished: list[int] = []
    seen = [False] * len(after)
    for root in range(len(after)):
        work = [] if seen[root] else [(root, iter(after[root]))]
        seen[root] = True
        while work:
            here, rest = work[-1]
            following = next((each for each in rest if not seen[each]), None)
            if following is None:
                finished.append(here)
                work.pop()
            else:
                seen[following] = True
                work.append((following, iter(after[following])))
    return finished

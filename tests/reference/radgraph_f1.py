"""RadGraph F1 as its definition reads (Delbrouck et al. 2022), by lists and plain loops."""

from typing import Any

Graph = dict[str, Any]


def of_entity(e: dict[str, Any], graph: Graph, level: str) -> list[tuple[Any, ...]]:
    """Return what one entity adds to V̄ at a level."""
    targets = [(kind, graph["entities"][u]) for kind, u in e["relations"]]
    if level == "simple":
        return [(e["tokens"], e["label"])]
    if level == "partial":
        return [(e["tokens"], e["label"], len(targets) > 0)]
    if level == "relation":
        return [(e["tokens"], e["label"], kind, u["tokens"], u["label"]) for kind, u in targets]
    if len(targets) == 0:
        return [(e["tokens"], e["label"])]
    t = e["tokens"].lower()
    return [(t, e["label"], kind, u["tokens"].lower()) for kind, u in targets]


def candidates(graph: Graph, level: str) -> list[tuple[Any, ...]]:
    """Return V̄ of a graph: what is matched at a level, each once."""
    once: list[tuple[Any, ...]] = []
    for entity in graph["entities"].values():
        for each in of_entity(entity, graph, level):
            if each not in once:
                once.append(each)
    return once


def f1(generated: Graph, reference: Graph, level: str) -> float:
    """Return 2PR / (P + R), 0 where either graph has nothing or P + R = 0."""
    g, r = candidates(generated, level), candidates(reference, level)
    if not g or not r:
        return 0.0
    P = sum(1 for x in g if x in r) / len(g)
    R = sum(1 for x in r if x in g) / len(r)
    return 0.0 if P + R == 0 else 2 * P * R / (P + R)

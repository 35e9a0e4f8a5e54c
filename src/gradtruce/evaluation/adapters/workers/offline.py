"""Run RadGraph or RadEval on texts, without network: one JSON file in, one out.

`python offline.py request.json answer.json`. Imports the standard library and the package asked
for, nothing else, so that any Python that has the package can run it (3.9 or newer).
"""

import importlib
import importlib.metadata
import json
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn


def no_network(*_: object, **__: object) -> NoReturn:
    """Refuse to look up or connect to another machine.

    Raises:
        ConnectionRefusedError: Always.
    """
    raise ConnectionRefusedError("reports are scored without network; fetch the weights first")


def annotate(request: "dict[str, Any]") -> "dict[str, Any]":
    """Return RadGraph's annotations of `texts` by row, with the version of the package."""
    radgraph = importlib.import_module("radgraph")
    model = radgraph.RadGraph(
        model_type=request["model"], model_cache_dir=request["folder"], cuda=request["cuda"]
    )
    version = importlib.metadata.version("radgraph")
    return {"annotations": model(request["texts"]), "version": version}


def score(request: "dict[str, Any]") -> "dict[str, Any]":
    """Return RadEval's scores of each pair of texts by name, with the version of the package."""
    radeval = importlib.import_module("radeval")
    evaluator = radeval.RadEval(metrics=request["metrics"], per_sample=True, show_progress=False)
    scores = evaluator(refs=request["references"], hyps=request["generated"])
    values = {name: [float(value) for value in each] for name, each in scores.items()}
    return {"scores": values, "version": importlib.metadata.version("radeval")}


JOBS = {"annotate": annotate, "score": score}


def main(request: str, answer: str) -> None:
    """Do what the request asks; an error is an answer too, as its kind and message."""
    socket.getaddrinfo = no_network
    socket.socket.connect = no_network  # type: ignore[method-assign] # for all that follows
    socket.socket.connect_ex = no_network  # type: ignore[method-assign] # for all that follows
    fields = json.loads(Path(request).read_text(encoding="utf-8"))
    try:
        result = JOBS[fields["job"]](fields)
    except Exception as error:  # told to the process that asked
        result = {"error": type(error).__name__, "message": str(error)}
    Path(answer).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

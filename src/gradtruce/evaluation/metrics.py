"""metrics.json: groups of scores, each with its protocol."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradtruce.evaluation.protocol import Protocol
from gradtruce.evaluation.significance import Score
from gradtruce.files import write_whole

SCHEMA = 1


@dataclass(frozen=True)
class Group:
    """Scores measured in one way.

    Attributes:
        protocol: How they were measured.
        scores: By key; empty where the group can't be computed.
        reason: Why the group can't be computed; "" where it can.
    """

    protocol: Protocol
    scores: Mapping[str, Score] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Metrics:
    """All scores of a set of predictions.

    The flat name of a score is its group's name, a dot, and its key: `nlg.bleu_4`,
    `clinical.micro_13.uncertain_negative.f1`.

    Attributes:
        groups: By the name of the family that measured them.
        baselines: Scores of writers that see no image, by name of the writer and flat name.
        alarms: What is suspicious in the output as a whole, in words.
        inputs: Files that were read, with the beginning of their SHA-256, by what they gave.

    >>> protocol = Protocol("generated texts against reference texts", reports=2)
    >>> metrics = Metrics({"nlg": Group(protocol, {"bleu_1": Score(0.5, 0.4, 0.6)})})
    >>> metrics["nlg.bleu_1"].value
    0.5
    >>> Metrics.from_json(metrics.to_json()) == metrics
    True
    """

    groups: Mapping[str, Group]
    baselines: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    alarms: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)

    def flat(self) -> dict[str, Score]:
        """Return all scores by flat name."""
        return {
            f"{name}.{key}": score
            for name, group in self.groups.items()
            for key, score in group.scores.items()
        }

    def __getitem__(self, name: str) -> Score:
        """Return the score of a flat name; of a group that can't be computed, its reason.

        Raises:
            ValueError: If there is no such score; the message names the nearest one.
        """
        group, _, key = name.partition(".")
        if group in self.groups and self.groups[group].reason:
            return Score(None, reason=self.groups[group].reason)
        if group not in self.groups or key not in self.groups[group].scores:
            near = difflib.get_close_matches(name, self.flat(), n=1, cutoff=0.0)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"no score is called {name!r}{hint}")
        return self.groups[group].scores[key]

    def to_json(self) -> str:
        """Return the text of metrics.json: files, protocols by group, scores by flat name."""
        content = {
            "schema": SCHEMA,
            "inputs": dict(self.inputs),
            "protocols": {name: _protocol(group) for name, group in self.groups.items()},
            "scores": _table(self.flat()),
            "baselines": {name: _table(scores) for name, scores in self.baselines.items()},
            "alarms": list(self.alarms),
        }
        return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Metrics":
        """Return the metrics that `to_json` wrote.

        Raises:
            ValueError: If the text is not that of a metrics file of this schema.
        """
        content = json.loads(text)
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise ValueError(f"not a metrics file of schema {SCHEMA}")
        try:
            scores: dict[str, dict[str, Score]] = {name: {} for name in content["protocols"]}
            for name, fields in content["scores"].items():
                group, _, key = name.partition(".")
                scores[group][key] = Score(**fields)
            groups = {
                name: _group(fields, scores[name]) for name, fields in content["protocols"].items()
            }
            baselines = {
                name: {key: Score(**fields) for key, fields in table.items()}
                for name, table in content["baselines"].items()
            }
            alarms = tuple(content["alarms"])
            inputs = dict(content.get("inputs", {}))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a metrics file: {error}") from None
        return cls(groups, baselines, alarms, inputs)

    def write(self, path: Path) -> None:
        """Write metrics.json; the file is there whole or not at all."""
        write_whole(path, self.to_json())

    @classmethod
    def read(cls, path: Path) -> "Metrics":
        """Return the metrics of a file.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not a metrics file of this schema.
        """
        if not path.is_file():
            raise FileNotFoundError(f"no metrics file {path}; `gradtruce evaluate` writes one")
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{path}: damaged, no JSON ({error}); remove it: `gradtruce train --resume` or "
                "`gradtruce study run`, of the folder it is in, writes it again"
            ) from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def _protocol(group: Group) -> dict[str, Any]:  # JSON values of several kinds
    return group.protocol.to_json() | ({"unavailable": group.reason} if group.reason else {})


def _table(scores: Mapping[str, Score]) -> dict[str, Any]:
    return {name: _score_fields(score) for name, score in scores.items()}


def _score_fields(score: Score) -> dict[str, Any]:
    fields = {"value": score.value, "low": score.low, "high": score.high}
    return fields | ({"reason": score.reason} if score.reason else {})


def _group(fields: Mapping[str, Any], scores: Mapping[str, Score]) -> Group:
    named = {name: value for name, value in fields.items() if name != "unavailable"}
    return Group(Protocol.from_json(named), scores, fields.get("unavailable", ""))

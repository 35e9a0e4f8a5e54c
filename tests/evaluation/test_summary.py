from gradtruce.evaluation.metrics import Group, Metrics
from gradtruce.evaluation.protocol import Protocol
from gradtruce.evaluation.significance import Score
from gradtruce.evaluation.summary import facts

LONG = "labeler rules 2 (sha256 0123456789abcdef0123)"


def test_what_tables_cannot_be_read_without_is_named() -> None:
    clinical = Protocol("labels", 1200, 3, reference_labels="truth.csv", scored_labels=LONG)
    settings = {"meteor": "1.5, jar sha256 0123456789abcdef", "meteor_java": "17"}
    words = Protocol("texts", 1200, 3, references="full: not cut", settings=settings)
    empty = {"both_empty_14.uncertain_negative": Score(7.0)}
    groups = {"nlg": Group(words), "clinical": Group(clinical, empty)}
    found = facts(Metrics(groups, inputs={"references": "r.csv (sha256 0)"}))
    assert found[0] == "reports: 1,200, of which 3 generated empty"
    text = "\n".join(found)
    for part in ("truth.csv", "0123456789ab…", "both sides: 7;", "full: not cut", "Java 17"):
        assert part in text
    assert "references: r.csv" in text
    assert "versions: gradtruce" in text
    assert "abcdef0123" not in text


def test_nothing_is_said_of_what_is_not_there() -> None:
    assert facts(Metrics({})) == []
    found = facts(Metrics({"errors": Group(Protocol("findings", 2))}))
    assert found[0] == "reports: 2"
    assert not any("labels" in fact for fact in found)

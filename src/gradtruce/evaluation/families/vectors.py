"""CheXbert-vector similarity: how near generated and reference reports lie in CheXbert's space."""

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np
from jaxtyping import Float

from gradtruce.evaluation.families.readings import card
from gradtruce.evaluation.family import Family, Plan
from gradtruce.evaluation.labelers.chexbert import CheXbertLabeler
from gradtruce.evaluation.predictions import Prediction


@final
class CheXbertVectors(Family):
    """Cosine of CheXbert's [CLS] vectors of generated and reference report (s_emb; Yu et al. 2023).

    The mean over reports. An empty report has the vector of [CLS] [SEP]. The vectors of any two
    reports point roughly one way, so unrelated reports score well above 0: compare systems, and
    read no value by itself.

    Args:
        chexbert: Reads the reports; `None` where there are no weights.
        reason: Why there is none, as `locate_chexbert` words it.

    >>> plan = CheXbertVectors(None, "no weights of CheXbert").plan([Prediction("s1", "a", "b")])
    >>> plan.reason
    'no weights of CheXbert'
    """

    name = "chexbert_vectors"

    def __init__(self, chexbert: CheXbertLabeler | None, reason: str = "") -> None:
        self._chexbert = chexbert
        self._reason = reason or "CheXbert was not given; its weights are needed"

    def plan(self, predictions: Sequence[Prediction]) -> Plan:
        """Return the similarity, or why there is none."""
        protocol = card(predictions, "CheXbert vectors of generated texts and of reference texts")
        if self._chexbert is None:
            return Plan(protocol, reason=self._reason)
        generated = [prediction.generated for prediction in predictions]
        reference = [prediction.reference for prediction in predictions]
        vectors = _vectors(self._chexbert, [*generated, *reference])
        similarity = cosines(vectors[: len(generated)], vectors[len(generated) :])

        def mean(weights: Float[np.ndarray, "draws reports"]) -> dict[str, np.ndarray]:
            return {"similarity": weights @ similarity / weights.sum(axis=1)}

        return Plan(
            replace(
                protocol,
                averaging="mean over reports",
                settings={"vectors": f"[CLS] of the last layer, {self._chexbert.identity}"},
            ),
            mean,
            counts={
                "truncated_generated": int(self._chexbert.truncated(generated).sum()),
                "truncated_reference": int(self._chexbert.truncated(reference).sum()),
            },
            per_report={"similarity": similarity.tolist()},
        )


def cosines(
    first: Float[np.ndarray, "reports hidden"], second: Float[np.ndarray, "reports hidden"]
) -> Float[np.ndarray, " reports"]:
    """Return the cosine of each pair of rows; 0 where one is zero.

    >>> cosines(np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[4.0, 3.0], [1.0, 0.0]]))
    array([0.96, 0.  ])
    """
    first, second = first.astype(np.float64), second.astype(np.float64)
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    products = (first * second).sum(axis=1)
    values = np.divide(products, norms, out=np.zeros_like(norms), where=norms > 0)
    return np.asarray(values.clip(-1, 1))  # rounding may step over


def _vectors(
    chexbert: CheXbertLabeler, reports: Sequence[str]
) -> Float[np.ndarray, "reports hidden"]:
    """Return the vector of each report; a text that comes often is read once."""
    texts = list(dict.fromkeys(reports))
    rows = {text: row for row, text in enumerate(texts)}
    return chexbert.embed(texts)[[rows[report] for report in reports]]

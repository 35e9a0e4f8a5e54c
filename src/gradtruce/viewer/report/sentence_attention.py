"""A trained method and studies: reports, and where each of their sentences and findings looks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from gradtruce.analysis.attention import heat_map, sentence_maps, sentence_spans, view_shares
from gradtruce.data.batch import Batch
from gradtruce.data.loading.views import in_reading_order
from gradtruce.data.observations import FINDINGS, OBSERVATIONS
from gradtruce.data.study import Study, View
from gradtruce.data.tokenizer import encode
from gradtruce.data.transforms import ImageProcessor, stack_views
from gradtruce.evaluation.predictions import Prediction
from gradtruce.methods.base import Decoding
from gradtruce.methods.registry import Method, load
from gradtruce.training.retrieval.retriever import Retriever
from gradtruce.viewer.report.prior_studies import Priors, prior_fields, states_of

BATCH = 16


@final
@dataclass(frozen=True, eq=False)
class Look:
    """Where one sentence looks, or where a finding is seen.

    Attributes:
        text: The sentence, its words joined by blanks, or the finding.
        grid: Attention or activation on the grid of the visual features; sums to 1 over the views,
            or is 0 all over.
    """

    text: str
    grid: Float[Tensor, "views height width"]

    @property
    def shares(self) -> list[float]:
        """Share of the attention of each view."""
        return [float(share) for share in view_shares(self.grid)]

    def heat(self, size: tuple[int, int]) -> Float[Tensor, "views image_height image_width"]:
        """Return heat maps of that height and width, from 0 to 1."""
        return heat_map(self.grid, size)


@final
class Reader:
    """A saved method together with how it takes images and text.

    Args:
        checkpoint: Folder that `save_pretrained` wrote, such as `checkpoints/best`.
        max_views: Most views of a study that the method sees.
        max_tokens: Most tokens of a report; where not given, as many as the method's own decoding
            generates.
        retriever: Finds the reports that the method reads beside the images, where it reads any.
        priors: Finds the study before a study, where the method was trained with priors; where not
            given, no study is compared with another.

    Raises:
        FileNotFoundError: If the folder holds no saved method.
    """

    def __init__(
        self,
        checkpoint: Path,
        max_views: int = 2,
        max_tokens: int | None = None,
        retriever: Retriever | None = None,
        priors: Priors | None = None,
    ) -> None:
        self.method: Method = load(checkpoint)
        self.processor = ImageProcessor.load(checkpoint)
        self.max_views = max_views
        self.max_tokens = max_tokens or (self.method.decoding or Decoding()).max_tokens
        self._checkpoint, self._retriever, self._priors = checkpoint, retriever, priors

    def views(self, study: Study) -> tuple[View, ...]:
        """Return the views that the method sees, in its order."""
        return in_reading_order(study.views)[: self.max_views]

    def looks(self, studies: Sequence[Study], reports: Sequence[str]) -> list[list[Look]]:
        """Return, for each study and its report, where each sentence looks.

        One teacher-forced pass; a sentence looks where its tokens look, on average. Of a report
        with more than the most tokens, the words that have one.
        """
        found: list[list[Look]] = []
        for start in range(0, len(studies), BATCH):
            part = slice(start, start + BATCH)
            found += self._looks(studies[part], reports[part])
        return found

    def write(self, studies: Sequence[Study], decoding: Decoding) -> list[Prediction]:
        """Return a generated report, and findings where the method has them, for each study.

        Raises:
            ValueError: If the method is told the labels of the reference report, and a study has
                none.
        """
        self._require_labels(studies)
        found: list[Prediction] = []
        for start in range(0, len(studies), BATCH):
            part = studies[start : start + BATCH]
            batch = self._batch(part, [study.report for study in part])
            generated = self.method.generate_reports(batch, decoding)
            for row, (study, text) in enumerate(zip(part, generated.texts, strict=True)):
                shares = None if generated.findings is None else generated.findings[row].tolist()
                findings = None if shares is None else dict(zip(OBSERVATIONS, shares, strict=True))
                told = self.method.told
                found.append(Prediction(study.id, study.report, text, findings, told=told))
        return found

    def finding_looks(self, studies: Sequence[Study]) -> list[dict[str, Look]]:
        """Return, for each study, where the findings head sees each of the 13 findings.

        Class activation maps, each brought to a sum of 1; nothing where the method has no head.
        That there is no finding is seen nowhere.
        """
        found: list[dict[str, Look]] = []
        for start in range(0, len(studies), BATCH):
            part = studies[start : start + BATCH]
            maps = self.method.cam(self._batch(part, [study.report for study in part]))
            if maps is None:
                return [{} for _ in studies]
            sums = maps.sum(dim=(2, 3, 4), keepdim=True)
            shares = (maps / sums.where(sums > 0, 1.0)).cpu()
            for row, study in enumerate(part):
                grids = shares[row, :, : len(self.views(study))]
                names = zip(OBSERVATIONS, grids, strict=True)
                found.append({name: Look(name, grid) for name, grid in names if name in FINDINGS})
        return found

    def frame(self, view: View) -> tuple[float, float, float, float]:
        """Return the part of the view that the method sees: left, top, width, height in pixels."""
        height, width = view.pixels.shape
        if self.processor.aspect == "stretch":
            return 0.0, 0.0, float(width), float(height)
        side = min(height, width)
        return (width - side) / 2, (height - side) / 2, float(side), float(side)

    def crop(
        self, pixels: Shaped[np.ndarray, "height width"]
    ) -> Shaped[np.ndarray, "rows columns"]:
        """Return the part of an image or mask of a view that the method sees."""
        height, width = pixels.shape
        if self.processor.aspect == "stretch":
            return pixels
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return pixels[top : top + side, left : left + side]

    def _require_labels(self, studies: Sequence[Study]) -> None:
        """Refuse what would silently be read as studies without a finding."""
        unknown = [study.id for study in studies if not study.labels]
        if self.method.told and unknown:
            raise ValueError(
                f"{self._checkpoint}: this method generates reports from the images and "
                f"{self.method.told}, and {unknown[0]} has no labels. To read images alone, "
                f"{self.method.untold}"
            )

    def _looks(self, studies: Sequence[Study], reports: Sequence[str]) -> list[list[Look]]:
        batch = self._batch(studies, reports)
        maps = self.method.attention(batch, batch.input_ids).cpu()
        found = []
        for row, (study, report) in enumerate(zip(studies, reports, strict=True)):
            texts, spans = _sentence_tokens(report, self._offsets(report))
            grids = sentence_maps(maps[row, :, : len(self.views(study))], spans)
            found.append([Look(text, grid) for text, grid in zip(texts, grids, strict=True)])
        return found

    def _offsets(self, report: str) -> list[tuple[int, int]]:
        """Return the part of the report that each token stands for; none of it for bos and eos."""
        encoded = self.method.require_tokenizer()(report, return_offsets_mapping=True)
        return [(start, stop) for start, stop in encoded["offset_mapping"]][: self.max_tokens]

    def _batch(self, studies: Sequence[Study], reports: Sequence[str]) -> Batch:
        tokenizer = self.method.require_tokenizer()
        fitted = [[self.processor.fit(view.pixels) for view in self.views(s)] for s in studies]
        pixel_values, view_mask = stack_views(fitted, self.processor, self.max_views)
        ids = [encode(tokenizer, report, self.max_tokens) for report in reports]
        longest, pad = max(len(row) for row in ids), tokenizer.pad_token_id
        return Batch(
            ids=tuple(study.id for study in studies),
            reports=tuple(reports),
            pixel_values=pixel_values,
            view_mask=view_mask,
            input_ids=torch.tensor([row + [pad] * (longest - len(row)) for row in ids]),
            labels=torch.tensor([states_of(study) for study in studies]),
            retrieved=self._retriever(studies) if self._retriever else None,
            **self._prior(studies),
        )

    def _prior(self, studies: Sequence[Study]) -> dict[str, Any]:  # fields of a batch
        if self._priors is None:
            return {}
        priors = [self._priors(study) for study in studies]
        tokenizer = self.method.require_tokenizer()
        return prior_fields(priors, tokenizer, self.processor, self.max_views, self.max_tokens)


def _sentence_tokens(
    report: str, offsets: Sequence[tuple[int, int]]
) -> tuple[list[str], list[range]]:
    """Return the sentences of a report as far as it has tokens, and where their tokens lie.

    Sentences are told by what stands between blanks, so the point of a number, which may be a token
    of its own, ends none.

    >>> _sentence_tokens("1.5 cm . no", [(0, 0), (0, 1), (1, 2), (2, 3), (4, 6), (7, 8)])
    (['1.5 cm .'], [range(1, 6)])
    """
    end = max((stop for _, stop in offsets), default=0)
    words = [word for word in re.finditer(r"\S+", report) if word.start() < end]
    texts, tokens = [], []
    for span in sentence_spans([word.group() for word in words]):
        left, right = words[span.start].start(), words[span.stop - 1].end()
        inside = [n for n, (start, stop) in enumerate(offsets) if left <= start < min(stop, right)]
        texts.append(" ".join(words[place].group() for place in span))
        tokens.append(range(inside[0], inside[-1] + 1))
    return texts, tokens

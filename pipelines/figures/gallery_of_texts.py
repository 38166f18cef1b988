"""The figures of a run whose rows are texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from features.text import tokens
from pipelines.explain import explain
from pipelines.figures import of_texts
from pipelines.pipeline import Pipeline

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(pipeline: Pipeline, *, note: str | None) -> Iterator[tuple[str, Figure]]:
    """Names and figures; none where the competition names no column of texts."""
    competition, prepared = pipeline.competition, pipeline.prepared
    if competition.text is None:
        return
    texts = prepared.train[competition.text].to_list()
    target, oof = prepared.target, pipeline.blend.oof
    n_words = np.array([len(tokens(text)) for text in texts])
    yield "by_length", of_texts.accuracy_by_length(target, oof, n_words, note=note)
    names = [competition.label_name(label) for label in competition.classes]
    yield "losses", of_texts.largest_losses(texts, target, oof, names, note=note)
    explained = explain(pipeline)
    if explained is not None and explained[1]:
        member, own = explained
        yield "words", of_texts.word_effects(own, member=member, note=note)

"""Made-up film reviews in exactly the form of Kaggle's files: sentences cut into all their parts.

A small grammar makes each sentence with its tree. How good a part says that the film is follows
from its words: adjectives and verbs have a value, intensifiers stretch it, a negation turns it,
and after "but" the second half decides. A few labels are off by one, as people are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

GENERATOR_VERSION = "1"  # counts up when the same numpy would write other bytes
SEED = 2014
N_TRAIN, N_HELD_BACK = 600, 200  # sentences
OFF_BY_ONE = 0.04  # share of labels
ORIGIN = "phrases of 800 made-up reviews"

NOUNS = (
    "film",
    "movie",
    "story",
    "plot",
    "script",
    "cast",
    "actor",
    "actress",
    "director",
    "score",
    "ending",
    "scene",
    "comedy",
    "drama",
    "thriller",
    "sequel",
    "camera",
    "dialogue",
    "premise",
    "character",
    "performance",
    "screenplay",
    "hero",
    "romance",
)
PEOPLE = ("critics", "viewers", "children", "fans", "audiences", "everyone", "nobody", "teenagers")
GOOD = (
    "good",
    "charming",
    "funny",
    "moving",
    "clever",
    "gripping",
    "fresh",
    "lovely",
    "warm",
    "graceful",
    "witty",
    "solid",
)
GREAT = ("brilliant", "wonderful", "superb", "masterful", "unforgettable", "dazzling")
BAD = (
    "dull",
    "weak",
    "silly",
    "messy",
    "bland",
    "clumsy",
    "tired",
    "shallow",
    "slow",
    "predictable",
    "noisy",
    "stale",
)
AWFUL = ("awful", "terrible", "dreadful", "unwatchable", "disastrous", "painful")
PLAIN = ("long", "short", "new", "old", "french", "quiet", "small", "recent", "second", "animated")
LIKES = ("enjoy", "like", "admire", "recommend")
DISLIKES = ("dislike", "resent", "regret", "avoid")
STRETCH = ("very", "truly", "deeply", "utterly")
SHRINK = ("slightly", "somewhat", "rather")
VALUES = {
    **dict.fromkeys(GOOD, 1.0),
    **dict.fromkeys(GREAT, 2.0),
    **dict.fromkeys(BAD, -1.0),
    **dict.fromkeys(AWFUL, -2.0),
    **dict.fromkeys(PLAIN, 0.0),
    **dict.fromkeys(LIKES, 1.0),
    **dict.fromkeys(DISLIKES, -1.0),
}


@dataclass(frozen=True)
class Part:
    """A part of a sentence: its words, its value, and the parts that it is made of."""

    words: tuple[str, ...]
    value: float = 0.0
    parts: tuple[Part, ...] = ()

    def with_all_parts(self) -> Iterator[Part]:
        """The part itself, then its parts from left to right, each before its own parts."""
        yield self
        for part in self.parts:
            yield from part.with_all_parts()


def write(folder: Path) -> None:
    """Write `train.tsv`, `test.tsv`, `sampleSubmission.csv` and `holdout.csv`.

    Each file has a phrase once, as Kaggle's have. `holdout.csv` has the labels of the phrases in
    `test.tsv`; `sampleSubmission.csv` calls all of them neutral.

    Raises:
        OSError: The folder cannot be written.
    """
    train, held_back = make()
    ids = held_back[["PhraseId"]]
    _write_table(folder / "train.tsv", train, separator="\t")
    _write_table(folder / "test.tsv", held_back.drop(columns="Sentiment"), separator="\t")
    _write_table(folder / "sampleSubmission.csv", ids.assign(Sentiment=2), separator=",")
    _write_table(folder / "holdout.csv", held_back[["PhraseId", "Sentiment"]], separator=",")


def fingerprint() -> str:
    """A text that changes when `write` would write other bytes."""
    return f"generator {GENERATOR_VERSION}, numpy {np.__version__}"


def make() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and held-back phrases: PhraseId, SentenceId, Phrase, Sentiment."""
    rng = np.random.default_rng(SEED)
    sentences = [_sentence(rng) for _ in range(N_TRAIN + N_HELD_BACK)]
    labels: dict[str, int] = {}
    train = _table(sentences[:N_TRAIN], labels, rng, first_phrase=1, first_sentence=1)
    held_back = _table(
        sentences[N_TRAIN:],
        labels,
        rng,
        first_phrase=len(train) + 1,
        first_sentence=N_TRAIN + 1,
    )
    return train, held_back


def _table(
    sentences: Sequence[Part],
    labels: dict[str, int],
    rng: np.random.Generator,
    *,
    first_phrase: int,
    first_sentence: int,
) -> pd.DataFrame:
    """Every phrase once, in the first sentence that has it; a phrase has only one label."""
    first_seen: dict[str, int] = {}
    for number, sentence in enumerate(sentences):
        for part in sentence.with_all_parts():
            phrase = " ".join(part.words)
            first_seen.setdefault(phrase, first_sentence + number)
            labels.setdefault(phrase, _label(part.value, rng))
    table = pd.DataFrame({"SentenceId": first_seen.values(), "Phrase": first_seen.keys()})
    table.insert(0, "PhraseId", np.arange(first_phrase, first_phrase + len(table)))
    return table.assign(Sentiment=[labels[phrase] for phrase in table["Phrase"]])


def _label(value: float, rng: np.random.Generator) -> int:
    off = int(rng.choice((-1, 1))) if rng.random() < OFF_BY_ONE else 0
    return int(np.clip(np.floor(2.5 + value) + off, 0, 4))


def _sentence(rng: np.random.Generator) -> Part:
    clause = _clause(rng)
    if rng.random() < 0.3:
        other = _clause(rng)
        word = "but" if rng.random() < 0.6 else "and"
        value = other.value if word == "but" else (clause.value + other.value) / 2
        rest = _joined(Part((word,)), other, value=other.value)
        clause = _joined(clause, rest, value=value)
    return _joined(clause, Part((".",)), value=clause.value)


def _clause(rng: np.random.Generator) -> Part:
    if rng.random() < 0.3:
        return _opinion(rng)
    subject, said = _subject(rng), _description(rng)
    is_negated = rng.random() < 0.25
    verb = Part(("is",))
    if is_negated:
        verb = _joined(verb, Part(("n't",)), value=0.0)
    value = _turned(said.value) if is_negated else said.value
    predicate = _joined(verb, said, value=value)
    return _joined(subject, predicate, value=float(np.clip(value + subject.value / 2, -2, 2)))


def _opinion(rng: np.random.Generator) -> Part:
    """Viewers do n't like the film."""
    verb = _word(rng, LIKES + DISLIKES)
    object_ = _subject(rng)
    liking = _joined(verb, object_, value=verb.value)
    if rng.random() < 0.4:
        negation = _joined(Part(("do",)), Part(("n't",)), value=0.0)
        liking = _joined(negation, liking, value=_turned(liking.value))
    return _joined(_word(rng, PEOPLE), liking, value=liking.value)


def _subject(rng: np.random.Generator) -> Part:
    noun = _word(rng, NOUNS)
    if rng.random() < 0.5:
        kinds = (PLAIN, GOOD, BAD)
        adjective = _word(rng, kinds[rng.integers(len(kinds))])
        noun = _joined(adjective, noun, value=adjective.value)
    return _joined(_word(rng, ("the", "this", "a")), noun, value=noun.value)


def _description(rng: np.random.Generator) -> Part:
    kinds = (GOOD, GREAT, BAD, AWFUL, PLAIN)
    adjective = _word(rng, kinds[rng.choice(len(kinds), p=(0.3, 0.15, 0.3, 0.15, 0.1))])
    if rng.random() < 0.5:
        stretches = rng.random() < 0.6
        degree = _word(rng, STRETCH if stretches else SHRINK)
        factor = 1.7 if stretches else 0.5
        value = float(np.clip(adjective.value * factor, -2, 2))
        return _joined(degree, adjective, value=value)
    return adjective


def _turned(value: float) -> float:
    """The value of a negated word: "not great" is less bad than "awful"."""
    return -0.6 * value


def _word(rng: np.random.Generator, words: Sequence[str]) -> Part:
    word = words[int(rng.integers(len(words)))]
    return Part((word,), VALUES.get(word, 0.0))


def _joined(left: Part, right: Part, *, value: float) -> Part:
    return Part(left.words + right.words, value, (left, right))


def _write_table(path: Path, table: pd.DataFrame, *, separator: str) -> None:
    table.to_csv(path, index=False, sep=separator, lineterminator="\n")

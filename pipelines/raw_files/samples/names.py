"""Surnames of seventeen countries from the package Faker, in the format of the course's files.

Faker draws people at random from its lists; here the lists themselves are used, so that only the
split is random. It has no Scottish surnames.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import random
from pathlib import Path

import pandas as pd

from pipelines.raw_files.conversions import names
from pipelines.raw_files.samples.packages import SampleError
from pipelines.raw_files.samples.romanised import romanise

ORIGIN = "surnames of 17 countries (from the Faker package)"
DEAL_VERSION = "1"  # counts up when the same lists would be written as other bytes
SEED = 18
MOST = 500  # surnames of a country
HELD_BACK = 1 / 3  # as in the course's files

# By country, the locale and the list of its provider.
LISTS = {
    "Arabic": ("fr_DZ", "last_names"),
    "Chinese": ("zh_CN", "last_romanized_names"),
    "Czech": ("cs_CZ", "last_names"),
    "Dutch": ("nl_NL", "last_names"),
    "English": ("en_GB", "last_names"),
    "French": ("fr_FR", "last_names"),
    "German": ("de_DE", "last_names"),
    "Greek": ("el_GR", "last_names_male"),
    "Irish": ("ga_IE", "last_names"),
    "Italian": ("it_IT", "last_names"),
    "Japanese": ("ja_JP", "last_romanized_names"),
    "Korean": ("ko_KR", "last_names"),
    "Polish": ("pl_PL", "unisex_last_names"),
    "Portuguese": ("pt_PT", "last_names"),
    "Russian": ("ru_RU", "last_names_male"),
    "Spanish": ("es_ES", "last_names"),
    "Vietnamese": ("vi_VN", "last_names"),
}


def write(folder: Path) -> None:
    """Write `train.csv`, `test.csv`, `sample_submission.csv` and `holdout.csv`.

    Raises:
        SampleError: The package Faker is not installed, or lacks one of the lists.
        OSError: The folder cannot be written.
    """
    rng = random.Random(SEED)  # of the standard library: the same split in every version
    train: list[tuple[str, str]] = []
    held_back: list[tuple[str, str]] = []
    for country in LISTS:
        surnames = surnames_of(country)
        rng.shuffle(surnames)
        pairs = [(surname, country) for surname in surnames[:MOST]]
        n_held_back = round(HELD_BACK * len(pairs))
        held_back += pairs[:n_held_back]
        train += pairs[n_held_back:]
    names.write(_table(train), _table(held_back), folder)


def fingerprint() -> str:
    """A text that changes when `write` would write other bytes.

    Raises:
        SampleError: The package Faker is not installed.
    """
    _require_faker()
    return f"Faker {importlib.metadata.version('Faker')}, deal {DEAL_VERSION}"


def surnames_of(country: str) -> list[str]:
    """Faker's surnames of a country in Latin letters, each once, in alphabetical order.

    Raises:
        SampleError: The package Faker is not installed, or lacks the list.
    """
    _require_faker()
    locale, name = LISTS[country]
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    found = getattr(provider, name, None)
    if not found:
        raise SampleError(
            f"Faker's {locale} has no {name}, found in 40.54; type: pip install 'foldwise[samples]'"
        )
    return sorted({romanise(surname) for surname in found} - {""})


def _table(pairs: list[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=[names.NAME, names.COUNTRY])


def _require_faker() -> None:
    if importlib.util.find_spec("faker") is None:
        raise SampleError(
            "the offline sample of names needs the Faker package, which is not installed; "
            "type: pip install 'foldwise[samples]'"
        )

"""Made-up passengers in exactly the form of Spaceship Titanic's files.

No package holds the competition's rows. The generator follows the data page: people
travel in groups that share planet, deck and side; who sleeps spends nothing; and sleepers and the
thrifty were transported more often than those who spent on the spa and virtual reality.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

GENERATOR_VERSION = "1"  # counts up when the same numpy would write other bytes
SEED = 2912
N_PASSENGERS, N_HELD_BACK = 4_500, 1_500
ORIGIN = "4,500 made-up passengers"
ID, TARGET = "PassengerId", "Transported"
GROUP_SIZES, SHARES = np.arange(1, 9), (0.77, 0.13, 0.05, 0.02, 0.01, 0.01, 0.005, 0.005)
PLANETS = ("Earth", "Europa", "Mars")
DECKS = {"Earth": "EFG", "Europa": "ABCDE", "Mars": "DEF"}
DESTINATIONS = ("TRAPPIST-1e", "55 Cancri e", "PSO J318.5-22")
SPENDING = ("RoomService", "FoodCourt", "ShoppingMall", "Spa", "VRDeck")
EFFECTS = (-0.30, 0.22, 0.18, -0.33, -0.32)  # on the log-odds, of the logarithm of the spending
LEVELS = {"Earth": 3.6, "Europa": 6.2, "Mars": 5.0}  # of the logarithm of the spending
GIVEN, SURNAMES = ("Ora", "Juan", "Bela", "Cand", "Dina", "Flin"), ("Vee", "Ofra", "Susen", "Tall")
SHARE_MISSING = 0.02


def write(folder: Path) -> None:
    """Write `train.csv`, `test.csv`, `sample_submission.csv` and `holdout.csv`.

    Whole groups are held back. `holdout.csv` has the truth of `test.csv`; `sample_submission.csv`
    has False for everybody.

    Raises:
        OSError: The folder cannot be written.
    """
    passengers = make()
    group = passengers[ID].str[:4]
    held_back = group >= group.iloc[-N_HELD_BACK]
    train, test = passengers[~held_back], passengers[held_back]
    _write(folder / "train.csv", train)
    _write(folder / "test.csv", test.drop(columns=TARGET))
    _write(folder / "holdout.csv", test[[ID, TARGET]])
    _write(folder / "sample_submission.csv", test[[ID]].assign(**{TARGET: False}))


def fingerprint() -> str:
    """A text that changes when `write` would write other bytes."""
    return f"generator {GENERATOR_VERSION}, numpy {np.__version__}"


def make() -> pd.DataFrame:
    """All passengers in Kaggle's columns, a fiftieth of the values missing."""
    rng = np.random.default_rng(SEED)
    sizes = rng.choice(GROUP_SIZES, N_PASSENGERS, p=SHARES)
    group = np.repeat(np.arange(1, N_PASSENGERS + 1), sizes)[:N_PASSENGERS]
    table = _travel(group, rng)
    asleep = rng.random(N_PASSENGERS) < 0.36
    age = np.clip(rng.gamma(4.5, 6.5, N_PASSENGERS).round(), 0, 79)
    spent = _spending(table["HomePlanet"], asleep | (age < 13), rng)
    truth = rng.random(N_PASSENGERS) < _probability(table, asleep, age, spent)
    table.insert(2, "CryoSleep", asleep)
    table = table.assign(Age=age, VIP=rng.random(N_PASSENGERS) < 0.023, **spent, Name=_names(rng))
    return _with_gaps(table, rng).assign(**{TARGET: truth})


def _travel(group: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """What the people of a group share, and their ids."""
    n_groups = group.max()
    planet = rng.choice(PLANETS, n_groups, p=(0.54, 0.25, 0.21))
    deck = [rng.choice(list(DECKS[name])) for name in planet]
    side = rng.choice(("P", "S"), n_groups)
    cabin = [f"{d}/{at}/{s}" for at, (d, s) in enumerate(zip(deck, side, strict=True))]
    target = rng.choice(DESTINATIONS, n_groups, p=(0.69, 0.21, 0.1))
    within = pd.Series(group).groupby(group).cumcount() + 1
    columns = {"HomePlanet": planet, "Cabin": np.array(cabin), "Destination": target}
    ids = [f"{g:04d}_{p:02d}" for g, p in zip(group, within, strict=True)]
    return pd.DataFrame({ID: ids, **{name: of[group - 1] for name, of in columns.items()}})


def _spending(
    planet: pd.Series, spends_nothing: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Whole dollars: nothing for six in ten, else log-normal."""
    level = planet.map(LEVELS).to_numpy()
    spent = {}
    for name in SPENDING:
        amount = np.exp(rng.normal(level, 1.5)).round()
        spent[name] = np.where(spends_nothing | (rng.random(len(planet)) < 0.35), 0.0, amount)
    return spent


def _probability(
    table: pd.DataFrame, asleep: np.ndarray, age: np.ndarray, spent: dict[str, np.ndarray]
) -> np.ndarray:
    """Of having been transported."""
    amounts = zip(EFFECTS, spent.values(), strict=True)
    log_odds = sum(effect * np.log1p(amount) for effect, amount in amounts)
    log_odds = log_odds + 1.3 * asleep + 0.8 * (age < 13) + 0.1
    log_odds = log_odds + 0.5 * table["Cabin"].str.endswith("S")
    log_odds = log_odds + 0.9 * (table["HomePlanet"] == "Europa")
    probability: np.ndarray = 1 / (1 + np.exp(-1.3 * log_odds.to_numpy()))
    return probability


def _names(rng: np.random.Generator) -> list[str]:
    given, surnames = rng.choice(GIVEN, N_PASSENGERS), rng.choice(SURNAMES, N_PASSENGERS)
    return [f"{one} {other}" for one, other in zip(given, surnames, strict=True)]


def _with_gaps(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The table with a fiftieth of each column missing, the id's apart."""
    gaps = rng.random(table.shape) < SHARE_MISSING
    gaps[:, table.columns.get_loc(ID)] = False
    return table.astype("object").mask(gaps)


def _write(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, index=False, lineterminator="\n")

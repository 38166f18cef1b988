"""The competitions of docs/new_competition.md run from files on disk to a checked submission."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.commands.app import main

PAGE = (Path(__file__).parents[1] / "docs" / "new_competition.md").read_text()
FILES = re.findall(r"^`competitions/(\w+)\.py`:\n\n```python\n(.*?)^```", PAGE, re.M | re.S)
N_TRAIN, N_TEST = 400, 60
N_ROWS = N_TRAIN + N_TEST


def flats() -> tuple[pd.DataFrame, str, str]:
    """Flats that cost more by area, district and year."""
    rng = np.random.default_rng(0)
    area, district = rng.gamma(6, 12, N_ROWS).round(1), rng.integers(0, 5, N_ROWS)
    days = np.sort(rng.integers(0, 900, N_ROWS))
    noise = rng.normal(scale=0.1, size=N_ROWS)
    price = np.exp(7 + np.log(area) + 0.2 * district + days / 3000 + noise).round()
    names = np.array(["east", "north", "NA", "south", "west"])[district]
    sold = pd.Timestamp("2021-03-01") + pd.to_timedelta(days, unit="D")
    table = {"sold": sold.strftime("%Y-%m-%d"), "area": area, "rooms": (area / 25).astype(int)}
    return pd.DataFrame({**table, "district": names, "price": price}), "id", "price"


def churn() -> tuple[pd.DataFrame, str, str]:
    """Contracts that are cancelled early where they are dear."""
    rng = np.random.default_rng(1)
    months, fee = rng.integers(0, 60, N_ROWS), rng.gamma(4, 8, N_ROWS).round(2)
    plan, payment = rng.choice(["basic", "family", "pro"], N_ROWS), rng.choice(["card", ""], N_ROWS)
    log_odds = 0.08 * (fee - 32) - 0.06 * (months - 30) + (plan == "basic")
    cancelled = np.where(rng.random(N_ROWS) < 1 / (1 + np.exp(-log_odds)), "Yes", "No")
    table = {"customer": [f"c{at // 3}" for at in range(N_ROWS)], "months": months, "fee": fee}
    rows = pd.DataFrame({**table, "plan": plan, "payment": payment, "cancelled": cancelled})
    return rows, "contract", "cancelled"


MAKERS = {"flats": flats, "churn": churn}
# The error of the constant answer, and an AUC that chance hardly reaches.
WORSE = {"flats": 0.4, "churn": 0.65}


@pytest.mark.parametrize(("name", "code"), FILES, ids=[name for name, _ in FILES])
def test_it_runs_to_a_checked_submission(name, code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folder in ("competitions", "files"):
        Path(folder).mkdir()
    Path("competitions", f"{name}.py").write_text(code)
    rows, identifier, target = MAKERS[name]()
    rows.insert(0, identifier, range(1, N_ROWS + 1))
    rows[:N_TRAIN].to_csv("files/train.csv", index=False)
    test = rows[N_TRAIN:].drop(columns=target)
    test.to_csv("files/test.csv", index=False)
    sample = test[[identifier]].assign(**{target: 0.5})
    sample.to_csv("files/sample_submission.csv", index=False)
    assert main(["run", name, "--source", "files", "--no-track"]) == 0
    score = float(re.search(r"^(?:auc|rmsle) +([\d.]+)", capsys.readouterr().out, re.M)[1])
    assert score < 0.6 * WORSE[name] if name == "flats" else score > WORSE[name]
    (csv,) = Path("submissions", name).glob("*.csv")
    assert pd.read_csv(csv)[identifier].tolist() == test[identifier].tolist()
    assert main(["predict", name, "--csv", "files/test.csv", "--out", "again.csv"]) == 0
    assert Path("again.csv").read_bytes() == csv.read_bytes()


def test_the_page_shows_a_regression_and_a_probability():
    assert [name for name, _ in FILES] == ["flats", "churn"]

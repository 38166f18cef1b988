"""The forms that competitions take: each is entered with its own metric, on made-up rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from features.encoders.dates import date_parts
from features.encoders.images import GreyPixels
from features.fold_plan import FoldPlan
from features.tables.schema import Column
from pipelines.configuration.competition import FileFormat
from pipelines.configuration.extra_files import ExtraFile
from pipelines.kaggle.retry import Patience
from pipelines.prediction import new_rows
from pipelines.prediction.predictor import Predictor
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.runs.sendable import check_csv
from submissions.build import csv_text
from tests.made_up import Form, competition, write


def dates(first, step="D"):
    """A column of dates, whose test rows lie after the training rows."""

    def change(train, test):
        days = pd.date_range(first, periods=len(train) + len(test), freq=step)
        texts = days.strftime("%Y-%m-%d %H:%M:%S" if step == "h" else "%Y-%m-%d")
        return (
            train.assign(date=texts[: len(train)]),
            test.assign(date=texts[len(train) :]),
        )

    return change


def with_date_parts(table):
    return table.join(date_parts(table["date"])[["date_month", "date_weekday"]])


DATES = {
    "change": dates("2020-01-01"),
    "columns": (Column(name="date", kind="date"),),
    "features": with_date_parts,
    "numeric": ("a", "b", "date_month", "date_weekday"),
    "options": {"folds": FoldPlan(n_folds=4, time="date")},
}


def only_in_train(*names):
    return lambda train, test: (train.assign(**dict.fromkeys(names, train["a"])), test)


def marked(mark):
    """Every tenth number is missing, written as the mark."""

    def change(train, test):
        tables = []
        for table in (train, test):
            b = table["b"].astype(object)
            b[::10] = mark
            tables.append(table.assign(b=b))
        return tuple(tables)

    return change


def without_some_targets(name):
    def change(train, test):
        values = train[name].astype(object)
        values[::25] = ""
        return train.assign(**{name: values}), test

    return change


def key_by_time(at):
    moment = pd.Timestamp("2009-06-15 17:26:21.000001") + pd.Timedelta(minutes=at)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def group_in_id(at):
    return f"{at // 3:06d}_{at % 3 + 1:02d}"


def with_group(table):
    return table.assign(group=table["PassengerId"].str.split("_").str[0])


def letters(train, test):
    rng = np.random.default_rng(7)
    return tuple(
        table.assign(code=["".join(rng.choice(list("ABC"), 10)) for _ in range(len(table))])
        for table in (train, test)
    )


def with_letters(table):
    return table.assign(code_a=table["code"].str.count("A").astype(float))


def positive(signal):
    return np.exp(1 + 0.5 * signal)


def whole(signal):
    return np.rint(np.exp(2 + 0.3 * signal)).astype(int)


def from_0_to_1(signal):
    return 1 / (1 + np.exp(-signal))


def quarters(signal):
    return np.rint(4 * from_0_to_1(signal)) / 4


def one_column(slug, target, metric="auc", labels=(0, 1), **more):
    sample = more.pop("sample", ((target,), 0.5))
    options = {"form": "probabilities"} | more.pop("options", {})
    return Form(slug, metric, target, labels, sample=sample, options=options, **more)


def as_json(folder):
    """Training and test file as JSON records."""
    for name in ("train", "test"):
        table = pd.read_csv(folder / f"{name}.csv", keep_default_na=False)
        table.to_json(folder / f"{name}.json", orient="records")
        (folder / f"{name}.csv").unlink()


def take_apart(file):
    """The signal `a` leaves the tables for a file of each row, `file` with the row's id."""

    def write(folder):
        for name in ("train", "test"):
            table = pd.read_csv(folder / f"{name}.csv", dtype=str)
            for id_, value in zip(table["id"], table.pop("a"), strict=True):
                path = folder / file.format(split=name, id=id_)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_value(path, float(value))
            table.to_csv(folder / f"{name}.csv", index=False)

    return write


def write_value(path, value):
    if path.suffix == ".png":
        grey = int(np.clip(128 + 40 * value, 0, 255))
        Image.new("L", (5, 4), grey).save(path)
    else:
        path.write_text(f"#comment\nlattice_vector {value} 0 0\n")


def lattice(content):
    """The first number of a geometry file."""
    return {"lattice": float(content.split()[2])}


def stores_and_days(folder):
    """The column `c` moves to a table by store, and further tables are known by the day."""
    shops, days = {}, []
    for name in ("train", "test"):
        table = pd.read_csv(folder / f"{name}.csv")
        numbers = table["c"].map({"x": 1, "y": 2, "z": 3}) + 3 * (table.index % 2)
        shops |= dict(zip(numbers, table.pop("c"), strict=True))
        table.assign(store_nbr=numbers).to_csv(folder / f"{name}.csv", index=False)
        days += list(table["date"].unique())
    pd.DataFrame({"store_nbr": shops.keys(), "type": shops.values(), "city": "Quito"}).to_csv(
        folder / "stores.csv", index=False
    )
    oil = pd.DataFrame({"date": days[::2], "dcoilwtico": np.arange(len(days[::2])) / 10})
    oil.to_csv(folder / "oil.csv", index=False)
    twice = pd.DataFrame({"date": [days[0], days[0], days[5]], "locale": ["a", "b", "a"]})
    twice.to_csv(folder / "holidays_events.csv", index=False)


def with_holidays(rows, tables):
    """How many holidays a row's day has; a day may have several."""
    return rows.assign(
        holidays=rows["date"].map(tables["holidays"]["date"].value_counts()).fillna(0)
    )


def further_rows(folder):
    """The second half of the training rows in a file of its own."""
    table = pd.read_csv(folder / "train.csv")
    half = len(table) // 2
    table[half:].to_csv(folder / "training_extra.csv", index=False)
    table[:half].to_csv(folder / "train.csv", index=False)


def several(names, placeholder=0.5):
    return (names, placeholder)


TOXIC = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
FAULTS = ("Pastry", "Z_Scratch", "K_Scatch", "Stains", "Dirtiness", "Bumps", "Other_Faults")
ESSAY = ("cohesion", "syntax", "vocabulary", "phraseology", "grammar", "conventions")
WINNER = ("winner_model_a", "winner_model_b", "winner_tie")
PICTURE = GreyPixels(height=2, width=3)
GLOVES = ("formation_energy_ev_natom", "bandgap_energy_ev")
SPECIES = tuple(f"Acer_{at}" for at in range(12))
QUEST = tuple(f"question_{at}" for at in range(30))
PROGNOSES = ("Chikungunya", "Rift_Valley_fever", "West_Nile_fever", "Zika", "Dengue")
FERTILISERS = ("14-35-14", "10-26-26", "17-17-17", "DAP", "Urea")
INSULT = {
    "change": lambda train, test: tuple(t.assign(Date="20120618192155Z") for t in (train, test))
}

FORMS = [
    Form("playground-series-s3e1", "rmse", "MedHouseVal"),
    one_column("playground-series-s3e2", "stroke", share=0.1),
    Form("playground-series-s3e5", "qwk", "quality", (3, 4, 5, 6, 7, 8), id="Id"),
    one_column("playground-series-s3e10", "Class", "log_loss"),
    Form("playground-series-s3e11", "rmsle", "cost", values=whole),
    Form(
        "playground-series-s3e13",
        "map@3",
        "prognosis",
        PROGNOSES,
        sample=(("prognosis",), "Zika Dengue Chikungunya"),
    ),
    Form("playground-series-s3e14", "mae", "yield"),
    Form("playground-series-s3e16", "mae", "Age", values=whole),
    Form(
        "playground-series-s3e18",
        "auc",
        ("EC1", "EC2"),
        (0, 1),
        sample=several(("EC1", "EC2")),
        change=only_in_train("EC3", "EC4"),
    ),
    Form("playground-series-s3e19", "smape", "num_sold", values=whole, **DATES),
    Form(
        "playground-series-s3e20",
        "rmse",
        "emission",
        id="ID_LAT_LON_YEAR_WEEK",
        ids=lambda at: f"ID_-0.510_29.290_2022_{at:06d}",
        values=positive,
    ),
    Form(
        "playground-series-s3e22",
        "micro_f1",
        "outcome",
        ("died", "euthanized", "lived"),
        sample=(("outcome",), "lived"),
        change=marked(""),
    ),
    one_column("playground-series-s3e23", "defects", labels=(False, True)),
    Form("playground-series-s3e25", "medae", "Hardness", values=positive),
    Form(
        "playground-series-s3e26",
        "log_loss",
        "Status",
        ("C", "CL", "D"),
        sample=several(("Status_C", "Status_CL", "Status_D"), 0.3),
    ),
    one_column("playground-series-s4e1", "Exited"),
    Form(
        "playground-series-s4e2",
        "accuracy",
        "NObeyesdad",
        ("Insufficient_Weight", "Normal_Weight", "Obesity_Type_I", "Obesity_Type_II"),
        sample=(("NObeyesdad",), "Normal_Weight"),
    ),
    Form("playground-series-s4e3", "auc", FAULTS, (0, 1), sample=several(FAULTS)),
    Form("playground-series-s4e4", "rmsle", "Rings", values=whole),
    Form("playground-series-s4e5", "r2", "FloodProbability", values=from_0_to_1),
    Form(
        "playground-series-s4e6",
        "accuracy",
        "Target",
        ("Dropout", "Enrolled", "Graduate"),
        sample=(("Target",), "Graduate"),
    ),
    one_column("playground-series-s4e7", "Response", share=0.15),
    Form("playground-series-s4e8", "mcc", "class", ("e", "p"), sample=(("class",), "e")),
    Form(
        "playground-series-s4e12",
        "rmsle",
        "Premium Amount",
        values=positive,
        change=dates("2019-08-17", "h"),
        columns=(Column(name="date", kind="date"),),
        features=with_date_parts,
    ),
    Form(
        "playground-series-s5e1",
        "mape",
        "num_sold",
        values=positive,
        **DATES | {"change": lambda a, b: without_some_targets("num_sold")(*DATES["change"](a, b))},
    ),
    Form(
        "playground-series-s5e2",
        "rmse",
        "Price",
        write_more=further_rows,
        options={"extra_training_files": ("training_extra.csv",)},
    ),
    Form("playground-series-s5e4", "rmse", "Listening_Time_minutes"),
    Form(
        "playground-series-s5e6",
        "map@3",
        "Fertilizer Name",
        FERTILISERS,
        sample=(("Fertilizer Name",), "14-35-14 10-26-26 Urea"),
    ),
    Form(
        "playground-series-s5e7",
        "accuracy",
        "Personality",
        ("Extrovert", "Introvert"),
        sample=(("Personality",), "Extrovert"),
    ),
    one_column("playground-series-s6e3", "Churn", labels=("No", "Yes")),
    Form(
        "playground-series-s6e4",
        "balanced_accuracy",
        "Irrigation_Need",
        ("Low", "Medium", "High"),
        sample=(("Irrigation_Need",), "Low"),
    ),
    Form(
        "spaceship-titanic",
        "accuracy",
        "Transported",
        (False, True),
        sample=(("Transported",), False),
        id="PassengerId",
        ids=group_in_id,
        columns=(Column(name="PassengerId", kind="text"),),
        features=with_group,
        options={"folds": FoldPlan(n_folds=4, group="group")},
    ),
    Form(
        "house-prices-advanced-regression-techniques",
        "rmsle",
        "SalePrice",
        id="Id",
        values=positive,
        sample=(("SalePrice",), 169277.0524984),
        change=marked("NA"),
        options={"missing": ("NA",)},
    ),
    Form(
        "store-sales-time-series-forecasting",
        "rmsle",
        "sales",
        values=positive,
        change=dates("2017-01-01"),
        columns=(Column(name="date", kind="date"), Column(name="store_nbr", kind="int")),
        without=("c",),
        features=with_date_parts,
        numeric=("a", "b", "date_month", "date_weekday", "dcoilwtico", "holidays"),
        texts_as_levels=("type",),
        write_more=stores_and_days,
        options={
            "folds": FoldPlan(n_folds=4, time="date"),
            "extra_files": {
                "stores": ExtraFile(
                    file="stores.csv", columns=(Column(name="type", kind="text"),), on="store_nbr"
                ),
                "oil": ExtraFile(
                    file="oil.csv",
                    columns=(Column(name="dcoilwtico", kind="float", missing=True),),
                    on=("date",),
                ),
                "holidays": ExtraFile(
                    file="holidays_events.csv", columns=(Column(name="date", kind="date"),)
                ),
            },
            "join": with_holidays,
        },
    ),
    Form("nlp-getting-started", "f1", "target", (0, 1), texts=True),
    Form(
        "jigsaw-toxic-comment-classification-challenge",
        "auc",
        TOXIC,
        (0, 1),
        texts=True,
        ids=lambda at: f"{at:016x}",
        sample=several(TOXIC),
    ),
    one_column(
        "porto-seguro-safe-driver-prediction",
        "target",
        "gini",
        share=0.1,
        change=marked(-1),
        options={"missing": ("-1",)},
    ),
    one_column(
        "santander-customer-transaction-prediction",
        "target",
        id="ID_code",
        ids=lambda at: f"train_{at}",
        share=0.15,
    ),
    Form("forest-cover-type-prediction", "accuracy", "Cover_Type", (1, 2, 3, 4, 5, 6, 7), id="Id"),
    Form(
        "bike-sharing-demand",
        "rmsle",
        "count",
        id="datetime",
        ids=lambda at: str(pd.Timestamp("2011-01-01") + pd.Timedelta(hours=at)),
        values=whole,
        change=only_in_train("casual", "registered"),
        columns=(Column(name="datetime", kind="date"),),
        features=lambda table: table.join(date_parts(table["datetime"])[["datetime_hour"]]),
    ),
    Form("allstate-claims-severity", "mae", "loss", values=positive),
    Form("mercedes-benz-greener-manufacturing", "r2", "y", id="ID"),
    Form(
        "feedback-prize-english-language-learning",
        "mcrmse",
        ESSAY,
        texts=True,
        id="text_id",
        ids=lambda at: f"{at:012X}",
        sample=several(ESSAY, 3.0),
    ),
    Form(
        "icr-identify-age-related-conditions",
        "balanced_log_loss",
        "Class",
        (0, 1),
        id="Id",
        ids=lambda at: f"{at:012x}",
        share=0.2,
        sample=several(("class_0", "class_1")),
    ),
    one_column(
        "detecting-insults-in-social-commentary",
        "Insult",
        id=None,
        texts=True,
        sample=(("Insult", "Date", "text"), 0),
        **INSULT,
        columns=(Column(name="Date", kind="text"),),
    ),
    Form(
        "leaf-classification",
        "log_loss",
        "species",
        SPECIES,
        sample=several(SPECIES, 0.1),
        without=("a",),
        numeric=("b", *PICTURE.columns),
        write_more=take_apart("images/{id}.png"),
        options={
            "extra_files": {
                "images": ExtraFile(
                    file="images/{id}.png",
                    columns=tuple(Column(name=n, kind="byte") for n in PICTURE.columns),
                    parse=PICTURE,
                )
            }
        },
    ),
    Form(
        "new-york-city-taxi-fare-prediction",
        "rmse",
        "fare_amount",
        id="key",
        ids=key_by_time,
        values=positive,
    ),
    Form(
        "nomad2018-predict-transparent-conductors",
        "rmsle",
        GLOVES,
        values=positive,
        sample=several(GLOVES, 0.1779),
        without=("a",),
        numeric=("b", "lattice"),
        write_more=take_apart("{split}/{id}/geometry.xyz"),
        options={
            "extra_files": {
                "geometry": ExtraFile(
                    file="{split}/{id}/geometry.xyz",
                    columns=(Column(name="lattice", kind="float"),),
                    parse=lattice,
                )
            }
        },
    ),
    one_column(
        "random-acts-of-pizza",
        "requester_received_pizza",
        labels=(False, True),
        id="request_id",
        ids=lambda at: f"t3_{at:x}",
        change=only_in_train("giver_username_if_known"),
        write_more=as_json,
        options={
            "file_format": FileFormat(json_records=True),
            "files": {
                "train": "train.json",
                "test": "test.json",
                "sample_submission": "sample_submission.csv",
            },
        },
    ),
    Form(
        "spooky-author-identification",
        "log_loss",
        "author",
        ("EAP", "HPL", "MWS"),
        texts=True,
        ids=lambda at: f"id{at:05d}",
        sample=several(("EAP", "HPL", "MWS"), 0.4),
    ),
    Form(
        "tabular-playground-series-dec-2021",
        "accuracy",
        "Cover_Type",
        (1, 2, 3, 4),
        id="Id",
        change=lambda train, test: (
            train.assign(Cover_Type=[4, *train["Cover_Type"][1:].clip(upper=3)]),
            test,
        ),
    ),
    one_column(
        "tabular-playground-series-may-2022",
        "target",
        change=letters,
        columns=(Column(name="code", kind="text"),),
        features=with_letters,
        numeric=("a", "b", "code_a"),
    ),
    Form(
        "us-patent-phrase-to-phrase-matching",
        "pearson",
        "score",
        texts=True,
        ids=lambda at: f"{at:016x}",
        values=quarters,
    ),
    Form(
        "learning-agency-lab-automated-essay-scoring-2",
        "qwk",
        "score",
        (1, 2, 3, 4, 5, 6),
        texts=True,
        id="essay_id",
        ids=lambda at: f"{at:07x}",
    ),
    Form(
        "lmsys-chatbot-arena",
        "log_loss",
        WINNER,
        WINNER,
        texts=True,
        sample=several(WINNER, 0.333),
        options={"task": "multiclass"},
    ),
    Form(
        "google-quest-challenge",
        "spearman",
        QUEST,
        texts=True,
        id="qa_id",
        values=from_0_to_1,
        sample=several(QUEST, 0.00308),
    ),
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.slug)
def test_a_form_is_entered_and_beats_a_constant_answer(form, tmp_path, narrator):
    write(form, tmp_path / "in")
    entered = competition(form)
    request = RunRequest(source=str(tmp_path / "in"), root=tmp_path, track=False)
    summary = runs.run(entered, request, narrator)
    sample = (tmp_path / "in" / "sample_submission.csv").read_text()
    written = (tmp_path / summary.submission).read_text()
    _assert_has_the_sample_s_form(sample, written, form)
    csv = tmp_path / summary.submission
    assert check_csv(
        entered, csv, source=str(tmp_path / "in"), root=tmp_path, patience=Patience()
    ) == len(pd.read_csv(csv, dtype=str))
    predictor = Predictor.open(tmp_path / "runs" / form.slug / summary.run, entered)
    rows = new_rows.read(entered, tmp_path / "in" / entered.files["test"])
    again = predictor.answers(rows, predictor.predict(rows.table)).table()
    assert csv_text(again) == written
    _assert_beats_a_constant(entered, predictor, summary)


def _assert_has_the_sample_s_form(sample, written, form):
    expected, found = (
        pd.read_csv(_io(text), dtype=str, keep_default_na=False) for text in (sample, written)
    )
    assert list(found) == list(expected)
    assert len(found) == len(expected)
    if form.id is not None:
        first = next(iter(expected))
        assert list(found[first]) == list(expected[first])


def _io(text):
    import io

    return io.StringIO(text)


def _assert_beats_a_constant(entered, predictor, summary):
    """By three standard errors over the folds; a correlation is above 0.1."""
    metric, task, prepared = entered.metric, entered.predicts, predictor.prepared
    if metric.name in ("pearson", "spearman"):
        assert summary.cv > 0.1
        return
    constant = np.tile(task.baseline(prepared.target), (len(prepared.target), 1))
    worst = metric.score(prepared.target, constant)
    error = summary.cv_std / np.sqrt(summary.n_splits)
    gain = (summary.cv - worst) * (1 if entered.greater_is_better else -1)
    assert np.isnan(worst) or gain > 3 * error

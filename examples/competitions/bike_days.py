"""Bike days: how many bicycles are rented on a day? Two years of days; the test lies after them."""

from foldwise import (
    Column,
    Competition,
    EstimatorMember,
    FoldPlan,
    RidgeSettings,
    TabularEncoder,
    TreesMember,
    TreesSettings,
    date_parts,
)

WEATHER = ["temp", "atemp", "hum", "windspeed"]
CALENDAR = ["season", "yr", "mnth", "holiday", "weekday", "workingday", "weathersit"]
SEASON = ["date_dayofyear_sin", "date_dayofyear_cos"]
UNPLEASANT = ["heat", "cold", "damp", "gale"]
LINE = ["temp", "hum", "windspeed", "holiday", "workingday", "yr", "years", *SEASON, *UNPLEASANT]


def add_features(table):
    """The place in the year, the years since the first day, and weather that keeps people away."""
    parts = date_parts(table["date"], cyclic=True)
    return table.assign(
        **{name: parts[name] for name in SEASON},
        years=parts["date_year"] - 2018 + parts["date_dayofyear"] / 365,
        heat=(table["temp"] - 22).clip(lower=0) ** 2,
        cold=(12 - table["temp"]).clip(lower=0),
        damp=(table["hum"] - 70).clip(lower=0),
        gale=(table["windspeed"] - 20).clip(lower=0),
    ).drop(columns="date")


def linear():
    """Few numbers, so that the growth from one year to the next is not drowned."""
    levels = {"weathersit": (1, 2, 3)}
    return TabularEncoder(LINE, ["weathersit"], categories="one_hot", levels=levels)


def for_trees():
    """Trees cannot grow beyond the counts they saw, so they are not shown the time itself."""
    return TabularEncoder([*WEATHER, *CALENDAR, *SEASON], scaling="none")


COMPETITION = Competition(
    name="bike-days",
    title="Bike days: how many bicycles are rented on a day?",
    files={"train": "train.csv", "test": "test.csv", "sample_submission": "sample_submission.csv"},
    id="id",
    target="count",
    metric="rmsle",
    columns=(
        Column(name="date", kind="date", format="%d-%m-%Y"),
        *(Column(name=name, kind="float") for name in WEATHER),
        *(Column(name=name, kind="int") for name in CALENDAR),
    ),
    features=add_features,
    folds=FoldPlan(n_folds=2, time="years"),  # half a year each, as long as the test lasts
    members=(
        EstimatorMember(name="ridge", encoder=linear, estimator=RidgeSettings(alpha=10.0)),
        TreesMember(
            name="trees",
            encoder=for_trees,
            trees=TreesSettings(n_estimators=400, num_leaves=5, min_child_samples=8),
            n_seeds=3,
        ),
    ),
)

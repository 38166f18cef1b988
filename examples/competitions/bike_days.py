"""Bike days: how many bicycles are rented on a day? Two years of days; the test lies after them."""

from foldwise import (
    Column,
    Competition,
    EncoderChain,
    EstimatorMember,
    FoldPlan,
    RidgeSettings,
    TabularEncoder,
    TargetMeans,
    TreesMember,
    TreesSettings,
    date_parts,
)

WEATHER = ["temp", "atemp", "hum", "windspeed"]
CALENDAR = ["season", "yr", "mnth", "holiday", "weekday", "workingday", "weathersit"]
DERIVED = ["date_dayofyear_sin", "date_dayofyear_cos", "warm", "days"]


def add_features(table):
    """The place in the year, how comfortable it is, and the days since the first one."""
    parts = date_parts(table["date"], cyclic=True)
    comfort = table["temp"] - 0.03 * (table["temp"] - 24).clip(lower=0) ** 2
    return table.assign(
        date_dayofyear_sin=parts["date_dayofyear_sin"],
        date_dayofyear_cos=parts["date_dayofyear_cos"],
        warm=comfort,
        days=365 * (parts["date_year"] - 2018) + parts["date_dayofyear"],
    ).drop(columns="date")


def linear():
    """Numbers standardised; weather and month as their mean target."""
    steps = TargetMeans(["weathersit", "mnth", "weekday"], smoothing=5)
    return EncoderChain([steps, TabularEncoder([*WEATHER, *CALENDAR, *DERIVED, "*_mean"])])


def for_trees():
    """Trees cannot grow beyond the counts they saw, so they are not shown the day itself."""
    return TabularEncoder([*WEATHER, *CALENDAR, *DERIVED[:3]], scaling="none")


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
    folds=FoldPlan(n_folds=4, time="days"),
    members=(
        EstimatorMember(name="ridge", encoder=linear, estimator=RidgeSettings(alpha=3.0)),
        TreesMember(
            name="trees",
            encoder=for_trees,
            trees=TreesSettings(n_estimators=400, num_leaves=5, min_child_samples=8),
            n_seeds=3,
        ),
    ),
)

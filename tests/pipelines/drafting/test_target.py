"""The task and the metric, found from the target and the sample submission."""

import numpy as np
import pytest

from pipelines.drafting.target import MetricError


def two(files, labels=(0, 1)):
    return np.where(files.train["y"] > 0.5, labels[1], labels[0])


def grades(files, n=4):
    return np.digitize(files.train["y"], np.linspace(-0.5, 1.5, n - 1))


def test_a_number_is_a_regression_by_rmse(files, drafted):
    made = drafted(files, metric=None)
    assert made.competition.predicts.kind == "regression"
    assert made.competition.metric.name == "rmse"
    assert "# guess: the target is a number; --metric decides" in made.text
    assert "(guess: the target is a number; --metric decides)" in made.printed


def test_a_positive_and_skewed_number_is_scored_by_rmsle(files, drafted):
    files.target(np.exp(2 * files.train["y"]).round(3), 0)
    assert drafted(files, metric=None).competition.metric.name == "rmsle"


def test_a_skewed_target_is_learned_as_logarithms_where_the_metric_takes_none(files, drafted):
    files.target(np.exp(2 * files.train["y"]).round(3), 0)
    members = drafted(files, metric="rmse").competition.members
    assert {member.target_transform for member in members} == {"log1p"}


def test_a_target_that_is_not_skewed_is_learned_as_it_is(files, drafted):
    members = drafted(files).competition.members
    assert {member.target_transform for member in members} == {None}


def test_a_metric_that_was_typed_is_no_guess(files, drafted):
    made = drafted(files, metric="mae")
    assert made.competition.metric.name == "mae"
    assert "guess" not in made.text + made.printed


def test_a_fraction_for_two_classes_asks_for_a_probability(files, drafted):
    made = drafted(files.target(two(files), 0.5), metric=None)
    assert (made.competition.metric.name, made.competition.classes) == ("auc", (0, 1))
    assert made.competition.answer_form == "probabilities"
    assert "# the submission holds the probability of the second one" in made.text


def test_words_for_two_classes_ask_for_labels(files, drafted):
    made = drafted(files.target(two(files, ("no", "yes")), "no"), metric=None)
    assert (made.competition.metric.name, made.competition.classes) == ("accuracy", ("no", "yes"))
    assert made.competition.answer_form == "labels"


def test_a_whole_number_in_another_form_is_a_label_as_it_is_written(files, drafted):
    made = drafted(files.target(two(files, ("0", "1e3")), "0"), metric="accuracy")
    assert made.competition.classes == ("0", "1e3")


def test_true_and_false_are_labels(files, drafted):
    made = drafted(files.target(two(files, (False, True)), "False"), metric=None)
    assert made.competition.classes == (False, True)


def test_one_number_for_two_classes_could_be_either_and_both_are_named(files, drafted):
    with pytest.raises(MetricError, match=r"--metric auc or --metric accuracy$") as caught:
        drafted(files.target(two(files), 0), metric=None)
    assert caught.value.exit_code == 2


def test_whole_numbers_could_be_grades_or_classes_and_both_are_named(files, drafted):
    with pytest.raises(MetricError, match=r"--metric qwk or --metric accuracy$"):
        drafted(files.target(grades(files), 0), metric=None)


def test_the_person_at_the_terminal_chooses_between_two(files, drafted):
    asked = []

    def ask(suggested):
        asked.append([one.metric for one in suggested])
        return "qwk"

    made = drafted(files.target(grades(files), 0), metric=None, ask=ask)
    assert asked == [["qwk", "accuracy"]]
    assert made.competition.predicts.kind == "ordinal"


def test_the_metric_makes_grades_classes(files, drafted):
    made = drafted(files.target(grades(files), 0), metric="accuracy")
    assert made.competition.predicts.kind == "multiclass"
    assert made.competition.classes == (0, 1, 2, 3)


def test_a_column_for_each_label_asks_for_probabilities(files, drafted):
    files.train = files.train.assign(y=np.array(["low", "mid", "high"])[grades(files, 3)])
    files.sample = files.sample[["id"]].assign(P_low=0.3, P_mid=0.3, P_high=0.4)
    made = drafted(files, metric=None)
    assert made.competition.metric.name == "log_loss"
    assert made.competition.classes == ("low", "mid", "high")


def test_several_labels_in_a_row_are_a_ranking(files, drafted):
    labels = np.array(["one", "two", "three", "four"])[grades(files)]
    made = drafted(files.target(labels, "one two three"), metric=None)
    assert (made.competition.metric.name, made.competition.answer_form) == ("map@3", "top_k")


def test_several_columns_of_0_and_1_are_several_labels(files, drafted):
    files.train = files.train.drop(columns="y").assign(p=two(files), q=two(files)[::-1])
    files.sample = files.sample[["id"]].assign(p=0, q=0)
    made = drafted(files, metric=None)
    assert (made.competition.predicts.kind, made.competition.metric.name) == ("multilabel", "auc")


def test_one_of_several_columns_is_a_class(files, drafted):
    hot = np.eye(3, dtype=int)[grades(files, 3)]
    files.train = files.train.drop(columns="y").assign(p=hot[:, 0], q=hot[:, 1], r=hot[:, 2])
    files.sample = files.sample[["id"]].assign(p=0, q=0, r=0)
    made = drafted(files, metric=None)
    assert (made.competition.predicts.kind, made.competition.metric.name) == (
        "multiclass",
        "log_loss",
    )


@pytest.mark.parametrize("metric", ["auc", "accuracy", "qwk"])
def test_a_metric_that_does_not_suit_the_target_is_refused(metric, files, drafted):
    with pytest.raises(MetricError, match=f"--metric {metric} looks at .*type another one"):
        drafted(files, metric=metric)


def test_numbers_in_text_are_no_values(files, drafted):
    with pytest.raises(MetricError, match="--metric rmse looks at values"):
        drafted(files.target(two(files, ("no", "yes")), "no"), metric="rmse")

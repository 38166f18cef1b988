"""The figures of a study: what they draw, not how it looks."""

import pytest

from pipelines.configuration.search_space import Choice, Real
from pipelines.figures.style import MIST, ORANGE
from pipelines.tuning.figures import history, importance, parallel, slices
from pipelines.tuning.study import Study, Trial

SPACE = {
    "train.lr": Real(low=0.001, high=0.1, log=True),
    "model.hidden": Choice(values=((8,), (16, 8))),
}
SCORES = [0.70, 0.74, 0.2, 0.78, 0.76, 0.77, 0.75, 0.73, 0.71, 0.72]


@pytest.fixture(scope="module", params=[True, False], ids=["greater", "less"])
def study(request):
    """Ten complete trials, of which number 3 is the best and number 2 far off, and a pruned one."""
    sign = 1 if request.param else -1
    trials = [
        trial(n, sign * score, lr=0.001 * 10 ** (n / 5), wide=n % 2 == 0)
        for n, score in enumerate(SCORES)
    ]
    pruned = Trial(10, "pruned", sign * 0.6, trials[0].values, ((50, sign * 0.6),), 1.0)
    shares = {"train.lr": 0.9, "model.hidden": 0.1}
    return Study("s", request.param, (*trials, pruned), importance=shares)


def trial(number, score, *, lr, wide):
    values = {"train.lr": lr, "model.hidden": (16, 8) if wide else (8,)}
    return Trial(number, "complete", score, values, ((100, score),), 1.0)


def test_the_history_tells_the_best_and_never_falls_back(study):
    figure = history(study, study.trials[0], metric="accuracy")
    best = f"{study.best.score:.4f}"
    assert study.best.number == 3
    assert f"was trial 3: {best}" in figure.get_suptitle()
    (axes,) = figure.axes
    (so_far,) = (line for line in axes.lines if line.get_label() == "best so far")
    heights = so_far.get_ydata()
    assert heights[3:].tolist() == [study.best.score] * 7
    assert heights[0] == study.trials[0].score
    low, high = axes.get_ylim()
    assert low < study.best.score < high
    assert not low < study.trials[2].score < high, "one bad trial must not press the others flat"
    assert "worse one" in axes.get_xlabel()


def test_the_importance_names_the_first(study):
    figure = importance(study)
    assert "train.lr first, 90%" in figure.get_suptitle()


def test_slices_have_a_panel_for_each_parameter_and_numbers_on_its_axis(study):
    figure = slices(study, SPACE, metric="accuracy")
    figure.canvas.draw()
    panels = {axes.get_xlabel(): axes for axes in figure.axes}
    assert set(panels) == set(SPACE)
    message = [label.get_text() for label in panels["train.lr"].get_xticklabels()]
    assert {"0.001", "0.01", "0.1"} <= set(message)
    assert [label.get_text() for label in panels["model.hidden"].get_xticklabels()] == ["8", "16-8"]


def test_slices_say_how_many_trials_lie_beyond_the_frame(study):
    figure = slices(study, SPACE, metric="accuracy")
    low, high = figure.axes[0].get_ylim()
    n_hidden = sum(not low < trial.score < high for trial in study.complete)
    assert n_hidden >= 1
    assert figure.get_supxlabel().startswith(f"{n_hidden} worse one")


def test_long_names_of_parameters_do_not_overlap():
    space = {f"trees.colsample_bytree_{n}": Real(low=0.1, high=1.0) for n in range(8)}
    trials = [
        Trial(n, "complete", n / 10, dict.fromkeys(space, 0.1 + n / 10), (), 1.0) for n in range(3)
    ]
    figure = parallel(Study("s", True, tuple(trials), importance={}), space, metric="accuracy")
    figure.canvas.draw()
    names = figure.axes[0].get_xticklabels()
    assert {label.get_rotation() for label in names} == {30}
    corners = [label.get_window_extent() for label in names]
    assert min(box.x0 for box in corners) >= 0
    assert min(box.y0 for box in corners) >= 0


def test_parallel_coordinates_set_off_the_best(study):
    figure = parallel(study, SPACE, metric="accuracy")
    lines = [line for line in figure.axes[0].lines if len(line.get_ydata()) == len(SPACE)]
    colours = [line.get_color() for line in lines if line.get_color() in (MIST, ORANGE)]
    assert colours == [MIST] * 9 + [ORANGE]
    # log10(0.001 * 10^(3/5)) is three tenths of the way from 0.001 to 0.1; (8,) is the first.
    assert lines[9].get_ydata() == pytest.approx([0.3, 0.0])

"""A run's report: what was measured, and the page that shows it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from features.folds import Folds
from pipelines.commands import app
from pipelines.configuration.assignments import assign, choose_members
from pipelines.configuration.competition import TrainTestOverlap
from pipelines.raw_files.raw import RawFiles
from pipelines.report import gather, leaks
from pipelines.report.drift import adversarial
from pipelines.report.evidence import Evidence
from pipelines.report.html import render
from pipelines.report.importance import importance
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.stages import ensemble, preprocess, train
from pipelines.stages.run_contents import RunContents
from pipelines.stages.train_test_overlap import find_overlap
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.summary import Summary, WayLine

SECTIONS = {
    *("data", "weights", "scores", "curves", "confusion", "calibration", "drift", "features"),
    *("checks", "time", "again"),
}


@pytest.fixture(scope="module")
def toy(toy):
    """The toy with trees that grow enough to have important columns."""
    return assign(toy, {"trees.trees.n_estimators": 40, "trees.trees.learning_rate": 0.2})


@pytest.fixture(scope="module")
def made(tmp_path_factory, toy, narrator):
    """The workspace of a toy run, and its folder."""
    root = tmp_path_factory.mktemp("reported")
    summary = runs.run(toy, RunRequest(source="sample", track=False, root=root), narrator)
    return root, root / "runs" / "toy" / summary.run


@pytest.fixture(scope="module")
def evidence(made):
    return Evidence.read(made[1])


@pytest.fixture(scope="module")
def prepared(made):
    return preprocess.load(made[1] / "stages" / "preprocess")


@pytest.fixture(scope="module")
def blend(made):
    return ensemble.load(made[1] / "stages" / "ensemble")


class Reader(HTMLParser):
    """Collects what a browser would fetch, and every id."""

    def __init__(self):
        super().__init__()
        self.fetched, self.ids = [], []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.ids += [named["id"]] if "id" in named else []
        links = [v for k, v in named.items() if k in ("src", "href", "srcset", "xlink:href") and v]
        self.fetched += [link for link in links if not link.startswith("#")]


def test_the_page_is_self_contained_and_has_every_section(made):
    page = (made[1] / "report.html").read_text()
    reader = Reader()
    reader.feed(page)
    assert reader.fetched == ["data:,"]
    assert not re.search(r"url\((?!#)|@import", page)
    assert "<script" not in page
    assert set(reader.ids) >= SECTIONS
    assert len(reader.ids) == len(set(reader.ids))
    charts = re.findall("<svg [^>]*>", page)
    assert len(charts) == 11
    assert all('role="img"' in chart and "aria-label=" in chart for chart in charts)
    assert "Synthetic data" in page


def test_the_numbers_are_those_of_the_stages(evidence, toy, prepared, blend):
    assert [row.name for row in evidence.folds] == ["linear", "mlp", "trees", "blend"]
    assert evidence.folds[-1].scores == pytest.approx(tuple(blend.scores))
    confusion = np.array(evidence.outcome.confusion)
    n_correct = (blend.oof.argmax(axis=1) == prepared.target).sum()
    assert (np.trace(confusion), confusion.sum()) == (n_correct, len(prepared.target))
    assert sum(one.n_rows for one in evidence.outcome.calibration) == len(prepared.target)
    assert [curves.member for curves in evidence.curves] == ["linear", "mlp"]
    assert evidence.table.classes == {"0": 90 - prepared.target.sum(), "1": prepared.target.sum()}


def test_candidates_are_compared_where_there_are_several(made, evidence):
    summary = Summary.read(made[1])
    blend = WayLine(name="blend", score=0.8, std=0.1)
    assert "Candidates" not in render(summary.model_copy(update={"ways": (blend,)}), evidence)
    ways = (blend, WayLine(name="forest", score=0.9, std=0.1, error=0.0123))
    page = render(summary.model_copy(update={"ways": ways, "way": "forest"}), evidence)
    assert "Candidates" in page
    assert "forest · used" in page
    assert "0.0123" in page
    assert "+0.1000" in page
    assert "+0.0000" not in page  # the blend beside itself


def test_texts_of_the_data_are_escaped(made, evidence):
    table = evidence.table.model_copy(update={"classes": {"<b>no</b>": 40, "yes": 50}})
    page = render(Summary.read(made[1]), evidence.model_copy(update={"table": table}))
    assert "<b>no</b>" not in page
    assert "&lt;b&gt;no" in page


def test_the_column_that_decides_is_the_most_important(toy, made, evidence):
    worths = {column.name: column.cost for column in evidence.importance.columns}
    assert set(worths) == {"size", "kind"}
    assert worths["size"] > 0.15 > worths["kind"]
    assert evidence.importance.n_rows == 90


def test_importance_is_of_the_members_with_a_weight_and_the_same_each_time(
    toy, made, prepared, blend
):
    measured = Evidence.read(made[1]).importance
    assert measured.member == "the blend"
    assert measured.score == pytest.approx(
        ((blend.oof.argmax(axis=1) == prepared.target).mean()), abs=0.06
    )
    assert importance(toy, prepared, blend, made[1]) == measured
    trees = choose_members(toy, ["trees"])
    assert importance(trees, prepared, blend, made[1]).member == "trees"
    useless = replace(blend, weights=np.zeros(3))
    assert importance(toy, prepared, useless, made[1]) is None


def test_drift_is_found_where_it_is_and_its_column_named():
    rng = np.random.default_rng(0)
    train = pd.DataFrame({"a": rng.normal(size=400), "b": rng.choice(list("xyz"), 400)})
    alike = train.sample(200, random_state=1).reset_index(drop=True)
    assert adversarial(train.iloc[:200], train.iloc[200:]).auc == pytest.approx(0.5, abs=0.08)
    drift = adversarial(train, alike.assign(a=alike["a"] + 2))
    assert drift.auc > 0.85
    assert drift.columns[0].name == "a"
    for column in drift.columns:
        assert (sum(column.train), sum(column.test)) == (pytest.approx(1), pytest.approx(1))


def test_the_group_s_column_is_no_drift():
    rng = np.random.default_rng(0)
    train = pd.DataFrame({"a": rng.normal(size=200), "party": np.arange(200) // 4})
    test = pd.DataFrame({"a": rng.normal(size=200), "party": 100 + np.arange(200) // 4})
    drift = adversarial(train, test, group="party")
    assert drift.auc == pytest.approx(0.5, abs=0.1)
    assert [column.name for column in drift.columns] == ["a"]


def test_drift_takes_texts_and_missing_values():
    words = pd.Series([f"text number {n}" for n in range(90)], dtype="str")
    train = pd.DataFrame({"text": words, "gone": np.nan, "flag": True})
    test = train.assign(text="some longer text than any of the training rows has")
    drift = adversarial(train, test)
    assert drift.auc == 1.0
    assert drift.columns[0].name == "text (characters)"
    assert drift.columns[1].bins == ("missing",) or drift.columns[2].bins == ("missing",)


def outcomes(checks):
    return {check.name: check.outcome for check in checks}


def test_a_clean_run_passes_every_check(evidence):
    found = outcomes(evidence.checks)
    assert found["Features are row-wise"] == "passed"
    assert found["scaled is fitted on training rows only"] == "passed"
    assert found["unscaled is fitted on training rows only"] == "passed"
    assert "look" not in found.values()


def test_each_leak_is_found(toy, made, prepared, blend):
    def looked_at(competition=toy, **changed):
        return [
            check.name
            for check in leaks.checks(competition, replace(prepared, **changed), blend, made[1])
            if check.outcome == "look"
        ]

    def ranked(table):
        return table.assign(double=table["size"].rank())

    assert looked_at(toy.model_copy(update={"features": ranked})) == ["Features are row-wise"]
    giveaway = prepared.train.assign(double=prepared.target + prepared.train["size"] / 1e6)
    assert "No column gives the label away" in looked_at(train=giveaway)
    folds = Folds(np.roll(prepared.folds.assignment, 1, axis=1))
    assert "scaled is fitted on training rows only" in looked_at(folds=folds)
    twins = pd.concat([prepared.train.iloc[:45]] * 2, ignore_index=True)
    assert "Duplicate rows share a fold" in looked_at(train=twins)
    plan = toy.folds.model_copy(update={"group": "kind"})
    assert "Groups stay in one fold" in looked_at(toy.model_copy(update={"folds": plan}))
    assert "The score is not too good to be true" in looked_at(
        toy.model_copy(update={"leak_beyond": 0.5})
    )


def test_known_labels_of_test_rows_are_no_false_alarm(toy, made, prepared, blend):
    def is_new(table, folds):
        return np.arange(len(table)) % 2 == folds % 2

    overlap = TrainTestOverlap(key="kind", is_new=is_new)
    folds = Folds(prepared.folds.assignment[:1])
    train = prepared.train.assign(kind=np.where(prepared.target == 1, "red", "blue"))
    test = prepared.test.assign(kind=["red", "green", "new"] * 15)
    once = replace(prepared, folds=folds, train=train, test=test)
    rows = find_overlap(overlap, (once.train, once.test), once.target, folds)
    known = replace(blend, scores=rows.scores(blend.oof), overlap_share=rows.share)
    competition = toy.model_copy(update={"train_test_overlap": overlap, "leak_beyond": 0.999})
    assert rows.share == pytest.approx(1 / 3)
    found = outcomes(leaks.checks(competition, once, known, made[1]))
    assert found["The score can be reproduced"] == "passed"
    wrong = replace(known, scores=known.scores - 0.01)
    found = outcomes(leaks.checks(competition, once, wrong, made[1]))
    assert found["The score can be reproduced"] == "look"


def test_a_score_on_new_rows_alone_is_held_against_the_limit(toy, made, prepared, blend):
    competition = toy.model_copy(update={"leak_beyond": 0.9})
    scores = 0.5 + 0.5 * np.full_like(blend.scores, 0.85)
    for share, outcome in ((0.0, "look"), (0.5, "passed")):
        changed = replace(blend, scores=scores, overlap_share=share)
        found = outcomes(leaks.checks(competition, prepared, changed, made[1]))
        assert found["The score is not too good to be true"] == outcome


def test_a_run_s_command_names_what_was_changed(made, evidence):
    command = "foldwise run toy --source sample --device cpu --no-tuned"
    assert evidence.origin.command == command
    assert set(evidence.origin.files) == {"train.csv", "test.csv", "sample.csv"}
    assert all(re.fullmatch("[0-9a-f]{64}", sha) for sha in evidence.origin.files.values())


def test_the_keys_on_disk_are_those_of_older_runs(made, evidence, tmp_path):
    stored = json.loads((made[1] / "report.json").read_text())
    assert {"said", "observed", "n_rows"} == set(stored["outcome"]["calibration"][0])
    assert "said_of" in stored["outcome"]
    assert all("told" in check for check in stored["checks"])
    (tmp_path / "report.json").write_text(json.dumps(stored))
    assert Evidence.read(tmp_path) == evidence
    (tmp_path / "report.json").write_text(json.dumps(stored | {"told": "no field of it"}))
    with pytest.raises(ValueError, match="told"):
        Evidence.read(tmp_path)


def test_stage_results_are_handed_in_and_not_read_again(toy, made, evidence, monkeypatch):
    contents = RunContents(RunLayout(made[1]))
    assert contents.prepared
    assert contents.blend
    assert all(contents.predictions_of(member.name) for member in toy.members)
    for module in (preprocess, ensemble, train):
        monkeypatch.delattr(module, "load")
    raw = RawFiles("toy", "sample", False, "", made[0], {}, None)
    found = gather.gather(toy, raw, contents)
    assert found.model_copy(update={"origin": evidence.origin}) == evidence


@pytest.fixture
def typed(made, monkeypatch, capsys):
    """Types a command in the workspace; gives its exit code and what it printed."""
    monkeypatch.chdir(made[0])
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)

    def run(*words):
        code = app.main(list(words))
        return code, capsys.readouterr()

    return run


def test_report_prints_where_the_page_is(made, typed):
    page = made[1] / "report.html"
    page.unlink()
    for named in (made[1].name, "toy"):
        code, printed = typed("report", named)
        assert (code, printed.out.strip()) == (0, str(page.relative_to(made[0])))
    assert page.is_file()


def test_two_runs_are_compared_on_one_page(made, typed, toy, narrator):
    changed = assign(toy, {"trees.trees.num_leaves": 4})
    request = RunRequest(source="sample", track=False, root=made[0])
    second = runs.run(choose_members(changed, ["mlp", "trees"]), request, narrator)
    code, printed = typed("compare", made[1].name, second.run)
    assert code == 0
    page = (made[0] / printed.out.strip()).read_text()
    assert "on the same splits" in page
    assert "trees.trees.num_leaves" in page
    assert "member linear" in page
    assert "linear.train.lr" not in page
    assert "folds.n_folds" not in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("report", "toi"), "no finished run 'toi' in runs; did you mean toy?"),
        (("compare", "toy", "toy"), "both are run"),
    ],
)
def test_what_cannot_be_shown_is_an_error_of_one_line(typed, words, message):
    code, printed = typed(*words)
    assert code == 2
    assert message in printed.err
    assert len(printed.err.splitlines()) == 1

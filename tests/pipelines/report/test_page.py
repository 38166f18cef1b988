"""What a report's page says of unusual runs, and that it fits a window in a real browser."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pipelines.report import compare
from pipelines.report.evidence import Evidence
from pipelines.report.find import ReportedRun
from pipelines.report.html import render
from pipelines.runs import run as runs
from pipelines.runs.request import RunRequest
from pipelines.workspace.summary import Summary

COUNTRIES = (
    *("Arabic", "Chinese", "Czech", "Dutch", "English", "French", "German", "Greek", "Irish"),
    *("Italian", "Japanese", "Korean", "Polish", "Portuguese", "Russian", "Scottish", "Spanish"),
    "Vietnamese",
)


@pytest.fixture(scope="module")
def reported(tmp_path_factory, toy, narrator):
    """A toy run as its report sees it."""
    root = tmp_path_factory.mktemp("page")
    made = runs.run(toy, RunRequest(source="sample", track=False, root=root), narrator)
    folder = root / "runs" / "toy" / made.run
    summary, evidence = Summary.read(folder), Evidence.read(folder)
    assert summary is not None
    assert evidence is not None
    return ReportedRun(folder, summary, evidence)


def changed(evidence, part, **fields):
    """The evidence with other fields in one of its parts."""
    return evidence.model_copy(update={part: getattr(evidence, part).model_copy(update=fields)})


def words(page):
    """The page's text, without tags and line breaks."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_a_failed_check_looks_like_one(reported):
    evidence = reported.evidence
    assert "No leak check failed." in render(reported.summary, evidence)
    first, *others = evidence.checks
    failed = first.model_copy(update={"outcome": "look", "detail": "double depends on other rows"})
    page = render(reported.summary, evidence.model_copy(update={"checks": (failed, *others)}))
    assert "No leak check failed." not in page
    told = words(page)
    assert f"1 of {len(others) + 1} leak checks failed:" in told
    assert f"{failed.name}: no; double depends on other rows" in told
    assert '<li class="bad">' in page
    assert "✗" in page


def test_a_member_that_cannot_predict_again_is_not_said_to_have_kept_nothing(reported):
    page = render(reported.summary, reported.evidence.model_copy(update={"importance": None}))
    assert "no member with a weight in the blend predicts thousands of rows again" in words(page)


def test_the_accuracy_is_said_once_and_with_what_it_is(reported):
    told = words(render(reported.summary, reported.evidence))
    assert "predicted by the mean of its 2 out-of-fold predictions" in told
    assert "the accuracy at the top is the mean over the splits" in told
    assert "classified correctly" not in told
    by_loss = reported.summary.model_copy(update={"metric": "log_loss"})
    single = {"settings": reported.evidence.settings | {"folds.n_repeats": "1"}}
    told = words(render(by_loss, reported.evidence.model_copy(update=single)))
    assert "of the held-out rows are classified correctly" in told
    assert "its 1 out-of-fold" not in told


def test_a_regression_s_page_has_no_empty_half(reported):
    outcome = {"confusion": (), "calibration": ()}
    page = render(reported.summary, changed(reported.evidence, "outcome", **outcome))
    assert not re.search(r"<div>\s*</div>", page)


def overflowing(browser, page, path, width):
    """The ids of the sections whose tables are wider than the window lets them be."""
    path.write_text(page)
    sizes = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)
    browser.get(path.resolve().as_uri())
    return browser.execute_script(
        "return [...document.querySelectorAll('.scroll')]"
        ".filter(one => one.scrollWidth > one.clientWidth)"
        ".map(one => one.closest('section').id)"
    )


def test_eighteen_classes_stand_side_by_side(reported, browser, tmp_path):
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 1_000, (18, 18)).tolist()
    evidence = changed(reported.evidence, "outcome", confusion=counts)
    evidence = changed(evidence, "table", classes=dict.fromkeys(COUNTRIES, 500))
    page = render(reported.summary, evidence)
    assert overflowing(browser, page, tmp_path / "page.html", 1400) == []


def test_where_commits_differ_is_seen(reported, browser, tmp_path):
    origin = reported.evidence.origin
    other = ReportedRun(
        reported.folder,
        reported.summary.model_copy(update={"run": "20260101-000000-abcdef"}),
        changed(reported.evidence, "origin", git_commit="a" * 40 + "+changes"),
    )
    first = ReportedRun(
        reported.folder,
        reported.summary,
        changed(reported.evidence, "origin", git_commit="a" * 40),
    )
    page = compare.render(first, other)
    assert origin.command in page
    for width in (1400, 390):
        assert overflowing(browser, page, tmp_path / "compare.html", width) == []
    assert "+changes" in browser.find_element("id", "again").text

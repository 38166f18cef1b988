"""`foldwise blend` from files and runs to a checked CSV, its summary, ledger line and report."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipelines.blending.by_hand import total_of
from pipelines.blending.claims import NumberedFileError
from pipelines.blending.file_pairs import PairError, pairs_of
from pipelines.blending.findings import Findings
from pipelines.blending.given_folds import FoldFileError
from pipelines.blending.prediction_files import PredictionFileError
from pipelines.blending.request import BlendRequest, BlendRequestError, Files
from pipelines.blending.unscored_csv import is_by_hand_alone, write_unscored
from pipelines.configuration.assignments import configure
from pipelines.console import terminal
from pipelines.runs import ledger_page, summary_page
from pipelines.runs.request import RunRequest
from pipelines.runs.run import run
from pipelines.runs.sync import sync
from pipelines.workspace import finished_runs
from pipelines.workspace.finished_runs import NoRunError
from pipelines.workspace.layout import Workspace
from pipelines.workspace.stored import DamagedFileError, PassedOverWarning
from submissions import ledger


@pytest.fixture
def made_run(shapes, tmp_path, narrator):
    """A finished run of the competition."""
    return run(shapes, RunRequest(source="sample", track=False, root=tmp_path), narrator)


def test_files_alone_end_in_a_checked_csv_a_ledger_line_and_a_report(
    blended, preds, tmp_path, capsys
):
    summary = blended(preds("a", seed=1), preds("b", seed=2), preds("c", noise=3.0, seed=3))
    csv = pd.read_csv(tmp_path / summary.submission)
    assert len(csv) == summary.n_rows == 120
    assert csv["win"].between(0, 1).all()
    assert (summary.kind, summary.metric) == ("blend", "auc")
    assert [line.name for line in summary.members] == ["a", "b", "c"]
    assert {way.name for way in summary.ways} == {"best member", "equal weights", "hill climbing"}
    (entry,) = ledger.read(tmp_path / "submissions" / "ledger.jsonl")
    assert (entry.run, entry.cv) == (summary.run, summary.cv)
    assert entry.note.startswith("blend of 3 members")
    layout = Workspace(tmp_path).run("shapes", summary.run)
    page = layout.report_file.read_text()
    assert "correlation" in page
    assert "preds/oof_a.csv" in page
    findings = Findings.read(layout)
    assert np.shape(findings.correlations) == (3, 3)
    summary_page.show(summary, terminal())
    ledger_page.show_ledger(terminal(), tmp_path, competition="shapes")
    assert "chosen" in capsys.readouterr().out


def test_members_of_runs_are_blended_with_files(blended, preds, made_run):
    summary = blended(preds("a"), source=None)
    assert [line.name for line in summary.members] == ["few", "more", "a"]
    assert summary.members[0].score == pytest.approx(made_run.members[0].score)
    alone = blended(source=None)
    assert [line.name for line in alone.members] == ["few", "more"]
    with pytest.raises(NoRunError, match="is a blend"):
        blended(runs=(alone.run,), source=None)
    only_files = blended(preds("b"), preds("c", seed=5), use_runs=False)
    assert [line.name for line in only_files.members] == ["b", "c"]


def test_a_blend_is_in_no_ones_way(blended, preds, made_run, tmp_path):
    """New rows are predicted by the newest run that has models."""
    made = blended(preds("a"), source=None)
    workspace = Workspace(tmp_path)
    assert finished_runs.newest(workspace, "shapes", None).run == made_run.run
    with pytest.raises(NoRunError, match="no models"):
        finished_runs.newest(workspace, "shapes", made.run)


def test_the_same_command_keeps_the_blend_and_its_bytes(blended, preds, tmp_path, spoken):
    pairs = preds("a"), preds("b", seed=1)
    first = blended(*pairs)
    csv = (tmp_path / first.submission).read_bytes()
    assert blended(*pairs) == first
    assert "nothing to do" in spoken.text
    (tmp_path / first.submission).unlink()
    (tmp_path / "runs" / "shapes" / first.run / "summary.json").unlink()
    stage = tmp_path / "runs" / "shapes" / first.run / "stages" / "ensemble" / "blend.npz"
    stage.write_bytes(b"")
    again = blended(*pairs)
    assert (tmp_path / again.submission).read_bytes() == csv
    assert again.cv == first.cv


def test_rows_in_another_order_are_joined_by_id(blended, preds, spoken):
    def shuffle(oof, sub):
        return oof.sample(frac=1, random_state=1), sub.sample(frac=1, random_state=2)

    straight, turned = blended(preds("a")), blended(preds("b", change=shuffle))
    assert turned.submission_sha256 == straight.submission_sha256
    assert turned.cv == straight.cv
    assert "another order" in spoken.text


FAULTS = {
    "missing": (lambda oof, sub: (oof[5:], sub), "5 ids of the training file are missing"),
    "double": (
        lambda oof, sub: (pd.concat([oof, oof[:1]]), sub),
        "1 ids are repeated",
    ),
    "unknown": (lambda oof, sub: (oof.replace({"Id": {3: 9999}}), sub), "9999"),
    "nan": (
        lambda oof, sub: (oof.assign(win=oof["win"].mask(oof["Id"] == 7)), sub),
        "1 rows missing or infinite (first: id 7",
    ),
    "range": (lambda oof, sub: (oof, sub.assign(win=sub["win"] + 0.5)), "outside 0 to 1"),
    "text": (
        lambda oof, sub: (oof.assign(win=["x", *oof["win"][1:]]), sub),
        "found 'x' in column 'win', line 2",
    ),
    "columns": (
        lambda oof, sub: (oof.assign(other=1.0).rename(columns={"win": "mine"}), sub),
        "found the columns mine, other",
    ),
    "rows": (
        lambda oof, sub: (oof[["win"]][:50], sub),
        "found 50 rows without ids, expected the 200 training rows",
    ),
}


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_of_a_file_is_one_line_with_its_place(blended, preds, name):
    change, message = FAULTS[name]
    with pytest.raises(PredictionFileError) as caught:
        blended(preds("bad", change=change))
    assert message in str(caught.value)
    assert "_bad.csv" in str(caught.value)
    assert caught.value.exit_code == 3


def test_predictions_of_training_rows_are_left_out_unless_asked_for(
    blended, preds, spoken, tmp_path
):
    def cheat(oof, sub):  # nearly the labels themselves, from a model that is unsure of new rows
        (file,) = tmp_path.glob("data/shapes/*/train.csv")
        truth = pd.read_csv(file)["win"]
        return oof.assign(win=0.03 + 0.94 * truth), sub.assign(win=0.2 + 0.6 * sub["win"])

    blended(preds("a"))  # so that the raw files are there
    pairs = preds("a"), preds("b", seed=3), preds("cheat", change=cheat)
    honest = blended(*pairs)
    assert [line.name for line in honest.members] == ["a", "b"]
    assert "not out-of-fold ones; it is left out; --keep-suspects" in spoken.text
    kept = blended(*pairs, keep_suspects=True)
    assert len(kept.members) == 3


def test_a_claim_is_checked(blended, preds, spoken):
    oof, sub = preds("a")
    score = blended((oof, sub)).members[0].score
    blended((oof, sub), claims=(f"{oof}={score:.4f}",))
    assert "is right" in spoken.text
    blended((oof, sub), claims=(f"{oof}=0.9999",))
    assert "0.9999 is claimed, but measured" in spoken.text
    with pytest.raises(NumberedFileError, match="no such file is blended"):
        blended((oof, sub), claims=("other.csv=0.5",))
    with pytest.raises(NumberedFileError, match="FILE=NUMBER"):
        blended((oof, sub), claims=(f"{oof}",))


def test_unknown_folds_are_told_and_a_fold_file_settles_them(blended, preds, tmp_path, spoken):
    pair, other = preds("a"), preds("b", seed=1)
    blended(pair, other)
    assert "are unknown" in spoken.text
    file = tmp_path / "folds.csv"
    ids = pd.read_csv(pair[0])["Id"]
    pd.DataFrame({"Id": ids, "fold": np.arange(len(ids)) % 3 + 1}).to_csv(file, index=False)
    summary = blended(pair, other, fold_file=file)
    assert summary.n_splits == 3
    assert "folds.csv" in summary.folds
    pd.DataFrame({"Id": ids[3:], "fold": 1}).to_csv(file, index=False)
    with pytest.raises(FoldFileError, match="3 ids of the training file are missing"):
        blended(pair, fold_file=file)


def test_a_column_of_folds_in_the_files_is_taken(blended, preds):
    def with_folds(oof, sub):
        return oof.assign(fold=np.arange(len(oof)) % 5), sub

    summary = blended(preds("a", change=with_folds), preds("b", seed=1, change=with_folds))
    assert summary.n_splits == 5
    assert "column fold" in summary.folds


def test_unscored_files_take_their_share(blended, preds, tmp_path):
    pair, (_, sub) = preds("a"), preds("b", seed=1)
    scored = blended(pair)
    mixed = blended(pair, weights=(f"{sub}=0.25",))
    one, other, both = (
        pd.read_csv(path)["win"]
        for path in (tmp_path / scored.submission, sub, tmp_path / mixed.submission)
    )
    np.testing.assert_allclose(both, 0.75 * one + 0.25 * other, atol=1e-8)
    assert mixed.cv == scored.cv
    assert any("25% of the submission" in warning for warning in mixed.warnings)


def test_a_mix_by_hand_alone_has_no_score_and_no_ledger_line(shapes, preds, tmp_path, spoken):
    (_, a), (_, b) = preds("a"), preds("b", seed=1)
    request = BlendRequest(
        files=Files(weights=(f"{a}=0.7,{b}=0.3",)), source="sample", track=False, root=tmp_path
    )
    assert is_by_hand_alone(request)
    made = write_unscored(shapes, request, spoken.narrator)
    mixed = 0.7 * pd.read_csv(a)["win"] + 0.3 * pd.read_csv(b)["win"]
    np.testing.assert_allclose(pd.read_csv(made.path)["win"], mixed, atol=1e-8)
    assert not (tmp_path / "submissions" / "ledger.jsonl").exists()
    with pytest.raises(BlendRequestError, match="leave nothing"):
        is_by_hand_alone(dataclasses.replace(request, runs=("x",)))
    with pytest.raises(BlendRequestError, match=r"the sum 1\.5"):
        total_of(("a.csv=0.9", "b.csv=0.6"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "magic"}, "no such method"),
        ({"without": ("nobody",)}, "no such member"),
        ({"without": ("a",)}, "nothing to blend"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(blended, preds, options, message):
    with pytest.raises(BlendRequestError, match=message) as caught:
        blended(preds("a"), **options)
    assert caught.value.exit_code == 2


def test_pairs_by_pattern(preds, tmp_path):
    for name in ("b", "a"):
        preds(name)
    folder = tmp_path / "preds"
    found = pairs_of((), (), (str(folder / "oof_*.csv"),))
    assert [(pair.name, pair.test.name) for pair in found] == [
        ("a", "sub_a.csv"),
        ("b", "sub_b.csv"),
    ]
    (folder / "sub_a.csv").unlink()
    with pytest.raises(PairError, match=r"expected sub_a\.csv beside it"):
        pairs_of((), (), (str(folder / "oof_*.csv"),))
    with pytest.raises(PairError, match="found no file"):
        pairs_of((), (), (str(folder / "none_*.csv"),))
    with pytest.raises(PairError, match="1 files of --oof and 0 of --sub"):
        pairs_of((folder / "oof_b.csv",), (), ())


def test_a_damaged_run_is_passed_over_unless_it_is_named(
    shapes, blended, made_run, preds, tmp_path, narrator
):
    request = RunRequest(source="sample", track=False, root=tmp_path)
    newer = run(configure(shapes, sets=["few.trees.n_estimators=6"]), request, narrator)
    layout = Workspace(tmp_path).run("shapes", newer.run)
    (layout.preprocess / "train.parquet").unlink()  # a link that the other run has too
    (layout.preprocess / "train.parquet").write_bytes(b"garbage")
    with pytest.warns(PassedOverWarning, match=r"train\.parquet: found other bytes"):
        summary = blended(preds("a"), source=None)
    assert [line.name for line in summary.members] == ["few", "more", "a"]
    with pytest.raises(DamagedFileError, match=r"train\.parquet: found other bytes"):
        blended(preds("a"), source=None, runs=(made_run.run, newer.run))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_a_damaged_store_has_missed_of_a_blend_is_sent_later(
    blended, preds, spoken, signed_out, tmp_path
):
    from mlflow import MlflowClient

    database = tmp_path / "mlflow.db"
    database.write_text("garbage")
    summary = blended(preds("a"), preds("b", seed=2), track=True)
    assert "file is not a database" in spoken.text
    assert (tmp_path / summary.submission).is_file()
    database.unlink()
    sync(tmp_path, spoken.narrator, everything=False)
    client = MlflowClient(f"sqlite:///{database}")
    experiment = client.get_experiment_by_name("shapes").experiment_id
    (found,) = client.search_runs([experiment])
    assert found.data.tags["kind"] == "blend"
    assert found.data.metrics["cv"] == pytest.approx(summary.cv, abs=1e-6)
    assert not list(Workspace(tmp_path).unsent.glob("*.json"))

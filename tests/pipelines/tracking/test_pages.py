"""The MLflow page and the report in a real browser, and a server that comes and goes."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.commands import app
from pipelines.configuration.assignments import choose_members
from pipelines.configuration.search_space import Real
from pipelines.console import Narrator
from pipelines.runs import run as runs
from pipelines.runs.mlflow_record import track
from pipelines.runs.request import RunRequest
from pipelines.stages.run_contents import RunContents
from pipelines.tracking import log, outbox, runs_table, stores
from pipelines.tracking.record import Family, Record, Update
from pipelines.tracking.tracker import Tracker
from pipelines.tuning import tune
from pipelines.tuning.mlflow_records import Parent, children
from pipelines.tuning.optimise import StudyOptions
from pipelines.tuning.study import Study, Trial
from pipelines.workspace.layout import RunLayout
from pipelines.workspace.summary import Summary

pytestmark = [
    # mlflow's own, on every import and every new database.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
WAIT_S = 90


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, toy, narrator):
    """A workspace with a toy run and a study of its mlp, both tracked."""
    root = tmp_path_factory.mktemp("pages")
    linear, mlp, trees = toy.members
    searched = mlp.model_copy(update={"search": {"train.lr": Real(low=1e-3, high=0.3, log=True)}})
    study = tune.TuneRequest(
        study=StudyOptions(n_trials=3), source="sample", root=root, score=False
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        summary = runs.run(toy, RunRequest(source="sample", root=root), narrator)
        members = toy.model_copy(update={"members": (linear, searched, trees)})
        (_,) = tune.tune(members, study, narrator)
    return root, summary


def family():
    tags = {"kind": "study", "competition": "toy", "source": "synthetic", "members": "mlp"}
    parent = Record("study of mlp", tags=tags, metrics=[("cv", 0.9, 0)])
    trials = [
        Record(f"trial {n}", tags=tags, params={"mlp.train.lr": n / 100}, metrics=[("cv", 0.8, 0)])
        for n in (1, 2)
    ]
    return Family(parent, trials)


@pytest.fixture(scope="module")
def page(workspace):
    """The addresses that `foldwise mlflow` prints: the page's, and the toy's runs on it."""
    root, _ = workspace
    command = [sys.executable, "-m", "pipelines", "mlflow"]
    kept = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    with subprocess.Popen(
        command, cwd=root, env=kept, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            first, second = server.stdout.readline(), server.stdout.readline()
            address = re.fullmatch(r"MLflow at (http://127.0.0.1:\d+) \(Ctrl-C ends it\)\n", first)[
                1
            ]
            assert second.split()[0] == "toy"
            wait_for(f"{address}/health", server)
            yield address, second.split()[1]
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(timeout=WAIT_S)
            finally:
                server.kill()
    assert server.returncode == 0
    port = int(address.rsplit(":", 1)[1])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def wait_for(address, server):
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the page did not come up")


def until(browser, find, what):
    """What `find` gives once it gives something true."""
    from selenium.common.exceptions import StaleElementReferenceException, WebDriverException

    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            if found := find():
                return found
        except (StaleElementReferenceException, IndexError):
            pass
        except WebDriverException as error:
            if "click intercepted" not in str(error):
                raise
        time.sleep(0.1)
    raise AssertionError(
        f"{what}: not on the page\n{browser.find_element('tag name', 'body').text}"
    )


def texts(browser, css):
    return [one.text for one in browser.find_elements("css selector", css)]


def resize(browser, width, height=900, scheme="light"):
    sizes = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def left_to_right(browser):
    """The table's headings as the eye meets them: the grid places its cells in any order."""
    script = (
        "return [...document.querySelectorAll('.ag-header-cell')]"
        ".map(cell => [cell.getBoundingClientRect().left, cell.innerText.trim()])"
    )
    return [name for _, name in sorted(browser.execute_script(script))]


@pytest.mark.slow
def test_the_runs_table_is_readable_at_once_and_children_stand_under_parents(
    browser, page, workspace
):
    _, summary = workspace
    resize(browser, 1600)
    browser.get(page[1])
    until(browser, lambda: rows_by_name(browser).get(summary.run), "the run")
    known = [name for name in (*runs_table.METRICS, *runs_table.TAGS) if name != "public_score"]

    def is_ordered():
        return [name for name in left_to_right(browser) if name in known] == known

    until(browser, is_ordered, "the columns in the view's order")
    hidden = [name for name, right in right_edges(browser) if name in known and right > 0]
    assert hidden == [], "the page shows them only after scrolling"
    run = rows_by_name(browser)[summary.run]
    assert run["cv"] == f"{round(summary.cv, 6):g}"
    assert (run["state"], float(run["seconds"])) == ("complete", round(summary.seconds, 6))
    assert "trial 0001" not in rows_by_name(browser)
    expand(browser, "tune mlp")
    until(browser, lambda: "trial 0002" in rows_by_name(browser), "the trials")
    rows = rows_by_name(browser)
    for number in range(3):
        trial = rows[f"trial {number:04d}"]
        assert 0 < float(trial["score"]) <= 1
        assert (trial["state"], trial["members"]) == ("complete", "mlp")
        assert 0 < float(trial["seconds"]) < float(rows["tune mlp"]["seconds"])
    assert float(rows["tune mlp"]["score"]) == max(
        float(rows[f"trial {number:04d}"]["score"]) for number in range(3)
    )


@pytest.mark.slow
def test_trials_of_every_state_are_told_apart_and_all_pages_stand_under_the_study(
    browser, page, workspace
):
    root, _ = workspace
    log.log_family(study_of(130), experiment="toy-large", root=root, store=stores.local(root))
    client = log_in(page)
    number = client.get_experiment_by_name("toy-large").experiment_id
    newest = client.search_runs([number], max_results=3)
    assert [run.info.status for run in newest] == ["FINISHED", "FAILED", "KILLED"]
    resize(browser, 1600, 3000)
    browser.get(runs_table.address(page[0], number))
    until(browser, lambda: rows_by_name(browser).get("tune mlp"), "the study")
    assert set(rows_by_name(browser)) == {"tune mlp"}
    until(browser, lambda: click(browser, "Load more"), "the second page")
    until(browser, lambda: "Load more" not in texts(browser, "button"), "the end")
    expand(browser, "tune mlp")
    until(browser, lambda: "trial 0129" in rows_by_name(browser), "the newest trials")
    states = [rows_by_name(browser)[f"trial {n:04d}"]["state"] for n in (127, 128, 129)]
    assert states == ["pruned", "failed", "complete"]
    script = "document.querySelector('.ag-body-viewport').scrollTop = 1e6"
    browser.execute_script(script)
    until(browser, lambda: "trial 0000" in rows_by_name(browser), "the oldest trial")


def study_of(n_trials):
    """A study as its MLflow records, with trials of all three states."""
    states = ("complete", "pruned", "failed")
    trials = [
        Trial(n, states[n % 3], 0.5, {"train.lr": 0.1}, (), 1.0, start_ms=1_700_000_000_000 + n)
        for n in range(n_trials)
    ]
    counted = tuple(trial for trial in trials if trial.state != "failed")
    failed = tuple(trial for trial in trials if trial.state == "failed")
    parent = Parent("toy-large", "mlp", "toy-mlp-1", "sample", "accuracy")
    study = Study("toy-mlp-1", True, counted, failed=failed)
    record = replace(parent.record, start_ms=1_600_000_000_000)
    return Family(record, tuple(children(parent, study).values()))


def log_in(page):
    from mlflow import MlflowClient

    return MlflowClient(page[0])


def rows_by_name(browser):
    """The cells of each row that the table shows, by column, by the run's name."""
    script = """
        const rows = {};
        for (const cell of document.querySelectorAll('.ag-cell')) {
            const row = rows[cell.closest('.ag-row').getAttribute('row-index')] ??= {};
            row[cell.getAttribute('col-id')] = cell.innerText.trim().split('\\n').pop();
        }
        return Object.values(rows);
    """
    found = browser.execute_script(script)
    rows = [
        {column.split("`")[-2 if "`" in column else 0]: t for column, t in r.items()} for r in found
    ]
    return {row["Run Name"]: row for row in rows if row.get("Run Name")}


def right_edges(browser):
    """By heading, how far it reaches beyond the table's visible part, in pixels."""
    script = """
        const table = document.querySelector('.ag-center-cols-viewport');
        const seen = table.getBoundingClientRect().right;
        return [...document.querySelectorAll('.ag-header-cell')]
            .map(cell => [cell.innerText.trim(), cell.getBoundingClientRect().right - seen]);
    """
    return browser.execute_script(script)


def expand(browser, name):
    """Click the plus sign before a parent's name."""
    script = """
        const cells = [...document.querySelectorAll('.ag-pinned-left-cols-container .ag-cell')];
        const button = cells.find(cell => cell.innerText.trim().endsWith(arguments[0]))
            ?.querySelector('button');
        button?.click();
        return Boolean(button);
    """
    until(browser, lambda: browser.execute_script(script, name), "the parent's plus sign")


def click(browser, text):
    """Click the button of that text, if it is there."""
    found = [one for one in browser.find_elements("css selector", "button") if one.text == text]
    found[0].click()
    return True


@pytest.mark.slow
def test_a_run_s_figures_and_report_are_seen_on_the_page(browser, page, workspace):
    _, summary = workspace
    run = page[1].split("/runs")[0] + f"/runs/{summary.mlflow_run_id}/artifacts"
    browser.get(f"{run}/figures/learning_curves.png")
    script = "return [...document.images].some(image => image.naturalWidth > 1000)"
    until(browser, lambda: browser.execute_script(script), "the learning curves")
    browser.get("about:blank")
    browser.get(f"{run}/report.html")
    until(browser, lambda: browser.find_elements("css selector", "iframe"), "the report")
    browser.switch_to.frame(browser.find_elements("css selector", "iframe")[0])
    until(browser, lambda: "A toy" in texts(browser, "h1"), "the report's title")
    browser.switch_to.default_content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_report_fits_and_fetches_nothing(browser, workspace, width, scheme):
    root, summary = workspace
    report = (root / "runs" / "toy" / summary.run / "report.html").resolve().as_uri()
    shown = look_at(browser, report, width, scheme)
    assert shown["charts"] == 11
    assert "A toy" in shown["text"]
    assert (shown["background"] == "rgb(13, 17, 23)") == (scheme == "dark")


def look_at(browser, address, width, scheme):
    """Opens a file; nothing may be wrong, wide or fetched."""
    resize(browser, width, scheme=scheme)
    browser.get("about:blank")
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(address)
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"].endswith("BeSent")]
    assert [url for url in asked if url != address and not url.startswith("data:")] == []
    seen = browser.execute_script(
        "return {wide: document.documentElement.scrollWidth, view: innerWidth,"
        " charts: document.querySelectorAll('svg').length, text: document.body.innerText,"
        " background: getComputedStyle(document.body).backgroundColor}"
    )
    assert seen["wide"] <= seen["view"]
    return seen


def test_two_runs_on_one_page_fit_too(browser, workspace, toy, narrator, monkeypatch, capsys):
    root, summary = workspace
    request = RunRequest(source="sample", track=False, root=root)
    second = runs.run(choose_members(toy, ["linear", "trees"]), request, narrator)
    monkeypatch.chdir(root)
    monkeypatch.delenv("DISPLAY", raising=False)
    assert app.main(["compare", summary.run, second.run]) == 0
    path = capsys.readouterr().out.strip()
    shown = look_at(browser, (root / path).resolve().as_uri(), 390, "dark")
    assert summary.run in shown["text"]
    assert second.run in shown["text"]


class Door(BaseHTTPRequestHandler):
    """Hands requests on to a real server, until it has handed on as many as it may."""

    upstream, n_left = "", 0

    def hand_on(self):
        type(self).n_left -= 1
        if self.n_left < 0:
            self.close_connection = True
            return
        inner = http.client.HTTPConnection(self.upstream)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        named = {k: v for k, v in self.headers.items() if k.lower() != "host"}
        inner.request(self.command, self.path, body, named | {"Host": self.upstream})
        answer = inner.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        inner.close()

    do_GET = do_POST = do_PUT = do_PATCH = hand_on  # noqa: N815

    def log_message(self, *_):
        pass


@contextmanager
def door(page, n_requests):
    """A server at an address of its own that goes away after so many requests."""
    handler = type("OwnDoor", (Door,), {"upstream": page[0].split("//")[1], "n_left": n_requests})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def untracked(workspace, tmp_path, monkeypatch):
    """A copy of the workspace whose run was never tracked, of a competition of its own name."""
    root, summary = workspace
    shutil.copytree(root / "runs", tmp_path / "runs")
    (tmp_path / "runs" / "toy").rename(tmp_path / "runs" / "far")
    folder = tmp_path / "runs" / "far" / summary.run
    changed = {"competition": "far", "mlflow_run_id": None, "mlflow_is_local": None}
    summary.model_copy(update=changed).write(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return folder


def stored(page):
    """The runs of the far competition on the real server."""
    from mlflow import MlflowClient

    client = MlflowClient(page[0])
    experiment = client.get_experiment_by_name("far")
    return client, [] if experiment is None else client.search_runs([experiment.experiment_id])


def contents_of(folder):
    return RunContents(RunLayout(folder))


@pytest.mark.slow
def test_a_server_lost_in_the_middle_gets_the_rest_by_sync(
    page, untracked, monkeypatch, capsys, narrator
):
    message = Narrator(Console(width=400))
    with door(page, n_requests=4) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        tracker = Tracker.start(Path(), message)
        assert track(tracker, Summary.read(untracked), contents_of(untracked)).mlflow_run_id is None
        assert tracker.family(family(), "far") is None
    assert capsys.readouterr().out.count("type foldwise sync") == 2
    client, half = stored(page)
    assert len(half) <= 1
    assert app.main(["sync"]) == 4
    assert "cannot be reached" in capsys.readouterr().err
    assert len(outbox.waiting(Path())) == 2

    monkeypatch.setenv("MLFLOW_TRACKING_URI", page[0])
    assert app.main(["sync"]) == 0
    assert "2 sent to" in capsys.readouterr().out
    assert outbox.waiting(Path()) == []
    _, whole = stored(page)
    named = {run.info.run_name: run for run in whole}
    assert sorted(named) == sorted([untracked.name, "study of mlp", "trial 1", "trial 2"])
    sent = named[untracked.name]
    assert Summary.read(untracked).mlflow_run_id == sent.info.run_id
    assert sent.info.status == "FINISHED"
    parent_id = named["study of mlp"].info.run_id
    assert named["trial 2"].data.tags["mlflow.parentRunId"] == parent_id
    files = {item.path for item in client.list_artifacts(sent.info.run_id)}
    assert {"report.html", "figures", "submission.csv"} <= files

    assert app.main(["sync"]) == 0
    assert "nothing to send" in capsys.readouterr().out
    assert app.main(["sync", "--all"]) == 0
    client, again = stored(page)
    assert len(again) == 4
    scores = client.get_metric_history(sent.info.run_id, "fold_score")
    assert len(scores) == 6


def test_a_server_that_is_not_there_is_replaced_and_reported(untracked, monkeypatch, capsys):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://me:secret@127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    tracker = Tracker.start(Path(), Narrator(Console(width=400)))
    summary = track(tracker, Summary.read(untracked), contents_of(untracked))
    assert (summary.mlflow_run_id is not None, summary.mlflow_is_local) == (True, True)
    update = Update(
        experiment="far",
        run=summary.run,
        mlflow_run_id=summary.mlflow_run_id,
        is_local=True,
        metrics={"public_score": 0.5},
        tags={"kaggle.status": "complete"},
    )
    tracker.update(update)
    message = capsys.readouterr().out
    assert "cannot be reached" in message
    assert "own store is used instead" in message
    assert "secret" not in message
    assert [one.run for one in outbox.waiting(Path())] == [summary.run]
    from mlflow import MlflowClient

    run = MlflowClient(stores.local_store(Path())).get_run(summary.mlflow_run_id)
    assert run.data.metrics["public_score"] == 0.5
    assert app.main(["mlflow"]) == 4
    assert "cannot be reached" in capsys.readouterr().err


def test_sync_says_what_is_missing(untracked, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    outbox.keep_run(Path(), "far", untracked.name)
    assert app.main(["sync"]) == 4
    message = capsys.readouterr().err
    assert "1 to send, but MLFLOW_TRACKING_URI names no server" in message


def test_a_port_that_is_taken_is_reported(workspace, monkeypatch, capsys):
    monkeypatch.chdir(workspace[0])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert app.main(["mlflow", "--port", str(taken.getsockname()[1])]) == 2
    assert "leave --port out" in capsys.readouterr().err

"""A real cluster of two nodes: the bytes of one machine, lost workers, Ctrl-C, refusals."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from models.executor import LOCAL, STOPPED, Call, Needs, Task, in_order
from pipelines.commands.app import main
from pipelines.console import Narrator
from pipelines.executors import machines
from pipelines.executors.attempts import QUIET_S
from pipelines.executors.machines import Facts
from pipelines.executors.nodes import TooLargeError
from tests.pipelines.executors.own_runs import Told, run

pytest.importorskip("ray", reason="Ray is not installed: pip install 'foldwise[ray]'")

MOST_TRIES = 3
NEEDS_HIDING = "FOLDWISE_TESTS_HIDE"  # set where a skipped test of the hidden checkout is a failure


@pytest.fixture(scope="module")
def at_home(
    home: Path, tmp_path_factory: pytest.TempPathFactory, narrator: Narrator
) -> dict[str, bytes]:
    """What one machine makes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        return run(tmp_path_factory.mktemp("here"), narrator, LOCAL)


def test_nodes_with_other_versions_are_refused(
    on: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comes first, since a process joins one cluster at a time."""
    here = machines.facts()
    other = Facts({**here.versions, "torch": "1.0.0"}, here.processor)
    monkeypatch.setattr("pipelines.executors.ray.facts", lambda: other)
    assert main(["run", "own", "--source", "files", "--no-track", "--on", on]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("foldwise: node ")
    assert f"torch {here.versions['torch']}, here 1.0.0" in line


def test_every_kind_of_member_ends_with_the_bytes_of_one_machine(
    executor: Any,
    at_home: dict[str, bytes],
    tmp_path: Path,
    person: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CSV, OOF and weights of an MLP, one that stops early, TabM, a GRU, trees and a forest.

    The tasks of all six are with the executor before the first result is.
    """
    assert executor.slots == 2
    seen: list[str] = []
    do = executor.run

    def seen_run(tasks: Any, hear: Any = None, **further: Any) -> Any:
        seen.append("tasks")
        for result in do(tasks, hear, **further):
            seen.append("result")
            yield result

    monkeypatch.setattr(executor, "run", seen_run)
    there = run(tmp_path, person, executor)
    assert sorted(there) == sorted(at_home)
    assert [name for name in there if there[name] != at_home[name]] == []
    assert any(name.endswith("replicas.safetensors") for name in there)
    assert any(name.endswith(".csv") for name in there)
    assert seen[:7] == ["tasks"] * 6 + ["result"]
    assert person.warnings == []


def sees(path: str, _arguments: None, call: Call) -> bool:
    """Whether that lies where the task runs; long enough for every node to get one."""
    for _ in range(20):
        call.check()
        time.sleep(0.05)
    return Path(path).exists()


def test_the_second_node_has_no_checkout(cluster: Any, executor: Any, person: Told) -> None:
    if cluster["not_hidden"] is not None:
        reason = f"the checkout cannot be hidden from a node here: {cluster['not_hidden']}"
        assert NEEDS_HIDING not in os.environ, reason
        pytest.skip(reason)
    checkout = executor.share(str(Path(__file__).resolve()))
    for _ in range(MOST_TRIES):  # where workers are slow to start, one node may do it all
        seen = {result for _, result in executor.run([Task(sees, checkout, None)] * 6)}
        if len(seen) == 2:
            break
    assert seen == {True, False}


def counted(base: int, n_steps: int, call: Call) -> int:
    """Reports each step; a sum that depends on all of them."""
    total = base
    for step in range(n_steps):
        total += step
        call.tell((step, total))
    return total


def dying(marks: str, n_deaths: int, call: Call) -> int:
    """Tells five reports; its worker is killed at the third, as often as is said."""
    for step in range(5):
        call.tell(step)
        mine = [path for path in Path(marks).iterdir() if path.name.startswith(f"{n_deaths}-")]
        if step == 2 and len(mine) < n_deaths:
            Path(marks, f"{n_deaths}-{len(mine)}").touch()
            time.sleep(0.5)  # until the reports have left
            os.kill(os.getpid(), signal.SIGKILL)
    return n_deaths


def failing(_shared: None, _arguments: None, call: Call) -> None:
    raise TooLargeError("of a task's own")


def endless(_shared: None, _arguments: None, call: Call) -> None:
    while True:
        call.tell(threads())
        time.sleep(0.05)


def threads() -> set[int]:
    """Cores that torch, joblib, and the pools of LightGBM and of linear algebra would take."""
    import joblib
    import lightgbm
    import sklearn
    import torch
    from threadpoolctl import threadpool_info

    assert lightgbm.__version__ and sklearn.__version__
    pools = [pool["num_threads"] for pool in threadpool_info()]
    assert len(pools) > 1
    return {torch.get_num_threads(), joblib.cpu_count(), *pools}


@pytest.fixture(autouse=True, scope="module")
def _tasks_travel() -> None:
    """The tasks of this file are no module of the product."""
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])


def test_tasks_keep_to_what_every_executor_does(
    executor: Any, tmp_path: Path, person: Told
) -> None:
    """Results, reports, ends, errors, threads, lost workers, sizes."""
    shared = executor.share(100)
    heard: dict[int, list[Any]] = {}

    def hear(number: int, report: Any) -> bool:
        heard.setdefault(number, []).append(report)
        return number == 4 and report[0] == 1

    tasks = [Task(counted, shared, number) for number in range(6)]
    results = list(in_order(executor.run(tasks, hear)))
    assert results == [100, 100, 101, 103, STOPPED, 110]
    assert heard[5] == [(0, 100), (1, 101), (2, 103), (3, 106), (4, 110)]
    assert heard[4] == [(0, 100), (1, 101)]

    nothing = executor.share(None)
    with pytest.raises(TooLargeError, match="of a task's own"):
        list(executor.run([Task(failing, nothing, None)]))
    assert person.warnings == []

    found: list[Any] = []
    ends = executor.run([Task(endless, nothing, None)], lambda _, report: not found.append(report))
    assert list(ends) == [(0, STOPPED)]
    assert found == [{1}]

    reports: list[int] = []
    marks = executor.share(str(tmp_path))
    again = executor.run([Task(dying, marks, 2)], lambda _, step: bool(reports.append(step)))
    with executor.shown("4 train · mlp", None):
        assert list(again) == [(0, 2)]
    assert reports == [0, 1, 2, 3, 4]
    lost = "4 train · mlp: a worker was lost (it is gone); its part is done again"
    assert person.warnings == [f"{lost}, 1 of 3", f"{lost}, 2 of 3"]

    for needs in (Needs(threads=99), Needs(cards=1), Needs(n_bytes=10**15)):
        refused = pytest.raises(TooLargeError, match="4 train · big: one of its blocks needs")
        with refused, executor.shown("4 train · big", None):
            list(executor.run([Task(counted, shared, 1, needs=needs)], unit="blocks"))


class Holder:
    """Another's work on a core, until it is killed."""

    def is_there(self) -> bool:
        return True


def test_tasks_that_have_to_wait_are_told_of(executor: Any, person: Told) -> None:
    """Somebody else holds both cores for longer than a person is left in the dark."""
    import ray

    holders = [ray.remote(num_cpus=1)(Holder).remote() for _ in range(2)]
    ray.get([holder.is_there.remote() for holder in holders])
    told: list[str] = []

    def leave() -> None:
        for holder in holders:
            ray.kill(holder)

    def note(text: str) -> None:
        told.append(text)
        leave()

    shared, begun_s = executor.share(1), time.monotonic()
    at_the_latest = threading.Timer(6 * QUIET_S, leave)
    at_the_latest.start()
    with executor.shown("4 train · late", note):
        assert list(executor.run([Task(counted, shared, 2)])) == [(0, 2)]
    at_the_latest.cancel()
    assert time.monotonic() - begun_s > QUIET_S
    assert told[:1] == ["0/1 models · waiting for room, 0 cores are free"]
    assert person.warnings == []


def at_once(marks: str, number: int, call: Call) -> tuple[int, int]:
    """A result, and how many of these tasks run while this one does."""
    mine = Path(marks, str(number))
    mine.touch()
    most = 0
    for _ in range(20):
        call.check()
        most = max(most, len(list(Path(marks).iterdir())))
        time.sleep(0.05)
    mine.unlink()
    return number**2, most


def test_tasks_of_much_memory_run_fewer_at_once_and_end_with_the_same(
    executor: Any, tmp_path: Path
) -> None:
    """They ask for no core, so only the memory of the two nodes keeps them apart."""
    import ray

    memory = int(0.6 * min(node["Resources"]["memory"] for node in ray.nodes()))
    marks, needs = str(tmp_path), Needs(threads=0, n_bytes=memory)
    here, there = (
        dict(where.run([Task(at_once, where.share(marks), n, needs=needs) for n in range(6)]))
        for where in (LOCAL, executor)
    )
    assert {n: result for n, (result, _) in there.items()} == {
        n: result for n, (result, _) in here.items()
    }
    assert executor.room(needs) == 2
    assert max(most for _, most in there.values()) <= 2


def test_ctrl_c_keeps_the_blocks_that_have_ended(
    executor: Any,
    at_home: dict[str, bytes],
    tmp_path: Path,
    person: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The signal comes once the first of three blocks has ended; then it goes on at home."""
    told: list[str] = []

    def note(text: str) -> None:
        told.append(text)
        if text.startswith("1/3 blocks"):
            os.kill(os.getpid(), signal.SIGINT)

    import ray

    shown = executor.shown
    monkeypatch.setattr(executor, "shown", lambda title, _: shown(title, note))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, person, executor, ["mlp"])
    while ray.available_resources().get("CPU", 0) < 2:
        time.sleep(0.1)  # the other tasks are cancelled
    assert any("running on" in text for text in told)
    said: list[str] = []
    monkeypatch.setattr(person, "say", lambda label, text: said.append(f"{label}: {text}"))
    found = run(tmp_path, person, LOCAL, ["mlp"])
    assert said[0] in ("note: mlp: 1 of 3 blocks kept", "note: mlp: 2 of 3 blocks kept")
    of_member = {name: b for name, b in at_home.items() if name.startswith("train-mlp/")}
    assert of_member
    assert {name: found[name] for name in of_member} == of_member


def test_a_lost_node_is_told_and_its_blocks_are_done_again(
    cluster: Any,
    executor: Any,
    at_home: dict[str, bytes],
    tmp_path: Path,
    person: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Comes last, since the cluster has one node afterwards."""

    def note(text: str) -> None:
        if "2 running on 2 nodes" in text and not lost:
            lost.append(text)
            cluster["process"].stdin.write("lose\n")
            cluster["process"].stdin.flush()

    lost: list[str] = []
    shown = executor.shown
    monkeypatch.setattr(executor, "shown", lambda title, _: shown(title, note))
    for number in range(MOST_TRIES):  # where workers are slow to start, one node may do it all
        if not lost:
            found = run(tmp_path / str(number), person, executor, ["mlp"])
    of_member = {name: b for name, b in at_home.items() if name.startswith("train-mlp/")}
    assert {name: found[name] for name in of_member} == of_member
    assert lost


def cancelled(*_: Any) -> Any:
    raise KeyboardInterrupt


def test_a_worker_that_was_cancelled_while_it_imported_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that was stopped in the middle of importing torch could never import it again."""
    from pipelines.executors import ray as on_ray

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(on_ray, "_loaded", cancelled)
    monkeypatch.setattr(os, "_exit", leave)
    sent = on_ray._Sent((), machines.facts(), None, b"")
    with pytest.raises(SystemExit):
        list(on_ray._attempt(sent))


def test_a_stopped_task_leaves_its_worker_to_the_next_one(executor: Any) -> None:
    nothing, processes = executor.share(None), set()

    def hear(_: int, report: Any) -> bool:
        processes.add(report)
        return True

    for _ in range(3):
        ended = executor.run([Task(its_process, nothing, None)], hear)
        assert list(ended) == [(0, STOPPED)]
    # Two nodes of one core: at most one worker each.
    assert len(processes) <= 2


def its_process(_shared: None, _arguments: None, call: Call) -> None:
    while True:
        call.tell(os.getpid())
        time.sleep(0.05)

"""Tasks on the machines of a Ray cluster; the only module that imports ray.

A task travels by value: its shared value is put into the cluster's object store once, and results
and reports come back as bytes. The driver alone repeats tasks whose worker was lost, so that a
person hears of it and no report is heard twice.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray import exceptions as faults
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from models.executor import STOPPED, Hear, Task
from pipelines.console import Narrator
from pipelines.executors.address import ClusterAddress, ClusterError, causes
from pipelines.executors.attempts import Attempt, Standing, own_error
from pipelines.executors.machines import Facts, check_alike, facts, unlike_processors
from pipelines.executors.nodes import CPU, Node, TooLargeError, too_large
from pipelines.executors.quiet import quiet_stderr
from pipelines.executors.reporting import Ended, Report, reports_of
from pipelines.executors.shipped_code import ENVIRONMENT, OwnModule, load_own, pack

MOST_RETRIES = 3
WAIT_S = 0.5  # between two looks at how far the tasks are
PROBE_S = 120.0  # for a node to say what it has
AHEAD = 4  # tasks for each slot that the cluster knows of; the others wait here
FEWEST_AHEAD = 100
LOST = (
    faults.WorkerCrashedError,
    faults.NodeDiedError,
    faults.OutOfMemoryError,
    faults.ObjectLostError,
    faults.LocalRayletDiedError,
)


class LostTaskError(RuntimeError):
    """A task whose workers were lost again and again."""

    exit_code = 3


def nodes() -> list[Node]:
    """The machines that are alive."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    addresses = [node["NodeManagerAddress"] for node in alive]
    return [
        # Several nodes on one machine have one address; only tests do that.
        Node(
            id=node["NodeID"],
            name=address if addresses.count(address) == 1 else f"{address}/{node['NodeID'][:6]}",
            resources=dict(node["Resources"]),
        )
        for node, address in zip(alive, addresses, strict=True)
    ]


@contextlib.contextmanager
def connected(address: ClusterAddress, narrator: Narrator) -> Iterator[RayExecutor]:
    """An executor of the cluster whose machines are like this one.

    Raises:
        ClusterError: There is no such cluster, it does not let us in, or a machine has other
            library versions.
    """
    with joined(address) as own:
        found = probed()
        here = facts()
        for node, there in found:
            check_alike(node.name, there, here)
        warning = unlike_processors([(node.name, there) for node, there in found], here)
        if warning is not None:
            narrator.warn(warning)
        executor = RayExecutor(own, narrator.warn)
        n_nodes = len(found)
        narrator.say(
            "cluster", f"{n_nodes} node{'s' * (n_nodes != 1)}, {executor.slots} cores, on Ray"
        )
        yield executor


@contextlib.contextmanager
def joined(address: ClusterAddress) -> Iterator[tuple[OwnModule, ...]]:
    """This process as a driver of the cluster; gives the competition files that travelled.

    Raises:
        ClusterError: There is no such cluster, or it does not let us in.
    """
    with tempfile.TemporaryDirectory(prefix="foldwise-") as folder:
        own = pack(Path(folder))
        environment = {"working_dir": folder, "env_vars": ENVIRONMENT}
        try:
            with quiet_stderr():
                ray.init(
                    address.as_ray,
                    runtime_env=environment,
                    log_to_driver=False,
                    logging_level="CRITICAL",
                )
        except (ConnectionError, RuntimeError, ValueError, faults.RayError) as error:
            # Ray puts the traceback of the first cause into the text of another error.
            is_of_token = any("Authentication" in repr(cause) for cause in causes(error))
            text = " ".join(str(error).split())
            raise ClusterError(address.refusal(text, is_of_token=is_of_token)) from error
        try:
            yield own
        finally:
            ray.shutdown()


def _facts() -> Facts:
    return facts()


def probed() -> list[tuple[Node, Facts]]:
    """Every machine with what it has installed.

    Raises:
        ClusterError: One of them does not answer, or cannot run our code.
    """
    found = nodes()
    asked = {
        ray.remote(_facts)
        .options(
            num_cpus=0,
            max_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        )
        .remote(): node
        for node in found
    }
    _, silent = ray.wait(list(asked), num_returns=len(asked), timeout=PROBE_S)
    if silent:
        names = ", ".join(asked[reference].name for reference in silent)
        raise ClusterError(f"node {names} did not answer within {PROBE_S:.0f} s; look at its log")
    return [(node, _answer(node, reference)) for reference, node in asked.items()]


def _answer(node: Node, reference: Any) -> Facts:
    try:
        answer: Facts = ray.get(reference)
    except faults.RayError as error:
        reason = next(iter(str(getattr(error, "cause", None) or error).splitlines()), "")
        raise ClusterError(
            f"node {node.name} cannot run Foldwise's code: {reason[:200]}; install the libraries "
            "of constraints.txt there"
        ) from error
    return answer


@dataclass(frozen=True)
class _Put:
    """A value in the cluster's object store."""

    reference: Any

    def get(self) -> Any:
        return ray.get(self.reference)


_held: dict[Any, Any] = {}


def _value(reference: Any) -> Any:
    """The shared value; a worker keeps the last one for its next task."""
    if reference not in _held:
        _held.clear()
        _held[reference] = ray.get(reference)
    return _held[reference]


@dataclass(frozen=True)
class _Sent:
    """A task as it travels; the reference is not fetched before the code it needs is loaded.

    Attributes:
        own: Files to load first.
        here: What the driver's machine has installed.
        shared: Reference to the shared value.
        work: The function and its arguments, pickled.
    """

    own: tuple[OwnModule, ...]
    here: Facts
    shared: Any
    work: bytes


def _attempt(sent: _Sent) -> Generator[bytes, None, None]:
    """Do a task on a worker: the node's id, its reports, and the result, each pickled.

    A worker that is cancelled ends: in the middle of an import it could not import that again.
    """
    try:
        yield from _done(sent)
    except KeyboardInterrupt:
        os._exit(1)


def _done(sent: _Sent) -> Generator[bytes, None, None]:
    from pipelines.process import keep_freed_memory

    node = ray.get_runtime_context().get_node_id()
    check_alike(node, facts(), sent.here)  # a node that came after the others were asked
    yield pickle.dumps(node)
    keep_freed_memory()
    load_own(sent.own, Path.cwd())
    work, arguments = pickle.loads(sent.work)
    value = _value(sent.shared)
    for item in reports_of(lambda call: work(value, arguments, call)):
        yield cloudpickle.dumps(item)


@dataclass
class RayExecutor:
    """Does tasks on a cluster that this process has joined.

    Attributes:
        own: Competition files that tasks must load.
        warn: Tells the person what was lost.
        slots: Cores of all machines.
    """

    own: tuple[OwnModule, ...]
    warn: Callable[[str], None]
    slots: int = field(init=False)
    _title: str = "tasks"
    _note: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        self.slots = max(2, int(ray.cluster_resources().get(CPU, 0)))

    def share(self, value: Any) -> _Put:
        """Put the value into the object store."""
        return _Put(ray.put(value))

    def run(
        self,
        tasks: Sequence[Task],
        hear: Hear | None = None,
        *,
        side_by_side: int = 1,  # noqa: ARG002
        unit: str = "models",
    ) -> Generator[tuple[int, Any], None, None]:
        """Do the tasks, the longest first; see `models.executor.Executor`.

        Raises:
            TooLargeError: A task that no machine can ever do.
            LostTaskError: A task was lost more than `MOST_RETRIES` times.
        """
        self._check_sizes(tasks, unit)
        run = _Run(tasks, hear, self.own, self._say, unit)
        ahead = max(FEWEST_AHEAD, AHEAD * self.slots)
        try:
            yield from run.results(ahead)
        finally:
            run.cancel()

    def _say(self, text: str, *, is_warning: bool = False) -> None:
        if is_warning:
            self.warn(f"{self._title}: {text}")
        elif self._note is not None:
            self._note(text)

    def _check_sizes(self, tasks: Sequence[Task], unit: str) -> None:
        for needs in dict.fromkeys(task.needs for task in tasks):
            machines = nodes()
            if not any(node.fits(needs) for node in machines):
                raise TooLargeError(f"{self._title}: {too_large(needs, machines, unit)}")

    @contextlib.contextmanager
    def shown(self, title: str, note: Callable[[str], None] | None) -> Iterator[None]:
        """Tell how far the tasks are within."""
        before = self._title, self._note
        self._title, self._note = title, note
        try:
            yield
        finally:
            self._title, self._note = before

    def close(self) -> None:
        """Leave the cluster; its tasks of ours end."""
        ray.shutdown()


class _Run:
    """The tasks of one call of `RayExecutor.run`."""

    def __init__(
        self,
        tasks: Sequence[Task],
        hear: Hear | None,
        own: tuple[OwnModule, ...],
        say: Callable[..., None],
        unit: str,
    ) -> None:
        self._tasks, self._hear, self._own, self._say = tasks, hear, own, say
        longest_first = sorted(range(len(tasks)), key=lambda n: tasks[n].cost)
        self._waiting = [Attempt(number) for number in longest_first]  # the next one is last
        self._running: dict[Any, Attempt] = {}
        self._standing = Standing(len(tasks), unit, time.monotonic())

    def results(self, ahead: int) -> Generator[tuple[int, Any], None, None]:
        """Each task's number and result, as they end."""
        while self._waiting or self._running:
            while self._waiting and len(self._running) < ahead:
                self._begin(self._waiting.pop())
            streams = list(self._running)
            ready, _ = ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)
            if not ready:
                ready, _ = ray.wait(streams, num_returns=1, timeout=WAIT_S, fetch_local=False)
            for stream in ready:
                yield from self._next(stream)
            self._tell()

    def cancel(self) -> None:
        """End every task that still runs."""
        for stream in self._running:
            with contextlib.suppress(faults.RayError, ValueError):
                ray.cancel(stream)
        self._running.clear()

    def _begin(self, running: Attempt) -> None:
        task = self._tasks[running.number]
        assert isinstance(task.shared, _Put), "shared by this executor"
        work = cloudpickle.dumps((task.work, task.arguments))
        needs = task.needs
        stream = (
            ray.remote(_attempt)
            .options(
                num_cpus=needs.threads,
                num_gpus=needs.cards,
                memory=needs.n_bytes or None,
                max_retries=0,  # it is done again here, so that the person hears of it
                num_returns="streaming",
            )
            .remote(_Sent(self._own, facts(), task.shared.reference, work))
        )
        self._running[stream] = running

    def _next(self, stream: Any) -> Iterator[tuple[int, Any]]:
        """Take a task's next report; its result, once it has one."""
        running = self._running[stream]
        try:
            item = pickle.loads(ray.get(next(stream)))
        except StopIteration:
            del self._running[stream]
            return
        except faults.RayTaskError as error:
            raise own_error(error) from None
        except LOST as error:
            self._again(stream, running, error)
            return
        if isinstance(item, Ended):
            del self._running[stream]
            self._standing.n_done += 1
            yield running.number, item.result
        elif isinstance(item, Report):
            yield from self._heard(stream, running, item.report)
        else:
            running.node = item

    def _heard(self, stream: Any, running: Attempt, report: Any) -> Iterator[tuple[int, Any]]:
        if running.is_news() and self._hear is not None and self._hear(running.number, report):
            del self._running[stream]
            self._standing.n_done += 1
            ray.cancel(stream)
            yield running.number, STOPPED

    def _again(self, stream: Any, lost: Attempt, error: Exception) -> None:
        """Do a lost task again.

        Raises:
            LostTaskError: It was lost too often.
        """
        del self._running[stream]
        n_lost = lost.n_lost + 1
        reason = "out of memory" if isinstance(error, faults.OutOfMemoryError) else "it is gone"
        if n_lost > MOST_RETRIES:
            raise LostTaskError(self._standing.lost(n_lost, reason)) from error
        self._say(
            f"a worker was lost ({reason}); its part is done again, {n_lost} of {MOST_RETRIES}",
            is_warning=True,
        )
        self._waiting.append(Attempt(lost.number, n_heard=lost.n_heard, n_lost=n_lost))

    def _tell(self) -> None:
        """Say how far the tasks are, or that they wait."""
        nodes_of = [attempt.node for attempt in self._running.values() if attempt.node is not None]
        if self._standing.are_waiting(nodes_of, time.monotonic()):
            self._say(self._standing.waiting(ray.available_resources().get(CPU, 0)))
        elif nodes_of:
            self._say(self._standing.running(nodes_of))

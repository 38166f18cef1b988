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
from collections.abc import Callable, Generator, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray import cloudpickle
from ray import exceptions as faults
from ray._private import worker as ray_worker
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from models.executor import STOPPED, Call, Hear, Needs, Task
from pipelines.console import Narrator
from pipelines.executors.address import ClusterAddress, ClusterError, causes
from pipelines.executors.attempts import Attempt, own_error
from pipelines.executors.batches import Batch, Say, Waiting, tell
from pipelines.executors.machines import Facts, check_alike, facts, unlike_processors
from pipelines.executors.nodes import CPU, Node, check_sizes
from pipelines.executors.pieces import done_together, until
from pipelines.executors.quiet import quiet_stderr
from pipelines.executors.reporting import Ended, Report, reports_of
from pipelines.executors.shipped_code import ENVIRONMENT, OwnModule, load_own, pack

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


T = TypeVar("T")
Note = Callable[[str], None]
_shown: ContextVar[tuple[str, Note | None]] = ContextVar("shown", default=("tasks", None))


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
        ray_worker._worker_logs_enabled = False  # what was lost is told here, in our words
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

    What is cancelled ends at its next report, and its worker goes on to another task; but one that
    was importing ends, since what it had begun to import could not be imported again.
    """
    work: Callable[[Call], Any] | None = None
    try:
        node = ray.get_runtime_context().get_node_id()
        check_alike(node, facts(), sent.here)  # a node that came after the others were asked
        yield pickle.dumps(node)
        work = _loaded(sent)
        for item in reports_of(work):
            yield cloudpickle.dumps(item)
    except KeyboardInterrupt:
        if work is None:
            os._exit(1)


def _loaded(sent: _Sent) -> Callable[[Call], Any]:
    """The task's work, with everything that it needs imported and fetched."""
    from pipelines.process import keep_freed_memory

    keep_freed_memory()
    load_own(sent.own, Path.cwd())
    work, arguments = pickle.loads(sent.work)
    value = _value(sent.shared)
    return lambda call: work(value, arguments, call)


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
    _queue: _Queue = field(init=False)

    def __post_init__(self) -> None:
        self.slots = max(2, int(ray.cluster_resources().get(CPU, 0)))
        self._queue = _Queue(self.own, max(FEWEST_AHEAD, AHEAD * self.slots))

    def room(self, needs: Needs) -> int:
        """How many such tasks the machines that are there now can do at once."""
        return max(1, sum(node.room(needs) for node in nodes()))

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
        title, note = _shown.get()
        check_sizes(tasks, nodes(), unit, title)
        batch = Batch.of(tasks, hear, Say(title, note, self.warn), unit)
        self._queue.add(batch)
        try:
            while batch.is_open:
                until(lambda: batch.has_news, self._queue.step)
                yield batch.next()
        finally:
            self._queue.cancel(batch)

    def each(self, works: Sequence[Callable[[], T]]) -> list[T]:
        """Do the pieces of work side by side; see `models.executor.Executor`."""
        return done_together(works, self._queue.step)

    @contextlib.contextmanager
    def shown(self, title: str, note: Note | None) -> Iterator[None]:
        """Tell how far the tasks are that are run within."""
        before = _shown.set((title, note))
        try:
            yield
        finally:
            _shown.reset(before)

    def close(self) -> None:
        """Leave the cluster; its tasks of ours end."""
        ray.shutdown()


class _Queue:
    """The tasks of all calls of `RayExecutor.run` that have not ended."""

    def __init__(self, own: tuple[OwnModule, ...], ahead: int) -> None:
        self._own, self._ahead = own, ahead
        self._batches: list[Batch] = []
        self._waiting = Waiting()
        self._running: dict[Any, tuple[Batch, Attempt]] = {}

    def add(self, batch: Batch) -> None:
        """Let its tasks wait for their turn."""
        self._batches.append(batch)
        self._waiting.add(batch, map(Attempt, range(len(batch.tasks))))

    def cancel(self, batch: Batch) -> None:
        """End every task of it that waits or runs."""
        self._waiting.drop(batch)
        for stream, (owner, _) in list(self._running.items()):
            if owner is batch:
                del self._running[stream]
                with contextlib.suppress(faults.RayError, ValueError):
                    ray.cancel(stream)
        self._batches.remove(batch)

    def step(self) -> None:
        """Begin tasks, and take what those that run have reported, or wait for it a moment."""
        while self._waiting and len(self._running) < self._ahead:
            self._begin(*self._waiting.next())
        for say in dict.fromkeys(batch.say for batch in self._batches):
            self._tell([batch for batch in self._batches if batch.say == say])
        for stream in self._ready():
            self._take(stream, *self._running[stream])

    def _ready(self) -> Sequence[Any]:
        streams = list(self._running)
        ready, _ = ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)
        if not ready:
            ready, _ = ray.wait(streams, num_returns=1, timeout=WAIT_S, fetch_local=False)
        return list(ready)

    def _begin(self, batch: Batch, attempt: Attempt) -> None:
        task = batch.tasks[attempt.number]
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
        self._running[stream] = (batch, attempt)

    def _take(self, stream: Any, batch: Batch, attempt: Attempt) -> None:
        """Take a task's next report; its result, once it has one."""
        try:
            item = pickle.loads(ray.get(next(stream)))
        except StopIteration:
            del self._running[stream]
        except faults.RayTaskError as error:
            batch.error = own_error(error)
        except LOST as error:
            self._again(stream, batch, attempt, error)
        else:
            self._hear(stream, batch, attempt, item)

    def _hear(self, stream: Any, batch: Batch, attempt: Attempt, item: Any) -> None:
        if isinstance(item, Ended):
            del self._running[stream]
            batch.end(attempt.number, item.result)
        elif not isinstance(item, Report):
            attempt.node = item
        elif attempt.is_news() and batch.hear and batch.hear(attempt.number, item.report):
            del self._running[stream]
            ray.cancel(stream)
            batch.end(attempt.number, STOPPED)

    def _again(self, stream: Any, batch: Batch, lost: Attempt, error: Exception) -> None:
        """Let a lost task wait once more."""
        del self._running[stream]
        reason = "out of memory" if isinstance(error, faults.OutOfMemoryError) else "it is gone"
        again = batch.again(lost, reason)
        if again is not None:
            self._waiting.add(batch, [again])

    def _tell(self, batches: Sequence[Batch]) -> None:
        """Say how far the tasks with one line are, or that they wait."""
        attempts = [attempt for owner, attempt in self._running.values() if owner in batches]
        tell(batches, attempts, lambda: ray.available_resources().get(CPU, 0))

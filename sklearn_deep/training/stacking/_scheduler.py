"""Scheduler of the stacked backend: tasks in threads, their networks in stacks.

A task runs in its own thread until its ``fit`` has a job to train; then it is ready and
waits. When every task is ready, their jobs are trained stack by stack, and the tasks
continue. Only as many threads run at a time as there are cores: the others wait for a
slot, so that they compete neither for the interpreter nor for the cache. Where tasks
wait for one another because of a lock that the scheduler does not know of, nothing
would ever move: a watch detects such stalls (``_stalls.py``), and the ready tasks are
trained without the rest.
"""

import threading
from collections import Counter, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sklearn_deep.training.checkpoints._contents import Contents
from sklearn_deep.training.job._devices import available_memory, one_thread
from sklearn_deep.training.job._job import TrainResult
from sklearn_deep.training.loop._run import Run, Watcher
from sklearn_deep.training.stacking._entries import Member
from sklearn_deep.training.stacking._grouping import (
    TrainingUnit,
    even_width,
    full_width,
    held_bytes,
    plan_units,
)
from sklearn_deep.training.stacking._stack import train_by_itself, train_stack
from sklearn_deep.training.stacking._stalls import Look, Watch, thread_clock
from sklearn_deep.training.stacking._tasks import (
    Call,
    Cancelled,
    Outcome,
    Task,
    enter_task,
)

# Largest number of threads of one scheduler, whatever n_jobs says; each nested call
# adds one.
MOST_IN_FLIGHT = 256

# Tasks in flight may hold this share of the memory that was free at the start.
_MEMORY_SHARE = 0.5


class StackScheduler:
    """Schedules the tasks of outermost calls, and of the calls nested in them.

    Parameters
    ----------
    cores : int
        Threads that may run at a time.
    processes : int
        How many processes of this machine run such tasks: each has its share of the
        memory.
    """

    def __init__(self, cores: int, processes: int = 1):
        self.cores = cores
        self.contents = Contents()
        self.warned: dict[Hashable, object] = {}
        self._lock = threading.Lock()
        self._free_slots = cores
        self._waiting: deque[Task] = deque()  # for a slot
        self._ready: list[Task] = []  # to be trained in a stack
        self._calls: list[Call] = []
        self._in_flight = 0
        self._memory = available_memory() * _MEMORY_SHARE / processes
        self._held, self._most_held = 0, 0
        self._most_in_flight = MOST_IN_FLIGHT
        self._shapes: dict[Hashable, int] = {}
        self._divided: Counter[Hashable] = Counter()  # networks so far, by stack key
        self._crowded = False  # whether cores train several units
        self._failed: list[tuple[Task, BaseException]] = []  # to start
        self._moves = 0
        self._watch = Watch(self._look, self._resolve_stall)

    # Slots: a task that has one may run.

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Lock the state for a change; dispatch tasks afterwards."""
        with self._lock:
            yield
            self._moves += 1
            self._dispatch()
            if self._held_up():
                self._watch.start()
            failed, self._failed = self._failed, []
        for task, error in failed:  # joblib has locks of its own
            task.callback(Outcome(error=error))

    def _dispatch(self) -> None:
        """Give free slots to tasks; where none runs, form stacks of the ready ones."""
        while self._free_slots > 0:
            if self._waiting:
                self._give_slot(self._waiting.popleft())
            elif not self._full_stacks() and (task := self._next_to_start()):
                self._start(task)
            elif self._ready and self._free_slots == self.cores:
                # Full stacks first: further jobs may come that fill the others.
                self._form_stacks(self._full_stacks() or self._ready)
            else:
                return

    # Stalls: tasks that have a slot wait, for a lock, say, that others hold.

    def _held_up(self) -> bool:
        """Whether a task waits for a slot, for its stack, or to be started."""
        queued = any(call.queue for call in self._calls)
        return bool(self._ready or self._waiting or queued)

    def _with_slot(self) -> list[Task]:
        tasks = (task for call in self._calls for task in call.tasks)
        return [task for task in tasks if task.has_slot]

    def _look(self) -> Look:
        with self._lock:
            running = self._with_slot()
            clocks = [task.clock for task in running]
            clocks += [call.clock for call in self._calls if call.caller_has_slot]
            training = any(task.unit is not None for task in running)
            return Look(self._moves, clocks, self._held_up(), training)

    def _resolve_stall(self, moves: int, may_start: bool) -> bool:
        """Give slots to waiting tasks, one for each slot whose task is idle."""
        with self._lock:
            helps = self._ready or self._waiting or may_start
            if moves != self._moves or not helps:
                return False  # a call that changes nothing would count as a move
        with self._changing():
            if self._ready and not self._waiting:
                self._ready[0].call.record.met_early()
                self._form_stacks(self._ready, early=True)
            idle = max(1, len(self._with_slot()))
            given = [self._waiting.popleft() for _ in range(idle) if self._waiting]
            for task in given:
                self._give_slot(task)
            if not given and may_start and (another := self._next_to_start()):
                self._start(another)
            return bool(given)

    def _give_slot(self, task: Task) -> None:
        self._free_slots -= 1
        task.has_slot = True
        task.woken.set()

    def _next_to_start(self) -> Task | None:
        for call in self._calls:
            if call.queue and call.may_start(self._has_room()):
                return call.queue.popleft()
        return None

    def _full_stacks(self) -> list[Task]:
        """Ready tasks that fill stacks, where each core has one; else none.

        More tasks in flight would hold more rows in memory and train no faster.
        """
        alike: dict[tuple[int, int], list[Task]] = {}
        for task in self._ready:
            alike.setdefault(task.kind, []).append(task)
        to_come = sum(len(call.queue) for call in self._calls)
        n_stacks, filling = 0, []
        for (_, width), tasks in alike.items():
            if len(alike) == 1:  # queued tasks have the same key: even stacks
                width = even_width(len(tasks) + to_come, width, self.cores)
            n_full = len(tasks) // width
            n_stacks += n_full
            filling += tasks[: n_full * width]
        return filling if n_stacks >= self.cores else []

    def _has_room(self) -> bool:
        """Whether there are threads and memory for another task."""
        if self._in_flight < self.cores:
            return True
        expected = self._held + self._most_held
        return self._in_flight < self._most_in_flight and expected < self._memory

    def _start(self, task: Task) -> None:
        task.thread = threading.Thread(
            target=self._run, args=(task,), name="stacked", daemon=True
        )
        self._free_slots -= 1
        self._in_flight += 1
        task.call.in_flight += 1
        task.has_slot = True
        try:
            task.thread.start()
        except RuntimeError as error:  # the system has no more threads
            self._ended(task)
            self._most_in_flight = max(1, self._in_flight)
            if self._in_flight:
                task.call.queue.appendleft(task)
            else:
                self._failed.append((task, error))
        else:
            task.call.threads.append(task.thread)

    def _ended(self, task: Task) -> None:
        self._in_flight -= 1
        task.call.in_flight -= 1
        if task.has_slot:
            task.has_slot = False
            self._free_slots += 1

    def _form_stacks(self, ready: list[Task], early: bool = False) -> None:
        """Divide the jobs of ready tasks into stacks; one task of each trains it."""
        chosen = set(ready)
        self._ready = [task for task in self._ready if task not in chosen]
        owners = {id(task.member): task for task in ready}
        members = [task.member for task in ready if task.member is not None]
        try:
            units = plan_units(members, self.cores, self._divided, early)
        except Exception as error:  # each fit raises it: no task is left waiting
            for member in members:
                member.error = error
            self._waiting.extend(ready)
            return
        self._crowded = len(units) > 1 and self.cores > 1
        for unit in units:
            trainer, *companions = (owners[id(member)] for member in unit.members)
            trainer.unit, trainer.companions = unit, companions
            self._waiting.append(trainer)

    # Called in the threads of tasks.

    def _run(self, task: Task) -> None:
        enter_task(task)
        task.clock = thread_clock()
        try:
            outcome = Outcome(task.function())
        except BaseException as error:
            outcome = Outcome(error=error)
        try:
            task.callback(outcome)  # joblib hands out further tasks in here
        finally:
            with self._changing():
                task.call.tasks.discard(task)
                self._ended(task)

    def train(self, task: Task, member: Member) -> TrainResult:
        """Wait until the job is trained, in a stack with those of other tasks."""
        size = 0 if task.shares_rows else held_bytes(member.job)
        shape, width = full_width(member)
        with self._changing():
            self._check(task)
            task.member = member
            task.kind = self._shapes.setdefault(shape, len(self._shapes)), width
            self._held += size
            self._most_held = max(self._most_held, size)
            self._ready.append(task)
            self._pause(task)
        task.woken.wait()
        if task.unit is not None:
            self._train_unit(task)
        with self._lock:
            self._held -= size
            task.member = None
            self._check(task)
        if member.error is not None:
            raise member.error
        assert member.result is not None
        return member.result

    def _pause(self, task: Task) -> None:
        task.woken.clear()
        task.has_slot = False
        self._free_slots += 1

    def _check(self, task: Task) -> None:
        if task.cancelled:
            raise Cancelled

    def _train_unit(self, task: Task) -> None:
        """Train a unit; then the tasks of its members continue."""
        unit = task.unit
        assert unit is not None
        task.call.record.begin_training(len(unit.members), unit.reason)
        try:
            # Each core trains a unit; torch's own threads would compete with it.
            with one_thread if self._crowded else nullcontext():
                _train(unit)
        except BaseException as error:  # each fit raises it: no task is left waiting
            for member in unit.members:
                if not member.ended:
                    member.error = error
        finally:
            task.call.record.end_training()
            with self._changing():
                companions, task.unit, task.companions = task.companions, None, []
                self._waiting.extend(t for t in companions if not t.cancelled)

    # Called by the thread that waits for results, which may be a task itself.

    def open_call(self, limit: int, parent: Task | None) -> Call:
        """Begin a call; an outermost caller has a slot from here on."""
        call = Call(self, limit, parent)
        with self._lock:
            self._calls.append(call)
            if parent is None:
                self._free_slots -= 1
                call.caller_has_slot, call.clock = True, thread_clock()
            else:
                parent.children.append(call)
        return call

    def submit(self, call: Call, task: Task) -> None:
        """Queue a task; it starts when a slot is free."""
        with self._changing():
            call.tasks.add(task)
            call.queue.append(task)

    def begin_waiting(self, call: Call) -> None:
        """Free the caller's slot while it waits for results."""
        with self._changing():
            if call.parent is not None:
                self._pause(call.parent)
            else:
                self._free_slots += 1
                call.caller_has_slot = False

    def end_waiting(self, call: Call) -> None:
        """The caller has its results; a caller that is a task waits for a slot."""
        task = call.parent
        if task is None:
            return
        with self._changing():
            self._check(task)
            self._waiting.append(task)
        task.woken.wait()
        self._check(task)

    def cancel(self, call: Call) -> None:
        """Cancel the tasks of a call, and of the calls nested in it."""
        with self._changing():
            self._cancel(call)

    def _cancel(self, call: Call) -> None:
        self._failed += [(task, Cancelled()) for task in call.queue]
        call.tasks.difference_update(call.queue)
        call.queue.clear()
        for task in call.tasks:
            task.cancelled = True
            if task.member is not None:
                task.member.cancelled = True
            if task.unit is None and not task.has_slot:
                # It waits for a slot or for its network: it is woken, to end.
                if task in self._waiting:
                    self._waiting.remove(task)
                if task in self._ready:
                    self._ready.remove(task)
                task.woken.set()
            for nested in task.children:
                self._cancel(nested)

    def close_call(self, call: Call) -> None:
        """Wait for the last threads of a call to end."""
        for thread in call.threads:
            thread.join()
        with self._lock:
            self._calls.remove(call)
            if call.parent is not None:
                call.parent.children.remove(call)

    def close(self) -> None:
        """End the watch, after the last call."""
        self._watch.stop()


class _StopsWhenCancelled(Watcher):
    """Stops the training of a cancelled member."""

    def __init__(self, member: Member):
        self._member = member

    def epoch_end(self, run: Run, row: dict[str, Any]) -> bool:
        """Stop where the member is cancelled."""
        run.cancelled = self._member.cancelled
        return run.cancelled


def _train(unit: TrainingUnit) -> None:
    if all(member.cancelled for member in unit.members):
        return
    if len(unit.members) > 1:
        train_stack(unit.members)
        return
    (member,) = unit.members
    watchers = [*member.watchers, _StopsWhenCancelled(member)]
    member.result = train_by_itself(member.job, watchers, member.recorder)

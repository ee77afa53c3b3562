"""Handlers of signals are ours only while a fit stores its state, and nobody else's."""

import signal
import threading

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV

from sklearn_deep import MLPClassifier
from sklearn_deep.training.checkpoints import _contents
from sklearn_deep.training.checkpoints._signals import _handle, live, signals_held
from sklearn_deep.training.loop._run import Run

SIGNALS = (signal.SIGTERM, signal.SIGINT)


DEFAULTS = [signal.SIG_DFL, signal.default_int_handler]


@pytest.fixture(autouse=True)
def defaults():
    """Those of Python: a shell starts what it runs behind it with SIGINT ignored."""
    before = [signal.getsignal(number) for number in SIGNALS]
    for number, handler in zip(SIGNALS, DEFAULTS, strict=True):
        signal.signal(number, handler)
    yield
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def handlers(monkeypatch):
    """Collects the handlers that there are at the end of each epoch."""
    seen, end_epoch = [], Run.end_epoch

    def noted(run, *args):
        seen.append([signal.getsignal(number) for number in SIGNALS])
        return end_epoch(run, *args)

    monkeypatch.setattr(Run, "end_epoch", noted)
    return seen


def net(folder):
    return MLPClassifier((4,), max_epochs=2, random_state=0, checkpoint=folder)


def test_they_are_set_while_a_fit_stores_its_state(tmp_path, iris, handlers):
    net(tmp_path).fit(*iris)
    assert handlers == [[_handle, _handle]] * 2
    assert [signal.getsignal(number) for number in SIGNALS] == DEFAULTS


def test_they_are_not_set_without_a_checkpoint(iris, handlers):
    net(None).fit(*iris)
    with parallel_config("stacked", n_jobs=-1):
        GridSearchCV(net(None), {"dropout": [0.0, 0.1]}, cv=2).fit(*iris)
    assert all(each == DEFAULTS for each in handlers)


@pytest.mark.parametrize("names", [{"dropout": [0.0, 0.1]}, {"checkpoint": ["own"]}])
def test_a_stacked_search_sets_them(names, tmp_path, iris, handlers, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = None if "checkpoint" in names else tmp_path
    with parallel_config("stacked", n_jobs=-1):
        GridSearchCV(net(folder), names, cv=2, refit=False).fit(*iris)
    assert all(each == [_handle, _handle] for each in handlers)
    assert [signal.getsignal(number) for number in SIGNALS] == DEFAULTS


def test_the_handler_of_someone_else_stays(tmp_path, iris, handlers):
    def own(number, frame):
        pass

    before = signal.signal(signal.SIGTERM, own)
    try:
        net(tmp_path).fit(*iris)
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)
    assert handlers == [[own, _handle]] * 2


def test_a_thread_of_the_user_sets_none(tmp_path, iris, handlers):
    thread = threading.Thread(target=net(tmp_path).fit, args=iris)
    thread.start()
    thread.join()
    assert handlers == [DEFAULTS] * 2


class Flushes:
    n = 0

    def flush(self, durable=True):
        self.n += 1


def test_a_signal_waits_until_a_state_is_written():
    each = Flushes()

    def write():
        with live(each), signals_held():
            _handle(signal.SIGINT, None)
            assert each.n == 0

    with pytest.raises(KeyboardInterrupt):
        write()
    assert each.n == 1


def test_a_signal_ends_the_fit_also_where_a_state_cannot_be_written():
    class Fails(Flushes):
        def flush(self, durable=True):
            raise UserWarning("the disk is full, and warnings are errors")

    with pytest.raises(KeyboardInterrupt), live(Fails()):
        _handle(signal.SIGINT, None)


def test_an_array_that_folds_share_is_read_once(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1000, 200)), np.arange(1000) % 2
    read, digest = [], _contents._digest

    def counted(array):
        if array.nbytes == X.nbytes:
            read.append(array)
        return digest(array)

    monkeypatch.setattr(_contents, "_digest", counted)
    for n_searches in (1, 2):  # it may have been changed before the second one
        with parallel_config("stacked", n_jobs=-1):
            names = {"dropout": [0.0, 0.1, 0.2]}
            GridSearchCV(net(tmp_path), names, cv=3, refit=False).fit(X, y)
        assert len(read) == n_searches

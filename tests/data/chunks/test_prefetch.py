"""The thread that reads ahead: what it raises arrives, and it always ends."""

import threading
import time

import pytest
from sklearn import config_context, get_config

from sklearn_deep.data.chunks._prefetch import prefetched


def n_readers():
    return sum(t.name == "sklearn-deep-chunks" for t in threading.enumerate())


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_all_items_come_in_order_and_the_thread_ends(depth):
    assert list(prefetched(iter(range(50)), depth)) == list(range(50))
    assert n_readers() == 0


@pytest.mark.parametrize("depth", [0, 2])
def test_an_error_of_the_source_arrives_behind_what_it_gave(depth):
    def items():
        yield 1
        raise OSError("disk gone")

    reading = prefetched(items(), depth)
    assert next(reading) == 1
    with pytest.raises(OSError, match="disk gone"):
        next(reading)
    assert n_readers() == 0


def test_no_more_is_read_than_was_asked_for():
    read = []

    def items():
        for i in range(100):
            read.append(i)
            yield i

    reading = prefetched(items(), 2)
    assert next(reading) == 0
    time.sleep(0.2)
    assert len(read) <= 4  # one taken, two waiting, one that has no place yet
    reading.close()
    assert n_readers() == 0


def test_a_reading_that_is_dropped_ends_its_thread():
    reading = prefetched(iter(range(100)), 1)
    next(reading)
    assert n_readers() == 1
    del reading
    assert n_readers() == 0


def test_a_generator_is_closed_when_nobody_asks_any_more():
    closed = threading.Event()

    def items():
        try:
            yield from range(100)
        finally:
            closed.set()

    reading = prefetched(items(), 1)
    next(reading)
    reading.close()
    assert closed.is_set()


def test_the_thread_has_the_configuration_of_the_one_that_asks():
    def items():
        yield get_config()["transform_output"]

    with config_context(transform_output="pandas"):
        assert list(prefetched(items(), 1)) == ["pandas"]

"""Classes tell those who listen of their subclasses, made before and after."""

import pytest

from sklearn_deep import MLPClassifier, ValidationHoldout
from sklearn_deep._subclasses import TracksSubclasses, _callbacks, on_new_subclass


@pytest.fixture
def heard():
    found = []
    on_new_subclass(found.append)
    yield found
    _callbacks.remove(found.append)


def test_classes_that_are_there_are_told_at_once(heard):
    assert {MLPClassifier, ValidationHoldout} <= set(heard)


def test_classes_to_come_are_told_when_they_are_made(heard):
    class Mine(MLPClassifier):
        pass

    class Deeper(Mine):
        pass

    assert heard[-2:] == [Mine, Deeper]


def test_a_class_that_takes_arguments_when_it_is_subclassed_still_does(heard):
    class Base(TracksSubclasses):
        def __init_subclass__(cls, tag, **kwargs):
            super().__init_subclass__(**kwargs)
            cls.tag = tag

    class Tagged(Base, tag=3):
        pass

    assert Tagged.tag == 3
    assert heard[-1] is Tagged

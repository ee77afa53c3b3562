"""When training ends."""

import pytest

from sklearn_deep.training.job._stopping import Stopper, StoppingSpec


def test_progress_below_tol_counts_only_once_it_adds_up():
    stopper = Stopper(StoppingSpec(100, n_iter_no_change=3, tol=0.1))
    for epoch, value in enumerate((1.0, 0.96, 0.92, 0.88), start=1):
        stopper.observe(value, epoch)
        assert stopper.reason(epoch, 0.0) is None
    assert stopper.best_epoch == 4


def test_patience_ends_it_and_says_what_was_watched():
    for on_validation, reason in ((True, "early_stopping"), (False, "converged")):
        spec = StoppingSpec(100, n_iter_no_change=2, on_validation=on_validation)
        stopper = Stopper(spec)
        for epoch, value in enumerate((1.0, 2.0, 3.0), start=1):
            stopper.observe(value, epoch)
        assert stopper.reason(3, 0.0) == reason
        assert stopper.best_epoch == 1


@pytest.mark.parametrize(
    ("epochs", "seconds", "reason"),
    [(4, 0.0, None), (5, 0.0, "max_epochs"), (4, 2.0, "time_limit")],
)
def test_epochs_and_time_end_it(epochs, seconds, reason):
    stopper = Stopper(StoppingSpec(5, time_limit=2.0))
    stopper.observe(1.0, epochs)
    assert stopper.reason(epochs, seconds) == reason


def test_a_value_that_is_not_a_number_is_never_the_best():
    stopper = Stopper(StoppingSpec(5))
    assert not stopper.observe(float("nan"), 1)
    assert stopper.observe(1.0, 2)


def test_of_equally_good_epochs_the_first_is_the_best():
    stopper = Stopper(StoppingSpec(max_epochs=9))
    better = [stopper.observe(v, k) for k, v in enumerate([2.0, 1.0, 1.0], 1)]
    assert better == [True, True, False]
    assert stopper.best_epoch == 2

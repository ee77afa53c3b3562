"""What evidence says: verdicts on scores that were chosen."""

import numpy as np
import pytest

from chosen_evidence import evidence
from sklearn_deep.inspection.diagnosis._verdicts import LEVEL, judge

NOTHING_HELPS = {
    "more dropout": (0.85, 0.84),
    "wider layers": (0.86, 0.849),
    "less regularisation": (0.87, 0.845),
    "more epochs": (0.86, 0.849),
    "lower learning rate": (0.85, 0.84),
    "higher learning rate": (0.84, 0.83),
}
CONSTANT = {"constant": 0.5, "linear": 0.80, "boosting": 0.84}


def found(given):
    verdicts, main = judge(given)
    return {v.name for v in verdicts if v.holds}, None if main is None else main.name


CASES = {
    "overfitting": {
        "train": 0.99,
        "changes": {**NOTHING_HELPS, "more dropout": (0.95, 0.89)},
    },
    "underfitting": {"changes": {**NOTHING_HELPS, "wider layers": (0.92, 0.90)}},
    "not trained long enough": {
        "changes": {**NOTHING_HELPS, "more epochs": (0.92, 0.90)}
    },
    "learning rate too high": {
        "changes": {**NOTHING_HELPS, "lower learning rate": (0.92, 0.90)}
    },
    "learning rate too low": {
        "changes": {**NOTHING_HELPS, "higher learning rate": (0.92, 0.90)}
    },
}


@pytest.mark.parametrize("name", CASES)
def test_the_change_that_helps_names_the_fault(name):
    holding, main = found(evidence(**CASES[name], references=CONSTANT))
    assert main == name
    assert name in holding
    assert "good fit" not in holding


@pytest.mark.parametrize("name", CASES)
def test_the_same_means_with_noisy_folds_are_no_verdict(name):
    given = evidence(**CASES[name])
    rng = np.random.default_rng(0)
    for _, of_change in given.changed.values():
        noise = rng.normal(0, 0.1, 5)
        of_change.test[:] += noise - noise.mean()
    _, main = found(given)
    assert main != name


def test_nothing_that_helps_is_a_good_fit():
    holding, main = found(evidence(changes=NOTHING_HELPS, references=CONSTANT))
    assert main == "good fit"
    assert holding <= {
        "good fit",
        "more data would help",
        "more data would not help",
    }


def test_a_model_no_better_than_a_constant_is_no_good_fit():
    references = {"constant": 0.851, "linear": 0.80}
    holding, _ = found(evidence(changes=NOTHING_HELPS, references=references))
    assert "good fit" not in holding


def test_a_training_score_that_falls_with_the_rate_is_overfitting_and_no_rate():
    changes = {
        **NOTHING_HELPS,
        "lower learning rate": (0.93, 0.91),
        "more dropout": (0.95, 0.90),
    }
    holding, main = found(evidence(train=0.99, changes=changes))
    assert main == "overfitting"
    assert "learning rate too high" not in holding


def test_regularisation_that_helps_without_a_gap_is_no_overfitting():
    changes = {**NOTHING_HELPS, "more dropout": (0.90, 0.89)}
    holding, main = found(evidence(train=0.85, changes=changes))
    assert "overfitting" not in holding
    assert main != "overfitting"


def test_the_training_is_to_blame_where_it_explains_half_of_a_larger_network():
    changes = {
        **NOTHING_HELPS,
        "wider layers": (0.93, 0.91),
        "more epochs": (0.90, 0.885),
    }
    assert found(evidence(changes=changes))[1] == "not trained long enough"
    changes["more epochs"] = (0.89, 0.872)
    assert found(evidence(changes=changes))[1] == "underfitting"


def test_of_several_faults_the_one_with_the_largest_gain_counts():
    changes = {
        **NOTHING_HELPS,
        "more epochs": (0.92, 0.90),
        "higher learning rate": (0.92, 0.91),
    }
    assert found(evidence(changes=changes))[1] == "learning rate too low"
    changes["more epochs"] = (0.93, 0.92)
    assert found(evidence(changes=changes))[1] == "not trained long enough"


def test_a_certain_gain_that_does_not_matter_is_no_fault():
    changes = {**NOTHING_HELPS, "more epochs": (0.87, 0.854)}
    holding, main = found(evidence(changes=changes, references=CONSTANT))
    assert "not trained long enough" in holding
    assert main == "good fit"


def test_a_linear_model_that_is_better_shows_overfitting():
    references = {"constant": 0.5, "linear": 0.90}
    holding, main = found(
        evidence(train=0.99, changes=NOTHING_HELPS, references=references)
    )
    assert main == "overfitting"
    assert "overfitting" in holding


def test_boosting_that_is_better_shows_underfitting_where_there_is_no_gap():
    references = {"constant": 0.5, "boosting": 0.92}
    assert (
        found(evidence(changes=NOTHING_HELPS, references=references))[1]
        == "underfitting"
    )
    overfitted = evidence(train=0.99, changes=NOTHING_HELPS, references=references)
    assert "underfitting" not in found(overfitted)[0]


@pytest.mark.parametrize(
    ("curve", "name"),
    [
        ((0.60, 0.70, 0.78, 0.85), "more data would help"),
        ((0.85, 0.8502, 0.8499, 0.85), "more data would not help"),
    ],
)
def test_the_learning_curve_says_whether_more_data_helps(curve, name):
    holding, _ = found(evidence(changes=NOTHING_HELPS, curve=curve))
    assert name in holding
    others = {"more data would help", "more data would not help"} - {name}
    assert not others & holding


def test_a_flat_curve_below_a_perfect_score_is_noise_of_the_labels():
    flat = (0.850, 0.8501, 0.850, 0.850)
    holding, main = found(
        evidence(changes=NOTHING_HELPS, curve=flat, references=CONSTANT)
    )
    assert main == "labels too noisy for a better score"
    assert "more data would not help" in holding


def test_a_curve_that_still_rises_is_not_at_its_ceiling():
    rising = (0.600, 0.699, 0.757, 0.795)  # towards .85
    given = evidence(
        train=0.80,
        test=0.795,
        curve=rising,
        changes={"more epochs": (0.79, 0.78)},
        references={"constant": 0.6},
    )
    low, high = given.law().interval(1e9)
    assert 0.09 < low < high < 0.2
    assert "labels too noisy for a better score" not in found(given)[0]


def test_a_nearly_perfect_score_leaves_no_noise_to_find():
    flat = (0.990, 0.993, 0.994, 0.995)
    given = evidence(train=0.998, test=0.995, curve=flat, references={"constant": 0.5})
    assert "labels too noisy for a better score" not in found(given)[0]


def test_an_unknown_perfect_score_has_no_ceiling():
    given = evidence(perfect=np.nan, changes=NOTHING_HELPS, references=CONSTANT)
    assert "labels too noisy for a better score" not in found(given)[0]


def test_seeds_that_matter_more_than_the_test_rows_are_unstable():
    given = evidence(changes=NOTHING_HELPS)
    assert "unstable across folds or seeds" not in found(given)[0]
    given.reseeded.test[:] += np.array([0.2, -0.2, 0.15, -0.1, 0.2])
    assert "unstable across folds or seeds" in found(given)[0]


def test_folds_that_differ_more_than_chance_are_unstable():
    given = evidence(changes=NOTHING_HELPS)
    given.base.chance[:] = 0.002
    assert "unstable across folds or seeds" in found(given)[0]


def test_folds_that_differ_little_more_than_chance_are_not():
    given = evidence(changes=NOTHING_HELPS)
    given.base.chance[:] = 0.012
    assert "unstable across folds or seeds" not in found(given)[0]


def test_unknown_chance_is_no_sign_of_instability():
    given = evidence(changes=NOTHING_HELPS)
    given.base.chance[:] = 0.0
    assert "unstable across folds or seeds" not in found(given)[0]


def test_every_verdict_has_a_confidence_and_says_why():
    verdicts, _ = judge(evidence())
    assert len({v.name for v in verdicts}) == len(verdicts) == 10
    assert all(0.0 <= v.confidence <= 1.0 for v in verdicts)
    assert all(v.because for v in verdicts)
    assert all(v.holds == (v.confidence >= LEVEL) for v in verdicts)

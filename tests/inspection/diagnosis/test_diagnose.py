"""Diagnoses of networks with a known fault, and what comes with them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chosen_evidence import evidence
from sklearn_deep import (
    CNNClassifier,
    Diagnosis,
    DiagnosisDisplay,
    MLPClassifier,
    MLPRegressor,
    RNNClassifier,
    TabularClassifier,
    diagnose,
    stacking_report,
)
from sklearn_deep.inspection.diagnosis._changes import CHANGES
from sklearn_deep.inspection.diagnosis._scoring import log_likelihood
from sklearn_deep.training.job._seeds import draw_seed

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6))
HIDDEN = np.tanh(2 * X @ RNG.normal(size=(6, 8)) / 2) @ RNG.normal(size=8)
Y_REG = HIDDEN / HIDDEN.std() + 0.1 * RNG.normal(size=300)
Y = (HIDDEN + 0.3 * RNG.normal(size=300) > 0).astype(int)
FAST = {"max_epochs": 2, "random_state": 0}


@pytest.mark.parametrize(
    ("network", "verdicts"),
    [
        (
            MLPRegressor((32,), learning_rate=1e-4, max_epochs=20, random_state=0),
            {"learning rate too low"},
        ),
        (
            MLPRegressor((1,), learning_rate=0.05, dropout=0.0, random_state=0),
            {"underfitting"},
        ),
        (
            MLPRegressor((32,), max_epochs=5, random_state=0),
            {"not trained long enough", "learning rate too low"},
        ),
    ],
    ids=["rate", "capacity", "epochs"],
)
def test_a_planted_fault_is_found_and_its_remedy_helps(network, verdicts):
    diagnosis = diagnose(network, X, Y_REG)
    assert diagnosis.verdict in verdicts
    first = diagnosis.advice[0]
    better = type(network)(**{**network.get_params(deep=False), **first.change.params})
    halves = slice(0, 200), slice(200, None)
    scores = [n.fit(X[halves[0]], Y_REG[halves[0]]) for n in (network, better)]
    before, after = (n.score(X[halves[1]], Y_REG[halves[1]]) for n in scores)
    assert after > before


def test_most_networks_are_trained_in_stacks_and_counted():
    diagnosis = diagnose(MLPClassifier((4,), **FAST), X, Y, cv=3)
    assert diagnosis.evidence.n_fits == 3 * 4 + 3 * (
        1 + len(diagnosis.evidence.changed)
    )
    assert max(stacking_report().stacks) >= 3
    evidence_ = diagnosis.evidence
    assert (evidence_.reseeded.test != evidence_.base.test).any()


def test_changes_without_a_prospect_are_tried_on_two_folds_only():
    network = MLPRegressor((16,), max_epochs=15, random_state=0)
    evidence_ = diagnose(network, X, Y_REG).evidence
    tried = {name: len(s.test) for name, (_, s) in evidence_.changed.items()}
    assert set(tried.values()) == {2, 5}
    assert tried["more epochs"] == 5
    assert tried["lower learning rate"] == 2
    assert evidence_.n_fits == 5 * 4 + 5 + sum(tried.values())
    gain = evidence_.gain("lower learning rate")
    scores = evidence_.changed["lower learning rate"][1]
    assert gain.mean == pytest.approx((scores.test - evidence_.base.test[:2]).mean())


@pytest.mark.parametrize(
    ("network", "y", "scoring"),
    [
        (MLPClassifier((4,), **FAST), Y, None),
        (MLPClassifier((4,), **FAST), Y, "accuracy"),
        (MLPRegressor((4,), **FAST), Y_REG, None),
    ],
)
def test_scores_of_rows_left_out_have_the_score_as_their_mean(network, y, scoring):
    evidence_ = diagnose(network, X, y, cv=3, scoring=scoring).evidence
    base = evidence_.base
    assert [len(rows) for rows in base.rows] == [100, 100, 100]
    assert base.test == pytest.approx([rows.mean() for rows in base.rows])
    folds = list(StratifiedKFold(3).split(X, y) if y is Y else KFold(3).split(X))
    train, test = folds[0]
    wanted = (
        clone(network).set_params(random_state=draw_seed(0)).fit(X[train], y[train])
    )
    score = (
        log_likelihood(wanted, X[test], y[test])
        if scoring is None and y is Y
        else wanted.score(X[test], y[test])
    )
    assert base.test[0] == pytest.approx(score)


def test_a_score_that_is_no_mean_of_rows_is_compared_by_folds():
    network = MLPClassifier((4,), **FAST)
    evidence_ = diagnose(network, X, Y, scoring="roc_auc").evidence
    assert evidence_.base.rows is None
    assert all(len(s.test) == 5 for _, s in evidence_.changed.values())
    assert evidence_.gain("more epochs").dof == 4


def test_nothing_is_regularised_where_nothing_is_overfitted():
    evidence_ = diagnose(MLPClassifier((4,), **FAST), X, Y, cv=3).evidence
    assert evidence_.gap().probability_above() < 0.9
    remedies = {change.remedy for change, _ in evidence_.changed.values()}
    assert "regularise" not in remedies


def test_a_class_without_training_rows_has_a_tiny_probability():
    network = MLPClassifier((4,), **FAST).fit(X, np.where(Y, "a", "c"))
    p = network.predict_proba(X[:3])
    assert log_likelihood(network, X[:3], ["a", "a", "c"]) == pytest.approx(
        np.log([p[0, 0], p[1, 0], p[2, 1]]).mean()
    )
    for unseen in "0bz":
        found = log_likelihood(network, X[:1], [unseen])
        assert found == pytest.approx(np.log(1e-6))


def test_the_same_seed_gives_the_same_report():
    network = MLPClassifier((4,), **FAST)
    assert str(diagnose(network, X, Y, cv=3)) == str(diagnose(network, X, Y, cv=3))
    assert not network.__sklearn_is_fitted__()


def test_the_parameters_of_a_pipeline_have_its_names():
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((4,), **FAST))
    diagnosis = diagnose(pipeline, X, Y, cv=3)
    names = [n for c, _ in diagnosis.evidence.changed.values() for n in c.params]
    assert names
    assert all(name.startswith("mlpclassifier__") for name in names)
    search = diagnosis.suggested_search()
    assert search
    RandomizedSearchCV(pipeline, search, n_iter=2, cv=2, random_state=0).fit(X, Y)


@pytest.mark.parametrize(
    ("network", "rows"),
    [
        (CNNClassifier((4,), spatial_dims=1, **FAST), RNG.normal(size=(90, 10, 2))),
        (CNNClassifier((4,), **FAST), RNG.normal(size=(90, 6, 6))),
        (RNNClassifier(4, **FAST), RNG.normal(size=(90, 8, 2))),
        (RNNClassifier(4, **FAST), ["abc" * (n % 3 + 1) for n in range(90)]),
        (TabularClassifier((8,), n_networks=2, **FAST), X[:90]),
    ],
    ids=["series", "images", "recurrent", "text", "tabular"],
)
def test_every_family_is_diagnosed(network, rows):
    diagnosis = diagnose(network, rows, Y[:90], cv=3)
    assert "more epochs" in diagnosis.evidence.changed
    assert np.isfinite(diagnosis.evidence.curve).all()
    assert isinstance(diagnosis.verdict, str)


def test_other_models_stand_beside_numbers_and_not_beside_text():
    evidence_ = diagnose(MLPClassifier((4,), **FAST), X, Y, cv=3).evidence
    assert set(evidence_.references) == {"constant", "linear", "boosting"}
    words = ["ab" * (n % 4 + 1) for n in range(60)]
    evidence_ = diagnose(RNNClassifier(4, **FAST), words, Y[:60], cv=3).evidence
    assert not evidence_.references


def test_rows_in_lists_are_those_of_an_array():
    network = MLPClassifier((4,), **FAST)
    of_lists = diagnose(network, X.tolist(), Y.tolist(), cv=3)
    assert str(of_lists) == str(diagnose(network, X, Y, cv=3))


def test_classes_that_a_fold_lacks_have_a_score_all_the_same():
    y = np.where(np.arange(300) < 4, "rare", np.where(Y, "a", "b"))
    with pytest.warns(UserWarning, match="least populated"):
        diagnosis = diagnose(MLPClassifier((4,), **FAST), X, y, cv=5)
    assert np.isfinite(diagnosis.evidence.curve).all()


def test_groups_and_scoring_are_used():
    diagnosis = diagnose(
        MLPClassifier((4,), **FAST),
        X,
        Y,
        cv=GroupKFold(3),
        groups=np.arange(300) % 6,
        scoring="roc_auc",
    )
    assert diagnosis.evidence.scoring == "roc_auc"
    assert len(diagnosis.evidence.base.test) == 3


def test_what_does_not_apply_is_not_tried():
    network = MLPClassifier(
        (4,), optimizer="lbfgs", early_stopping=True, dropout=0.0, **FAST
    )
    changed = diagnose(network, X, Y, cv=3).evidence.changed
    for name in ("lower learning rate", "higher learning rate", "early stopping"):
        assert name not in changed


def test_every_change_is_another_value_and_is_taken_by_a_fit():
    network = MLPClassifier(
        (32,), early_stopping=False, dropout=0.1, weight_decay=0.05, **FAST
    ).fit(X, Y)
    from sklearn_deep.inspection.diagnosis._changes import Present, changes_of

    present = Present(network, network._fitted.architecture, 240, 2)
    changes = changes_of(present, "")
    assert {c.name for c in changes} == set(CHANGES)
    for change in changes:
        assert change.params != change.before
        assert " -> " in str(change)
        MLPClassifier(**{**network.get_params(deep=False), **change.params}).fit(X, Y)


def test_report_frame_and_html_tell_the_same():
    diagnosis = diagnose(MLPClassifier((4,), **FAST), X, Y, cv=3)
    frame = diagnosis.to_frame()
    assert list(frame["model"][:1]) == ["MLPClassifier"]
    assert len(frame) == 1 + len(diagnosis.evidence.changed) + 3
    text, page = str(diagnosis), diagnosis._repr_html_()
    for verdict in diagnosis.verdicts:
        assert verdict.name in text
        assert verdict.name in page


def test_names_are_escaped_in_html():
    given = Diagnosis("<b>", [], None, [], evidence())
    assert "<b>&lt;b&gt;: cannot tell</b>" in given._repr_html_()


def test_the_search_holds_old_and_new_values_of_what_may_help():
    given = evidence(changes={"more dropout": (0.9, 0.9), "wider layers": (0.8, 0.8)})
    search = Diagnosis("net", [], None, [], given).suggested_search()
    assert search == {"more dropout": [1.0, 2.0]} or search == {"more dropout": []}


def test_the_plot_has_the_curve_and_a_bar_for_each_change():
    diagnosis = diagnose(MLPClassifier((4,), **FAST), X, Y, cv=3)
    display = DiagnosisDisplay(diagnosis).plot()
    assert len(display.axes_[1].patches) == len(diagnosis.evidence.changed)
    assert diagnosis.verdict in display.axes_[0].get_title()
    plt.close(display.figure_)


@pytest.mark.parametrize(
    ("estimator", "cv", "error", "message"),
    [
        (LogisticRegression(), 5, TypeError, "network of sklearn_deep"),
        (MLPClassifier(**FAST), 2, ValueError, "3 folds"),
    ],
)
def test_what_cannot_be_diagnosed_is_refused(estimator, cv, error, message):
    with pytest.raises(error, match=message):
        diagnose(estimator, X, Y, cv=cv)

"""Unknown arguments: the error names the user's class, and what the package has instead."""

import inspect

import pytest
from sklearn.base import BaseEstimator

import sklearn_deep
from sklearn_deep import (
    LearningRateFinder,
    MLPClassifier,
    MLPRegressor,
    ModuleClassifier,
    Pruned,
    RNNClassifier,
    ValidationHoldout,
)
from sklearn_deep._arguments import ARGUMENTS, PARAMETERS
from sklearn_deep._subclasses import TracksSubclasses

ESTIMATORS = [
    getattr(sklearn_deep, name)
    for name in sklearn_deep.__all__
    if isinstance(getattr(sklearn_deep, name), type)
    and issubclass(getattr(sklearn_deep, name), TracksSubclasses)
]
X, Y = [[0.0], [1.0]] * 10, [0, 1] * 10


def first_argument(cls):
    """What an estimator cannot be made without."""
    name, parameter = next(iter(inspect.signature(cls).parameters.items()))
    return {name: MLPClassifier()} if parameter.default is parameter.empty else {}


@pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)
def test_an_unknown_parameter_is_a_type_error_of_the_users_class(cls):
    class Own(cls):
        """A subclass of the user's."""

    for used in (cls, Own):
        with pytest.raises(TypeError) as caught:
            used(**first_argument(cls), no_such_name=1)
        assert f"{used.__name__}.__init__() got an unexpected" in str(caught.value)
        assert "'no_such_name'" in str(caught.value)


@pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)
def test_signatures_are_those_of_the_constructor(cls):
    names = list(inspect.signature(cls).parameters)
    assert names == list(inspect.signature(cls.__init__).parameters)[1:]
    assert set(cls._get_param_names()) <= set(names)


# scikit-learn's MLP, and what it is here.
OF_SCIKIT_LEARN = {
    "max_iter": "use max_epochs",
    "alpha": "use weight_decay, or l2=alpha / batch_size",
    "solver": "use optimizer",
    "learning_rate_init": "use learning_rate",
    "beta_1": "use betas=(beta_1, beta_2)",
    "nesterovs_momentum": "use optimizer='nesterov'",
    "shuffle": "rows are shuffled in every epoch",
}


@pytest.mark.parametrize(
    ("old", "new"), [("max_loss", "max_score_drop"), ("on_loss", "on_score_drop")]
)
def test_the_old_names_of_the_allowed_drop_of_a_score_suggest_the_new_ones(old, new):
    with pytest.raises(TypeError, match=f"{old!r}: use {new}"):
        Pruned(MLPClassifier(), **{old: 0.01})


@pytest.mark.parametrize(("name", "words"), OF_SCIKIT_LEARN.items())
def test_names_of_scikit_learns_mlp_are_answered_with_ours(name, words):
    with pytest.raises(TypeError, match="unexpected keyword argument") as caught:
        MLPRegressor(**{name: 1})
    assert words in str(caught.value)
    with pytest.raises(ValueError, match="Invalid parameter") as caught:
        MLPRegressor().set_params(**{name: 1})
    assert words in str(caught.value)


def test_every_name_in_the_tables_is_answered_with_one_that_exists():
    signatures = [inspect.signature(cls).parameters for cls in (MLPClassifier, Pruned)]
    for name, entry in PARAMETERS.items():
        having = [known for known in signatures if entry.ours in known]
        assert having
        assert all(name not in known for known in having)
    arguments = inspect.signature(MLPClassifier.fit).parameters
    for name, entry in ARGUMENTS.items():
        assert name not in arguments
        assert entry.ours in arguments


def test_advice_is_given_only_where_the_class_has_the_parameter():
    with pytest.raises(TypeError) as caught:
        Pruned(MLPClassifier(), max_iter=3)
    assert str(caught.value).endswith("'max_iter'.")


def test_a_misspelt_name_is_answered_with_the_nearest():
    with pytest.raises(TypeError, match="did you mean learning_rate"):
        MLPClassifier(learning_rte=1)
    with pytest.raises(TypeError, match=r"'width'.*module__width"):
        ModuleClassifier(BaseEstimator, width=3)


@pytest.mark.parametrize(
    "make",
    [
        MLPClassifier,
        MLPRegressor,
        RNNClassifier,
        lambda: LearningRateFinder(MLPClassifier()),
    ],
    ids=["mlp", "regressor", "rnn", "finder"],
)
def test_an_unknown_argument_of_fit_names_the_class_and_not_its_base(make):
    estimator = make()
    with pytest.raises(TypeError) as caught:
        estimator.fit(X, Y, validation_date=(X, Y))
    assert f"{type(estimator).__name__}.fit() got an" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("validation_data", "use X_val and y_val"),
        ("eval_set", "use X_val and y_val"),
        ("epochs", "set max_epochs when you construct"),
        ("batch_size", "set it when you construct"),
        ("classes", "partial_fit takes them"),
        ("sample_weights", "use sample_weight"),
    ],
)
def test_arguments_of_other_packages_fit_are_answered_with_ours(name, words):
    with pytest.raises(TypeError, match="got an unexpected keyword") as caught:
        MLPClassifier().fit(X, Y, **{name: 1})
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["X_val", "y_val", "mlp__X_val"])
def test_a_holdout_refuses_validation_rows_of_the_user(name):
    with pytest.raises(TypeError, match=rf"ValidationHoldout.fit\(\) got '{name}'"):
        ValidationHoldout(MLPClassifier()).fit(X, Y, **{name: X})

"""Evidence with scores that a test chooses, in place of those of networks."""

import numpy as np

from sklearn_deep.inspection.diagnosis._changes import CHANGES, Change
from sklearn_deep.inspection.diagnosis._evidence import Evidence, Scores

# Folds that differ as folds do; a difference of two models hardly does.
FOLDS = np.array([-0.02, 0.01, 0.02, -0.01, 0.0])
NOISE = np.array([0.002, -0.001, 0.001, -0.002, 0.0])


def scores(train, test, chance=0.03):
    return Scores(train + FOLDS / 4, test + FOLDS + NOISE, np.full(5, chance))


def evidence(
    train=0.86,
    test=0.85,
    changes=(),
    curve=(0.80, 0.82, 0.84, 0.85),
    references=(),
    reseeded=0.85,
    perfect=1.0,
):
    """Evidence of one estimator.

    Parameters
    ----------
    changes : dict of str to (train, test)
        Means after changes, by their names in the table.
    references : dict of str to float
        Means of other models.
    """
    changed = {}
    for k, (name, (of_train, of_test)) in enumerate(dict(changes).items()):
        change = Change(name, CHANGES[name][0], {name: 2.0}, {name: 1.0})
        of_test = of_test + FOLDS + np.roll(NOISE, k + 1)
        changed[name] = change, Scores(of_train + FOLDS / 4, of_test, np.full(5, 0.03))
    return Evidence(
        scoring="accuracy",
        perfect=perfect,
        base=scores(train, test),
        reseeded=Scores(
            np.full(5, train), reseeded + FOLDS + np.roll(NOISE, 2), np.full(5, 0.03)
        ),
        sizes=np.array([120.0, 240.0, 440.0, 800.0]),
        curve=np.asarray(curve) + FOLDS[:, None] + np.outer(NOISE, [1, -1, 1, -1]),
        changed=changed,
        references={
            name: scores(mean, mean) for name, mean in dict(references).items()
        },
        test_share=0.25,
        n_fits=50,
    )

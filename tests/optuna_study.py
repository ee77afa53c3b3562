"""A study that several processes share: ``python optuna_study.py JOURNAL N FOLDER``."""

import sys
import time

import optuna
from joblib import parallel_config
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.model_selection import cross_val_score

from sklearn_deep import Checkpoint, MLPClassifier
from stacked_uses import rows


def study_of(path):
    """The study in a journal, begun if need be."""
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(path))),
        study_name="shared",
        direction="maximize",
        load_if_exists=True,
    )


def objective_of(folder, pause=0.0):
    """Cross-validated score of a network whose fits are stored in a folder."""

    def objective(trial):
        net = MLPClassifier(
            (6,),
            dropout=trial.suggest_float("dropout", 0, 0.5),
            learning_rate=trial.suggest_float("learning_rate", 1e-3, 1e-1, log=True),
            batch_size=16,
            max_epochs=4,
            random_state=0,
            checkpoint=Checkpoint(folder),
        )
        time.sleep(pause)
        with parallel_config(backend="stacked"):
            return cross_val_score(net, *rows(), cv=4).mean()

    return objective


if __name__ == "__main__":
    path, n_trials, folder = sys.argv[1:]
    study_of(path).optimize(objective_of(folder, pause=0.3), n_trials=int(n_trials))

"""Two processes share a study of Optuna; one is killed, and the study goes on."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

optuna = pytest.importorskip("optuna")

from joblib import parallel_config  # noqa: E402
from sklearn.model_selection import cross_val_score  # noqa: E402

import optuna_study  # noqa: E402
from optuna_study import objective_of, study_of  # noqa: E402
from sklearn_deep import MLPClassifier, checkpoint_report  # noqa: E402
from stacked_uses import rows  # noqa: E402

pytestmark = [
    pytest.mark.clusters,
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
]


@pytest.fixture
def start(tmp_path):
    """Starts a process that works on the study; ends it at the end of the test."""
    processes = []

    def start(n_trials):
        arguments = [optuna_study.__file__, tmp_path / "journal", n_trials, tmp_path]
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)], stderr=subprocess.PIPE
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def completed(path):
    if not Path(path).exists():
        return []
    trials = study_of(path).trials
    return [each for each in trials if each.state is optuna.trial.TrialState.COMPLETE]


def wait_for(path, n_trials, process):
    deadline = time.monotonic() + 200
    while len(completed(path)) < n_trials:
        assert process.poll() in (None, 0), process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_study_goes_on_where_one_of_two_processes_is_killed(start, tmp_path):
    path = tmp_path / "journal"
    killed, goes_on = start(1000), start(6)
    wait_for(path, 2, killed)
    killed.kill()
    assert goes_on.wait(timeout=200) == 0
    trials = completed(path)
    assert len(trials) >= 6
    for trial in trials:  # what a process of the study found is what is found here
        net = MLPClassifier(
            (6,), batch_size=16, max_epochs=4, random_state=0, **trial.params
        )
        with parallel_config(backend="stacked"):
            assert cross_val_score(net, *rows(), cv=4).mean() == trial.value


def test_a_trial_that_is_asked_again_is_read_from_its_checkpoints(tmp_path):
    study = study_of(tmp_path / "journal")
    objective = objective_of(tmp_path / "states")
    study.enqueue_trial({"dropout": 0.2, "learning_rate": 0.01})
    study.optimize(objective, n_trials=1)
    before = checkpoint_report(tmp_path / "states").columns
    study.enqueue_trial({"dropout": 0.2, "learning_rate": 0.01})
    study.optimize(objective, n_trials=1)
    first, second = (trial.value for trial in study.trials)
    assert first == second
    assert checkpoint_report(tmp_path / "states").columns == before

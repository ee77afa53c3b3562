"""Ranks fail together, and say why; a killed one ends the others."""

import ast
import re

import pytest

from ranked_faults import grid_search


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("missing_values", "ValueError: Input X contains NaN"),
        ("invalid_parameter", "InvalidParameterError: The 'dropout' parameter"),
        ("ranks_that_start_ranks", "InvalidParameterError: .* already runs in 2"),
        ("divergence", "TrainingDivergedError: .* diverged in epoch 1"),
        ("scorer_that_fails", "ValueError: monitor=.*RuntimeError: no score"),
        ("other_rows", r"RanksDifferError: Ranks 0 and 1 .* X \(shape \(211, 7\)"),
        ("other_parameters", r"learning_rate of the optimizer \(0.01 against 0.02\)"),
        ("other_dropout", r"RanksDifferError: Ranks 0 and 1 .* differ in: the network"),
        ("shuffled_folds_without_a_seed", "RanksDifferError: .* set random_state"),
    ],
)
def test_all_ranks_raise_the_same_error(told, name, text):
    first, second = told(name)
    assert re.search(text, first)
    # Functions of one place have other addresses.
    assert re.sub("0x[0-9a-f]+", "", first) == re.sub("0x[0-9a-f]+", "", second)


SEARCHES = ["grid_search", "stacked_search", "search_in_other_processes"]


@pytest.mark.parametrize(
    "name", ["no_random_state", "time_limit", "losses_that_differ", *SEARCHES]
)
def test_all_ranks_come_to_the_same(told, name):
    first, second = told(name)
    assert "Error" not in first
    assert first == second


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_gives_the_scores_of_one_process(told, name):
    scores, best = grid_search()
    found, best_of_ranks = ast.literal_eval(told(name)[0])
    assert found == pytest.approx(scores, abs=1e-9)
    assert best_of_ranks == best


def test_a_time_limit_ends_all_ranks_at_one_step(told):
    assert "'time_limit'" in told("time_limit")[0]


def test_a_rank_that_fails_alone_ends_the_others(told):
    first, second = told("one_rank_alone")
    assert second == "ValueError: only here"
    assert "RankLostError: Rank 0 of 2 waits in vain" in first
    assert max(map(float, told("seconds"))) < 30


def test_a_killed_rank_ends_the_others_within_30_seconds(faults_alone, tmp_path):
    (tmp_path / "kill").touch()
    with faults_alone(2, tmp_path, "killed") as (first, second):
        second.wait(120)
        first.wait(40)
    text = (tmp_path / "killed.0.txt").read_text()
    assert text.startswith("RankLostError: Rank 0 of 2 waits in vain: another process")
    assert "checkpoint=" in text
    assert float((tmp_path / "seconds.0.txt").read_text()) < 30


@pytest.mark.slow
def test_a_restart_after_a_killed_rank_goes_on_to_the_same_bits(
    torchrun_faults, tmp_path
):
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    cut.mkdir(), whole.mkdir()
    (cut / "kill").touch()
    assert torchrun_faults(2, cut, "killed").returncode != 0
    (cut / "kill").unlink()
    for folder in (cut, whole):
        done = torchrun_faults(2, folder, "killed")
        assert done.returncode == 0, done.stdout
    n_trained = [int((f / "epochs.1.txt").read_text()) for f in (cut, whole)]
    assert n_trained[0] < n_trained[1] == 6
    texts = {
        (folder / f"killed.{rank}.txt").read_text()
        for folder in (cut, whole)
        for rank in (0, 1)
    }
    assert len(texts) == 1
    assert "6)" in texts.pop()

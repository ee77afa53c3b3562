"""A rank that another process has started: it trains the jobs that it is sent."""

import json
import signal
import sys
from pathlib import Path

import torch

from sklearn_deep.exceptions import RankLostError
from sklearn_deep.training._train import train_as_rank
from sklearn_deep.training.ranks._group import Membership, begin_group, using
from sklearn_deep.training.ranks._parcel import read_job
from sklearn_deep.training.ranks._ranks import Ranks


def main() -> None:
    """Train jobs until the process that started this one closes its end of the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first rank decides what it means
    settings = json.loads(sys.argv[1])
    rank, folder = settings["rank"], Path(settings["folder"])
    device = torch.device(settings["kind"])
    if device.type == "cuda":
        device = torch.device("cuda", rank)
        torch.cuda.set_device(device)
    (folder / f"ready.{rank}").touch()
    ranks = begin_group(rank, settings["size"], folder / "store", settings["kind"])
    while line := sys.stdin.readline():
        _train(Path(line.rstrip("\n")), device, ranks)
        if ranks.lost is not None:
            break
    ranks.close()


def _train(folder: Path, device: torch.device, ranks: Ranks) -> None:
    """Train one job; an error of this rank alone is left for the first one to tell."""
    try:
        with using(ranks, Membership.STARTED):
            train_as_rank(read_job(folder, device), (), ranks)
    except RankLostError:
        pass
    except Exception as error:
        if folder.exists():
            text = f"rank {ranks.rank}: {type(error).__name__}: {error}"
            (folder / f"error.{ranks.rank}").write_text(text)
        ranks.fail()

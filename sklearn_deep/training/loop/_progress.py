"""A progress line on standard output."""

import math
import time
from typing import Any

from sklearn_deep.training.loop._run import Run, Watcher

_PAUSE = 0.1  # seconds between two writes of the same line


class ProgressLine(Watcher):
    """Rewrites one line (``verbose=1``) or prints one per epoch (``verbose=2``)."""

    only_on_first = True

    def __init__(self, verbose: int):
        self._end = "\r" if verbose == 1 else "\n"
        self._written = 0.0

    def epoch_end(self, run: Run, row: dict[str, Any]) -> bool:
        """Show the epoch's numbers."""
        now = time.monotonic()
        if self._end == "\n" or now - self._written > _PAUSE:
            self._written = now
            print(self._text(run, row), end=self._end, flush=True)
        return False

    def train_end(self, run: Run) -> None:
        """End the line, so that the last state stays visible."""
        if self._end == "\r":
            print(
                self._text(run, run.history[-1]) + f"  [{run.stop_reason}]", flush=True
            )

    def _text(self, run: Run, row: dict[str, Any]) -> str:
        parts = [
            f"{run.job.owner}: epoch {row['epoch']}/{run.job.stopping.max_epochs}",
            f"train loss {row['train_loss']:.4f}",
        ]
        if not math.isnan(row["valid_loss"]):
            parts.append(f"validation loss {row['valid_loss']:.4f}")
            parts.append(f"score {row['valid_score']:.4f}")
        parts += [f"rate {row['learning_rate']:.1e}", f"{row['seconds']:.1f} s"]
        return ", ".join(parts)

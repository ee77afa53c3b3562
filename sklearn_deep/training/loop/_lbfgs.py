"""Full-batch L-BFGS, by SciPy; one of its iterations is an epoch."""

import numpy as np
import torch
from scipy.optimize import OptimizeResult
from torch import Tensor

from sklearn_deep.training.loop._evaluations import search
from sklearn_deep.training.loop._single_run import SingleRun


def run_lbfgs(single: SingleRun) -> None:
    """Minimise the penalised loss over all rows until the run says stop."""
    run = single.run
    problem = _Problem(single)
    single.begin_epoch()
    max_iterations = single.job.stopping.max_epochs + 1
    x = search(
        problem.objective,
        problem.start,
        max_iterations,
        problem.after_iteration,
    )
    # The last point that a line search tried need not be the one accepted.
    problem.move_to(x)
    if run.stop_reason is None:
        # The loss falls in no direction: the optimum, to the dtype's precision.
        if not run.history:
            single.end_epoch(problem.loss)
        run.stop_reason = "converged"


class _Problem:
    """The penalised loss over all rows, as SciPy sees it.

    A run that continues tells SciPy first what it was told before.

    Attributes
    ----------
    start : ndarray of shape (n_values,)
    loss : Tensor
        Loss at the point that was evaluated last, without penalties.
    """

    def __init__(self, single: SingleRun):
        self._single, self._stepper = single, single.stepper
        self._batch = single.job.rows.all()
        # L-BFGS has no decoupled weight decay: it becomes an L2 penalty.
        if decay := single.job.optimizer.weight_decay:
            l2 = self._stepper.penalties.get("l2", 0.0) + decay
            self._stepper.penalties = {**self._stepper.penalties, "l2": l2}
        self.loss: Tensor
        self._record = single.evaluations
        self._told, self._n_iterations = 0, 0
        self.start = self._current() if self._record is None else self._record.start

    def _current(self) -> np.ndarray:
        """A copy of the network's values."""
        return self._stepper.values.to("cpu", torch.float64).numpy().copy()

    def move_to(self, values: np.ndarray) -> None:
        """Give the network these values."""
        self._stepper.values.copy_(torch.from_numpy(values))

    def objective(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        """The penalised loss and its gradient."""
        record = self._record
        if record is not None and self._told < len(record):
            self._told += 1
            return record[self._told - 1]
        value, gradient = self._evaluate(values)
        if record is not None:
            record.add(value, gradient)
            self._told += 1
        return value, gradient

    def _evaluate(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        self.loss, _ = self._gradient(values)
        penalised = self.loss + self._stepper.penalty()
        self._stepper.complete()
        gradient = self._stepper.flat.gradient.to("cpu", torch.float64)
        return float(penalised), gradient.numpy().copy()

    def after_iteration(self, result: OptimizeResult) -> None:
        """End an epoch at the accepted point, unless it ended in an earlier process."""
        self._n_iterations += 1
        record = self._record
        if record is not None:
            if self._n_iterations <= record.n_iterations:
                return
            record.n_iterations = self._n_iterations
        loss, raw = self._gradient(result.x)
        self._single.show(self._batch, loss, raw)
        if self._single.end_epoch(loss):
            raise StopIteration
        self._single.begin_epoch()

    def _gradient(self, values: np.ndarray) -> tuple[Tensor, Tensor]:
        self.move_to(values)
        self._single.rewind_masks()
        return self._stepper.gradient(self._batch)

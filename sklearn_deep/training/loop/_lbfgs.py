"""Full-batch L-BFGS, by SciPy; one of its iterations is an epoch."""

import numpy as np
import torch
from scipy.optimize import OptimizeResult, minimize
from torch import Tensor

from sklearn_deep.training.loop._single_run import SingleRun

# SciPy's own stopping tests are off: the run decides, by the same rules as for the
# other optimizers.
_OPTIONS = {"ftol": 0.0, "gtol": 1e-12, "maxls": 50}


def run_lbfgs(single: SingleRun) -> None:
    """Minimise the penalised loss over all rows until the run says stop."""
    run = single.run
    problem = _Problem(single)
    single.begin_epoch()
    max_iterations = single.job.stopping.max_epochs + 1
    result = minimize(
        problem.objective,
        problem.values(),
        jac=True,
        method="L-BFGS-B",
        options={**_OPTIONS, "maxiter": max_iterations, "maxfun": 10**9},
        callback=problem.after_iteration,
    )
    # The last point that a line search tried need not be the one accepted.
    problem.move_to(result.x)
    if run.stop_reason is None:
        # The loss falls in no direction: the optimum, to the dtype's precision.
        if not run.history:
            single.end_epoch(problem.loss)
        run.stop_reason = "converged"


class _Problem:
    """The penalised loss over all rows, as SciPy sees it.

    Attributes
    ----------
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

    def values(self) -> np.ndarray:
        """A copy of the network's values."""
        return self._stepper.values.to("cpu", torch.float64).numpy().copy()

    def move_to(self, values: np.ndarray) -> None:
        """Give the network these values."""
        self._stepper.values.copy_(torch.from_numpy(values))

    def objective(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        """The penalised loss and its gradient."""
        self.loss, _ = self._gradient(values)
        penalised = self.loss + self._stepper.penalty()
        self._stepper.complete()
        gradient = self._stepper.flat.gradient.to("cpu", torch.float64)
        return float(penalised), gradient.numpy().copy()

    def after_iteration(self, intermediate_result: OptimizeResult) -> None:
        """End an epoch at the accepted point; SciPy passes it by this name."""
        loss, raw = self._gradient(intermediate_result.x)
        self._single.show(self._batch, loss, raw)
        if self._single.end_epoch(loss):
            raise StopIteration
        self._single.begin_epoch()

    def _gradient(self, values: np.ndarray) -> tuple[Tensor, Tensor]:
        self.move_to(values)
        self._single.rewind_masks()
        return self._stepper.gradient(self._batch)

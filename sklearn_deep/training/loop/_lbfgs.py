"""Full-batch L-BFGS, by SciPy; one of its iterations is an epoch."""

import numpy as np
import torch
from scipy.optimize import minimize

from sklearn_deep.training.loop._single_run import SingleRun

# SciPy's own stopping tests are off: the run decides, by the same rules as for the
# other optimizers.
_OPTIONS = {"ftol": 0.0, "gtol": 1e-12, "maxls": 50}


def run_lbfgs(single: SingleRun) -> None:
    """Minimise the penalised loss over all rows until the run says stop."""
    job, run, stepper = single.job, single.run, single.stepper
    batch = job.rows.all()
    # L-BFGS has no decoupled weight decay: it becomes an L2 penalty.
    if job.optimizer.weight_decay:
        l2 = stepper.penalties.get("l2", 0.0) + job.optimizer.weight_decay
        stepper.penalties = {**stepper.penalties, "l2": l2}
    last = {}

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        stepper.values.copy_(torch.from_numpy(values))
        single.rewind_masks()
        loss, _ = stepper.gradient(batch)
        last["loss"] = loss
        penalised = loss + stepper.penalty()
        stepper.complete()
        gradient = stepper.flat.gradient.to("cpu", torch.float64)
        return float(penalised), gradient.numpy().copy()

    def after_iteration(intermediate_result) -> None:
        stepper.values.copy_(torch.from_numpy(intermediate_result.x))
        single.rewind_masks()
        loss, raw = stepper.gradient(batch)
        single.show(batch, loss, raw)
        if single.end_epoch(loss):
            raise StopIteration
        single.begin_epoch()

    single.begin_epoch()
    start = stepper.values.to("cpu", torch.float64).numpy().copy()
    options = {**_OPTIONS, "maxiter": job.stopping.max_epochs + 1, "maxfun": 10**9}
    result = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        options=options,
        callback=after_iteration,
    )
    # The last point that a line search tried need not be the one accepted.
    stepper.values.copy_(torch.from_numpy(result.x))
    if run.stop_reason is None:
        # The loss falls in no direction: the optimum, to the dtype's precision.
        if not run.history:
            single.end_epoch(last["loss"])
        run.stop_reason = "converged"

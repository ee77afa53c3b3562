"""Full-batch L-BFGS, by SciPy; one of its iterations is an epoch."""

import numpy as np
import torch
from scipy.optimize import minimize

from sklearn_deep.training._run import Run

# SciPy's own stopping tests are off: the run decides, by the same rules as for the
# other optimizers.
_OPTIONS = {"ftol": 0.0, "gtol": 1e-12, "maxls": 50}


def minimise(run: Run) -> None:
    """Minimise the penalised loss over all rows until the run says stop."""
    stepper, flat = run.stepper, run.stepper.flat
    batch = run.job.rows.all()
    # Only lbfgs has no step to decouple a decay from: there it is an L2 penalty.
    if run.job.optimizer.weight_decay:
        decay = run.job.optimizer.weight_decay
        l2 = stepper.penalties.get("l2", 0.0) + decay
        stepper.penalties = {**stepper.penalties, "l2": l2}
    last = {}

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        flat.values.copy_(torch.from_numpy(values))
        run.rewind_masks()
        loss, _ = stepper.gradient(batch)
        last["loss"] = loss
        penalised = loss + stepper.penalty()
        stepper.penalise()
        return float(penalised), flat.gradient.to("cpu", torch.float64).numpy().copy()

    def after_iteration(intermediate_result) -> None:
        flat.values.copy_(torch.from_numpy(intermediate_result.x))
        run.rewind_masks()
        loss = stepper.gradient(batch)[0]
        if run.end_epoch(loss):
            raise StopIteration
        run.begin_epoch()

    run.begin_epoch()
    start = flat.values.to("cpu", torch.float64).numpy().copy()
    options = {**_OPTIONS, "maxiter": run.job.stopping.max_epochs + 1, "maxfun": 10**9}
    result = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        options=options,
        callback=after_iteration,
    )
    # The last point that a line search tried need not be the one it took.
    flat.values.copy_(torch.from_numpy(result.x))
    if run.stop_reason is None:
        # No direction goes further down: the optimum, to the dtype's precision.
        if not run.history:
            run.end_epoch(last["loss"])
        run.stop_reason = "converged"

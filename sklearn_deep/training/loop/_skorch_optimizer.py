"""Our optimizer in the form of torch's, for callbacks to read and to change."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sklearn_deep.training.job._job import OptimizerSpec
from sklearn_deep.training.step._step import SingleStep

# torch's names for the slots of our rules, in our order.
SLOTS = {
    "adam": ("exp_avg", "exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq"),
    "momentum": ("momentum_buffer",),
    "nesterov": ("momentum_buffer",),
    "rmsprop": ("square_avg",),
}


def options_of(spec: OptimizerSpec) -> dict[str, Any]:
    """Contents of a ``param_groups`` entry of torch's optimizer of this kind."""
    options: dict[str, Any] = {"weight_decay": spec.weight_decay}
    if spec.name in ("adam", "adamw"):
        options["betas"] = spec.betas
    elif spec.name in ("momentum", "nesterov"):
        options["momentum"] = spec.momentum
        options["nesterov"] = spec.name == "nesterov"
    elif spec.name == "rmsprop":
        options["alpha"] = spec.betas[1]
    return options


def updated(spec: OptimizerSpec, group: Mapping[str, Any]) -> OptimizerSpec:
    """The spec with the values that a ``param_groups`` entry has now."""
    beta1, beta2 = group.get("betas", spec.betas)
    values: dict[str, Any] = {
        "weight_decay": float(group.get("weight_decay", spec.weight_decay)),
        "momentum": float(group.get("momentum", spec.momentum)),
        "betas": (float(beta1), float(group.get("alpha", beta2))),
    }
    if all(getattr(spec, name) == value for name, value in values.items()):
        return spec
    return dataclasses.replace(spec, **values)


class TrainingOptimizer(torch.optim.Optimizer):
    """Hyperparameters and state of our optimizer, under torch's names.

    Learning-rate schedulers change ``param_groups``, which the training loop reads;
    ``state`` shows the moments that the loop keeps, and ``load_state_dict`` sets them.
    """

    _stepper: SingleStep | None = None

    def __init__(self, params: Any, lr: float, **options: Any):
        super().__init__(params, {"lr": lr, **options})

    def step(self, closure=None):
        """Do nothing: the training loop changes the weights."""

    def follow(self, module: nn.Module, stepper: SingleStep) -> None:
        """Show the state of a ``SingleStep``, after applying what was loaded before."""
        self._stepper, loaded = stepper, dict(self.state)
        self.state.clear()
        for name, slot in zip(
            SLOTS.get(stepper.spec.name, ()), stepper.state.slots, strict=False
        ):
            for parameter, part in stepper.flat.by_name(slot).items():
                self.state[module.get_parameter(parameter)][name] = part
        self._take_over(loaded)

    def moments_of(self, parameter: Tensor) -> list[Tensor]:
        """State of the optimizer for a parameter."""
        values = self.state.get(parameter, {})
        return [value for name, value in values.items() if name != "step"]

    def let_go(self) -> None:
        """Detach from the training loop; the state stays as it is."""
        self._show_step()
        self._stepper = None

    def state_dict(self) -> dict[str, Any]:
        """Give the state in the form that torch stores."""
        self._show_step()
        return super().state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Set hyperparameters and moments."""
        shown = dict(self.state)
        super().load_state_dict(state_dict)
        if self._stepper is not None:
            loaded = dict(self.state)
            self.state.clear()
            self.state.update(shown)
            self._take_over(loaded)

    def _take_over(self, loaded: Mapping[Tensor, dict[str, Any]]) -> None:
        assert self._stepper is not None
        for parameter, values in loaded.items():
            for name, part in self.state.get(parameter, {}).items():
                if name != "step" and name in values:
                    part.copy_(values[name])
            if "step" in values:
                self._stepper.state.step = int(values["step"])

    def _show_step(self) -> None:
        if self._stepper is not None:
            for values in self.state.values():
                values["step"] = torch.tensor(float(self._stepper.state.step))

"""Everything private that this package uses of torch.

The operators of ``torch.ops.aten`` and the two ``native`` functions are named in no
documentation. Where one is missing, autograd or an unfused rule takes its place.
"""

from sklearn_deep.private._library import Library

TESTED = ">=2.13,<2.14"

_operators = Library("torch", TESTED, "A fast gradient")
_random = Library("torch", TESTED, "A network of your own")

# Gradients, and the step of an optimizer.

threshold_backward = _operators.find("torch", "ops.aten.threshold_backward.default")
threshold_backward_into = _operators.find(
    "torch", "ops.aten.threshold_backward.grad_input"
)
leaky_relu_backward = _operators.find("torch", "ops.aten.leaky_relu_backward.default")
elu_backward = _operators.find("torch", "ops.aten.elu_backward.default")
gelu_backward = _operators.find("torch", "ops.aten.gelu_backward.default")
silu_backward = _operators.find("torch", "ops.aten.silu_backward.default")
mish_backward = _operators.find("torch", "ops.aten.mish_backward.default")
sigmoid_backward = _operators.find("torch", "ops.aten.sigmoid_backward.default")
tanh_backward = _operators.find("torch", "ops.aten.tanh_backward.default")
batch_norm = _operators.find("torch", "native_batch_norm")
batch_norm_backward = _operators.find(
    "torch", "ops.aten.native_batch_norm_backward.default"
)
layer_norm = _operators.find("torch", "native_layer_norm")
layer_norm_backward = _operators.find(
    "torch", "ops.aten.native_layer_norm_backward.default"
)
fused_adamw = _operators.find("torch", "ops.aten._fused_adamw_.default")

# Whether autograd sees a tensor as a view of another. Without it, all pass for views.
view_test_of = _operators.attribute("_is_view", lambda: True)

# Random numbers of a user's module. Without the arguments of an operation, torch's global
# generator is seeded for it.

TorchDispatchMode = _random.find_class(
    "torch.utils._python_dispatch", "TorchDispatchMode"
)
schema_of = _random.attribute("_schema", None)

"""Every layer with a rule is written as torch computes it."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional

from sklearn_deep import MLPClassifier, OnnxExportError, register_onnx_layer, to_onnx
from sklearn_deep.data._layout import Layout
from sklearn_deep.export._to_onnx import OLDEST_OPSET
from sklearn_deep.export.graph._graph import DOUBLE, FLOAT, Graph, Value
from sklearn_deep.export.layers._feed_forward import (
    LAYERS,
    _rule_of,
    emit_network,
    has_float32_layers,
)
from sklearn_deep.export.skl2onnx._convert import newest_opset
from sklearn_deep.nn._activations import ACTIVATIONS
from sklearn_deep.nn._cnn import CNN
from sklearn_deep.nn._columns import Columns
from sklearn_deep.nn._conv_autoencoder import ConvAutoencoder, Restore
from sklearn_deep.nn._convolutions import (
    Branches,
    ChannelNorm,
    Convolution2d,
    Flatten,
    GlobalPool,
    Residual,
    Subsample,
)
from sklearn_deep.nn._dropout import AlphaDropout, Dropout
from sklearn_deep.nn._layout import Arrange
from sklearn_deep.nn._mlp import MLP, BatchNorm, Block, Output
from sklearn_deep.nn._quantization import Staged
from sklearn_deep.nn._quantized import Quantize, QuantizedLinear, WeightOnly
from sklearn_deep.nn._quantized_rnn import StoredEmbed, StoredLayer
from sklearn_deep.nn._rnn import (
    RNN,
    Arrive,
    Attention,
    Embed,
    Every,
    Last,
    Layer,
    Max,
    Mean,
)
from sklearn_deep.nn._stages import Tapped, UpTo
from sklearn_deep.nn._tabular import Average, Ensemble, SideBySide, TabularNetwork


def mlp(**changed):
    options = {
        "hidden_layer_sizes": (6, 6, 5),
        "activation": "relu",
        "activation_params": {},
        "dropout": (0.1, 0.0, 0.2),
        "normalization": None,
        "residual": False,
        **changed,
    }
    return MLP(4, 3, **options)


TABLE = {
    "n_numeric": 3,
    "n_plain": 1,
    "cardinalities": (),
    "numeric_embedding": "periodic",
    "category_embedding": 2,
    "n_outputs": 3,
    "hidden_layer_sizes": (6, 5),
    "activation": "relu",
    "activation_params": {},
    "dropout": (0.0, 0.0),
    "normalization": None,
    "residual": False,
}
# Cosines of large numbers have no precise float32 form.
OF_TABLES = {
    Columns: lambda: Columns(3, 1, (), "periodic", 2),
    TabularNetwork: lambda: TabularNetwork(**TABLE),
    Ensemble: lambda: Ensemble(3, "softmax", **TABLE),
    SideBySide: lambda: SideBySide([nn.Linear(4, 3), nn.Linear(4, 3)], first=True),
}

EXAMPLES = {
    MLP: mlp,
    Block: lambda: Block(4, 4, [nn.Tanh()], residual=True),
    Output: lambda: Output(4, 2),
    Dropout: lambda: Dropout(0.5),
    AlphaDropout: lambda: AlphaDropout(0.5),
    BatchNorm: lambda: BatchNorm(4),
    nn.Sequential: lambda: nn.Sequential(nn.Linear(4, 3), nn.Tanh()),
    nn.Linear: lambda: nn.Linear(4, 3),
    nn.BatchNorm1d: lambda: nn.BatchNorm1d(4, affine=False, eps=0.125),
    nn.LayerNorm: lambda: nn.LayerNorm(4, eps=0.125),
    nn.Softplus: lambda: nn.Softplus(beta=2),
    nn.PReLU: lambda: nn.PReLU(4),
}

COLOURED = Layout((5, 6, 2), (5, 6, 2))


def cnn(architecture="resnet", **changed):
    options = {
        "layout": COLOURED.plain(),
        "n_outputs": 3,
        "architecture": architecture,
        "conv_channels": [3, 4],
        "kernel_size": [3, 2],
        "stride": [1, 1],
        "pooling": None,
        "pool_size": 2,
        "global_pooling": "max",
        "residual": True,
        "hidden_layer_sizes": [5],
        "activation": "relu",
        "activation_params": {},
        "dropout": [0.1, 0.0],
        "normalization": "layer",
        **changed,
    }
    return CNN(**options)


def autoencoder():
    return ConvAutoencoder(
        layout=COLOURED.plain(),
        n_outputs=60,
        conv_channels=[3, 4],
        kernel_size=[3, 2],
        pool_size=2,
        code_size=4,
        activation="relu",
        activation_params={},
        normalization="batch",
    )


# Layers over series, (2, 9), and images, (2, 5, 6).
OVER_SERIES = {
    nn.Conv1d: lambda: nn.Conv1d(2, 3, 3, stride=2, padding=1, dilation=2),
    nn.ConvTranspose1d: lambda: nn.ConvTranspose1d(2, 3, 3, stride=2, padding=1),
    nn.ConstantPad1d: lambda: nn.ConstantPad1d((1, 3), 0.5),
    nn.MaxPool1d: lambda: nn.MaxPool1d(3, stride=2, padding=1),
    nn.AvgPool1d: lambda: nn.AvgPool1d(2),
    nn.AdaptiveAvgPool1d: lambda: nn.AdaptiveAvgPool1d(1),
    nn.AdaptiveMaxPool1d: lambda: nn.AdaptiveMaxPool1d(1),
    nn.Dropout1d: nn.Dropout1d,
}
OVER_IMAGES = {
    nn.Conv2d: lambda: nn.Conv2d(
        2, 4, (3, 2), stride=(1, 2), groups=2, padding="valid"
    ),
    Convolution2d: lambda: Convolution2d(2, 3, 3, padding=1, bias=False),
    nn.ConvTranspose2d: lambda: nn.ConvTranspose2d(
        2, 3, (3, 2), stride=2, output_padding=1
    ),
    nn.ConstantPad2d: lambda: nn.ConstantPad2d((1, 2, 3, 4), 0.5),
    nn.ZeroPad2d: lambda: nn.ZeroPad2d((1, 0, 2, 3)),
    nn.BatchNorm2d: lambda: nn.BatchNorm2d(2),
    nn.MaxPool2d: lambda: nn.MaxPool2d((3, 2), stride=2, padding=1, ceil_mode=True),
    nn.AvgPool2d: lambda: nn.AvgPool2d(2, padding=1, count_include_pad=False),
    nn.AdaptiveAvgPool2d: lambda: nn.AdaptiveAvgPool2d((1, 1)),
    nn.AdaptiveMaxPool2d: lambda: nn.AdaptiveMaxPool2d(1),
    nn.Dropout2d: nn.Dropout2d,
    nn.Upsample: lambda: nn.Upsample(size=(11, 7)),
    ChannelNorm: lambda: ChannelNorm(2),
    GlobalPool: lambda: GlobalPool("average"),
    Flatten: Flatten,
    Subsample: lambda: Subsample(2, 2),
    Residual: lambda: Residual(nn.Conv2d(2, 2, 1), nn.Identity(), nn.ReLU()),
    Branches: lambda: Branches([nn.Identity(), nn.ReLU()]),
    Restore: lambda: Restore(COLOURED),
}
# Layers over rows in the user's layout, (5, 6, 2).
OVER_ROWS = {
    Arrange: lambda: Arrange(COLOURED),
    CNN: cnn,
    ConvAutoencoder: autoencoder,
    Tapped: lambda: Tapped(cnn(), "blocks.1"),
    UpTo: lambda: UpTo(cnn().stages()[:2]),
}
# Layers over steps, (7, 4).
OVER_STEPS = {
    Arrive: lambda: Arrive(channels_first=False, tokens=False),
    Layer: lambda: Layer(4, 3, "gru", True, 0.1),
    nn.LSTM: lambda: nn.LSTM(4, 3, batch_first=True, bidirectional=True),
    nn.GRU: lambda: nn.GRU(4, 3, batch_first=True),
    nn.RNN: lambda: nn.RNN(4, 3, batch_first=True, nonlinearity="relu"),
    Last: lambda: nn.Sequential(Layer(4, 3, "lstm", True, None), Last(6, True)),
    Mean: lambda: Mean(4, False),
    Max: lambda: Max(4, False),
    Attention: lambda: Attention(4, False),
    Every: lambda: Every(4, True),
    Average: lambda: Average("softmax"),
    RNN: lambda: RNN(
        4,
        2,
        cell="gru",
        hidden_size=3,
        num_layers=2,
        bidirectional=True,
        readout="last",
        return_sequences=False,
        dropout=[0.1, 0.1],
        embedding_dim=None,
        channels_first=False,
    ),
}
# Layers over token codes are tested in test_sequences.py.
OVER_TOKENS = {nn.Embedding, Embed}
# Layers tested in test_quantized.py, which always compute in float32.
QUANTIZED = {Staged, Quantize, QuantizedLinear, WeightOnly, StoredEmbed, StoredLayer}
OTHERS = {
    **dict.fromkeys(OF_TABLES, (4,)),
    **dict.fromkeys(OVER_STEPS, (7, 4)),
    **dict.fromkeys(OVER_SERIES, (2, 9)),
    **dict.fromkeys(OVER_IMAGES, (2, 5, 6)),
    **dict.fromkeys(OVER_ROWS, COLOURED.row_shape),
    nn.Unflatten: (6,),
}
EXAMPLES |= {
    **OF_TABLES,
    **OVER_SERIES,
    **OVER_IMAGES,
    **OVER_ROWS,
    **OVER_STEPS,
    nn.Unflatten: lambda: nn.Unflatten(1, (2, 3)),
}


def example(kind):
    torch.manual_seed(0)
    module = EXAMPLES.get(kind, kind)()
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor.is_floating_point():
            tensor.data.uniform_(0.2, 1.5)
    return module.eval()


def run(module, rows, dtype=DOUBLE, opset=OLDEST_OPSET):
    graph, x = Graph(opset), Value("x", dtype)
    # An output must not be an input.
    out = graph.node("Identity", emit_network(graph, module, x, rows.shape[1:]))
    model = graph.model([(x, rows.shape[1:])], [out])
    assert [o.version for o in model.opset_import if o.domain == ""] == [opset]
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": rows.astype(dtype)})[0]


def assert_same(module, rows, dtype=DOUBLE, opset=OLDEST_OPSET):
    got = run(module, rows, dtype, opset)
    assert got.dtype == dtype
    kind = torch.float32 if dtype == FLOAT else torch.float64
    with torch.no_grad():
        expected = module.to(kind)(torch.from_numpy(rows.astype(dtype)).clone())
    if isinstance(expected, tuple):  # a recurrent layer also returns its states
        expected = expected[0]
    # The epsilon of a normalisation is float32 in ONNX.
    single = dtype == FLOAT or _has_erf(module) or has_float32_layers(module)
    tolerance = 2e-6 if single else 1e-9
    scale = max(1.0, expected.abs().max().item())
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)


def _has_erf(module):
    return any(
        isinstance(m, nn.GELU) and m.approximate == "none" for m in module.modules()
    )


@pytest.fixture
def rows():
    drawn = np.random.default_rng(0).normal(size=(20, 4))
    return np.concatenate([drawn, 50 * drawn, np.zeros((1, 4))])


@pytest.mark.oldest
@pytest.mark.parametrize("dtype", [FLOAT, DOUBLE], ids=str)
@pytest.mark.parametrize(
    "kind",
    [k for k in LAYERS if k not in OVER_TOKENS | QUANTIZED],
    ids=lambda kind: kind.__name__,
)
def test_a_layer_computes_the_same_in_every_opset(kind, opset, dtype, rows):
    if kind in OTHERS:
        rows = np.random.default_rng(0).normal(size=(7, *OTHERS[kind]))
    assert_same(example(kind), rows, dtype, opset)


@pytest.mark.parametrize("dtype", [FLOAT, DOUBLE], ids=str)
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_networks_of_every_activation_agree(
    activation, normalization, residual, dtype, rows
):
    row = ACTIVATIONS[activation]
    module = mlp(
        activation=activation,
        activation_params=row.defaults,
        normalization=normalization,
        residual=residual,
    )
    assert all(type(m) in LAYERS for m in module.modules())
    assert_same(module.eval(), rows, dtype)


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(2, 3, (1, 5), padding="same"),
        nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode="replicate"),
        nn.MaxPool2d(2, dilation=2),
        nn.PReLU(2),
        nn.Linear(6, 3),
        nn.LayerNorm((5, 6)),
        GlobalPool("max"),
        Arrange(Layout((2, 5, 6), (2, 5, 6), channels_last=False)),
        nn.Sequential(nn.Flatten(), nn.Linear(60, 2)),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [FLOAT, DOUBLE], ids=str)
def test_options_of_a_layer_over_images_agree(module, dtype):
    rows = np.random.default_rng(0).normal(size=(7, 2, 5, 6))
    assert_same(module.eval(), rows, dtype)


@pytest.mark.parametrize("mode", ["circular"])
def test_circular_padding_needs_a_newer_opset(mode):
    rows = np.random.default_rng(0).normal(size=(7, 2, 5, 6))
    module = nn.Conv2d(2, 3, 3, padding=1, padding_mode=mode).eval()
    assert_same(module, rows, FLOAT, newest_opset())


@pytest.mark.parametrize(
    "module",
    [
        nn.AdaptiveAvgPool2d(2),
        nn.MaxPool2d(2, return_indices=True),
        nn.AvgPool2d(2, divisor_override=3),
        nn.Upsample(scale_factor=2),
        nn.Unflatten(2, (2, 3)),
        nn.Flatten(1, 2),
        nn.AdaptiveAvgPool2d((1, None)),
        nn.ConvTranspose1d(2, 2, 2, dilation=2, output_padding=1),
    ],
    ids=str,
)
def test_unsupported_settings_of_a_layer_are_exported_by_torch(module):
    assert _rule_of(module) is None


@pytest.mark.parametrize(
    "module",
    [
        nn.LeakyReLU(0.4),
        nn.ELU(2.5),
        nn.GELU(approximate="tanh"),
        nn.LayerNorm(4, bias=False),
        nn.LayerNorm(4, elementwise_affine=False),
        nn.Linear(4, 3, bias=False),
        nn.PReLU(),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [FLOAT, DOUBLE], ids=str)
def test_options_of_a_layer_agree(module, dtype, rows):
    assert_same(module.eval(), rows, dtype)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Linear(3, 2)],
        [nn.PReLU(2)],
        [nn.Conv1d(2, 3, 2), nn.PReLU(3), nn.Linear(2, 2)],
    ],
    ids=str,
)
def test_flat_rows_may_get_more_axes_inside(layers):
    module = nn.Sequential(nn.Unflatten(1, (2, 3)), *layers, nn.Flatten())
    for tensor in module.parameters():
        tensor.data.uniform_(-1, 1)
    assert_same(module.eval(), np.random.default_rng(0).normal(size=(7, 6)))


def test_parametrized_weights_are_exported():
    normed = nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 2))
    assert_same(normed.eval(), np.random.default_rng(0).normal(size=(7, 2, 5, 6)))


def test_a_layer_with_a_hook_has_no_rule():
    layer = nn.Linear(4, 3)
    layer.register_forward_hook(lambda module, inputs, output: 2 * output)
    assert _rule_of(layer) is None


def test_batch_norm_without_running_statistics_is_refused(rows):
    with pytest.raises(OnnxExportError, match="track_running_stats=False"):
        run(nn.BatchNorm1d(4, track_running_stats=False).eval(), rows)


# User-defined layers


class Squared(nn.Module):
    def forward(self, x):
        return x * x


class Pair(nn.Module):
    """A layer whose parts have no rule."""

    def __init__(self):
        super().__init__()
        self.first, self.second = Squared(), Squared()

    def forward(self, x):
        return self.first(x) + self.second(x)


class Kernel(nn.Module):
    """A functional convolution, which onnxruntime has in float32 only."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 1, 3) / 3)

    def forward(self, x):
        return functional.conv1d(x[:, None], self.weight).flatten(1)


class Twice(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Undecided(nn.Module):
    def forward(self, x):
        return x if float(x.sum()) > 3 else 2 * x


def fitted(layer):
    X = np.random.default_rng(0).normal(size=(40, 4))
    network = MLPClassifier((6,), max_epochs=1, random_state=0).fit(X, X[:, 0] > 0)
    network.module_.hidden.append(layer)
    return network, X


def test_a_registered_layer_is_written_by_its_rule(rows):
    before = dict(LAYERS)
    try:
        register_onnx_layer(Squared, lambda graph, module, x: graph.node("Mul", x, x))
        assert_same(nn.Sequential(nn.Linear(4, 3), Squared()), rows)
    finally:
        LAYERS.clear()
        LAYERS.update(before)


def test_a_rule_of_a_layer_covers_its_parts(rows):
    before = dict(LAYERS)
    try:
        register_onnx_layer(
            Pair,
            lambda graph, module, x: graph.math("Mul", graph.node("Mul", x, x), 2.0),
        )
        assert_same(nn.Sequential(nn.Linear(4, 3), Pair()), rows, opset=OLDEST_OPSET)
    finally:
        LAYERS.clear()
        LAYERS.update(before)


@pytest.mark.parametrize("nonsense", [3, "Linear", Squared(), dict])
def test_only_modules_have_rules(nonsense):
    with pytest.raises(TypeError, match="module_class must be a class"):
        register_onnx_layer(nonsense, lambda graph, module, x: x)


def test_a_rule_is_a_function():
    with pytest.raises(TypeError, match="rule must be callable"):
        register_onnx_layer(Squared, "Mul")


@pytest.mark.slow
def test_operators_without_float64_kernel_compute_in_float32(rows):
    got = run(Kernel(), rows, DOUBLE, opset=18)
    expected = Kernel()(torch.from_numpy(rows).float()).detach()
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
    assert got.dtype == DOUBLE


@pytest.mark.slow
@pytest.mark.parametrize("layer", [Squared(), Twice(6, 6).double()], ids=repr)
def test_other_layers_go_through_torchs_exporter(layer, capsys):
    network, X = fitted(layer)
    export = to_onnx(network, X)
    assert export.receipt["differences"]["predict_proba"]["relative"] < 1e-12
    out = capsys.readouterr()
    assert out.out == out.err == ""


@pytest.mark.slow
def test_the_error_names_an_unsupported_layer_and_the_alternatives(capsys):
    network, X = fitted(Undecided())
    with pytest.raises(OnnxExportError, match="layer Undecided") as caught:
        to_onnx(network, X)
    assert "register_onnx_layer" in str(caught.value)
    assert "torch.onnx.export" in str(caught.value)
    assert capsys.readouterr().err == ""


def test_torchs_exporter_needs_a_later_opset():
    network, X = fitted(Squared())
    with pytest.raises(OnnxExportError, match="opset 18 or newer"):
        to_onnx(network, X, target_opset=17)

"""Networks for tables to ONNX: columns of every kind, ensembles as batched products."""

import numpy as np
import onnxruntime
import pytest
import torch

from sklearn_deep.export.graph._graph import DOUBLE, FLOAT, Graph, Value
from sklearn_deep.export.layers._feed_forward import emit_network
from sklearn_deep.nn._columns import NUMERIC_EMBEDDINGS
from sklearn_deep.nn._initializers import Initialization
from sklearn_deep.nn._tabular import AVERAGES, drawn_ensemble
from sklearn_deep.training.job._seeds import generator

N_NETWORKS, CARDINALITIES = 3, (4, 6)


def rows(n=40):
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, m, (n, 1)) for m in CARDINALITIES]
    return np.concatenate([2 * rng.normal(size=(n, 5)), *codes], 1)


def ensemble(kind, columns=(3, 2, CARDINALITIES), **changed):
    n_numeric, n_plain, cardinalities = columns
    architecture = {
        "n_networks": N_NETWORKS,
        "kind": kind,
        "n_numeric": n_numeric,
        "n_plain": n_plain,
        "cardinalities": cardinalities,
        "n_outputs": 2,
        "numeric_embedding": "periodic",
        "category_embedding": 5,
        "hidden_layer_sizes": (8, 7),
        "activation": "relu",
        "activation_params": {},
        "dropout": (0.1, 0.1),
        "normalization": None,
        "residual": False,
        **changed,
    }
    how = Initialization.make("Net", "auto", None, "zeros", "relu", None)
    draws = [generator(k, "weights") for k in range(N_NETWORKS)]
    x = torch.from_numpy(rows()[:, : n_numeric + n_plain + len(cardinalities)])
    module = drawn_ensemble(architecture, how, draws, x)
    for network in module.networks:
        for p in network.parameters():
            if p.ndim == 1:
                p.data.normal_(generator=draws[0])
    return module.eval()


def write(module, n_columns, dtype):
    graph, x = Graph(18), Value("x", dtype)
    out = graph.node("Identity", emit_network(graph, module, x, (n_columns,)))
    return graph.model([(x, (n_columns,))], [out])


def assert_same(module, X, dtype):
    model = write(module, X.shape[1], dtype)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for part in (X, X[:1], X[:0]):
        (got,) = session.run(None, {"x": part.astype(dtype)})
        with torch.no_grad():
            given = torch.from_numpy(part.astype(dtype))
            expected = module.to(given.dtype)(given).numpy()
        scale = max(1, abs(expected).max(initial=0))
        tolerance = scale * (3e-6 if dtype == FLOAT else 1e-9)
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance)
    return model


@pytest.mark.parametrize("dtype", [FLOAT, DOUBLE], ids=str)
@pytest.mark.parametrize("kind", AVERAGES)
@pytest.mark.parametrize("embedding", [None, *NUMERIC_EMBEDDINGS])
def test_an_ensemble_is_written_as_one_network(embedding, kind, dtype):
    module = ensemble(kind, numeric_embedding=embedding)
    model = assert_same(module, rows(), dtype)
    products = [node for node in model.graph.node if node.op_type in ("MatMul", "Gemm")]
    # Columns as they are, vectors of categories, two layers; an embedding has two more.
    assert len(products) == 4 + 2 * (embedding is not None)


@pytest.mark.parametrize("sizes", [(), (6,)])
@pytest.mark.parametrize(
    "columns", [(0, 3, ()), (3, 0, ()), (0, 0, (4,)), (1, 0, (4,)), (0, 2, (4, 6))]
)
def test_columns_of_any_kind_may_be_missing(columns, sizes):
    module = ensemble(
        "real", columns, hidden_layer_sizes=sizes, dropout=(0.0,) * len(sizes)
    )
    n_numeric, n_plain, cardinalities = columns
    X = np.concatenate([rows()[:, : n_numeric + n_plain], rows()[:, 5:]], 1)
    assert_same(module, X[:, : n_numeric + n_plain + len(cardinalities)], DOUBLE)


@pytest.mark.parametrize(
    "changed",
    [{"normalization": "layer"}, {"residual": True}, {"activation": "prelu"}],
    ids=str,
)
def test_other_layers_are_written_network_by_network(changed):
    assert_same(ensemble("sigmoid", **changed), rows(), DOUBLE)


def test_networks_of_different_widths_are_written_one_by_one():
    module, other = ensemble("real"), ensemble("real", hidden_layer_sizes=(5, 7))
    module.networks[1] = other.networks[1]
    assert_same(module, rows(), DOUBLE)


def test_confident_networks_stay_finite():
    module = ensemble("sigmoid")
    for network in module.networks:
        network.output.bias.data.fill_(200.0)
    assert_same(module, rows(), FLOAT)

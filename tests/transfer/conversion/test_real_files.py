"""Networks that packages ship are read; skipped where a package is not installed."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from sklearn_deep import from_onnx

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)

# Package, file, rows, output, number of trainable values.
FILES = [
    (
        "basic_pitch",
        "saved_models/icassp_2022/nmp.onnx",
        RNG.normal(size=(2, 43844, 1)).astype(np.float32),
        "StatefulPartitionedCall:2",
        35_736,
    ),
    (
        "magika",
        "models/standard_v3_3/model.onnx",
        RNG.integers(0, 256, (4, 2048)),
        None,
        784_215,
    ),
    (
        "rapidocr_onnxruntime",
        "models/ch_PP-OCRv4_det_infer.onnx",
        RNG.normal(size=(2, 3, 64, 96)).astype(np.float32),
        None,
        1_171_593,
    ),
    (
        "rapidocr_onnxruntime",
        "models/ch_PP-OCRv4_rec_infer.onnx",
        RNG.normal(size=(2, 3, 48, 64)).astype(np.float32),
        None,
        1_000_000,
    ),
    (
        "rapidocr_onnxruntime",
        "models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        RNG.normal(size=(4, 3, 48, 192)).astype(np.float32),
        None,
        100_000,
    ),
]


@pytest.mark.parametrize(("package", "file", "X", "output", "n_values"), FILES)
def test_a_file_of_a_package_is_read(package, file, X, output, n_values):
    found = find_spec(package)
    if found is None:
        pytest.skip(f"{package} is not installed")
    path = Path(next(iter(found.submodule_search_locations))) / file
    network = from_onnx(path, output=output, X_check=X)
    assert network.receipt_["difference"] <= 1e-5
    assert network.receipt_["trainable_parameters"] >= n_values
    assert len(network.predict(X)) == len(X)

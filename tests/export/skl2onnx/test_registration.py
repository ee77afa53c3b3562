"""Converters are registered in any order of imports, and change nothing else."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from sklearn_deep import MLPClassifier

pytestmark = pytest.mark.oldest

USE = """
import sys
import numpy as np
X = np.random.default_rng(0).normal(size=(30, 3))
y = X[:, 0] > 0
class Mine(MLPClassifier):
    pass
class Held(ValidationHoldout):
    pass
network = dict(hidden_layer_sizes=(4,), max_epochs=1, random_state=0)
for model in (MLPClassifier(**network), Mine(**network),
              ValidationHoldout(Mine(**network)), Held(MLPClassifier(**network))):
    proto = skl2onnx.to_onnx(model.fit(X, y), X)
    assert [o.name for o in proto.graph.output] == ["output_label", "output_probability"]
assert not [f for f in sys.meta_path if type(f).__module__ == "sklearn_deep._late"]
assert "_late" not in type(skl2onnx.__spec__.loader).__module__
print("converted")
"""
OURS = "from sklearn_deep import MLPClassifier, ValidationHoldout\n"
ORDERS = {
    "skl2onnx first": "import skl2onnx\n" + OURS,
    "ours first": OURS + "import skl2onnx\n",
    "the package first": "import sklearn_deep, skl2onnx\n" + OURS,
    "a part of skl2onnx first": "import skl2onnx.helpers\n"
    + OURS
    + "import skl2onnx\n",
    "another estimator first": (
        "from sklearn_deep import MLPRegressor\nimport skl2onnx\n" + OURS
    ),
}


def run(code, **kwargs):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
def test_converters_are_registered_in_every_order_of_imports(order):
    assert run(ORDERS[order] + USE) == "converted\n"


def test_the_package_alone_loads_nothing_of_onnx():
    code = (
        "import sys, sklearn_deep\n"
        "heavy = {'onnx', 'skl2onnx', 'onnxruntime', 'torch', 'sklearn', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert run(code) == "[]\n"


@pytest.mark.slow
def test_estimators_load_nothing_of_onnx_and_skl2onnx_loads_no_torch():
    code = "import sys\n{}\nprint(sorted({{'onnx', 'torch'}} & set(sys.modules)))"
    assert run(code.format("from sklearn_deep import MLPClassifier")) == "['torch']\n"
    assert run(code.format("import sklearn_deep, skl2onnx")) == "['onnx']\n"


@pytest.mark.slow
def test_an_unpickled_network_converts(tmp_path):
    X = np.random.default_rng(0).normal(size=(30, 3))
    network = MLPClassifier((4,), max_epochs=1).fit(X, X[:, 0] > 0)
    (tmp_path / "network.pkl").write_bytes(pickle.dumps(network))
    code = (
        "import pickle, skl2onnx, numpy as np\n"
        f"network = pickle.load(open({str(tmp_path / 'network.pkl')!r}, 'rb'))\n"
        "print(len(skl2onnx.to_onnx(network, np.zeros((1, 3))).graph.output))"
    )
    assert run(code.replace("open(", "__import__('io').FileIO(")) == "2\n"


FOREIGN = """
import numpy as np, skl2onnx, warnings
warnings.simplefilter("ignore")
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
X = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
y = np.arange(60) % 3
pipe = make_pipeline(StandardScaler(), LogisticRegression())
for model in (
    pipe,
    GridSearchCV(pipe, {"logisticregression__C": [1.0]}, cv=2),
    VotingClassifier([("a", LogisticRegression())], voting="soft", flatten_transform=False),
    CalibratedClassifierCV(LogisticRegression(), cv=2),
    BaggingClassifier(LogisticRegression(), n_estimators=2, random_state=0),
    OneVsRestClassifier(LogisticRegression()),
):
    print(skl2onnx.to_onnx(model.fit(X, y), X[:1]).graph.node)
"""


@pytest.mark.slow
def test_models_without_our_estimators_are_converted_unchanged():
    assert run(OURS + FOREIGN) == run(FOREIGN)

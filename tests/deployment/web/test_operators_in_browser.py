"""Every operator that a verified file may contain is in the build of onnxruntime-web."""

import warnings

import onnxruntime
import pytest

from browser import serve
from sklearn_deep.serving._operators import OPERATORS

pytestmark = pytest.mark.browser

# Versions of ONNX's format and of its operators that both builds read.
IR_VERSION, OPSETS = 10, (22, 23, 24)
# onnx has no example of one node alone; the pipelines of the tests have the most of them.
NAMES = """
CDist CategoryMapper ConcatFromSequence FeatureVectorizer GlobalLpPool Imputer
LinearClassifier LinearRegressor Normalizer OneHotEncoder SVMClassifier SVMRegressor Scaler
SequenceAt SequenceConstruct SequenceLength Tokenizer TreeEnsembleClassifier
TreeEnsembleRegressor ZipMap
"""
WITHOUT_EXAMPLE = set(NAMES.split())

PAGE = """<!doctype html><meta charset="utf-8"><script type="module">
import * as ort from "./runtime/ort.wasm.bundle.min.mjs";
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "fatal";
window.ort = ort;
</script>"""

OPEN_ALL = """
const faults = {};
for (const name of arguments[0]) {
  const options = {executionProviders: ["wasm"], logSeverityLevel: 4};
  try { await (await ort.InferenceSession.create(name, options)).release(); }
  catch (error) { faults[name] = String(error).slice(-200); }
}
return faults;
"""


def examples():
    """Operator and model of each of onnx's examples of one node that Python can open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    for case in cases:
        if case.model is None or len(case.model.graph.node) != 1:
            continue
        node = case.model.graph.node[0]
        if node.op_type not in OPERATORS.get(node.domain, ()):
            continue
        case.model.ir_version = min(case.model.ir_version, IR_VERSION)
        content = next(filter(opens, of_versions(case.model)), None)
        if content is not None:
            yield node.op_type, content


def of_versions(model):
    """The model with its operators in each of the versions."""
    newest = {entry.domain: entry.version for entry in model.opset_import}
    for opset in OPSETS:
        for entry in model.opset_import:
            if entry.domain == "":
                entry.version = min(newest[""], opset)
        yield model.SerializeToString()


def opens(content):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
    except Exception:
        return False
    return True


def test_every_operator_is_in_the_build(browser, runtime, tmp_path):
    (tmp_path / "runtime").symlink_to(runtime / "dist")
    (tmp_path / "index.html").write_text(PAGE)
    files = {}
    for operator, content in examples():
        name = f"{operator}-{sum(n.startswith(f'{operator}-') for n in files)}.onnx"
        if len([n for n in files if n.startswith(f"{operator}-")]) < 3:
            (tmp_path / name).write_bytes(content)
            files[name] = operator
    with serve(tmp_path) as address:
        browser.open(address)
        browser.wait("window.ort !== undefined")
        faults = browser.run_async(OPEN_ALL, list(files), seconds=300)
    known = {op for names in OPERATORS.values() for op in names}
    opened = {operator for name, operator in files.items() if name not in faults}
    assert sorted(known - opened) == sorted(WITHOUT_EXAMPLE), faults

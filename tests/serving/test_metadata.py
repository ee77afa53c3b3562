"""The checksum of a file, and the errors about files that are not exports."""

import pickle

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_deep import MLPClassifier, OnnxClassifier, OnnxFileError, to_onnx
from sklearn_deep.serving._metadata import (
    check_checksum,
    has_checksum,
    read_metadata,
    with_checksum,
)


@pytest.fixture(scope="module")
def content():
    X = np.random.default_rng(0).normal(size=(20, 3))
    network = MLPClassifier((4,), max_epochs=1, random_state=0).fit(X, X[:, 0] > 0)
    return to_onnx(network, X).to_bytes()


def test_a_file_with_a_checksum_is_an_onnx_model(content):
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(content)
    assert [out.name for out in session.get_outputs()] == ["label", "probabilities"]
    assert model.metadata_props[-1].key == "sklearn_deep.sha256"


def test_the_checksum_is_valid_for_its_own_content_only():
    assert not has_checksum(b"anything")
    check_checksum(with_checksum(b"anything"))
    with pytest.raises(OnnxFileError, match="damaged or changed"):
        check_checksum(b"anything")


def test_a_file_without_checksum_is_read_with_verify_false_only(content):
    stripped = content[: len(content) - len(with_checksum(b""))]
    with pytest.raises(OnnxFileError, match="verify=False"):
        OnnxClassifier(stripped).predict(np.zeros((1, 3)))
    assert OnnxClassifier(stripped, verify=False).predict(np.zeros((1, 3))).shape == (
        1,
    )


@given(data=st.data())
@settings(max_examples=200)
def test_any_changed_byte_is_detected(content, data):
    place = data.draw(st.integers(0, len(content) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda v: v != content[place]))
    changed = content[:place] + bytes([value]) + content[place + 1 :]
    with pytest.raises(OnnxFileError):
        OnnxClassifier(changed).predict(np.zeros((1, 3)))


@given(data=st.data())
@settings(max_examples=200)
def test_a_truncated_file_is_refused_at_any_length(content, data):
    length = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(OnnxFileError, match=r"truncated|empty|not written by|changed"):
        OnnxClassifier(content[:length]).predict(np.zeros((1, 3)))


@given(junk=st.binary(min_size=1, max_size=200))
def test_random_bytes_are_refused(junk):
    with pytest.raises(OnnxFileError):
        OnnxClassifier(junk).predict([[0.0]])


@pytest.mark.parametrize(
    "junk",
    [b"<html></html>", pickle.dumps({"a": 1}), b"PK\x03\x04zip", b"\x89PNG\r\n"],
    ids=["html", "pickle", "zip", "png"],
)
def test_the_error_names_a_file_that_is_not_onnx(junk):
    with pytest.raises(OnnxFileError, match="not an ONNX model"):
        OnnxClassifier(junk).predict([[0.0]])


def test_the_error_names_an_empty_file():
    with pytest.raises(OnnxFileError, match="is empty"):
        OnnxClassifier(b"").predict([[0.0]])


def test_verify_false_reads_a_damaged_file(content):
    place = content.index(
        b"sklearn_deep 0"
    )  # in the description, where a change is harmless
    changed = content[:place] + b"SKLEARN" + content[place + 7 :]
    with pytest.raises(OnnxFileError, match="verify=False"):
        OnnxClassifier(changed).predict(np.zeros((1, 3)))
    reader = OnnxClassifier(changed, verify=False)
    assert reader.predict(np.zeros((1, 3))).shape == (1,)


def test_metadata_without_our_entry_are_refused():
    with pytest.raises(OnnxFileError, match=r"not written by sklearn_deep\.to_onnx"):
        read_metadata({"classes": "[]"})


def test_an_onnx_file_of_another_origin_is_refused(content):
    model = onnx.load_from_string(content)
    del model.metadata_props[:]
    with pytest.raises(OnnxFileError, match=r"not written by sklearn_deep\.to_onnx"):
        OnnxClassifier(model.SerializeToString()).predict(np.zeros((1, 3)))


@pytest.mark.parametrize(
    "metadata", ["", "text", "3", "[]", "{}", '{"format": "1", "package_version": "0"}']
)
def test_an_entry_that_is_not_ours_is_refused(metadata):
    with pytest.raises(OnnxFileError, match=r"metadata entry .* is damaged"):
        read_metadata({"sklearn_deep": metadata})


def test_metadata_of_a_later_format_ask_for_an_upgrade():
    with pytest.raises(OnnxFileError, match=r"sklearn_deep 9\.0.*Upgrade"):
        read_metadata({"sklearn_deep": '{"format": 99, "package_version": "9.0"}'})


@pytest.mark.parametrize(("kind", "name"), [("inputs", "X"), ("outputs", "label")])
def test_a_graph_without_the_names_in_its_metadata_is_refused(content, kind, name):
    model = onnx.load_from_string(content)
    del model.metadata_props[-1]  # the checksum
    other = "renamed"
    fields = model.graph.input if kind == "inputs" else model.graph.output
    next(info for info in fields if info.name == name).name = other
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [other if n == name else n for n in names]
    reader = OnnxClassifier(model.SerializeToString(), verify=False)
    with pytest.raises(OnnxFileError, match=rf"lacks the {kind} \['{name}'\]"):
        reader.predict(np.zeros((1, 3)))

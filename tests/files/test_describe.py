"""What is in a file is told without loading it; signatures, devices, the command line."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_deep
from sklearn_deep import (
    InvalidParameterError,
    MLPClassifier,
    MLPRegressor,
    ModelFileError,
    describe,
    load,
    save,
    sign,
)
from sklearn_deep.files._container import Container
from sklearn_deep.files._describe import main
from sklearn_deep.files._manifest import LISTED, Manifest

FRAME = pd.DataFrame(
    np.random.default_rng(0).normal(size=(24, 3)), columns=["a", "b", "\N{SNOWMAN}"]
)
LABELS = np.array(["no", "yes"])[np.arange(24) % 2]


@pytest.fixture(scope="module")
def model():
    network = MLPClassifier((4,), max_epochs=2, random_state=0)
    return make_pipeline(StandardScaler(), network).fit(FRAME, LABELS)


@pytest.fixture
def path(model, tmp_path):
    path = tmp_path / "model.skd"
    save(model, path)
    return path


def test_a_description_names_model_networks_columns_and_classes(path):
    told = describe(path)
    assert told["model"] == "sklearn.pipeline.Pipeline"
    assert told["networks"] == ["MLPClassifier: 21 parameters, 2 epochs"]
    assert told["n_features_in"] == 3
    assert told["feature_names_in"] == ["a", "b", "\N{SNOWMAN}"]
    assert told["classes"] == ["'no'", "'yes'"]
    assert told["versions"]["sklearn_deep"] == sklearn_deep.__version__
    assert told["size"] == path.stat().st_size
    assert told["types"] == []
    assert not told["signed"]


def test_a_regressor_has_no_classes_and_an_array_no_names(tmp_path):
    network = MLPRegressor((4,), max_epochs=2).fit(FRAME.to_numpy(), FRAME["a"])
    save(network, tmp_path / "model.skd")
    told = describe(tmp_path / "model.skd")
    assert told["classes"] is told["n_classes"] is told["feature_names_in"] is None


def test_a_damaged_file_is_not_described(path):
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match="damaged"):
        describe(path)


def test_neither_torch_nor_skops_is_needed_to_describe(path):
    code = (
        "import sys; sys.modules['torch'] = sys.modules['skops'] = None;"
        " from sklearn_deep import describe; print(describe(sys.argv[1])['model'])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, path], check=True, capture_output=True, text=True
    )
    assert out.stdout.strip() == "sklearn.pipeline.Pipeline"


def test_the_command_line_prints_it(path):
    command = [sys.executable, "-m", "sklearn_deep", "describe", str(path)]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "networks:         MLPClassifier: 21 parameters, 2 epochs" in out.stdout


def test_the_command_line_tells_of_a_bad_file_and_prints_no_control_characters(
    path, capsys
):
    assert main(["describe", str(path.parent)]) == 1
    assert "is a folder" in capsys.readouterr().err
    manifest = json.loads(Container.read(path).manifest)
    manifest["model"] = "\x1b[2J"
    Container.make(path, json.dumps(manifest).encode(), b"").write()
    assert main(["describe", str(path)]) == 0
    assert "\x1b" not in capsys.readouterr().out


class Wide(BaseEstimator):
    feature_names_in_ = np.array(["x" * 1000] * 1000)
    classes_ = np.arange(10**5)


def test_a_manifest_lists_some_names_and_counts_the_others():
    manifest = Manifest.of(Wide(), [], [])
    assert len(manifest.feature_names_in) == len(manifest.classes) == LISTED
    assert manifest.n_classes == 10**5
    assert len(manifest.dump()) < 10**5


@pytest.mark.parametrize("field", ["model", "types", "n_classes", "versions"])
def test_a_wrong_field_of_a_manifest_is_named(field):
    fields = json.loads(Manifest.of(Wide(), [], []).dump())
    fields[field] = [1]
    with pytest.raises(ModelFileError, match=f"wrong '{field}'"):
        Manifest.parse(json.dumps(fields).encode(), "model.skd")


# Signatures


def pem(key):
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, public


@pytest.fixture(scope="module")
def key():
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.mark.parametrize("as_pem", [False, True])
def test_a_signed_file_loads_with_its_key_and_without(as_pem, key, path, model):
    private, public = pem(key) if as_pem else (key, key.public_key())
    before = describe(path)["sha256"]
    sign(path, private)
    assert describe(path)["signed"]
    assert describe(path)["sha256"] == before
    for given in (public, None):
        loaded = load(path, public_key=given)
        assert (loaded.predict(FRAME) == model.predict(FRAME)).all()


def test_a_file_without_a_signature_or_with_another_is_refused(key, path):
    with pytest.raises(ModelFileError, match="is not signed"):
        load(path, public_key=key.public_key())
    sign(path, Ed25519PrivateKey.generate())
    with pytest.raises(ModelFileError, match="was not signed with the private key"):
        load(path, public_key=key.public_key())


def test_the_signature_of_one_file_does_not_fit_another(key, path, tmp_path):
    sign(path, key)
    other = tmp_path / "other.skd"
    save(MLPRegressor((4,), max_epochs=2).fit(FRAME, FRAME["a"]), other)
    Container.read(other).signed(Container.read(path).signature).write()
    assert describe(other)["signed"]
    with pytest.raises(ModelFileError, match="was not signed with the private key"):
        load(other, public_key=key.public_key())


def test_other_keys_are_refused(key, path):
    with pytest.raises(TypeError, match=r"must be an Ed25519PrivateKey.*got X25519"):
        sign(path, X25519PrivateKey.generate())
    with pytest.raises(
        TypeError, match=r"must be an Ed25519PublicKey.*got Ed25519Private"
    ):
        load(path, public_key=key)


# Devices


def test_networks_are_put_on_the_device(path):
    found = load(path, device="auto")[-1].module_
    best = "cuda" if torch.cuda.is_available() else found.output.weight.device.type
    assert found.output.weight.device.type == best
    assert load(path)[-1].module_.output.weight.device.type == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is such a device")
def test_a_device_that_is_not_there_is_named(path):
    with pytest.raises(InvalidParameterError, match="'cuda', and torch sees no such"):
        load(path, device="cuda")


def test_an_unknown_device_is_refused(path):
    with pytest.raises(InvalidParameterError, match="device"):
        load(path, device="tpu")

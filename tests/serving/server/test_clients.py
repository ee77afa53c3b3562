"""Clients that others wrote, unchanged; each lives in an environment of its own.

``make test-clients`` makes that environment and names its interpreter. What the clients
need conflicts with the versions that the project is tested with.
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

CLIENTS = Path(__file__).parents[2] / "clients"
PYTHON = os.environ.get("CLIENTS_PYTHON")

pytestmark = pytest.mark.skipif(
    PYTHON is None, reason="CLIENTS_PYTHON names no interpreter: run make test-clients"
)


def run(*command, **kwargs):
    command = [*map(str, command)]
    done = subprocess.run(command, capture_output=True, text=True, **kwargs)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def server(running_server, models):
    return running_server([models.folder], "--grpc-port", 0)


@pytest.fixture(scope="module")
def expected(models, flowers, tmp_path_factory):
    """Rows, and what the estimators say to them."""
    X = flowers[0].dropna().iloc[::7]
    numbers = X.iloc[:, :4].to_numpy()
    said = {"in X": numbers}
    for name in X.columns:
        column = X[[name]].to_numpy()
        said[f"in {name}"] = column.astype(object) if name == "garden" else column
    for name, rows in [("flowers", X), ("plain", numbers)]:
        model = models.fitted[name]
        said[f"{name} label"] = model.predict(rows)
        said[f"{name} p"] = model.predict_proba(rows)
    file = tmp_path_factory.mktemp("expected") / "expected.npz"
    np.savez(file, **{k: np.asarray(v) for k, v in said.items()})
    return file


@pytest.mark.parametrize(
    ("client", "module"), {"triton": "tritonclient", "kserve": "kserve"}.items()
)
def test_a_client_gets_what_the_estimators_say(server, expected, client, module):
    if subprocess.run([PYTHON, "-c", f"import {module}"]).returncode:
        pytest.skip(f"{module} is not in the environment of the clients")
    script = CLIENTS / f"ask_{client}.py"
    out = run(PYTHON, "-W", "ignore", script, server.url, server.grpc, expected)
    assert out.endswith("equal\n")


def test_nothing_that_the_schema_allows_makes_the_server_fail(server, tmp_path):
    known = '[parameters]\n"path.name" = "plain"\n"path.version" = "1"\n'
    config = tmp_path / "schemathesis.toml"
    config.write_text(known)
    schemathesis = Path(PYTHON).with_name("schemathesis")
    run(
        *(schemathesis, "--config-file", config, "run", server.url + "/openapi.json"),
        *("--max-examples", 30, "--generation-deterministic", "--no-color"),
        *("--checks", "not_a_server_error,content_type_conformance"),
        *("--checks", "response_schema_conformance,unsupported_method"),
        cwd=tmp_path,  # it keeps what it finds beside itself
    )


def test_rows_are_answered_as_the_schema_of_their_model_says(server, tmp_path):
    schemathesis = Path(PYTHON).with_name("schemathesis")
    run(
        *(schemathesis, "run", server.url + "/openapi.json"),
        *("--include-path-regex", "/v1/models/(flowers|plain)/predict"),
        *("--max-examples", 50, "--generation-deterministic", "--no-color"),
        # That all columns have one length cannot be said in a schema.
        *("--exclude-checks", "positive_data_acceptance"),
        cwd=tmp_path,
    )

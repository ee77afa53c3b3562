"""The files' half of survival.py: kills while saving, damaged files, hostile files, costs."""

import io
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    ModelFileError,
    Quantized,
    RNNClassifier,
    TabularClassifier,
    save,
)
from sklearn_deep.files._archive import SCHEMA
from sklearn_deep.files._container import Container

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(60, 6))
IMAGES = RNG.integers(0, 256, size=(60, 1, 8, 8)).astype(np.uint8)
LABELS = np.arange(60) % 3
FRAME = pd.DataFrame(
    {
        "town": ["A", "B", None] * 20,
        "size": np.where(ROWS[:, 1] > 1, np.nan, ROWS[:, 1]),
        "day": pd.date_range("2024-01-01", periods=60, freq="9h"),
        "open": ROWS[:, 0] > 0,
    }
)
QUICK = {"max_epochs": 2, "random_state": 0}
QUANTILES = {"loss": "quantile", "loss_params": {"quantile": [0.1, 0.5, 0.9]}}


def models():
    """Fitted models of all kinds of features and targets, and rows for each."""
    words = ["a b", "b", "c a"] * 20
    unfitted = {
        "mlp": (MLPClassifier((4,), **QUICK), ROWS, LABELS),
        "regressor": (
            MLPRegressor((4,), early_stopping=True, **QUANTILES, **QUICK),
            ROWS,
            ROWS[:, :2],
        ),
        "cnn": (CNNClassifier((2,), channels="first", **QUICK), IMAGES, LABELS),
        "tokens": (RNNClassifier(4, analyzer="word", **QUICK), words, LABELS),
        "frame": (TabularClassifier((4,), n_networks=2, **QUICK), FRAME, LABELS),
        "quantized": (Quantized(MLPClassifier((4,), **QUICK)), ROWS, LABELS),
        "pipeline": (
            make_pipeline(StandardScaler(), MLPClassifier((4,), **QUICK)),
            ROWS,
            LABELS,
        ),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: (m.fit(X, y), X) for name, (m, X, y) in unfitted.items()}


# Kills

# Saves two models in turn; the line tells when the next save begins.
_SAVER = """
import sys
import numpy as np
from sklearn_deep.files._container import Container
path, first, second = sys.argv[1:]
files = [Container.read(name) for name in (first, second)]
import dataclasses
files = [dataclasses.replace(file, path=path) for file in files]
print("ready", flush=True)
while True:
    for file in files:
        file.write()
"""


def kills(n, megabytes=8):
    """Kill a process that writes a file again and again; count torn files.

    Returns
    -------
    dict
        Number of kills, of those in the middle of a write (a temporary file was there),
        of torn files, and of the same with ``joblib.dump`` and ``torch.save``.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = _two_files(Path(folder), megabytes)
        result = {"kills": n, **_killed(n, Path(folder), files, _SAVER, _opens)}
        few = max(n // 10, 10)
        for name, (code, opens) in _PEERS.items():
            torn = _killed(few, Path(folder), files, code, opens)["torn"]
            result[f"torn of {name}, of {few}"] = torn
    return result


def _two_files(folder, megabytes):
    """Two model files of about this size."""
    width = int((megabytes * 1e6 / 4) ** 0.5)
    paths = []
    for seed in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = MLPClassifier((width, width), max_epochs=1, random_state=seed)
            network.fit(ROWS, LABELS)
        paths.append(folder / f"model-{seed}.skd")
        save(network, paths[-1])
    return paths


def _killed(n, folder, files, code, opens):
    path = folder / "target"
    torn = middle = 0
    random_state = random.Random(0)
    for _ in range(n):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path), *map(str, files)],
            stdout=subprocess.PIPE,
        )
        kills_left = 1
        process.stdout.readline()
        time.sleep(random_state.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        parts = list(folder.glob(".target.*.tmp"))
        middle += bool(parts) * kills_left
        torn += path.exists() and not opens(path)
        for part in parts:
            part.unlink()
    path.unlink(missing_ok=True)
    return {"in the middle of a write": middle, "torn": torn}


def _opens(path):
    try:
        Container.read(path)
    except ModelFileError:
        return False
    return True


def _opens_with(read):
    def opens(path):
        try:
            read(path)
        except Exception:
            return False
        return True

    return opens


_PEER = """
import sys
import numpy as np
{imports}
arrays = [np.random.default_rng(i).normal(size=(1000, 1000)) for i in range(2)]
print("ready", flush=True)
while True:
    for array in arrays:
        {write}
"""
_PEERS = {
    "joblib.dump": (
        _PEER.format(imports="import joblib", write="joblib.dump(array, sys.argv[1])"),
        _opens_with(joblib.load),
    ),
    "torch.save": (
        _PEER.format(
            imports="import torch",
            write="torch.save(torch.from_numpy(array), sys.argv[1])",
        ),
        _opens_with(torch.load),
    ),
}


# Damaged files


def _flip(data, rng, other):
    place = rng.randrange(len(data))
    return (
        data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
    )


def _cut(data, rng, other):
    return data[: rng.randrange(len(data))]


def _zero(data, rng, other):
    start = rng.randrange(len(data))
    stop = min(len(data), start + rng.randrange(1, 4096))
    return data[:start] + bytes(stop - start) + data[stop:]


def _swap(data, rng, other):
    a, b = sorted(rng.sample(range(0, len(data) - 64, 64), 2))
    return (
        data[:a]
        + data[b : b + 64]
        + data[a + 64 : b]
        + data[a : a + 64]
        + data[b + 64 :]
    )


def _mix(data, rng, other):
    place = rng.randrange(1, min(len(data), len(other)))
    return data[:place] + other[place:]


def _insert(data, rng, other):
    place = rng.randrange(len(data))
    return data[:place] + rng.randbytes(rng.randrange(1, 9)) + data[place:]


DAMAGES = {f.__name__[1:]: f for f in (_flip, _cut, _zero, _swap, _mix, _insert)}


def damaged(n):
    """Damage files in six ways; count those whose content would be read."""
    contents = list(_contents().values())
    rng = random.Random(0)
    counts = dict.fromkeys(["damaged", "read"], 0)
    names = list(DAMAGES)
    while counts["damaged"] < n:
        data, other = rng.sample(contents, 2)
        broken = DAMAGES[names[counts["damaged"] % len(names)]](data, rng, other)
        if broken in (data, other):
            continue
        counts["damaged"] += 1
        try:
            Container.parse("", broken)
        except ModelFileError:
            continue
        counts["read"] += 1
    return counts


def _contents():
    """The bytes of one file of each model."""
    with tempfile.TemporaryDirectory() as folder:
        path, found = Path(folder) / "model.skd", {}
        for name, (model, _) in models().items():
            save(model, path)
            found[name] = path.read_bytes()
    return found


# Hostile files

# What a value is replaced by.
SCALARS = [
    None, True, False, 0, 1, -1, 3, 2**31, 10**9, -(2**63), 10**30, 0.5, float("nan"),
    float("inf"), "", "cpu", "softmax", "\ud800", "x" * 10_000, "float16", "object",
]  # fmt: skip
FOREIGN = [
    ("os", "system"), ("builtins", "eval"), ("builtins", "exec"), ("builtins", "open"),
    ("subprocess", "Popen"), ("torch", "load"), ("pickle", "loads"), ("joblib", "load"),
    ("torch.nn.modules.container", "Sequential"), ("importlib", "import_module"),
    ("sklearn_deep.estimators.families._mlp", "MLPClassifier"),
    ("sklearn_deep.data._features", "TableFeatures"), ("builtins", "dict"),
    ("sklearn_deep.serving._estimators", "OnnxClassifier"), ("builtins", "list"),
    ("sklearn.pipeline", "Pipeline"), ("numpy", "ndarray"), ("numpy", "float64"),
    ("sklearn_deep.files._load", "load"), ("sklearn_deep.nn._losses", "Loss"),
]  # fmt: skip
LOADERS = [
    "ObjectNode", "TypeNode", "FunctionNode", "MethodNode", "ConstructorFromReduceNode",
    "PartialNode", "ListNode", "TupleNode", "SetNode", "DictNode", "JsonNode", "BytesNode",
    "NdArrayNode", "OperatorFuncNode", "CachedNode", "RandomStateNode", "DefaultDictNode",
    "RandomGeneratorNode", "SparseMatrixNode", "SliceNode", "TreeNode", "DTypeNode",
]  # fmt: skip
DTYPES = [
    "<f4",
    "<f8",
    "<i8",
    "|i1",
    "|b1",
    "<U3",
    "<c16",
    "|V8",
    "<M8[s]",
    "|O",
    "<U0",
]


def nodes(value):
    """All nodes of a schema."""
    if isinstance(value, dict):
        if "__loader__" in value:
            yield value
        for item in value.values():
            yield from nodes(item)
    elif isinstance(value, list):
        for item in value:
            yield from nodes(item)


def scalar(value):
    """A node of a plain value."""
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(value),
    }


def _replace_scalar(schema, members, rng):
    found = [n for n in nodes(schema) if n["__loader__"] == "JsonNode"]
    rng.choice(found)["content"] = json.dumps(rng.choice(SCALARS))


def _replace_node(schema, members, rng):
    found = list(nodes(schema))
    old, new = rng.choice(found[1:]), rng.choice(found[1:])
    new = json.loads(json.dumps(new))
    old.clear()
    old.update(new)


def _drop_key(schema, members, rng):
    found = [n["content"] for n in nodes(schema) if isinstance(n.get("content"), dict)]
    content = rng.choice(found)
    if content:
        del content[rng.choice(sorted(content))]


def _drop_part(schema, members, rng):
    node = rng.choice(list(nodes(schema)))
    del node[rng.choice(sorted(node))]


def _rename_key(schema, members, rng):
    found = [n["content"] for n in nodes(schema) if isinstance(n.get("content"), dict)]
    content = rng.choice(found)
    if content:
        name = rng.choice(["predict", "encode", "__class__", "module", "_fitted", "a"])
        content[name] = content.pop(rng.choice(sorted(content)))


def _foreign(schema, members, rng):
    node = rng.choice(list(nodes(schema)))
    node["__module__"], node["__class__"] = rng.choice(FOREIGN)
    if rng.random() < 0.5:
        node["__loader__"] = rng.choice(LOADERS)


def _other_loader(schema, members, rng):
    rng.choice(list(nodes(schema)))["__loader__"] = rng.choice(LOADERS)


def _longer(schema, members, rng):
    found = [n for n in nodes(schema) if n["__loader__"] in ("ListNode", "TupleNode")]
    content = rng.choice(found)["content"]
    content += [rng.choice(content or [scalar(7)])] * rng.choice([1, 2, 100])


def _shorter(schema, members, rng):
    found = [n for n in nodes(schema) if n["__loader__"] in ("ListNode", "TupleNode")]
    content = rng.choice(found)["content"]
    if content:
        content.pop(rng.randrange(len(content)))


def _cycle(schema, members, rng):
    found = list(nodes(schema))
    outer = rng.choice(found)
    outer["__id__"] = 77
    inner = rng.choice(list(nodes(outer)))
    inner.clear()
    inner.update({k: v for k, v in outer.items() if k != "content"}, __id__=77)


def _deep(schema, members, rng):
    node = rng.choice(list(nodes(schema)))
    inner = scalar(1)
    for _ in range(rng.choice([50, 3000])):
        inner = {
            "__class__": "list",
            "__module__": "builtins",
            "__loader__": "ListNode",
            "content": [inner],
        }
    node.clear()
    node.update(inner)


def _array(schema, members, rng):
    found = [name for name in members if name.endswith(".npy")]
    if found:
        shape = rng.choice([(), (0,), (1,), (4,), (6, 4), (3, 4), (2, 2, 2), (10**12,)])
        descr, n = rng.choice(DTYPES), rng.choice([0, 8, 96, 200])
        out = io.BytesIO()
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(out, header)
        members[rng.choice(found)] = out.getvalue() + rng.randbytes(n)


def _fitting_array(schema, members, rng):
    """An array of the same size, of another dtype or shape, or not finite."""
    found = [name for name in members if name.endswith(".npy")]
    if found:
        name = rng.choice(found)
        array = np.load(io.BytesIO(members[name]))
        changed = [
            lambda a: a.astype(rng.choice(["f4", "f8", "i8", "U5"])),
            lambda a: a.reshape(-1),
            lambda a: a[..., None],
            lambda a: a[:-1] if a.ndim else a,
            lambda a: np.zeros_like(a),
            lambda a: np.full(a.shape, np.nan),
        ]
        out = io.BytesIO()
        np.save(out, rng.choice(changed)(array), allow_pickle=False)
        members[name] = out.getvalue()


def _swap_arrays(schema, members, rng):
    found = sorted(name for name in members if name.endswith(".npy"))
    a, b = rng.choice(found), rng.choice(found)
    members[a], members[b] = members[b], members[a]


def _share_member(schema, members, rng):
    found = [n for n in nodes(schema) if "file" in n]
    rng.choice(found)["file"] = rng.choice(found)["file"]


def _bomb(schema, members, rng):
    members[rng.choice(["bomb.npy", sorted(members)[0]])] = bytes(10**6)


HOSTILE = {
    f.__name__[1:]: f
    for f in (
        _replace_scalar, _replace_node, _drop_key, _drop_part, _rename_key, _foreign,
        _other_loader, _longer, _shorter, _cycle, _deep, _array, _fitting_array,
        _swap_arrays, _share_member, _bomb,
    )
}  # fmt: skip


def taken_apart(data):
    """Manifest, schema and members of a file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members.pop(SCHEMA))
    return Container.parse("", data).manifest, schema, members


def put_together(path, manifest, schema, members, compression=zipfile.ZIP_STORED):
    """A file with right sums."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        archive.writestr(SCHEMA, json.dumps(schema))
        for name, content in members.items():
            archive.writestr(name, content)
    return Container.make(path, manifest, out.getvalue())


def attack(data, kind, rng, path=""):
    """A file that was changed once or twice in one way, with right sums."""
    manifest, schema, members = taken_apart(data)
    for _ in range(rng.choice([1, 1, 2])):
        HOSTILE[kind](schema, members, rng)
    packed = zipfile.ZIP_DEFLATED if kind == "bomb" else zipfile.ZIP_STORED
    return put_together(path, manifest, schema, members, packed)


# Events of code that is run, or of the world that is touched.
FORBIDDEN = {
    "exec", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.putenv",
    "subprocess.Popen", "socket.connect", "socket.bind", "pickle.find_class", "ctypes.dlopen",
    "os.remove", "os.rename", "os.mkdir", "open", "import", "shutil.rmtree", "urllib.Request",
}  # fmt: skip


class Watch:
    """Python's audit events of what must not happen, while it is on."""

    def __init__(self):
        self.on, self.seen = False, []
        sys.addaudithook(self._hook)

    def _hook(self, event, args):
        if self.on and event in FORBIDDEN:
            self.seen.append((event, str(args)[:200]))


def tried(file, X, watch):
    """What a file does: "refused", "loaded" (and predicts or refuses X), or another error."""
    from sklearn_deep.files._load import model_in
    from sklearn_deep.files._manifest import Manifest

    watch.on = True
    try:
        Manifest.parse(file.manifest, file.path)
        model = model_in(file, ())
    except ModelFileError:
        return "refused"
    except Exception as error:
        return f"load: {type(error).__name__}: {error}"
    finally:
        watch.on = False
    try:
        # A step of scikit-learn may hold anything: it is not checked.
        model.predict(X) if not hasattr(model, "steps") else None
    except ValueError:
        return "loaded, refuses X"
    except Exception as error:
        return f"predict: {type(error).__name__}: {error}"
    return "loaded, predicts"


def hostile(n):
    """Load hostile files under watch; predict with those that load."""
    fitted, contents = models(), _contents()
    for name, data in contents.items():  # what is imported lazily is there afterwards
        repr(fitted[name][0])
        assert tried(Container.parse("", data), fitted[name][1], Watch()).startswith(
            "load"
        )
    watch, rng = Watch(), random.Random(0)
    counts, names, kinds = {"files": n}, sorted(contents), list(HOSTILE)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    warnings.simplefilter("ignore")
    for i in range(n):
        name, kind = rng.choice(names), kinds[i % len(kinds)]
        try:
            file = attack(contents[name], kind, rng)
        except (ValueError, TypeError, KeyError, IndexError, RecursionError):
            continue  # the change before left nothing to change
        what = tried(file, fitted[name][1], watch)
        what = (
            what if what.startswith(("refused", "loaded")) else f"{name} {kind}: {what}"
        )
        counts[what] = counts.get(what, 0) + 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    return {**counts, "events": watch.seen[:5], "peak grew by, MB": grown / 1024}

"""The files' half of survival.py: kills while saving, damaged files, hostile files, costs."""

import dataclasses
import io
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from importlib import import_module
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import skops.io
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_deep import (
    SKOPS_TRUSTED_TYPES,
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    ModelFileError,
    Quantized,
    RNNClassifier,
    TabularClassifier,
    from_onnx,
    load,
    save,
    to_onnx,
)
from sklearn_deep.files._archive import SCHEMA
from sklearn_deep.files._container import Container
from sklearn_deep.files._load import model_in
from sklearn_deep.files._manifest import Manifest

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
        found = {name: (m.fit(X, y), X) for name, (m, X, y) in unfitted.items()}
    cnn, images = found["cnn"]
    imported = from_onnx(to_onnx(cnn, images).to_bytes())
    return {**found, "imported": (imported, images.astype(np.float32))}


# Kills


def kills(n, megabytes=8):
    """Kill a process that writes a file again and again; count torn files.

    Returns
    -------
    dict
        Number of kills, of those in the middle of a write (a temporary file was there),
        of torn files, and of the same with ``joblib.dump`` and ``torch.save``.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, few = folder / "target", max(n // 10, 10)
        files = [
            dataclasses.replace(Container.read(file), path=str(path))
            for file in _two_files(folder, megabytes)
        ]
        result = {
            "kills": n,
            **_killed(n, path, Container.write, files, Container.read),
        }
        arrays = [np.random.default_rng(i).normal(size=(1000, 1000)) for i in range(2)]
        for peer, (write, read) in PEERS.items():
            writes = lambda array, write=write: write(array, path)  # noqa: E731
            torn = _killed(few, path, writes, arrays, read)["torn"]
            result[f"torn of {peer}, of {few}"] = torn
    return result


PEERS = {
    "joblib.dump": (joblib.dump, joblib.load),
    "torch.save": (
        lambda array, path: torch.save(torch.from_numpy(array), path),
        torch.load,
    ),
}


def _two_files(folder, megabytes):
    """Two model files of about this size."""
    folder.mkdir(exist_ok=True)
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


def _killed(n, path, write, items, read):
    """Kill a process that writes the items in turn, ``n`` times at random moments."""
    torn = middle = 0
    rng = random.Random(0)
    for _ in range(n):
        child = os.fork()
        if child == 0:
            while True:
                for item in items:
                    write(item)
        time.sleep(rng.uniform(0.01, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        parts = list(path.parent.glob(".target.*.tmp"))
        middle += bool(parts)
        torn += path.exists() and not _opens(read, path)
        for part in parts:
            part.unlink()
    path.unlink(missing_ok=True)
    return {"in the middle of a write": middle, "torn": torn}


def _opens(read, path):
    try:
        read(path)
    except Exception:
        return False
    return True


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
    for name in SKOPS_TRUSTED_TYPES:  # a file may name each of them
        import_module(name.rpartition(".")[0])
    watch, rng = Watch(), random.Random(0)
    counts, names, kinds = {"files": n}, sorted(contents), list(HOSTILE)
    before = peak(reset=True)
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
        if i % 5000 == 4999:
            print(counts, len(watch.seen), file=sys.stderr, flush=True)
    grown = (peak() - before) / 1e6
    return {**counts, "events": len(watch.seen), "peak grew by, MB": grown}


# Costs

_PEAK = """
import sys
from _survival_files import peak
from sklearn_deep import load
load(sys.argv[1])
before = peak(reset=True)
load(sys.argv[2])
print(peak() - before)
"""


def peak(reset=False):
    """The largest resident size of this process, since the last reset; bytes, on Linux."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def memory(megabytes=120):
    """Peak of the memory that loading a file takes, in multiples of the file."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = (
            _two_files(Path(folder) / name, size)[0]
            for name, size in (("small", 0.1), ("large", megabytes))
        )
        out = subprocess.run(
            [sys.executable, "-c", _PEAK, str(small), str(large)],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
        )
        size = large.stat().st_size
        return {"file, MB": size / 1e6, "peak / file": int(out.stdout) / size}


def _torch_load(path):
    return torch.load(path, weights_only=False)


WAYS = {
    "sklearn_deep.save": (save, load),
    "skops": (
        skops.io.dump,
        lambda path: skops.io.load(path, trusted=SKOPS_TRUSTED_TYPES),
    ),
    "joblib": (joblib.dump, joblib.load),
    "pickle": (
        lambda model, path: Path(path).write_bytes(pickle.dumps(model)),
        lambda path: pickle.loads(Path(path).read_bytes()),
    ),
    "torch.save": (torch.save, _torch_load),
}


def costs(widths=(100, 1000), repeats=5):
    """Bytes and seconds of each way to store a pipeline; the median of some repeats."""
    rows = []
    for width in widths:
        pipe = make_pipeline(
            StandardScaler(),
            MLPClassifier((width, width), max_epochs=2, random_state=0),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pipe.fit(ROWS, LABELS)
        for name, (write, read) in WAYS.items():
            rows.append(
                {"width": width, "way": name, **_cost(pipe, write, read, repeats)}
            )
    return rows


def _cost(model, write, read, repeats):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model")
        write(model, path)
        read(path)
        times = np.array(
            [
                [_seconds(write, model, path), _seconds(read, path)]
                for _ in range(repeats)
            ]
        )
        saving, loading = np.median(times, 0)
        return {
            "kB": os.path.getsize(path) / 1e3,
            "save, ms": saving * 1e3,
            "load, ms": loading * 1e3,
        }


def _seconds(call, *args):
    start = time.perf_counter()
    call(*args)
    return time.perf_counter() - start


def rows(short):
    """All of the above, one line after the other."""
    yield "kills while saving", kills(20 if short else 1000)
    yield "damaged files", damaged(2000 if short else 100_000)
    yield "hostile files with right sums", hostile(800 if short else 50_000)
    yield "memory of loading", memory(20 if short else 120)
    for row in costs((100,) if short else (100, 1000)):
        yield "cost", row

"""What the page needs of the npm package onnxruntime-web."""

import json
import os
from pathlib import Path
from typing import Any

# Tested with this version; the page asks for it by name.
TESTED_VERSION = "1.30.0"

# The build without WebGPU, with its loader in it: two files.
FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
FOLDER = "onnxruntime"

COMMAND = (
    f"npm pack onnxruntime-web@{TESTED_VERSION} && mkdir -p {FOLDER} &&"
    f" tar xzf onnxruntime-web-{TESTED_VERSION}.tgz -C {FOLDER} --strip-components=2"
    f" {' '.join(f'package/dist/{name}' for name in FILES)}"
)


def runtime_files(runtime: Any) -> dict[str, bytes]:
    """Read the files that the page needs from an unpacked npm package.

    Parameters
    ----------
    runtime : str, os.PathLike or None

    Returns
    -------
    dict of str to bytes
        Content by the path in the page's folder; empty without a package.

    Raises
    ------
    ValueError
        If the folder is not the package, or lacks a file.
    """
    if runtime is None:
        return {}
    package = Path(os.fsdecode(runtime))
    if _name(package) != "onnxruntime-web":
        raise ValueError(
            f"runtime={str(package)!r} is not the unpacked npm package onnxruntime-web: it"
            f" has no package.json of that name. Run npm pack onnxruntime-web@{TESTED_VERSION},"
            " unpack the file, and pass its folder 'package'."
        )
    absent = [name for name in FILES if not (package / "dist" / name).is_file()]
    if absent:
        raise ValueError(
            f"The package onnxruntime-web in {str(package)!r} has no dist/{absent[0]}. Take"
            f" version {TESTED_VERSION}, which has."
        )
    return {
        f"{FOLDER}/{name}": (package / "dist" / name).read_bytes() for name in FILES
    }


def _name(package: Path) -> str | None:
    try:
        return json.loads((package / "package.json").read_text("utf-8")).get("name")
    except (OSError, ValueError, AttributeError):
        return None

"""The metadata of a file of several tasks, read as those of one of them."""

from typing import Any


def metadata_of_task(metadata: dict[str, Any], name: Any) -> dict[str, Any]:
    """Metadata of the classifier or regressor that one task of a file is.

    Parameters
    ----------
    metadata : dict
        Of a file of several tasks.
    name : str
        Of the task.

    Raises
    ------
    KeyError
        If there is no such task; the message names those that there are.
    """
    by_name = {task["name"]: task for task in metadata["tasks"]}
    if name not in by_name:
        raise KeyError(f"The file has no task {name!r}; its tasks are {list(by_name)}.")
    task = by_name[name]
    classifies = task["classes"] is not None
    return {
        **metadata,
        "task": "classifier" if classifies else "regressor",
        "tasks": None,
        "classes": task["classes"],
        "outputs": {
            method: {"name": task[method], "form": "tensor"}
            for method in ("predict", "predict_proba")
            if method in task
        },
        "refusals": {
            "name": task.get("predict_proba", task["predict"]),
            "form": "tensor",
        },
        "target": None if classifies else _target(task),
    }


def _target(task: dict[str, Any]) -> dict[str, Any]:
    """Form of the numbers of a regression; files of before have no dtype of a task."""
    return {"ndim": 1, "dtype": task.get("dtype", "float64"), "quantiles": None}

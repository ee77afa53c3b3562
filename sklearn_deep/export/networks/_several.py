"""Rule of ``MultiTask``: labels, probabilities and numbers of all tasks of one network."""

from typing import NamedTuple

import numpy as np

from sklearn_deep.export.graph._graph import Graph, Value
from sklearn_deep.export.graph._limits import skip_probing
from sklearn_deep.export.graph._registry import apply, rule
from sklearn_deep.export.graph._table import Table
from sklearn_deep.transfer.multi_task._multi_task import MultiTask, places_of

skip_probing(MultiTask)


class TaskOutput(NamedTuple):
    """An output of one task.

    Attributes
    ----------
    name : str
        Its name in the file.
    task : str or int
    method : {"predict", "predict_proba"}
    """

    name: str
    task: object
    method: str


_ENDINGS = {"predict": "", "predict_proba": "_probabilities"}


def task_outputs(model: MultiTask) -> list[TaskOutput]:
    """The outputs of a file: the prediction of each task, and probabilities of classes."""
    outputs: list[TaskOutput] = []
    for task, kind in model.tasks_.items():
        labels = kind == "classification"
        for method, ending in _ENDINGS.items() if labels else [("predict", "")]:
            name = f"{task}{ending}"
            while any(name == output.name for output in outputs):
                name += "_"
            outputs.append(TaskOutput(name, task, method))
    return outputs


@rule("each_task", MultiTask)
def _each_task(graph: Graph, model: MultiTask, table: Table) -> list[Value]:
    """Values of ``task_outputs``: (n,), and (n, n_classes) for probabilities."""
    raw = apply(graph, model.network_, "raw", table)
    views = {}
    for task, place in places_of(model).items():
        views[task] = view = model.task(task)
        outputs = graph.constant(np.arange(place.start, place.stop))
        own = graph.node("Gather", raw, outputs, axis=1)
        # Estimators of tasks take their part of the outputs that are computed once.
        graph.memo[id(view), "raw", table] = view, own
    return [
        apply(graph, views[output.task], output.method, table)
        for output in task_outputs(model)
    ]

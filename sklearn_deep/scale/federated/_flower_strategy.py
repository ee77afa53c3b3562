"""A strategy of Flower that gives the same network every time.

Flower samples owners by Python's global generator and averages their answers in the order
in which they come. Here owners are sampled by the seed of the fit, and answers are sorted.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp import strategy as strategies
from flwr.serverapp.strategy import Strategy

from sklearn_deep.exceptions import FederatedError, InvalidParameterError
from sklearn_deep.scale.federated._messages import Terms
from sklearn_deep.scale.federated._owner import Arrays, Judgement, joint_judgement
from sklearn_deep.scale.federated._sampling import chosen_of
from sklearn_deep.scale.federated._strategies import weighted_mean

_NO_LOSS = float("nan")


def as_strategy(
    strategy: Any, params: Mapping[str, Any] | None, fraction: float, evaluate: bool
) -> Strategy:
    """A strategy by name with these parameters, or the object as it is.

    Raises
    ------
    InvalidParameterError
        For a name or parameters that Flower does not know, or parameters of an object.
    """
    if isinstance(strategy, Strategy):
        if params is not None:
            raise InvalidParameterError(
                "The 'strategy_params' parameter of server_app must be None where strategy"
                f" is an object: give them to {type(strategy).__name__}."
            )
        return strategy
    kind = getattr(strategies, str(strategy), None)
    if not (isinstance(kind, type) and issubclass(kind, strategies.FedAvg)):
        raise InvalidParameterError(
            "The 'strategy' parameter of server_app must be a strategy of"
            " flwr.serverapp.strategy, or the name of one that averages networks, such as"
            f" 'FedAvg'. Got {strategy!r} instead."
        )
    common = {
        "fraction_train": fraction,
        "fraction_evaluate": 1.0 if evaluate else 0.0,
        "min_train_nodes": 1,
        "min_evaluate_nodes": 1,
        "min_available_nodes": 1,
    }
    try:
        return kind(**common, **(params or {}))
    except TypeError as error:
        raise InvalidParameterError(
            f"The 'strategy_params' parameter of server_app: {error}"
        ) from error


class Orderly(Strategy):
    """Around a strategy: who takes part, in which order, and what it came to.

    Parameters
    ----------
    inner : Strategy
    terms : Terms
    trained : sequence of str
        Names of what is trained. The rest, moments of batch normalisation, is averaged
        whatever the strategy: steps of an optimizer could make a variance negative.
    kind : str
        Kind of the network's output.
    """

    def __init__(
        self, inner: Strategy, terms: Terms, trained: Sequence[str], kind: str
    ):
        self._inner, self._terms, self._kind = inner, terms, kind
        self._trained = frozenset(trained)
        self._rows: dict[int, dict[str, Any]] = {}
        self._before: dict[str, Any] = {}
        self._start = time.monotonic()

    def check(self, arrays: Arrays) -> None:
        """Raise for moments that a private training would give away.

        Raises
        ------
        FederatedError
        """
        private = "DifferentialPrivacy" in type(self._inner).__name__
        if private and set(arrays) - self._trained:
            raise FederatedError(
                f"{type(self._inner).__name__} hides weights, and moments of batch"
                " normalisation would be sent as they are. Take normalization='layer' or"
                " None."
            )

    def privacy(self) -> Any:
        """What the accountant of the strategy says; None without one."""
        spent = getattr(self._inner, "privacy_spent", None)
        return None if spent is None else spent()

    def history(self) -> list[dict[str, Any]]:
        """One row per round."""
        return [self._rows[number] for number in sorted(self._rows)]

    # What Flower calls.

    def summary(self) -> None:
        """Log the settings."""
        self._inner.summary()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Choose owners by the seed."""
        self._before = {k: v for k, v in arrays.items() if k not in self._trained}
        part = ArrayRecord({k: v for k, v in arrays.items() if k in self._trained})
        messages = list(self._inner.configure_train(server_round, part, config, grid))
        there = set(grid.get_node_ids())
        order = [node for node in self._terms.order if node in there]
        n, seed = min(len(messages), len(order)), self._terms.plan.seed
        nodes = [order[k] for k in chosen_of(seed, server_round, len(order), n)]
        down = [
            _addressed(message, node, arrays)
            for message, node in zip(messages, nodes, strict=False)
        ]
        self._rows[server_round] = {
            "round": server_round,
            "train_loss": _NO_LOSS,
            "loss": _NO_LOSS,
            "score": _NO_LOSS,
            "owners": [],
            "bytes_down": sum(map(n_bytes, down)),
            "bytes_up": 0,
            "seconds": time.monotonic() - self._start,
        }
        return down

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average answers in the order of the owners."""
        replies = self._sorted(replies)
        row, good = self._rows[server_round], [r for r in replies if not r.has_error()]
        row["bytes_up"] = sum(map(n_bytes, good))
        row["owners"] = [self._terms.order.index(r.metadata.src_node_id) for r in good]
        moments = self._take_moments(good)
        arrays, metrics = self._inner.aggregate_train(server_round, replies)
        row["seconds"] = time.monotonic() - self._start
        if metrics is not None and "train-loss" in metrics:
            row["train_loss"] = float(metrics["train-loss"])
        if arrays is None or not moments:
            return arrays, metrics
        return ArrayRecord({**dict(arrays.items()), **moments}), metrics

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask those that the strategy asks, if they know the terms."""
        messages = self._inner.configure_evaluate(server_round, arrays, config, grid)
        known = set(self._terms.order)
        return [m for m in messages if m.metadata.dst_node_id in known]

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Put loss and score together."""
        replies = self._sorted(replies)
        metrics = self._inner.aggregate_evaluate(server_round, replies)
        parts = [_judgement(r) for r in replies if not r.has_error()]
        if parts:
            loss, score = joint_judgement(self._kind, parts)
            self._rows[server_round].update(loss=loss, score=score)
        return metrics

    def _sorted(self, replies: Iterable[Message]) -> list[Message]:
        places = {node: k for k, node in enumerate(self._terms.order)}
        last = len(places)  # of the SuperLink, which answers for nodes that are lost
        return sorted(replies, key=lambda r: places.get(r.metadata.src_node_id, last))

    def _take_moments(self, replies: Sequence[Message]) -> dict[str, Any]:
        """Take what is not trained out of answers; its mean, or that of the round before."""
        if not (self._before and replies):
            return self._before
        found, weights = [], []
        for reply in replies:
            (key, record), *_ = reply.content.array_records.items()
            found.append({k: v.numpy() for k, v in record.items() if k in self._before})
            kept = {k: v for k, v in record.items() if k in self._trained}
            reply.content[key] = ArrayRecord(kept)
            (metrics, *_) = reply.content.metric_records.values()
            weights.append(float(metrics["num-examples"]))
        mean = weighted_mean(found, weights)
        return {
            k: Array(np.asarray(mean[k], dtype=before.numpy().dtype))
            for k, before in self._before.items()
        }


def _addressed(message: Message, node: int, arrays: ArrayRecord) -> Message:
    """The message with all arrays, to another owner."""
    (key, *_) = message.content.array_records
    content = RecordDict({**dict(message.content.items()), key: arrays})
    kind = message.metadata.message_type
    return Message(content, dst_node_id=node, message_type=kind)


def _judgement(reply: Message) -> Judgement:
    (metrics, *_) = reply.content.metric_records.values()
    weight = float(metrics["num-examples"])
    return Judgement(weight, np.array(metrics["means"]) * weight)


def n_bytes(message: Message) -> int:
    """Bytes of a message's content: arrays, settings and numbers."""
    records = message.content.values()
    return sum(record.count_bytes() for record in records)

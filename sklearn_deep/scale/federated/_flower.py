"""Flower, which is optional: this file and ``_flower_strategy`` import it.

``_apps`` imports them on first use.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from sklearn_deep.exceptions import FederatedError
from sklearn_deep.scale.federated._flower_strategy import Orderly, as_strategy
from sklearn_deep.scale.federated._messages import LoadedRows, Terms
from sklearn_deep.scale.federated._owner import Arrays, Owner
from sklearn_deep.scale.federated._plan import Plan
from sklearn_deep.scale.federated._schema import Schema
from sklearn_deep.scale.federated._session import finished, initial
from sklearn_deep.scale.federated._targets import merge_targets
from sklearn_deep.scale.federated._transformers import (
    Known,
    head_of,
    is_complete,
    merge_all,
)
from sklearn_deep.scale.federated._wire import from_text, to_text
from sklearn_deep.training._train import train

_ARRAYS, _CONFIG, _METRICS, _TEXT = "arrays", "config", "metrics", "text"
_NORM = "batch-norm"  # key of an owner's own state

Load = Callable[[Context], Any]


def make_client_app(estimator: Any, load: Load, mods: Sequence[Any]) -> ClientApp:
    """The app of one owner."""
    app = ClientApp()
    owner = _OwnerApp(estimator, load)
    app.query("introduce")(owner.introduce)
    app.query("statistics")(owner.statistics)
    app.train(mods=list(mods))(owner.train)
    app.evaluate()(owner.evaluate)
    return app


class _OwnerApp:
    """Answers of an owner; each is made from the rows anew, and keeps none."""

    def __init__(self, estimator: Any, load: Load):
        self._estimator, self._load = estimator, load

    def introduce(self, message: Message, context: Context) -> Message:
        """Tell the form of the rows, and statistics of the targets."""
        name = str(context.node_config.get("partition-id", context.node_id))
        rows = self._rows(context)
        return _text_reply(rows.introduction(self._estimator, name), message)

    def statistics(self, message: Message, context: Context) -> Message:
        """Tell statistics of the transformers that can be fitted next."""
        question = from_text(_text_of(message))
        rows = self._rows(context)
        return _text_reply(rows.statistics(self._estimator, question), message)

    def train(self, message: Message, context: Context) -> Message:
        """Train for one round."""
        config, terms = _settings(message)
        owner = self._owner(terms, context)
        job = owner.job_of(_arrays_of(message), int(config["server-round"]))
        result = train(job)
        values = owner.take_over(result.module)
        if owner.own:
            context.state[_NORM] = to_record(owner.own)
        metrics = {
            "num-examples": 1.0 if terms.equal else owner.weight,
            "train-loss": float(result.history[-1]["train_loss"]),
        }
        return _reply(message, metrics, {_ARRAYS: to_record(values)})

    def evaluate(self, message: Message, context: Context) -> Message:
        """Judge the network of a round."""
        _, terms = _settings(message)
        judged = self._owner(terms, context).judge(_arrays_of(message))
        means = (judged.sums / judged.weight).tolist()
        return _reply(message, {"num-examples": judged.weight, "means": means}, {})

    def _rows(self, context: Context) -> LoadedRows:
        return LoadedRows.of(self._estimator, self._load(context))

    def _owner(self, terms: Terms, context: Context) -> Owner:
        k = terms.order.index(context.node_id)
        owner = self._rows(context).owner(self._estimator, terms, k)
        if _NORM in context.state:
            owner.own = to_arrays(context.state[_NORM])
        return owner


def _settings(message: Message) -> tuple[Any, Terms]:
    """Numbers of a round, and the terms with the pull that the strategy asks for."""
    config = message.content[_CONFIG]
    terms = Terms.unpack(config["terms"])
    mu = float(config.get("proximal-mu", 0.0))
    plan = dataclasses.replace(terms.plan, proximal_mu=mu)
    return config, dataclasses.replace(terms, plan=plan)


def _arrays_of(message: Message) -> Arrays:
    return to_arrays(message.content[_ARRAYS])


def to_record(arrays: Arrays) -> ArrayRecord:
    """Arrays as Flower sends them."""
    return ArrayRecord({name: Array(np.asarray(v)) for name, v in arrays.items()})


def to_arrays(record: Any) -> dict[str, np.ndarray]:
    """Arrays as they were sent."""
    return {name: array.numpy() for name, array in record.items()}


def _text_of(message: Message) -> str:
    return str(message.content[_CONFIG][_TEXT])


def _text_reply(text: str, message: Message) -> Message:
    content = RecordDict({_CONFIG: ConfigRecord({_TEXT: text})})
    return Message(content, reply_to=message)


def _reply(message: Message, metrics: dict[str, Any], records: dict) -> Message:
    content = RecordDict({**records, _METRICS: MetricRecord(metrics)})
    return Message(content, reply_to=message)


@dataclasses.dataclass(frozen=True)
class ServerSettings:
    """What ``server_app`` was given."""

    estimator: Any
    strategy: Any
    strategy_params: Mapping[str, Any] | None
    then: Callable[[Any], object]
    plan: Plan
    owners: int
    fraction: float
    evaluate: bool
    equal: bool
    timeout: float


def make_server_app(
    settings: ServerSettings, make_run: Callable[..., Any]
) -> ServerApp:
    """The app of the server; ``then`` gets what ``make_run`` makes of the result."""
    app = ServerApp()

    def main(grid: Grid, context: Context) -> None:
        settings.then(_Session(settings, grid).run(make_run))

    app.main()(main)
    return app


def check_strategy(settings: ServerSettings) -> None:
    """Raise for a strategy that Flower does not have."""
    as_strategy(
        settings.strategy,
        settings.strategy_params,
        settings.fraction,
        settings.evaluate,
    )


class _Session:
    """One federated fit on Flower's grid."""

    def __init__(self, settings: ServerSettings, grid: Grid):
        self._settings, self._grid = settings, grid

    def run(self, make_run: Callable[..., Any]) -> Any:
        """Agree, train, and put the fitted estimator together."""
        settings = self._settings
        terms = self._terms()
        agreement = terms.agreement(settings.estimator)
        arrays, trained = initial(agreement.template)
        strategy = as_strategy(
            settings.strategy,
            settings.strategy_params,
            settings.fraction,
            settings.evaluate,
        )
        kind = agreement.template.loss.kind
        orderly = Orderly(strategy, terms, trained, kind)
        orderly.check(arrays)
        config = {"terms": terms.pack()}
        result = orderly.start(
            self._grid,
            to_record(arrays),
            num_rounds=settings.plan.rounds,
            timeout=settings.timeout,
            train_config=ConfigRecord(dict(config)),
            evaluate_config=ConfigRecord(dict(config)),
        )
        if not result.arrays:
            raise FederatedError(
                "No round had a result: no owner answered, or every answer was an error."
                " The log of the SuperNodes says why."
            )
        history = orderly.history()
        values = to_arrays(result.arrays)
        fitted = finished(settings.estimator, agreement, values, history, len(history))
        return make_run(fitted, history, orderly.privacy())

    def _terms(self) -> Terms:
        nodes = self._wait()
        first = {
            node: from_text(text)
            for node, text in self._ask("introduce", to_text({}), nodes)
        }
        order = sorted(first, key=lambda node: (_natural(first[node]["name"]), node))
        schema = Schema.merged([Schema(**first[node]["schema"]) for node in order])
        targets = merge_targets([first[node]["targets"] for node in order])
        said = [first[node]["statistics"] for node in order]
        known = self._known(schema, order, merge_all(said))
        settings = self._settings
        return Terms(
            schema, known, targets, settings.plan, tuple(order), settings.equal
        )

    def _known(self, schema: Schema, order: list[int], first: Known) -> Known:
        """Statistics of all transformers, from those of the first ones on."""
        known, head = dict(first), head_of(self._settings.estimator)
        while not is_complete(head, known):
            question = to_text({"schema": schema.plain(), "known": known})
            said = dict(self._ask("statistics", question, order))
            parts = [from_text(said[node]) for node in order]
            if not parts[0]:  # a part of a ColumnTransformer has no columns
                break
            known.update(merge_all(parts))
        return known

    def _wait(self) -> list[int]:
        """Owners that are there; as many as asked, within the time."""
        end = time.monotonic() + self._settings.timeout
        while True:
            nodes = list(self._grid.get_node_ids())
            if len(nodes) >= self._settings.owners:
                return nodes
            if time.monotonic() > end:
                raise FederatedError(
                    f"{len(nodes)} of {self._settings.owners} owners came within"
                    f" {self._settings.timeout:g} s. Start their SuperNodes, or lower"
                    " owners."
                )
            time.sleep(0.2)

    def _ask(
        self, action: str, text: str, nodes: Sequence[int]
    ) -> Iterator[tuple[int, str]]:
        """Ask all owners; each has to answer, as all have to agree."""
        messages = [
            Message(
                RecordDict({_CONFIG: ConfigRecord({_TEXT: text})}),
                dst_node_id=node,
                message_type=f"query.{action}",
            )
            for node in nodes
        ]
        timeout = self._settings.timeout
        replies = list(self._grid.send_and_receive(messages, timeout=timeout))
        for reply in replies:
            if reply.has_error():
                source = reply.metadata.src_node_id
                who = f"Owner {source}" if source in nodes else "An owner"
                raise FederatedError(
                    f"{who} could not say anything about its rows: {reply.error.reason}."
                    " The log of its SuperNode says more."
                )
        if len(replies) < len(nodes):
            raise FederatedError(
                f"{len(nodes) - len(replies)} of {len(nodes)} owners did not answer"
                f" within {timeout:g} s, before the first round: all have to agree on"
                " columns and classes. Raise timeout, or start without them."
            )
        for reply in replies:
            yield reply.metadata.src_node_id, _text_of(reply)


def _natural(name: str) -> tuple[int, str]:
    """Sort key of names, numbers by their value."""
    return (int(name), "") if name.isdigit() else (2**63, name)

"""Flower's grid in one process: messages go to the apps of owners, and are kept."""

import os

os.environ["FLWR_TELEMETRY_ENABLED"] = "0"  # before Flower is imported

from flwr.app import Context, Error, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

SUPERLINK = 1


class OwnersGrid(Grid):
    """Owners by number; the ids of their nodes and the order of answers mean nothing.

    Attributes
    ----------
    messages : list of Message
        All that was sent, there and back.
    gone : set of int
        Numbers of owners that have left.
    lost : set of int
        Numbers of owners that are still listed; the SuperLink answers for them.
    """

    def __init__(self, app, n_owners):
        TaskIdentity.task_id = TaskIdentity.run_id = 1
        TaskIdentity.node_id = SUPERLINK
        self.app, self.messages, self.log = app, [], []
        self.gone, self.lost = set(), set()
        self.contexts = {
            907 - 31 * k: Context(
                1, 907 - 31 * k, {"partition-id": k}, RecordDict(), {}
            )
            for k in range(n_owners)
        }

    def set_run(self, run):
        raise NotImplementedError

    @property
    def run(self):
        raise NotImplementedError

    def create_message(self, *args, **kwargs):
        raise NotImplementedError

    def push_messages(self, messages):
        raise NotImplementedError

    def pull_messages(self, message_ids):
        raise NotImplementedError

    def number(self, node):
        return self.contexts[node].node_config["partition-id"]

    def get_node_ids(self):
        return [node for node in self.contexts if self.number(node) not in self.gone]

    def send_and_receive(self, messages, *, timeout=None):
        replies = []
        for message in messages:
            node = message.metadata.dst_node_id
            if self.number(node) in self.gone:
                continue
            self.messages.append(message)
            replies.append(self._answer(message, node))
            self.messages.append(replies[-1])
        return replies[::-1]

    def _answer(self, message, node):
        self.log.append((message.metadata.message_type, self.number(node)))
        if self.number(node) in self.lost:
            reply = Message(Error(code=3, reason="unavailable"), reply_to=message)
            vars(reply.metadata)["_src_node_id"] = SUPERLINK
            return reply
        try:
            return self.app(message, self.contexts[node])
        except Exception as error:  # as a SuperNode reports it
            return Message(Error(code=1, reason=str(error)), reply_to=message)

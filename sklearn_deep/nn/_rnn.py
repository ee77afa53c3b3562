"""The recurrent network: an embedding or numbers, recurrent layers, a readout."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pad_packed_sequence,
)

from sklearn_deep.data._padded import Padded
from sklearn_deep.nn._dropout import Dropout
from sklearn_deep.nn._mlp import Output

CELLS: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn": nn.RNN,
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}

# The steps of a batch: (n, time, channels), or packed where lengths differ, so that
# nothing is computed for padding. Rows without a step are not packed: their numbers are
# not in ``sorted_indices``, and ``unsorted_indices`` has a place for them that means
# nothing.
Steps = Tensor | PackedSequence


def pack(padded: Tensor, lengths: Tensor) -> PackedSequence:
    """Pack padded rows, (n, time, ...), of these lengths, (n,) on the CPU, or of none."""
    filled = lengths > 0
    if filled.all():
        return pack_padded_sequence(
            padded, lengths, batch_first=True, enforce_sorted=False
        )
    rows, device = filled.nonzero().flatten(), padded.device
    place = torch.zeros(len(lengths), dtype=torch.int64, device=device)
    if not len(rows):  # a step that no row has: recurrent layers need one
        step = padded.new_zeros(1, *padded.shape[2:])
        return PackedSequence(step, torch.ones(1).long(), place[:0], place)
    some = pack_padded_sequence(
        padded[rows.to(device)], lengths[rows], batch_first=True, enforce_sorted=False
    )
    order = rows.to(device)[some.sorted_indices]
    place[order] = torch.arange(len(rows), device=device)
    return PackedSequence(some.data, some.batch_sizes, order, place)


def rows_without_steps(steps: PackedSequence) -> Tensor | None:
    """Mark the rows without a step, (n,); None where there are none."""
    order, place = steps.sorted_indices, steps.unsorted_indices
    if order is None or place is None or len(order) == len(place):
        return None
    return torch.ones_like(place, dtype=torch.bool).index_fill(0, order, False)


def over_steps(function: Callable[[Tensor], Tensor], steps: Steps) -> Steps:
    """Apply a function of single steps; to the true ones only."""
    if isinstance(steps, PackedSequence):
        return steps._replace(data=function(steps.data))
    return function(steps)


class Arrive(nn.Module):
    """Prepare a batch: channels last, and packed where lengths differ.

    Shape: (n, time), (n, time, channels), with ``channels_first`` (n, channels, time),
    or padded sequences; to (n, time, channels) or a packed sequence. Tokens have no
    axis of channels.
    """

    def __init__(self, channels_first: bool, tokens: bool):
        super().__init__()
        self.channels_first, self.tokens = channels_first, tokens

    def forward(self, x: Tensor | Padded) -> Steps:
        """Pack rows of unequal length; those of a ``Padded`` are channels-last."""
        if isinstance(x, tuple):
            padded, lengths = x
            if 0 < padded.shape[1] <= int(lengths.min()):
                return padded
            return pack(padded, lengths)
        if self.tokens:
            return x
        if x.ndim == 2:
            return x.unsqueeze(-1)
        return x.transpose(1, 2) if self.channels_first else x


class Embed(nn.Module):
    """A learnt vector for each token.

    Shape: (n, time) codes -> (n, time, embedding_dim), or packed likewise
    """

    def __init__(self, n_codes: int, embedding_dim: int):
        super().__init__()
        self.table = nn.Embedding(n_codes, embedding_dim)

    def forward(self, steps: Steps) -> Steps:
        """Look tokens up."""
        return over_steps(self.table, steps)


class Layer(nn.Module):
    """One recurrent layer, and dropout behind it unless it is the last.

    torch's own dropout between layers draws from torch's global generator, so layers
    are stacked one by one.

    Shape: (n, time, n_in) -> (n, time, width), or packed likewise
    """

    def __init__(
        self,
        n_in: int,
        hidden_size: int,
        cell: str,
        bidirectional: bool,
        dropout: float | None,
    ):
        super().__init__()
        self.cell = CELLS[cell](
            n_in, hidden_size, batch_first=True, bidirectional=bidirectional
        )
        self.dropout = None if dropout is None else Dropout(dropout)

    def forward(self, steps: Steps) -> Steps:
        """Run through time."""
        out = self.cell(steps)[0]
        return out if self.dropout is None else over_steps(self.dropout, out)


class Readout(nn.Module):
    """Base of readouts, which reduce steps to a vector; subclasses implement ``read``.

    A row without a step gives zeros, as the initial state of recurrent layers is.

    Shape: (n, time, width) or packed -> (n, width)
    """

    def __init__(self, width: int, bidirectional: bool):
        super().__init__()
        self.both = bidirectional
        self.forwards = width // 2 if bidirectional else width

    def forward(self, steps: Steps) -> Tensor:
        """Read, with a mask of the true steps where there is padding."""
        if not isinstance(steps, PackedSequence):
            return self.read(steps, None, None)
        padded, lengths = pad_packed_sequence(steps, batch_first=True)
        lengths = lengths.to(padded.device)
        time = torch.arange(padded.shape[1], device=padded.device)
        mask = time < lengths.unsqueeze(1)  # (n, time)
        # Rows without a step read those of another one, so that nothing is NaN.
        return _zeros_where_empty(self.read(padded, mask, lengths), steps)

    def read(self, x: Tensor, mask: Tensor | None, lengths: Tensor | None) -> Tensor:
        """Read steps of shape (n, time, width)."""
        raise NotImplementedError


class Last(Readout):
    """The last true step; of a backward pass the first, where it has seen all."""

    def forward(self, steps: Steps) -> Tensor:
        """Select one step per row; packed sequences are not padded for it."""
        if not isinstance(steps, PackedSequence):
            return self._join(steps[:, -1], steps[:, 0])
        first, last = _ends(steps)
        read = self._join(
            steps.data.index_select(0, last),
            steps.data.index_select(0, first) if self.both else steps.data,
        )
        return _zeros_where_empty(read, steps)

    def _join(self, last: Tensor, first: Tensor) -> Tensor:
        if not self.both:
            return last
        return torch.cat([last[:, : self.forwards], first[:, self.forwards :]], 1)


def _zeros_where_empty(read: Tensor, steps: PackedSequence) -> Tensor:
    """What was read, (n, width), with zeros for the rows without a step."""
    empty = rows_without_steps(steps)
    return read if empty is None else read.masked_fill(empty.unsqueeze(1), 0.0)


def _ends(steps: PackedSequence) -> tuple[Tensor, Tensor]:
    """Where the first and the last step of each row are in packed data."""
    sizes = steps.batch_sizes  # rows that have a step at each time
    rows = torch.arange(int(sizes[0]))
    lengths = (sizes.unsqueeze(1) > rows).sum(0)
    last = (sizes.cumsum(0) - sizes)[lengths - 1] + rows
    first, device = rows, steps.data.device
    if steps.unsorted_indices is not None:
        back = steps.unsorted_indices.cpu()
        first, last = first[back], last[back]
    return first.to(device), last.to(device)


class Mean(Readout):
    """The mean over the true steps."""

    def read(self, x: Tensor, mask: Tensor | None, lengths: Tensor | None) -> Tensor:
        """Average; padding is zero already."""
        if lengths is None:
            return x.mean(1)
        return x.sum(1) / lengths.unsqueeze(1)


class Max(Readout):
    """The largest value of each unit over the true steps."""

    def read(self, x: Tensor, mask: Tensor | None, lengths: Tensor | None) -> Tensor:
        """Take the maximum."""
        if mask is not None:
            x = x.masked_fill(~mask.unsqueeze(-1), -torch.inf)
        return x.amax(1)


class Attention(Readout):
    """Mean over the steps, weighted by the softmax of one learnt score per step.

    References
    ----------
    Raffel and Ellis, "Feed-forward networks with attention can solve some long-term
    memory problems", arXiv:1512.08756.
    """

    def __init__(self, width: int, bidirectional: bool):
        super().__init__(width, bidirectional)
        self.score = Output(width, 1)

    def read(self, x: Tensor, mask: Tensor | None, lengths: Tensor | None) -> Tensor:
        """Average the steps by their weights."""
        n, time, width = x.shape
        scores = self.score(x.reshape(-1, width)).view(n, time)
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        weights = torch.softmax(scores, 1)
        return torch.bmm(weights.unsqueeze(1), x).squeeze(1)


class Every(Readout):
    """All true steps, row by row.

    Shape: (n, time, width) or packed -> (n_steps, width)
    """

    def forward(self, steps: Steps) -> Tensor:
        """Concatenate the steps of all rows."""
        if not isinstance(steps, PackedSequence):
            return steps.flatten(0, 1)
        padded, lengths = pad_packed_sequence(steps, batch_first=True)
        lengths = lengths.to(padded.device)
        empty = rows_without_steps(steps)
        if empty is not None:
            lengths = lengths.masked_fill(empty, 0)
        time = torch.arange(padded.shape[1], device=padded.device)
        return padded[time < lengths.unsqueeze(1)]


READOUTS: dict[str, type[Readout]] = {
    "last": Last,
    "mean": Mean,
    "max": Max,
    "attention": Attention,
}


class RNN(nn.Module):
    """Recurrent layers over numbers or tokens, a readout and a linear output layer.

    Shape: see ``Arrive`` -> (batch, n_outputs), or (n_steps, n_outputs) with
    ``return_sequences``, the true steps of all rows one behind the other

    Parameters
    ----------
    n_channels, n_outputs : int
        Channels per step (for tokens, number of codes), and width of the raw output.
    cell : str
        A name in ``CELLS``.
    hidden_size, num_layers : int
        Units of a layer and direction; layers.
    bidirectional : bool
        Whether each layer also runs backwards, with units of its own.
    readout : str
        A name in ``READOUTS``.
    return_sequences : bool
        Whether every step has an output; then nothing is read out.
    dropout : sequence of float
        Rate after each layer, in [0, 1); the last one in front of the output.
    embedding_dim : int or None
        Width of the vector of each token; None for numbers.
    channels_first : bool
        Whether arrays are of shape (n, channels, time).
    """

    def __init__(
        self,
        n_channels: int,
        n_outputs: int,
        *,
        cell: str,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        readout: str,
        return_sequences: bool,
        dropout: Sequence[float],
        embedding_dim: int | None,
        channels_first: bool,
    ):
        super().__init__()
        tokens = embedding_dim is not None
        self.arrive = Arrive(channels_first, tokens)
        width = n_channels
        self.embedding: Embed | None = None
        if embedding_dim is not None:
            self.embedding = Embed(n_channels, embedding_dim)
            width = embedding_dim
        drops = any(rate > 0 for rate in dropout)
        layers = []
        for i, rate in enumerate(dropout):
            between = rate if drops and i < num_layers - 1 else None
            layers.append(Layer(width, hidden_size, cell, bidirectional, between))
            width = hidden_size * (2 if bidirectional else 1)
        self.layers = nn.ModuleList(layers)
        kind = Every if return_sequences else READOUTS[readout]
        self.readout = kind(width, bidirectional)
        self.dropout = Dropout(dropout[-1]) if drops else None
        self.output = Output(width, n_outputs)

    def stages(self) -> list[tuple[str, nn.Module]]:
        """The consecutive stages with their names."""
        parts = [
            ("arrive", self.arrive),
            ("embedding", self.embedding),
            *((f"layer_{i}", layer) for i, layer in enumerate(self.layers, 1)),
            ("readout", self.readout),
            ("dropout", self.dropout),
            ("output", self.output),
        ]
        return [(name, part) for name, part in parts if part is not None]

    def forward(self, x: Tensor | Padded) -> Tensor:
        """Map sequences to raw outputs."""
        for _, stage in self.stages():
            x = stage(x)
        return x  # type: ignore[return-value]

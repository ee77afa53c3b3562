"""How much memory the rows of a fit may take, and what follows for reading them."""

from sklearn_deep.data.chunks._containers import bytes_of
from sklearn_deep.data.chunks._data import ChunkedData
from sklearn_deep.data.chunks._stream import BufferPlan
from sklearn_deep.training.job._devices import available_memory

# The buffer takes this much memory at most, or this share of what is free.
BUFFER_BYTES, SHARE_OF_FREE = 256 << 20, 0.25

# Chunks are read in parts of about this size.
_CHUNK_BYTES, _MOST_ROWS, _FEWEST_ROWS = 8 << 20, 8192, 64

# Transformers are fitted on blocks of so many rows; each takes a fixed time beside.
_BLOCK_BYTES, _BLOCK_ROWS = 16 << 20, 16_384

# Features learn from so many rows at most.
_SAMPLE_ROWS = 50_000

_MOST_OPEN, _FEWEST_OPEN = 16, 2


def memory_limit() -> float:
    """Bytes that the rows in memory may take: 256 MB, or a quarter of what is free."""
    return min(float(BUFFER_BYTES), SHARE_OF_FREE * available_memory())


def row_bytes(data: ChunkedData) -> int:
    """Bytes of a row as it is read."""
    for chunk in data.first(_FEWEST_ROWS):
        return max(1, bytes_of(chunk.X) // max(1, len(chunk)))
    return 1


def make_plan(
    data: ChunkedData, buffer_rows: int, width: int, prefetch: int, shuffle: bool
) -> BufferPlan:
    """How the rows of a source are read.

    Parameters
    ----------
    data : ChunkedData
    buffer_rows : int
        Rows in the buffer, if memory is enough.
    width : int
        Bytes of a row.
    prefetch : int
    shuffle : bool
    """
    limit = memory_limit()
    n_slots = min(buffer_rows, max(1, int(limit // width)))
    most = min(_MOST_ROWS, max(_FEWEST_ROWS, n_slots // 8))
    chunk_rows = max(_FEWEST_ROWS, min(most, _CHUNK_BYTES // width))
    side_by_side = int(limit // 2 // max(1, data.source.piece_bytes))
    n_open = max(_FEWEST_OPEN, min(_MOST_OPEN, side_by_side))
    return BufferPlan(n_slots, chunk_rows, n_open, prefetch, shuffle, limit)


def block_rows(width: int) -> int:
    """Rows of a block that a transformer is fitted on."""
    return max(_FEWEST_ROWS, min(_BLOCK_ROWS, _BLOCK_BYTES // width))


def sample_rows(plan: BufferPlan, width: int) -> int:
    """Rows that features learn from."""
    return max(1, min(_SAMPLE_ROWS, plan.n_slots, int(plan.n_bytes // 4 // width)))

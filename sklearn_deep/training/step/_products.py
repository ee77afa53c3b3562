"""Matrix products that round alike for one network and for many.

Libraries choose the code of a product by its shape and by where its operands lie in
memory, and each code sums in another order. Here one network is a stack of one; every
matrix begins at a boundary in memory, as that of the first network of a stack does; and
a vector is a matrix of two columns or rows, since for vectors there is other code.

What is left over behind the last whole vector register is computed by other code too, in
sigmoids for instance. So a stack of products is no dense block, unless its matrices fill
whole registers: functions of it are then computed network by network.
"""

import torch
from torch import Tensor

# Bytes between boundaries: two of the largest vector registers, which loops take at once.
_BOUNDARY = 128
# The library's own memory begins at multiples of this.
_START = 64


def affine(bias: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Compute ``bias + left @ right``, of shape (n_nets, n_rows, n_columns)."""
    if _is_plain(left, right):
        return torch.baddbmm(bias, left, right)
    padded = _without_vectors(left, right)
    if len(left) == 1:
        return _part(torch.baddbmm(bias, *padded), left, right)
    out = _empty(padded, left)
    torch.baddbmm(bias, *map(_on_boundaries, padded), out=out)
    return _part(out, left, right)


def product(left: Tensor, right: Tensor, out: Tensor | None = None) -> Tensor:
    """Compute ``left @ right``, of shape (n_nets, n_rows, n_columns).

    Parameters
    ----------
    left, right : Tensor
    out : Tensor, optional
        Where the product is written; it is returned.
    """
    if _is_plain(left, right) and (out is None or out.data_ptr() % _START == 0):
        return torch.bmm(left, right, out=out)
    padded = _without_vectors(left, right)
    if len(left) > 1:
        padded = _on_boundaries(padded[0]), _on_boundaries(padded[1])
    if out is not None and 1 not in out.shape[-2:] and _is_on_boundaries(out):
        return torch.bmm(*padded, out=out)
    into = None if len(left) == 1 else _empty(padded, left)
    found = _part(torch.bmm(*padded, out=into), left, right)
    return found if out is None else out.copy_(found)


def _is_plain(left: Tensor, right: Tensor) -> bool:
    """Whether this is a product of one network, of matrices that are no vectors.

    The library itself allocates memory for it that begins at a boundary.
    """
    return left.size(0) == 1 and left.size(1) > 1 and right.size(2) > 1


def _without_vectors(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Operands with a row or column twice where there is one only."""
    if left.shape[1] == 1:
        left = left.expand(-1, 2, -1).contiguous()
    if right.shape[2] == 1:
        right = right.expand(-1, -1, 2).contiguous()
    return left, right


def _part(whole: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """The product of operands before one was repeated."""
    n_rows, n_columns = left.shape[-2], right.shape[-1]
    if whole.shape[-2:] == (n_rows, n_columns):
        return whole
    return whole[..., :n_rows, :n_columns]


def _empty(operands: tuple[Tensor, Tensor], like: Tensor) -> Tensor:
    left, right = operands
    return _empty_on_boundaries(len(left), left.shape[-2], right.shape[-1], like)


def _empty_on_boundaries(
    n_nets: int, n_rows: int, n_columns: int, like: Tensor
) -> Tensor:
    """Matrices (n_nets, n_rows, n_columns), each at a boundary."""
    size = n_rows * n_columns
    stride = padded_size(size, like.dtype) if like.is_cpu else size
    flat = like.new_empty(n_nets * stride)
    return flat.as_strided((n_nets, n_rows, n_columns), (stride, n_columns, 1))


def padded_size(n_values: int, dtype: torch.dtype) -> int:
    """Number of values up to the next boundary."""
    per_part = _BOUNDARY // dtype.itemsize
    return -(-n_values // per_part) * per_part


def _is_on_boundaries(x: Tensor) -> bool:
    if not x.is_cpu:
        return True
    apart = len(x) == 1 or x.stride(0) * x.itemsize % _BOUNDARY == 0
    return apart and x.data_ptr() % _START == 0


def _on_boundaries(x: Tensor) -> Tensor:
    """The same matrices, copied where one does not begin at a boundary."""
    if _is_on_boundaries(x):
        return x
    if x.stride(-1) != 1 and x.stride(-2) == 1:  # transposed, as which it stays
        return _on_boundaries(x.mT).mT
    n_nets, n_rows, n_columns = x.shape
    return _empty_on_boundaries(n_nets, n_rows, n_columns, x).copy_(x)

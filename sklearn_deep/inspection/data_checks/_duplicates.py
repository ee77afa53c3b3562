"""Equal and nearly equal rows: in X, between X and X_test, and with other targets."""

import numpy as np

from sklearn_deep.data._rows import row_hashes
from sklearn_deep.inspection.data_checks._coincidences import (
    expected_copies,
    probability_of_copies,
)
from sklearn_deep.inspection.data_checks._finding import DataFinding
from sklearn_deep.inspection.data_checks._input import CheckInput, Found
from sklearn_deep.inspection.data_checks._multiplicity import benjamini_hochberg
from sklearn_deep.inspection.data_checks._near import NearPairs, near_pairs
from sklearn_deep.inspection.data_checks._rows import TABLE, scaled_columns
from sklearn_deep.inspection.data_checks._sentences import (
    count,
    few,
    rows_line,
    share,
)


def duplicates(data: CheckInput) -> list[Found]:
    """Rows that equal an earlier one, more often than chance has it."""
    row, first, p_value = surprising_copies(data)
    table = {"row": row, "of": first, "p_value": p_value}
    if not len(row):
        return [Found("duplicates", table)]
    finding = DataFinding(
        "duplicates",
        "medium",
        f"{share(len(row), len(data.rows))} with an equal row before (rows {few(row)}).",
        float(p_value.max()),
        "Keep one of each, or let cross-validation keep copies together"
        " (GroupKFold): a copy in the other part makes the score too good.",
        rows_line(data, "duplicates"),
        rows=row,
    )
    return [Found("duplicates", table, finding, "rows")]


def surprising_copies(data: CheckInput) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Later rows of groups of equal rows, the first of each, and adjusted p-values."""
    keys = data.rows.keys
    _, first, member, size = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    repeated = np.flatnonzero(size > 1)
    p_value = np.ones(len(first))
    p_value[repeated] = probability_of_copies(
        data.rows, first[repeated], size[repeated] - 1, data.rng(1)
    )
    adjusted = benjamini_hochberg(p_value)[member]
    later = np.arange(len(keys)) != first[member]
    row = np.flatnonzero(later & (adjusted <= data.alpha))
    return row, first[member[row]], adjusted[row]


def conflicts(data: CheckInput) -> list[Found]:
    """Equal rows with unequal targets."""
    assert data.target is not None
    later, first, p_value = surprising_copies(data)
    codes = data.target.codes
    apart = np.unique(first[codes[later] != codes[first]])
    inside = np.isin(first, apart)
    row = np.concatenate([later[inside], apart])
    of = np.concatenate([first[inside], apart])
    order = np.lexsort((row, of))
    row, of = row[order], of[order]
    worst = float(p_value[inside].max(initial=0.0))
    table = {"row": row, "of": of, "target": data.target.values[row]}
    if not len(row):
        return [Found("conflicts", table)]
    finding = DataFinding(
        "conflicts",
        "high",
        f"equal rows with different targets: {share(len(row), len(data.rows))} in"
        f" {count(len(apart), 'group')} (rows {few(row)}).",
        worst,
        "Look them up: at most one target of a group is right, unless a column that"
        " tells them apart is missing.",
        rows_line(data, "conflicts"),
        rows=row,
    )
    return [Found("conflicts", table, finding, "rows")]


def near_duplicates(data: CheckInput) -> list[Found]:
    """Rows that are much nearer to another than rows around them are."""
    _, distinct = np.unique(data.rows.keys, return_index=True)
    distinct = np.sort(distinct)
    pairs, p_value = _neighbours(data, distinct, None, data.rng(2))
    adjusted = benjamini_hochberg(p_value)
    found = np.flatnonzero((adjusted <= data.alpha) & (pairs.other >= 0))
    one, other = distinct[found], distinct[pairs.other[found]]
    later = one > other  # its partner stays
    row, of = one[later], other[later]
    table = {
        "row": row,
        "of": of,
        "distance": pairs.distance[found][later],
        "p_value": adjusted[found][later],
    }
    if not len(row):
        return [Found("near_duplicates", table)]
    finding = DataFinding(
        "near_duplicates",
        "medium",
        f"{share(len(row), len(data.rows))} with an almost equal row before (rows"
        f" {few(row)}).",
        float(table["p_value"].max()),
        "Compare them: copies with noise, crops or rounding are no new data, and make"
        " scores too good when they are in the other part.",
        rows_line(data, "near_duplicates"),
        rows=row,
    )
    return [Found("near_duplicates", table, finding, "rows")]


def leaks(data: CheckInput) -> list[Found]:
    """Rows of X_test that are in X too, exactly or nearly."""
    assert data.rows_test is not None
    row, of, distance, p_value = _shared(data)
    table = {"row": of, "test_row": row, "distance": distance, "p_value": p_value}
    if not len(row):
        return [Found("leaks", table)]
    inside = np.unique(of)
    n_equal = int((distance == 0).sum())
    finding = DataFinding(
        "leaks",
        "high",
        f"{share(len(row), len(data.rows_test), 'test row')} that X has too, {n_equal} of"
        f" them exactly (test rows {few(row)}).",
        float(p_value.max()),
        "Leave their copies out of X: the test score counts what was learnt by heart.",
        rows_line(data, "leaks"),
        rows=inside,
    )
    return [Found("leaks", table, finding, "rows")]


def _shared(
    data: CheckInput,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Test rows, the row of X that each repeats, their distance, adjusted p-values."""
    rows, test = data.rows, data.rows_test
    assert test is not None
    keys, first = np.unique(rows.keys, return_index=True)
    place = np.minimum(np.searchsorted(keys, test.keys), len(keys) - 1)
    equal = keys[place] == test.keys
    p_value, of = np.ones(len(test)), first[place]
    distance = np.where(equal, 0.0, np.inf)
    asked = np.unique(place[equal])
    # A test row beside those of X is one more chance of each to be repeated.
    chance = probability_of_copies(rows, first[asked], np.ones(len(asked)), data.rng(3))
    p_value[equal] = chance[np.searchsorted(asked, place[equal])]
    _add_near(data, equal, p_value, of, distance)
    adjusted = benjamini_hochberg(p_value)
    found = np.flatnonzero(adjusted <= data.alpha)
    return found, of[found], distance[found], adjusted[found]


def _add_near(
    data: CheckInput,
    equal: np.ndarray,
    p_value: np.ndarray,
    of: np.ndarray,
    distance: np.ndarray,
) -> None:
    """Fill in the nearest rows of X of the test rows that no row of X equals."""
    assert data.rows_test is not None
    _, inside = np.unique(data.rows.keys, return_index=True)
    outside = np.flatnonzero(~equal)
    pairs, chance = _neighbours(data, inside, outside, data.rng(4))
    other = pairs.other[len(inside) :]
    there = (other >= 0) & (other < len(inside))
    p_value[outside[there]] = chance[len(inside) :][there]
    distance[outside[there]] = pairs.distance[len(inside) :][there]
    of[outside[there]] = inside[other[there]]


def _neighbours(
    data: CheckInput,
    inside: np.ndarray,
    outside: np.ndarray | None,
    rng: np.random.Generator,
) -> tuple[NearPairs, np.ndarray]:
    """Nearest rows of some rows of X, and of X_test, with p-values of their distances.

    Rows of a table are near where they differ in numbers that hardly come twice only:
    a category more or less, or one step of a scale, is a difference.
    """
    chosen = [(data.rows, inside)]
    part = None
    if outside is not None and data.rows_test is not None:
        chosen.append((data.rows_test, outside))
        part = np.repeat([0, 1], [len(inside), len(outside)])
    if data.rows.kind != TABLE:
        places = np.concatenate([rows.positions[i] for rows, i in chosen])
        pairs = near_pairs(places, part, rng)
        return pairs, -np.expm1(-pairs.expected)
    columns = np.concatenate([rows.columns[i] for rows, i in chosen])
    return _table_neighbours(data, columns, part, rng, inside)


def _table_neighbours(
    data: CheckInput,
    columns: np.ndarray,
    part: np.ndarray | None,
    rng: np.random.Generator,
    inside: np.ndarray,
) -> tuple[NearPairs, np.ndarray]:
    free = data.rows.continuous
    if not free.any():
        n = len(columns)
        nothing = np.full(n, -1), np.full(n, np.inf), np.full(n, float(n))
        return NearPairs(*nothing), np.ones(n)
    places = scaled_columns(columns[:, free], data.rows.columns[:, free])
    if free.all():
        pairs = near_pairs(places, part, rng)
        return pairs, -np.expm1(-pairs.expected)
    cells = row_hashes(np.column_stack([columns[:, ~free], np.isnan(columns[:, free])]))
    pairs = near_pairs(places, part, rng, np.unique(cells, return_inverse=True)[1])
    return pairs, _p_values_in_cells(data, pairs, inside, ~free, rng)


# Neighbours that are expected nearer anyway are not looked at twice.
_MOST_EXPECTED = 1.0


def _p_values_in_cells(
    data: CheckInput,
    pairs: NearPairs,
    inside: np.ndarray,
    steps: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """p-values of pairs that are equal in columns of few values and near in the others."""
    p_value, n = np.ones(len(pairs.other)), len(inside)
    asked = np.flatnonzero((pairs.expected < _MOST_EXPECTED) & (pairs.other >= 0))
    # The partner in X stands for a test row, which is equal to it in these columns.
    known = np.where(asked < n, asked, pairs.other[asked])
    asked, known = asked[known < n], known[known < n]
    if len(asked):
        equal = expected_copies(data.rows, inside[known], steps, rng)
        share_near = pairs.expected[asked] / len(pairs.other)
        p_value[asked] = -np.expm1(-equal * share_near)
    return p_value

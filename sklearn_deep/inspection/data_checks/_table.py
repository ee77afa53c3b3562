"""The table of checks: to add one, write a function and its line here."""

from sklearn_deep.inspection.data_checks._columns_alone import (
    constant,
    identifiers,
    leakage,
)
from sklearn_deep.inspection.data_checks._duplicates import (
    conflicts,
    duplicates,
    leaks,
    near_duplicates,
)
from sklearn_deep.inspection.data_checks._enough import enough
from sklearn_deep.inspection.data_checks._input import Check
from sklearn_deep.inspection.data_checks._irrelevant import irrelevant
from sklearn_deep.inspection.data_checks._noise import labels, target_outliers
from sklearn_deep.inspection.data_checks._representative import (
    drift,
    rare,
    time_order,
)
from sklearn_deep.inspection.data_checks._scales import scales

CHECKS: dict[str, Check] = {
    "duplicates": Check(duplicates, ["duplicates"]),
    "near_duplicates": Check(near_duplicates, ["near_duplicates"]),
    "conflicts": Check(conflicts, ["conflicts"], ["classes"]),
    "leaks": Check(leaks, ["leaks"], ["X_test"]),
    "labels": Check(labels, ["labels", "label_candidates"], ["classes"]),
    "target_outliers": Check(target_outliers, ["target_outliers"], ["numbers"]),
    "drift": Check(drift, ["two_sample", "drift"], ["X_test"]),
    "rare": Check(rare, ["rare_classes", "rare_groups"]),
    "time_order": Check(time_order, ["time_order"], ["y"]),
    "constant": Check(constant, ["constant"], ["table"]),
    "identifiers": Check(identifiers, ["identifiers"], ["table"]),
    "leakage": Check(leakage, ["leakage"], ["table", "y"]),
    "irrelevant": Check(irrelevant, ["irrelevant"], ["table", "y"]),
    "scales": Check(
        scales, ["unscaled", "heavy_tails", "sentinels", "outliers"], ["table"]
    ),
    "enough": Check(enough, ["enough"], ["y"]),
}

TABLES = tuple(name for check in CHECKS.values() for name in check.tables)

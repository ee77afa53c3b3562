"""Configuration of the documentation."""

import os
import sys
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "agg")
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import sklearn_deep

project = "sklearn-deep"
copyright = "2026, The sklearn-deep developers"
version = release = sklearn_deep.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/*.ipynb"]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_prev_next": False, "navbar_align": "left"}
html_show_sourcelink = False

autosummary_generate = True
numpydoc_show_class_members = True
numpydoc_class_members_toctree = False
numpydoc_show_inherited_class_members = {
    name: "Error" not in name
    for name in (f"sklearn_deep.{n}" for n in sklearn_deep.__all__)
}
# Methods that scikit-learn writes into every estimator; it documents them.
SKLEARN_METHODS = {"get_metadata_routing", "set_callbacks"}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/(plot_|quickstart)",
    "within_subsection_order": "_gallery.QuickstartFirst",
    "reset_argv": "_gallery.argv",
    "backreferences_dir": "generated",
    "doc_module": ("sklearn_deep",),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "log_level": {"backreference_missing": "debug"},
}


def _home(o):
    return o.__module__.split(".")[1]


GROUPS = {
    "Estimators": lambda o: _home(o) == "estimators" and not hasattr(o, "plot"),
    "Compression": lambda o: _home(o) == "compression",
    "Transfer": lambda o: _home(o) == "transfer",
    "Augmentation": lambda o: _home(o) == "augmentation",
    "Inspection": lambda o: hasattr(o, "plot") or _home(o) == "inspection",
    "Searches": lambda o: _home(o) == "training",
    "Export": lambda o: _home(o) == "export",
    "Exceptions": lambda o: _home(o) == "exceptions",
}

# scikit-learn's docstrings of ``score`` and ``set_output`` refer to these labels of its
# own pages.
INHERITED = """
.. _accuracy_score:
.. _r2_score:

Scores
------

``score(X, y)`` of a classifier is the accuracy (:func:`sklearn.metrics.accuracy_score`),
of a regressor R\u00b2 (:func:`sklearn.metrics.r2_score`).

.. _df_output_transform:
.. _sphx_glr_auto_examples_miscellaneous_plot_set_output.py:

Frames out
----------

``set_output(transform="pandas")`` or ``"polars"`` makes ``transform`` of a transformer
give a frame, with the columns of ``get_feature_names_out()``.
""".splitlines()


def api_page():
    """Text of the API page, from ``__all__``, so that the two cannot differ."""
    lines = [
        "API reference",
        "=============",
        "",
        ".. currentmodule:: sklearn_deep",
        "",
    ]
    names = set(sklearn_deep.__all__)
    for title, belongs in GROUPS.items():
        group = sorted(n for n in names if belongs(getattr(sklearn_deep, n)))
        names -= set(group)
        lines += [title, "-" * len(title), "", ".. autosummary::"]
        lines += ["   :toctree: generated", "   :nosignatures:", ""]
        lines += [f"   {name}" for name in group] + [""]
    if names:
        raise ValueError(f"no group of the API page takes {sorted(names)}")
    return "\n".join([*lines, *INHERITED])


def skip_foreign(app, what, name, obj, skip, options):
    """Leave out what scikit-learn generates: the set_*_request methods."""
    generated = name.startswith("set_") and name.endswith("_request")
    return skip or generated or name in SKLEARN_METHODS


def setup(app):
    """Connect the hooks."""
    (Path(__file__).parent / "api.rst").write_text(api_page())
    app.connect("autodoc-skip-member", skip_foreign)

"""Configuration of the documentation."""

import os
import sys
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "agg")
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import _inventories
from _api import api_page

import sklearn_deep

project = "sklearn-deep"
copyright = "2026, The sklearn-deep developers"
version = release = sklearn_deep.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/*.ipynb"]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_prev_next": False, "navbar_align": "left"}
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["wide.css"]

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
    "ignore_pattern": r"__init__\.py|serve_demo\.py",  # it serves until it is stopped
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


def skip_foreign(app, what, name, obj, skip, options):
    """Leave out what scikit-learn generates: the set_*_request methods."""
    generated = name.startswith("set_") and name.endswith("_request")
    return skip or generated or name in SKLEARN_METHODS


def describe_constant(app, what, name, obj, options, lines):
    """Take the docstring of a lazy constant from the module that it is written in."""
    from sphinx.pycode import ModuleAnalyzer  # tests read this file without Sphinx

    home = sklearn_deep._HOMES.get(name.removeprefix("sklearn_deep."))
    if what == "data" and home is not None:
        attributes = ModuleAnalyzer.for_module(f"sklearn_deep.{home}").find_attr_docs()
        lines[:] = attributes["", name.rpartition(".")[2]]


def link_projects(app, config):
    """Set ``intersphinx_mapping``, for the builder and not for who reads this file."""
    config.intersphinx_mapping = _inventories.mapping(Path(app.outdir) / ".inventories")


def setup(app):
    """Connect the hooks."""
    app.connect("config-inited", link_projects, priority=1)
    (Path(__file__).parent / "api.rst").write_text(api_page())
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("autodoc-process-docstring", describe_constant)

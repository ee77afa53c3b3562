"""Write the shared docstring entries into the network estimators.

``python docs/_write_docstrings.py`` (``make docstrings``) rewrites the source files of
the classes. Shared entries come from ``_docstring_sections.py``; what else a class
docstring says is written in the class.
"""

import ast
import inspect
import re
import textwrap
from itertools import pairwise
from pathlib import Path

from _docstring_sections import AUTO_EARLY_STOPPING, GROUPS, SHARED

import sklearn_deep

WIDTH = 88 - 4  # of a line in a class docstring, without the indent
HEADING = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
# An entry starts at the margin, with a name or with the label of a reference.
ENTRY = re.compile(r"^(?:(\*{0,2}\w+) :|\.\. (\[\w+\]))", re.MULTILINE)


def with_shared_entries(cls, source):
    """Give the source of a class's module with the shared entries in its docstring."""
    lines = source.splitlines(keepends=True)
    body = next(
        node.body
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__
    )
    where = slice(body[0].lineno - 1, body[0].end_lineno)
    doc = _filled(cls, textwrap.dedent("".join(lines[where])))
    lines[where] = [textwrap.indent(doc, "    ")]
    return "".join(lines)


def _filled(cls, doc):
    """Replace the sections of a docstring that have shared entries."""
    head, *parts = HEADING.split(doc)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    for title, chosen in CHOSEN.items():
        groups = [GROUPS[name].get(title, "") for name in SHARED[cls.__name__]]
        shared = {name: e for text in groups for name, e in _entries(text).items()}
        entries = {**_entries(sections[title]), **shared}
        text = head + "".join(sections.values())
        sections[title] = "\n".join(chosen(cls, entries, shared, text)) + "\n\n"
    return head + "".join(f"{t}\n{'-' * len(t)}\n{s}" for t, s in sections.items())


def _entries(text):
    """Name, or label of a reference, to the entry, of one section."""
    starts = [match.start() for match in ENTRY.finditer(text)]
    entries = [text[a:b].rstrip() for a, b in pairwise([*starts, len(text)])]
    return {next(filter(None, ENTRY.match(e).groups())): e for e in entries}


def _parameters(cls, entries, shared, text):
    """One entry per parameter, in the order of the signature."""
    for parameter in inspect.signature(cls).parameters.values():
        name = str(parameter).partition("=")[0]  # with the stars of **parameters
        entry = entries[name]
        yield _with_default(cls, entry, parameter) if name in shared else entry


def _with_default(cls, entry, parameter):
    """Complete a shared entry by the default in the signature of the class."""
    header, about = entry.split("\n", 1)
    if parameter.default is not parameter.empty:
        default = repr(parameter.default).replace("'", '"')
        header += f", default={default}"
    if "{" not in about:
        return f"{_continued(header)}\n{about}"
    for name, value in _settings(cls).items():
        about = about.replace(f"{{{name}}}", value)
    rule = "by rows" if cls._rows_of_decay else cls._auto_keeps_best_epoch
    about = about.replace("{auto_early_stopping}", AUTO_EARLY_STOPPING[rule])
    return f"{_continued(header)}\n{about}"


def _settings(cls):
    """What the "auto" of parameters means for a class."""
    fewest, most = cls._epoch_range
    settings = {
        **cls._auto_batch._asdict(),
        "steps": cls._enough_steps,
        "fewest": fewest,
        "most": most,
    }
    return {name: f"{value:,}" for name, value in settings.items()}


def _continued(header):
    """Break a long line of a name and its type; a backslash joins it again."""
    line = " ".join(header.split())
    lines = textwrap.wrap(
        line, WIDTH - 2, subsequent_indent=" " * 8, break_long_words=False
    )
    return " \\\n".join(lines)


def _attributes(cls, entries, shared, text):
    """The class's own attributes, then those that it shares."""
    for name, entry in entries.items():
        header, about = entry.split("\n", 1)
        yield f"{_continued(header)}\n{about}" if name in shared else entry


def _references(cls, entries, shared, text):
    """The references that the rest of the docstring cites, by their labels."""
    return [entry for label, entry in sorted(entries.items()) if f"{label}_" in text]


# Filled in this order: the references are those that the other sections cite.
CHOSEN = {
    "Parameters": _parameters,
    "Attributes": _attributes,
    "References": _references,
}


if __name__ == "__main__":
    for name in SHARED:
        cls = getattr(sklearn_deep, name)
        path = Path(inspect.getsourcefile(cls))
        source = path.read_text(encoding="utf-8")
        path.write_text(with_shared_entries(cls, source), encoding="utf-8")

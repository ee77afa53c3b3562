"""``python -m sklearn_deep COMMAND``."""

import sys
from importlib import import_module

# Module of each command, imported if it is asked for; its ``main`` takes what follows.
_COMMANDS = {
    "describe": ("files._describe", "what is in a model file"),
    "serve": ("serving.server._command", "answer requests with exported models"),
}


def main(arguments: list[str]) -> int:
    """Run a command; the exit status is 2 for an unknown one."""
    name = arguments[0] if arguments else ""
    if name not in _COMMANDS:
        wants_help = name in ("-h", "--help")
        lines = [f"  {known:10}{text}" for known, (_, text) in _COMMANDS.items()]
        usage = "usage: python -m sklearn_deep COMMAND ...\n\n" + "\n".join(lines)
        print(usage, file=sys.stdout if wants_help else sys.stderr)
        return 0 if wants_help else 2
    module = import_module(f"{__package__}.{_COMMANDS[name][0]}")
    # describe parses its own name too
    return module.main(arguments if name == "describe" else arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

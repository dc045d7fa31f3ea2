"""docs/cli.md, from the code: `python -m firth.cli > docs/cli.md`."""

import inspect
from collections.abc import Iterator

from cyclopts import App, Argument

from firth.cli import app


def reference() -> str:
    """The text of docs/cli.md: every command with its arguments, from the code."""
    parts = ["# The command line", "Written by `python -m firth.cli > docs/cli.md`; a test compares.", app.help]
    for words in _all_commands():
        command = app
        for word in words:
            command = command[word]
        parts += [f"## firth {' '.join(words)}", inspect.cleandoc(command.help).partition("\n\nArgs:")[0]]
        lines = [_reference_line(argument) for argument in _documented(command)]
        parts.append("\n".join(["| argument | default | meaning |", "|---|---|---|", *lines]))
    return "\n\n".join(parts) + "\n"


def _commands(app: App) -> list[str]:
    return [name for name in app if not name.startswith("-")]


def _all_commands() -> Iterator[tuple[str, ...]]:
    """What may stand behind `firth`: every command that does something, a group of them behind its own."""
    for name in _commands(app):
        if app[name].default_command is not None:
            yield (name,)
        yield from ((name, inner) for inner in _commands(app[name]))


def _documented(command: App) -> list[Argument]:
    arguments = command.assemble_argument_collection(parse_docstring=True)
    return [argument for argument in arguments if argument.show and argument.name != "*"]


def _reference_line(argument: Argument) -> str:
    names = ", ".join(f"`{name}`" for name in argument.names)
    default = argument.field_info.default
    is_shown = default not in (None, False, (), inspect.Parameter.empty)
    shown = f"`{default}`" if is_shown else "required" if argument.required else ""
    choices = ", ".join(f"`{choice}`" for choice in argument.get_choices() or ())
    meaning = " ".join((argument.parameter.help or "").split())
    return f"| {names} | {shown} | {meaning}{f' ({choices})' if choices else ''} |"


if __name__ == "__main__":
    print(reference(), end="")

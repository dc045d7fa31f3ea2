"""`firth push`: a model sent to the Hugging Face Hub, after what goes was shown."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from firth.cli.printing import say, show
from firth.cli.settings import AsJson, Files, Flag
from firth.errors import FirthError, UsageError


def push(
    model: Path,
    name: str,
    /,
    *,
    licence: Annotated[str | None, Parameter(name=["--licence", "--license"])] = None,
    private: Flag = False,
    languages: str = "",
    pairs: Files = (),
    analogies: Files = (),
    yes: Flag = False,
    as_json: AsJson = False,
) -> None:
    """Send a model to the Hugging Face Hub, with a card that says what it is.

    Shows what goes and what stays, and asks. Needs the extra `hub`, and a token that may write (`hf auth login`).

    Args:
        model: A model, or a directory of vectors.
        name: Where to, as `org/name`; `hf:org/name` opens it from there.
        licence: Under which others may use it, as the Hub calls licences: apache-2.0, cc-by-sa-4.0, other. It is asked
            for where it is not given. A README.md in the model's directory is the card, and says it itself.
        private: Make it for its owner alone, where it is not there yet.
        languages: Of the text that it was trained on, as en or en,zh, for the card.
        pairs: Files of two words and a score a line; the card gives the scores on them.
        analogies: Files of four words a line, the same.
        yes: Send without asking.
        as_json: Print JSON, for machines.
    """
    from firth import publishing

    if not yes and not sys.stdin.isatty():
        raise UsageError("nobody can be asked here whether to send; give --yes, and --licence")
    if licence is None and not yes and not (model / publishing.CARD).is_file():
        licence = _answer("Under which licence (apache-2.0, mit, cc-by-4.0, cc-by-sa-4.0, cc0-1.0, other)?")
    sent = publishing.parcel(
        model,
        name,
        licence=licence,
        languages=[code.strip() for code in languages.split(",") if code.strip()],
        pairs=pairs,
        analogies=analogies,
    )
    sizes = sent.sizes()
    for file, n_bytes in sizes.items():
        say(f"{n_bytes:>15,} bytes  {file}")
    if sent.left_out:
        say(f"stays here: {', '.join(sent.left_out)}")
    what = f"{len(sizes)} files of {sum(sizes.values()) / 1e6:,.1f} MB to {sent.name}"
    if not yes and _answer(f"Send these {what}{', for you alone' if private else ''} [y/N]?").lower() not in (
        "y",
        "yes",
    ):
        raise FirthError("nothing was sent")
    address = publishing.send(sent, private=private or None)
    show([{"address": address, "files": len(sizes), "bytes": sum(sizes.values())}], as_json=as_json)


def _answer(question: str) -> str:
    """What is typed for an answer."""
    print(question, end=" ", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()

"""`firth serve`: the page that shows models, on this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from firth.cli.settings import PREPARATION, Files, Flag, Prepared, progress_of, with_lists


def serve(
    *models: str,
    corpus: Annotated[Files, Parameter(allow_leading_hyphen=True)] = (),
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 7321,
    token: str | None = None,
    cors: Annotated[Sequence[str], Parameter(negative=())] = (),
    open_browser: Annotated[bool, Parameter(name="--open", negative=(), show_default=False)] = False,
    cache_dir: Path | None = None,
    quiet: Flag = False,
    preparation: Prepared = PREPARATION,
) -> None:
    """Show models on a page in the browser: words in their contexts, neighbours, maps, layers, trainings.

    Without a model, those of `firth demo` are shown, with its corpus. The page, and the JSON API behind it
    (/api/openapi.json), answer on this machine alone; another --host takes a token, which the address that is printed
    holds.

    Args:
        models: Models, running trainings among them, or files of vectors.
        corpus: The text whose sentences are shown; it is read once, and kept in the cache for the next time.
        host: The address to listen on.
        port: Its port; 0 takes any that is free.
        token: What requests must know, 8 or more of A-Z, a-z, 0-9 and . _ ~ -; of another host than this machine's own
            one is made up where none is given.
        cors: Origins of other pages that may ask the API, as http://localhost:3000.
        open_browser: Open the page in the browser.
        cache_dir: Where the index of the corpus is kept.
        quiet: Say nothing but the address.
    """
    from firth.serving import serve as served

    served(
        list(models),
        corpus=list(corpus) or None,
        host=host,
        port=port,
        token=token,
        cors=cors,
        open_browser=open_browser,
        cache_dir=cache_dir,
        preparation=with_lists(preparation),
        progress=progress_of(quiet),
        say=print,
    )

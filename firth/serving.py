"""The explorer on an address of this machine: models, a corpus, and the server that shows them in the browser."""

import os
import re
import secrets
import socket
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from firth.demonstration import PACKAGE, kept_models, paragraphs
from firth.errors import FirthError, UsageError
from firth.files import printable
from firth.preparation import Preparation
from firth.progress import Progress, Silent

LOCAL: Final = ("127.0.0.1", "localhost", "::1")
PORT: Final = 7321
MOST_CONNECTIONS: Final = 512
SECONDS_KEPT_ALIVE: Final = 15
_DEMO_TRIED: Final = (("rock", "bank", "current", "power"), ("skipgram", "cbow"))
"""Words of two senses in the demonstration's corpus, and those of its models that tell them apart."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]{8,}")  # which no address, cookie or header has to write in another way


def serve(
    models: Sequence[str | os.PathLike[str]] = (),
    *,
    corpus: Any = None,
    host: str = "127.0.0.1",
    port: int = PORT,
    token: str | None = None,
    cors: Sequence[str] = (),
    open_browser: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    preparation: Preparation | None = None,
    progress: Progress | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> None:
    """Shows models on a page and answers the API, until it is interrupted (Ctrl-C).

    Args:
        models: Where they are; without any, those that `firth demo` has kept, with its corpus.
        corpus: The text whose sentences are shown, as `firth.train` takes it.
        host: The address to listen on. Another one than this machine's own takes a token.
        port: Its port; 0 takes any that is free.
        token: What requests must know; None makes one up where one is due.
        cors: Origins of other pages that may ask the API.
        open_browser: Whether to open the page in the browser.
        cache_dir: Where the index of the corpus is kept.
        preparation: How the corpus is read.
        progress: Told what is being done.
        say: Told the address of the page.

    Raises:
        FirthError: what serves pages is not installed; there is no model; the address is taken.
        UsageError: no model was given, and `firth demo` has kept none; the token is none; one of `cors` is no origin.
    """
    progress = progress or Silent()
    if token is not None and not _TOKEN.fullmatch(token):
        given = "an empty token" if not token else "a token"
        raise UsageError(f"{given} was given that is none: 8 or more of the letters A-Z and a-z, digits and . _ ~ -")
    try:
        import uvicorn

        from firth.explorer.app import application
        from firth.explorer.exploration import Exploration, Tried
        from firth.explorer.security import address_of, names_of, origin_of
    except ModuleNotFoundError as error:
        needed = (error.name or "").partition(".")[0]
        if needed not in ("fastapi", "uvicorn", "jinja2", "starlette", "pydantic"):
            raise
        raise FirthError(f"firth serve needs {needed}, which is not installed: pip install 'firth[serve]'") from None
    is_demo = not models
    if is_demo:
        models = kept_models(cache_dir)
        if not models:
            raise UsageError("no model was given, and `firth demo` has kept none: run it, or name a model")
    cors = [origin_of(one) for one in cors]
    if host not in LOCAL and token is None:
        token = secrets.token_urlsafe(24)
    place = None if cache_dir is None else Path(cache_dir)
    exploration = Exploration([str(model) for model in models], cache_dir=place)
    try:
        bound = _bound(host, port)
        if corpus is not None:
            exploration.read(corpus, name=_name(corpus), preparation=preparation, cache_dir=place, progress=progress)
        elif is_demo:
            exploration.read(
                list(paragraphs()),
                name="demo",
                told=_demo_corpus(),
                tried=Tried(*_DEMO_TRIED),
                cache_dir=place,
                progress=progress,
            )
        names = names_of(host) | names_of(str(bound.getsockname()[0]))
        application_ = application(exploration, hosts=sorted(names), token=token, cors=cors)
        config = uvicorn.Config(
            application_,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=SECONDS_KEPT_ALIVE,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=5,
        )
        address = address_of(bound)
        say(address if token is None else f"{address}?token={token}")
        progress.say("Ctrl-C ends it")
        if open_browser:
            webbrowser.open(address if token is None else f"{address}?token={token}")
        uvicorn.Server(config).run(sockets=[bound])
    finally:
        exploration.close()


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens on an address.

    Raises:
        FirthError: the address is taken, or none of this machine's.
    """
    found = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(MOST_CONNECTIONS)  # so that whoever reads the address may ask at once
    except (OSError, UnicodeError) as error:
        if found is not None:
            found.close()
        why = error.strerror if isinstance(error, OSError) else "it is no name of a host"
        raise FirthError(
            f"{printable(host)}:{port} cannot be listened on: {why}; --port 0 takes any port that is free"
        ) from None
    return found


def _name(corpus: Any) -> str:
    """What the page calls a corpus: the names of its files, without their folders."""
    several = [corpus] if isinstance(corpus, str | os.PathLike) else list(corpus)
    if not all(isinstance(one, str | os.PathLike) for one in several):
        return "corpus"
    names = [Path(one).name or str(one) for one in several]
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _demo_corpus() -> str:
    """What the demonstration's corpus is known again by."""
    from importlib.metadata import version

    return f"{PACKAGE} {version(PACKAGE)}"

"""The explorer as a web application: pages and API of an `Exploration`, behind the checks of `security`."""

from collections.abc import Sequence

from fastapi import FastAPI

from firth.explorer import api, pages
from firth.explorer.exploration import Exploration
from firth.explorer.security import Guard


def application(
    exploration: Exploration, *, hosts: Sequence[str] = (), token: str | None = None, cors: Sequence[str] = ()
) -> Guard:
    """What answers requests; see `security.Guard` for the arguments."""
    return Guard(pages_and_api(exploration), hosts=hosts, token=token, cors=cors)


def pages_and_api(exploration: Exploration) -> FastAPI:
    """The same without the checks of who asks."""
    from importlib.metadata import version

    app = FastAPI(
        title="firth explorer",
        version=version("firth"),
        description=api.__doc__ or "",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    api.install(app, exploration)
    pages.install(app, exploration)
    return app

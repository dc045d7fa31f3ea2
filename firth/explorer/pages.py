"""The pages: templates filled in the reader's language. What they show is asked by scripts of the API."""

import json
from importlib import resources
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.staticfiles import StaticFiles

from firth.explorer.exploration import LIMITS, Exploration
from firth.explorer.faults import NotThereError

FOLDER: Final = Path(str(resources.files("firth") / "explorer"))
VIEWS: Final = ("home", "contexts", "neighbours", "analogy", "map", "layers", "training", "heatmap", "about")
LANGUAGES: Final = ("en", "zh")
COOKIE: Final = "lang"


def install(app: FastAPI, exploration: Exploration) -> None:
    """Adds the pages, and the files that they are made of."""
    pages = Environment(loader=FileSystemLoader(FOLDER / "templates"), autoescape=select_autoescape(default=True))
    translations = read_translations()

    def page(view: str, request: Request) -> Response:
        if not (FOLDER / "templates" / f"{view}.html").is_file():
            raise NotThereError(f"there is no page called {view}; / has those that there are")
        asked = request.query_params.get("lang", "")
        lang = language(asked, request.cookies.get(COOKIE, ""), request.headers.get("accept-language", ""))
        found = exploration.models()
        html = pages.get_template(f"{view}.html").render(
            view=view,
            lang=lang,
            t=translations.get(lang, {}),
            words=translations.get(lang, {}),
            models=found["models"],
            corpus=found["corpus"],
            version=found["version"],
            umap=found["umap"],
            limits=dict(LIMITS),
        )
        answer = Response(html, media_type="text/html; charset=utf-8", headers={"Cache-Control": "no-store"})
        if asked in LANGUAGES:
            answer.set_cookie(COOKIE, asked, max_age=31_536_000, samesite="strict", httponly=True)
        return answer

    def served(view: str) -> Any:
        async def answer(request: Request) -> Response:
            return await exploration.gate.run(lambda: page(view, request))

        return answer

    for view in VIEWS:
        path = "/" if view == "home" else f"/{view}"
        app.add_api_route(path, served(view), methods=["GET"], include_in_schema=False, name=view)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")


def read_translations() -> dict[str, dict[str, str]]:
    """The texts of the pages by language, and by their names."""
    found: dict[str, dict[str, str]] = json.loads((FOLDER / "translations.json").read_text(encoding="utf-8"))
    return found


def language(asked: str, remembered: str, accepted: str) -> str:
    """The language of a page: that asked for, that of the last time, or the first that the browser accepts.

    >>> language("", "", "fr;q=0.9, zh-CN, en;q=0.8")
    'zh'
    """
    for one in (asked, remembered):
        if one in LANGUAGES:
            return one
    weighted = []
    for place, part in enumerate(accepted[:1_000].split(",")):
        name, _, quality = part.strip().partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality else 1.0
        except ValueError:
            weight = 0.0
        weighted.append((-weight, place, name.split("-")[0].lower()))
    return next((name for _, _, name in sorted(weighted) if name in LANGUAGES), "en")

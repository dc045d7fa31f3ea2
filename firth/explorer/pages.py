"""The pages: templates filled in the reader's language. What they show is asked by scripts of the API."""

from typing import Any, Final

from fastapi import FastAPI, Request, Response
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.staticfiles import StaticFiles

from firth.explorer.exploration import LIMITS, Exploration
from firth.explorer.translations import COOKIE, FOLDER, LANGUAGES, language, tag, texts

VIEWS: Final = ("home", "contexts", "neighbours", "analogy", "map", "layers", "training", "heatmap", "about")


def install(app: FastAPI, exploration: Exploration) -> None:
    """Adds the pages, and the files that they are made of."""
    pages = Environment(loader=FileSystemLoader(FOLDER / "templates"), autoescape=select_autoescape(default=True))

    def page(view: str, request: Request) -> Response:
        asked = request.query_params.get("lang", "")
        lang = language(asked, request.cookies.get(COOKIE, ""), request.headers.get("accept-language", ""))
        found = exploration.models()
        html = pages.get_template(f"{view}.html").render(
            view=view,
            lang=lang,
            tag=tag(lang),
            t=texts(lang),
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

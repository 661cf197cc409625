"""The page at `/`: one document, one style, one script and its words, all served from here; it loads nothing else."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response

LANGUAGES = ("en", "ko")
"""Languages of the page; the first is for those who ask for none of them."""

TYPES = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "words.js": "text/javascript",
    "results.js": "text/javascript",
}
"""The files that the page loads, and their types."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self';"
    " form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)


def routes() -> APIRouter:
    """The routes of the page, which the OpenAPI document leaves out."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def document(request: Request) -> Response:
        """The page, in the language that the browser prefers."""
        language = language_of(request.headers.get("accept-language", ""))
        html = _file("page.html").replace('lang="en"', f'lang="{language}"', 1)
        return Response(html, media_type="text/html", headers={"Content-Security-Policy": POLICY})

    def serve(name: str) -> None:
        @router.get(f"/{name}")
        async def file() -> Response:
            return Response(_file(name), media_type=TYPES[name])

    for name in TYPES:
        serve(name)
    return router


def language_of(accepted: str) -> str:
    """The language of the page for a header `Accept-Language`, by its weights: the first of equal ones."""
    weights: dict[str, float] = {}
    for entry in accepted.split(","):
        tag, _, weight = entry.partition(";q=")
        language = tag.strip().lower().partition("-")[0]
        if language in LANGUAGES:
            weights.setdefault(language, _number(weight) if weight else 1.0)
    return max(weights, key=lambda language: weights[language], default=LANGUAGES[0])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


@cache
def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")

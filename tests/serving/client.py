"""A client that asks an application without sockets, and what it sends."""

import asyncio
import json
from io import BytesIO
from typing import Any

import httpx
import numpy as np
from PIL import Image
from starlette.types import ASGIApp

from resvision.runtime.engines import EngineSettings
from resvision.serving.service import Service

FP32 = EngineSettings(precision="fp32", threads=1)


class Client:
    """Asks an application without sockets.

    service  whose application it is
    """

    def __init__(self, service: Service, app: ASGIApp) -> None:
        self.service, self._app = service, app

    def __call__(self, method: str, path: str, **words: Any) -> httpx.Response:
        """The answer to a request."""
        (answer,) = self.together((method, path, words))
        return answer

    def together(self, *requests: tuple[str, str, dict[str, Any]]) -> list[httpx.Response]:
        """The answers to requests that are made at once."""

        async def asked() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await asyncio.gather(
                    *(client.request(method, path, **words) for method, path, words in requests)
                )

        return asyncio.run(asked())


def encoded(pixels: np.ndarray, form: str = "PNG") -> bytes:
    """An image as a file."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()


def picture(seed: int = 0, *, shape: tuple[int, ...] = (16, 16), form: str = "PNG") -> bytes:
    """A file of noise."""
    return encoded(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8), form)


def error_of(answer: httpx.Response) -> str:
    """The line of an answer that is an error."""
    body = json.loads(answer.content)
    assert [*body] == ["error"]
    line: str = body["error"]
    assert "\n" not in line
    assert "Traceback" not in line
    return line

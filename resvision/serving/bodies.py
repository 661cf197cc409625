"""The body of a request, read as it comes and no further than the limits."""

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect

from resvision.serving.budgets import Share
from resvision.serving.limits import Limits
from resvision.serving.refused_requests import RefusedRequest


async def read_body(request: Request, limits: Limits, held: Share) -> bytes:
    """The whole body; `held` takes its bytes as they come.

    Raises RefusedRequest: 400 for a client that went away, 408 for one that is too slow, 413 for more bytes than one
    body may have, 503 where all bodies together have too many.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.body_bytes:
        raise _too_long(limits)
    chunks: list[bytes] = []
    count = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.stream():
                count += len(chunk)
                if count > limits.body_bytes:
                    raise _too_long(limits)
                held.add(len(chunk))
                chunks.append(chunk)
    except TimeoutError:
        raise RefusedRequest(408, f"the body of the request took longer than {limits.body_seconds:g} s") from None
    except ClientDisconnect:
        raise RefusedRequest(400, "the body of the request ended too early") from None
    return b"".join(chunks)


def _too_long(limits: Limits) -> RefusedRequest:
    return RefusedRequest(413, f"a body of more than {limits.body_bytes:,} bytes, which is the limit here")

"""Requests that are refused: the status of the answer, and the line that says why."""

from resvision.core.errors import ResVisionError

RETRY_AFTER_S = 1
"""Seconds after which a client may ask again, as an answer 503 says."""


class RefusedRequest(ResVisionError):
    """A request gets no result; the answer has this status, and the message as its error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def busy(message: str) -> RefusedRequest:
    """The refusal of a request that may be made again a little later."""
    return RefusedRequest(503, f"{message}; try again")

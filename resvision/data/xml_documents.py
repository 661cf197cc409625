"""XML documents of strangers: a document type, and so any entity, is refused before anything of it is expanded.

The handlers of a format raise UnexpectedXmlError for what it may not hold; whatever goes wrong, the error names the
file and the line.
"""

from collections.abc import Callable
from typing import TypeVar
from xml.parsers import expat

from resvision.core.errors import DataError, printable

T = TypeVar("T")

DEEPEST = 32
"""The most elements inside one another; annotations and scenarios have ten."""


class UnexpectedXmlError(ValueError):
    """A document holds something that its format may not."""


def guarded_parser() -> expat.XMLParserType:
    """A parser that refuses document types, and gives the text between two tags as one."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_document_type
    return parser


def parse(parser: expat.XMLParserType, document: bytes, where: str, result: Callable[[], T]) -> T:
    """The `result` once a document went through the handlers of a guarded parser.

    Raises DataError, with `where` and the line, also for an UnexpectedXmlError of `result`.
    """
    try:
        parser.Parse(document, True)
        return result()
    except expat.ExpatError as error:
        line, what = error.lineno, expat.errors.messages.get(error.code, "not well-formed")
        raise DataError(f"{printable(where)}:{line}: no XML ({what})") from None
    except UnexpectedXmlError as error:
        line = max(1, parser.CurrentLineNumber)
        raise DataError(f"{printable(where)}:{line}: {printable(str(error))}") from None
    except (ValueError, LookupError):  # of Python, about the encoding that the first line names
        what = "an encoding that is not read here; save it as UTF-8"
        raise DataError(f"{printable(where)}:1: {what}") from None


def require_shallow(depth: int) -> None:
    """Raise UnexpectedXmlError where an element begins inside DEEPEST others."""
    if depth >= DEEPEST:
        raise UnexpectedXmlError(f"nested deeper than {DEEPEST} elements")


def _refuse_document_type(*_: object) -> None:
    raise UnexpectedXmlError("a document type, which may define entities; nothing here needs one, take it out")

"""The table of studies: the command of each, with its design as text. Reaches no torch."""

from collections.abc import Mapping

from resvision.core import references
from resvision.core.errors import SettingsError
from resvision.studies.design import Design

STUDIES: Mapping[str, str] = {
    "degradation": "resvision.studies.degradation:degradation",
    "gradients": "resvision.studies.gradients:gradients",
    "history": "resvision.studies.history:DESIGN",
    "responses": "resvision.studies.responses:responses",
    "shortcut-motion": "resvision.studies.shortcut_motion:DESIGN",
}
"""The studies by name: "module:object", a Design, or a function that gives one from no arguments."""


def design_of(reference: str) -> Design:
    """The design that `package.module:object` names, of ours or of a user's own.

    Raises UnknownNameError where there is none, SettingsError for an object that is no design.
    """
    named = references.find(reference, noun="study")
    with references.own_code(reference):
        design = named() if callable(named) else named
    if not isinstance(design, Design):
        raise SettingsError(
            f"study {reference}: is a {type(design).__name__}; name a resvision.studies.design.Design, or a function"
            " that gives one"
        )
    return design

"""The table of studies: the command of each, with its design as text. Reaches no torch."""

from collections.abc import Mapping

from resvision.core import references
from resvision.core.errors import SettingsError
from resvision.studies.design import Design

STUDIES: Mapping[str, str] = {
    "degradation": "resvision.studies.degradation:degradation",
    "shortcuts": "resvision.studies.shortcuts:DESIGN",
    "shortcut-forms": "resvision.studies.shortcut_forms:DESIGN",
    "placement": "resvision.studies.placement:DESIGN",
    "zero-init": "resvision.studies.zero_init:DESIGN",
    "bottleneck": "resvision.studies.bottleneck:DESIGN",
    "fully-connected": "resvision.studies.fully_connected:DESIGN",
    "gradients": "resvision.studies.gradients:gradients",
    "responses": "resvision.studies.responses:responses",
    "lesion": "resvision.studies.lesion:DESIGN",
    "paths": "resvision.studies.paths:DESIGN",
    "overfitting": "resvision.studies.overfitting:DESIGN",
    "representations": "resvision.studies.representations:DESIGN",
    "landscape": "resvision.studies.landscape:DESIGN",
    "cost": "resvision.studies.cost:DESIGN",
    "augmentation-views": "resvision.studies.augmentation_views:DESIGN",
    "transfer": "resvision.studies.transfer:DESIGN",
    "history": "resvision.studies.history:DESIGN",
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

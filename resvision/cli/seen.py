"""The scored images that a run knew before, as lines, cells and plain data."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resvision.data.identities import ScoredImages, Seen
    from resvision.inference.load import Trained

HEADING = "images trained on"


def may_list(trained: "Trained") -> bool:
    """Whether it is a run, which lists its images unless it is an older one; published weights list none."""
    return trained.folder.is_dir()


def lines(seen: "Seen | None", *, listed: bool) -> list[tuple[str, str]]:
    """Names and values of the numbers of images that the run knew, where there are any or that is not known."""
    if seen is None:
        return [("trained on", "not known, the run kept no list of its images")] if listed else []
    named = {"trained on": seen.trained, "chosen by": seen.validated}
    return [(name, f"{known.sum():,} of the {len(known):,} images") for name, known in named.items() if known.any()]


def cell(seen: "Seen | None", *, listed: bool) -> str:
    """The number of images that the run was trained on, with that of others that chose its weights."""
    if seen is None:
        return "not known" if listed else ""
    chosen = f", chosen by {seen.validated.sum():,}" if seen.validated.any() else ""
    return f"{seen.trained.sum():,}{chosen}"


def counts(seen: "Seen | None") -> dict[str, int | None]:
    """The numbers of images that the run was trained on and that chose its weights; None where they are not known."""
    trained, validated = (None, None) if seen is None else (int(seen.trained.sum()), int(seen.validated.sum()))
    return {"images_trained_on": trained, "images_chosen_by": validated}


def changes(images: "ScoredImages") -> dict[str, int | bool]:
    """The changes of the run's own set since it began, and whether it was found at another place; empty without any."""
    changed = {"images_new": images.new, "images_gone": images.gone} if images.new or images.gone else {}
    return {**changed, **({"own_set_moved": True} if images.moved else {})}


def changed(images: "ScoredImages") -> str:
    """The changes of the run's own set since it began, in words; "" where there are none."""
    scored = f"{len(images.reader):,} test images of the run are scored"
    if images.new or images.gone:
        return (
            f"the set has changed since the run began: {images.new:,} images are new, {images.gone:,} of the run's test"
            f" images are gone; {scored}, none under a name that it was trained on"
        )
    return f"the run's own set at another place: the {scored}" if images.moved else ""

"""The scored images that a run knew before, as lines, cells and plain data."""

from typing import TYPE_CHECKING

from resvision.core.plurals import counted, plural

if TYPE_CHECKING:
    from resvision.data.identities import Overlap, ScoredImages
    from resvision.inference.load import Trained


def heading(noun: str) -> str:
    """The heading of `cell`, above samples of this noun."""
    return f"{plural(noun)} trained on"


def may_list(trained: "Trained") -> bool:
    """Whether the model is a run: runs keep a list of their images, but for older ones; published weights keep none."""
    return trained.folder.is_dir()


def lines(overlap: "Overlap | None", noun: str, *, listed: bool) -> list[tuple[str, str]]:
    """The numbers of samples that the run knew, each with its name; none for numbers that are 0."""
    if overlap is None:
        return [("trained on", f"not known, the run kept no list of its {plural(noun)}")] if listed else []
    named = {"trained on": overlap.trained, "chosen by": overlap.validated}
    return [
        (name, f"{known.sum():,} of the {counted(len(known), noun)}") for name, known in named.items() if known.any()
    ]


def cell(overlap: "Overlap | None", *, listed: bool) -> str:
    """The number of images that the run was trained on, with that of others that chose its weights."""
    if overlap is None:
        return "not known" if listed else ""
    chosen = f", chosen by {overlap.validated.sum():,}" if overlap.validated.any() else ""
    return f"{overlap.trained.sum():,}{chosen}"


def counts(overlap: "Overlap | None") -> dict[str, int | None]:
    """The numbers of images that the run was trained on and that chose its weights; None where they are not known."""
    trained, validated = (None, None) if overlap is None else (int(overlap.trained.sum()), int(overlap.validated.sum()))
    return {"images_trained_on": trained, "images_chosen_by": validated}


def changes(images: "ScoredImages") -> dict[str, int | bool]:
    """The changes of the run's own set since it began, and whether it was found at another place; empty without any."""
    changed = {"images_new": images.new, "images_gone": images.gone} if images.new or images.gone else {}
    return {
        **changed,
        **({"own_set_moved": True} if images.moved else {}),
        **({"names_with_other_contents": True} if images.altered else {}),
    }


def summary(images: "ScoredImages", noun: str) -> str:
    """The changes of the run's own set since it began, in words; "" where there are none."""
    scored = f"{counted(len(images.reader), f'test {noun}')} of the run {_are(len(images.reader))} scored"
    if images.new or images.gone:
        return (
            f"the set has changed since the run began: {counted(images.new, noun)} {_are(images.new)} new,"
            f" {images.gone:,} of the run's test {plural(noun)} {_are(images.gone)} gone;"
            f" {scored}, none under a name that it was trained on"
        )
    if images.altered:
        return (
            f"not the run's own set: it has the names of the {plural(noun)} that the run was trained on, with other"
            f" contents; its {len(images.reader):,} test {plural(noun)} are scored"
        )
    return f"the run's own set at another place: the {scored}" if images.moved else ""


def _are(number: int) -> str:
    return "is" if number == 1 else "are"

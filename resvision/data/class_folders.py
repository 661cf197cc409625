"""Classes as folders: the names of their files, what does not belong among them, and a fifth of each split off."""

import unicodedata
from collections.abc import Iterator

from resvision.core.draws import shuffled
from resvision.data.faults import Fault, fault, listing
from resvision.data.places import Place

Files = dict[str, list[str]]
"""Class -> names of its files, both in order."""


def class_files(folder: Place, faults: list[Fault], litter: list[str]) -> Files:
    """The classes and their files, in order of name; what does not belong adds to `faults` or to `litter`."""
    files: Files = {}
    for name, is_folder in listing(folder, faults, litter):
        if not is_folder:
            faults.append(fault(folder / name, "a file where only class folders may be"))
        elif not name.isprintable():
            faults.append(fault(folder / name, "a class name with a line break or the like"))
        else:
            files[name] = []
            for file, is_subfolder in listing(folder / name, faults, litter):
                if is_subfolder:
                    faults.append(fault(folder / name / file, "a folder inside a class"))
                else:
                    files[name].append(file)
    return files


def holds_folders(folder: Place) -> bool:
    """Whether the folder exists and holds folders alone."""
    entries = listing(folder, []) if folder.is_dir() else []
    return bool(entries) and all(is_folder for _, is_folder in entries)


def holds_a_folder(folder: Place) -> bool:
    """Whether the folder holds folders, which may be classes, and not unlabelled images alone."""
    return any(is_folder for _, is_folder in listing(folder, []))


def class_faults(classes: Files, folder: Place, *, least: int) -> Iterator[Fault]:
    """Yield the faults of classes, each of which needs `least` images: 1, or 2 where one is split off."""
    if len(classes) < 2:
        text = f"one class only, {next(iter(classes))}; two are needed" if classes else "no class folders"
        yield fault(folder, text)
    for class_name, files in classes.items():
        if len(files) < least:
            text = "one image only; two are needed to split one off" if files else "an empty class"
            yield fault(folder / class_name, text)
    folded: dict[str, str] = {}
    for class_name in classes:
        twin = folded.setdefault(unicodedata.normalize("NFC", class_name).casefold(), class_name)
        if twin != class_name:
            yield fault(folder / class_name, f"a class name that differs from {twin} only in case or encoding")


def unknown_classes(train: Files, test: Files, folder: Place) -> list[Fault]:
    """The faults of test classes that training lacks."""
    return [
        fault(folder / class_name, "a class that train does not have") for class_name in test if class_name not in train
    ]


def without_images(train: Files, test: Files, split: str) -> str:
    """The words that name classes without test images, or "".

    Such a set is not refused, since its training split is complete.
    """
    bare = [class_name for class_name in train if not test.get(class_name)]
    more = f" and {len(bare) - 5:,} more" if len(bare) > 5 else ""
    return f"; no {split} images of {', '.join(bare[:5])}{more}" if bare else ""


def split_off(whole: Files) -> tuple[Files, Files]:
    """Split files into training and validation: a fifth of each class, at least one, is validation.

    The shuffle depends on the number of files in the class only, so other classes may come and go.
    """
    train: Files = {}
    test: Files = {}
    for class_name, files in whole.items():
        held_out = set(shuffled(len(files), seed=0)[: max(1, len(files) // 5)].tolist())
        train[class_name] = [file for index, file in enumerate(files) if index not in held_out]
        test[class_name] = [file for index, file in enumerate(files) if index in held_out]
    return train, test

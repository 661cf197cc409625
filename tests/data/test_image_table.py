"""Tables of images: columns by content, splits, every fault with file and line, and `split.csv` beside images."""

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resvision.core.errors import DataError, SettingsError
from resvision.core.files import LIST
from resvision.data.check import check
from resvision.data.sets import open_splits
from resvision.data.splits import Splits

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Five images each of two classes, in folders of these."""
    for number, name in enumerate(names()):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 20 * number, dtype=np.uint8)).save(tmp_path / name)
    return tmp_path


def names() -> list[str]:
    return [f"{kind}/{number}.png" for kind in ("cat", "dog") for number in range(5)]


def table(home: Path, header: str, row: Callable[[int, str], str], *, name: str = "labels.csv", more: str = "") -> Path:
    rows = [row(number, image) for number, image in enumerate(names())]
    (home / name).write_text("\n".join([*([header] if header else []), *rows]) + f"\n{more}", encoding="utf-8")
    return home / name


def found(splits: Splits) -> dict[str, list[tuple[str, str]]]:
    """The images of each split with their classes, by their last two parts."""
    return {
        reader.split: [
            ("/".join(Path(reader.source(index)).parts[-2:]), reader.classes[reader.target(index)])
            for index in range(len(reader))
        ]
        for reader in splits.readers
    }


def faults(path: Path, columns: Sequence[str] = ()) -> list[str]:
    return [str(fault).removeprefix(f"{path.parent}/") for fault in check(str(path), columns=columns).faults]


FORMS: dict[str, Callable[[Path], Path]] = {
    "commas": lambda home: table(home, "file,breed", lambda _, image: f"{image},{image[:3]}"),
    "semicolons and a mark": lambda home: table(home, "\ufeffnr;bild;art", lambda n, image: f"{n};{image};{image[:3]}"),
    "tabs, quotes": lambda home: table(home, "file\tbreed", lambda _, image: f'"{image}"\t"{image[:3]}"', name="l.tsv"),
    "no header": lambda home: table(home, "", lambda _, image: f"{image},{image[:3]}"),
    "spaces": lambda home: table(home, "", lambda _, image: f"{image} {image[:3]}", name="train.txt"),
    "JSON lines": lambda home: table(
        home, "", lambda n, image: json.dumps({"label": image[:3], "w": n / 3, "image": f"./{image}"}), name="l.jsonl"
    ),
    "back slashes": lambda home: table(home, "file,breed", lambda _, image: f"{image},{image[:3]}".replace("/", "\\")),
    "number and name": lambda home: table(
        home, "id,label,label_name", lambda _, image: f"{image},{int(image[0] == 'd')},{image[:3]}"
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_table_of_any_form_is_the_set_of_its_folders(form: str, home: Path) -> None:
    there = open_splits(str(home))
    path = FORMS[form](home)
    here = open_splits(str(path))
    assert found(here) == found(there)
    assert here.fingerprint() == there.fingerprint()
    assert here.split_rule == there.split_rule
    assert check(str(path)).fine == 10


def test_a_column_of_splits_parts_the_images(home: Path) -> None:
    splits = ["Train", "train", "TRAIN", "Val", "test"]
    path = table(home, "file,label,fold", lambda n, image: f"{image},{image[:3]},{splits[n % 5]}")
    opened = open_splits(str(path))
    parts = found(opened)
    assert parts["test"] == [("cat/4.png", "cat"), ("dog/4.png", "dog")]
    assert (len(parts["train"]), len(parts["val"])) == (6, 2)
    assert opened.validation is not None
    assert opened.split_rule == (
        "6 train / 2 val / 2 test images, by the column fold of labels.csv; val judges on the way, test the result"
    )
    # as Kaggle has it, and with images that are to have no part
    splits = ["train", "train", "val", "test", "none"]
    path = table(home, "file,label,fold", lambda n, image: f"{image},{'' if n % 5 == 3 else image[:3]},{splits[n % 5]}")
    opened = open_splits(str(path))
    assert (opened.test.split, len(opened.test), opened.validation) == ("val", 2, None)
    assert "the 2 test images without labels are left untouched; 2 are left out by `none`" in opened.split_rule


def test_columns_that_content_does_not_tell_are_asked_for_and_said(home: Path, cli: Cli) -> None:
    path = table(home, "file,breed,colour", lambda n, image: f"{image},{image[:3]},{'red' if n % 2 else 'blue'}")
    asked = "which column is the label? breed (2 values), colour (2 values); say it, such as `--columns label=breed`"
    assert faults(path) == [f"labels.csv: {asked}"]
    assert open_splits(str(path), columns=["label=colour"]).train.classes == ("blue", "red")
    assert cli("data", "check", path, "--columns", "label=breed")[0] == 0
    for columns, what in (("label=bred", "unknown column 'bred'; nearest: breed"), ("lable=x", "unknown role 'lable'")):
        with pytest.raises(SettingsError, match=f"data.columns: .*{what}"):
            open_splits(str(path), columns=[columns])
    path = table(home, "id,breed", lambda _, image: f"{image[4]},{image[:3]}")
    assert faults(path)[0].endswith("or how it is made, `--columns 'path=images/{id}.jpg'`")
    assert len(open_splits(str(path), columns=["path={breed}/{id}.png", "label=breed"]).train) == 8


def test_numbers_are_classes_in_their_own_order(home: Path) -> None:
    path = table(home, "file,label", lambda n, image: f"{image},{[10, 2][n // 5]}")
    assert open_splits(str(path)).train.classes == ("2", "10")


def test_every_fault_of_a_table_names_the_line(home: Path) -> None:
    more = "cat/9.png,cat,train\ncat/0.png,cat,val\n../x,cat,train\na,b\n"
    rows = ["train", "val", "holdout", "train", ""]
    path = table(
        home, "file,label,split", lambda n, image: f"{image},{'' if n == 5 else image[:3]},{rows[n % 5]}", more=more
    )
    assert faults(path) == [
        "labels.csv:15: 2 columns in place of 3",
        "labels.csv:4: the split 'holdout' is none of train, val, test; `none` leaves an image out",
        "labels.csv:6: no split; `none` leaves an image out",
        "labels.csv:9: the split 'holdout' is none of train, val, test; `none` leaves an image out",
        "labels.csv:11: no split; `none` leaves an image out",
        "labels.csv:12: cat/9.png: no such file",
        "labels.csv:13: cat/0.png is in line 2, too",
        "labels.csv:14: ../x: no such file",
        "labels.csv:7: no label of dog/0.png",
    ]
    with pytest.raises(DataError, match=r"labels.csv: 9 faults: .*; `resvision data check .*labels.csv` lists them"):
        open_splits(str(path))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no table: a line with the names of columns is due"),
        (b"\xff\xfa\x00", "not a text in UTF-8"),
        (b"\xff\xfe\x00\xd8\x00", "not a text in UTF-8"),
        (b'{"file": "cat/0.png"}\n{"file": }', "line 2: no JSON"),
        (b'{"file": "cat/0.png"}\n{"path": "x"}', "line 2: 'file' is not in every object"),
        (b"file,file\na,b\n", "two columns of the name 'file'"),
        (b"x" * (LIST + 1), "more than 16 MB, which is the limit here"),
    ],
)
def test_what_is_no_table_is_one_clear_fault(content: bytes, what: str, home: Path) -> None:
    path = home / "labels.csv"
    path.write_bytes(content)
    [fault] = check(str(path)).faults
    assert fault.what.startswith(what)


def test_faults_of_a_table_hold_no_control_characters(home: Path) -> None:
    cells = ["c\x1bt", "a" * 300, *["dog"] * 8]
    said = faults(table(home, "file,label", lambda n, image: f"{image},{cells[n]}", more="\0\x1b.png,dog\n"))
    assert all(line.isprintable() for line in said)
    assert said[:3] == [
        r"labels.csv:12: \x00\x1b.png: no such file",
        r"labels.csv:2: the label 'c\x1bt' cannot name a class",
        f"labels.csv:3: the label '{'a' * 59} cannot name a class",
    ]


def test_an_image_by_its_full_path_is_the_one_below_the_table(home: Path) -> None:
    said = faults(table(home, "file,label", lambda n, image: f"{image},{image[:3]}", more=f"{home}/cat/0.png,dog\n"))
    assert said == ["labels.csv:12: cat/0.png is in line 2, too"]


def test_a_split_table_lists_images_of_its_folder_alone(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "0.png"
    other.write_bytes((home / "cat/0.png").read_bytes())
    splits = ["train", "train", "train", "val", "val"]
    table(home, "file,split", lambda n, image: f"{image},{splits[n % 5]}", name="split.csv", more=f"{other},train\n")
    assert [str(fault) for fault in check(str(home)).faults] == [
        f"{home}/split.csv:12: {other} lies outside of the folder; name it by a table of your own, or copy it there"
    ]


def test_a_split_table_beside_class_folders_parts_them(home: Path) -> None:
    splits = ["training", "train", "train", "validation", "test"]
    table(home, "filename,subset", lambda n, image: f"{image},{splits[n % 5]}", name="split.csv")
    opened = open_splits(str(home))
    assert found(opened)["val"] == [("cat/3.png", "cat"), ("dog/3.png", "dog")]
    assert opened.split_rule.startswith("6 train / 2 val / 2 test images, by the column subset of split.csv; ")
    assert opened.notes == ()
    with zipfile.ZipFile(home / "packed.zip", "w") as archive:
        for name in (*names(), "split.csv"):
            archive.write(home / name, name)
    assert open_splits(str(home / "packed.zip")).fingerprint() == opened.fingerprint()


def test_a_split_table_that_contradicts_the_folders_says_where(home: Path) -> None:
    table(
        home,
        "path,class,split",
        lambda n, image: f"{image},{'cat' if n == 7 else image[:3]},{'train' if n % 5 else 'test'}",
        name="split.csv",
    )
    (home / "cat" / "late.png").write_bytes((home / "cat" / "0.png").read_bytes())
    found_faults = [str(fault).removeprefix(f"{home}/") for fault in check(str(home)).faults]
    assert found_faults == [
        "split.csv: 1 image is not in it: cat/late.png; give each a split, `none` to leave it out",
        "split.csv:9: the class 'cat', but dog/2.png lies in the folder dog; move it, or correct the line",
    ]


def test_a_table_lists_masks_beside_images(home: Path) -> None:
    for number, name in enumerate(names()):
        mask = np.zeros((8, 8), dtype=np.uint8)
        mask[number % 3 :, :4] = 1
        Image.fromarray(mask).save(home / name.replace(".png", "-mask.png"))
    (home / "classes.txt").write_text("ground\nfigure\n")
    path = table(home, "photo,mask", lambda _, image: f"{image},{image[:-4]}-mask.png")
    splits = open_splits(str(path), task=None)
    assert (len(splits.train), len(splits.test), splits.train.classes) == (8, 2, ("ground", "figure"))
    assert splits.train[0].target.max() == 1
    assert check(str(path)).fine == 10
    with pytest.raises(SettingsError, match="a data set for segmentation, not for classification"):
        open_splits(str(path))
    table(home, "photo,mask,set", lambda n, image: f"{image},{image[:-4]}-mask.png,{['train', 'test'][n % 2]}")
    assert open_splits(str(path), task=None).split_rule == "5 train / 5 test images, by the column set of labels.csv"


def test_a_split_table_parts_images_and_masks(tmp_path: Path) -> None:
    for number in range(4):
        for part in ("images", "masks"):
            (tmp_path / part).mkdir(exist_ok=True)
            array = np.zeros((8, 8), dtype=np.uint8)
            array[:, : 3 + number] = 1
            Image.fromarray(array).save(tmp_path / part / f"{number}.png")
    for within in ("", "images/"):
        rows = [f"{within}{number}.png,{split}" for number, split in enumerate(["train", "val", "test", "train"])]
        (tmp_path / "split.csv").write_text("\n".join(["image,split", *rows]))
        splits = open_splits(str(tmp_path), task=None)
        assert [len(reader) for reader in splits.readers] == [2, 1, 1]
        assert splits.split_rule.endswith("by the column split of split.csv; val judges on the way, test the result")
    (tmp_path / "split.csv").write_text("\n".join(["image,split", *rows[1:]]))
    [fault] = check(str(tmp_path)).faults
    assert fault.what == "1 image is not in it: images/0.png; give each a split, `none` to leave it out"


def test_a_table_beside_images_without_class_folders_is_pointed_at(home: Path) -> None:
    (home / "flat").mkdir()
    (home / "cat" / "0.png").rename(home / "flat" / "0.png")
    (home / "flat" / "train.csv").write_text("id,breed\n0.png,cat\n")
    first = check(str(home / "flat")).faults[0]
    table_name = f"{home}/flat/train.csv"
    assert (
        str(first) == f"{table_name}: a table; if it lists the images, name it as the data set: `--data {table_name}`"
    )

"""The description of a set with YOLO's labels: the subset of YAML that is read, and what is refused."""

from contextlib import suppress
from time import process_time

import pytest

from resvision.core.errors import DataError
from resvision.data.data_yaml import Description, parse_description

NAMES = [
    "names: [cat, it's a dog, 'a, b', \"d\\u00f6g\"]",
    "names:\n  - cat\n  - it's a dog # a comment\n  - 'a, b'\n  - \"d\\u00f6g\"",
    "names:\n- cat\n# a comment\n- it's a dog\n\n- 'a, b'\n- \"d\\u00f6g\"\n",
    "names:\n    0: cat\n    1: it's a dog\n    2: 'a, b'\n    3: \"d\\u00f6g\"",
    "names: {0: cat, 1: it's a dog,\n  2: 'a, b', # a comment\n  3: \"d\\u00f6g\"}",
    "names: [\n  cat,\n  it's a dog,\n  'a, b', \"d\\u00f6g\",\n]",
    "names:\n  [cat, it's a dog, 'a, b', \"d\\u00f6g\"]",
]


@pytest.mark.parametrize("names", NAMES)
def test_names_are_read_from_lists_and_mappings_in_blocks_and_brackets(names: str) -> None:
    text = f"# a set\n---\npath: ../set # its root\ntrain: images/train\nval: [a, b]\ntest: # none\n\n{names}\nnc: 4\n"
    folders = {"train": ("images/train",), "val": ("a", "b")}
    expected = Description(("cat", "it's a dog", "a, b", "dög"), "../set", folders, keypoints=False)
    assert parse_description(text, "data.yaml") == expected


def test_keys_that_are_not_needed_are_skipped_whatever_they_hold() -> None:
    text = "names: [cat]\nvalid: x\nkpt_shape: [17, 3]\ndownload: |\n  a: [\n  - b\nroboflow:\n  a:\n    b: !!x &y *z\n"
    assert parse_description(text, "data.yaml") == Description(("cat",), "", {"val": ("x",)}, keypoints=True)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "1: no names of classes"),
        ("train: x\nnames:\n", "2: no names of classes"),
        ("nc: 2\nnames: [cat]", "1: nc is 2, but names has 1"),
        ("names: {0: cat, 2: dog}", "1: the ids of names are not 0, 1, ... without a gap"),
        ("names: *cats", "1: '*cats' is YAML beyond what is read here"),
        ("names: !!python/object:os.system [cat]", "1: '!!python/object:os.s' is YAML beyond"),
        ("names: [cat, [dog]]", "1: a list or mapping inside of another"),
        ("names: [cat", "1: no ] at the end of a list or mapping"),
        ("names: ['cat]", '1: "\'cat]" is not well quoted'),
        ("names:\n  - name: cat", "1: 'name: cat': a scalar with a colon and a space"),
        ("names:\n  a: x\n    b: y", "1: lines of several depths"),
        ("names: [cat]\nnames: [dog]", "1: the key 'names' is there twice"),
        ("- cat", "1: line 1 is no `key: value`"),
        ("names: [cat]\ntrain: {a: b}", "1: a mapping where a folder"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_line(text: str, what: str) -> None:
    with pytest.raises(DataError) as raised:
        parse_description(text, "data.yaml")
    assert str(raised.value).startswith(f"data.yaml:{what}")


@pytest.mark.parametrize("letters", ["'", '"', " "])
def test_a_long_text_takes_no_longer_than_its_length(letters: str) -> None:
    start = process_time()
    with suppress(DataError):
        parse_description(f"names: [x{letters * 500_000}", "data.yaml")
    assert process_time() - start < 3  # 0.2 in fact, and more than 10 by the square

"""Short names of data sets."""

import pytest

from resvision.core.data_names import short_name


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("digits", "digits"),
        ("/home/you/photos", "photos"),
        ("/home/you/photos.zip", "photos.zip"),
        ("/home/you/cells/data.yaml", "cells/data.yaml"),
        ("/home/you/leaves/data.yaml", "leaves/data.yaml"),
        ("/home/you/birds/labels.CSV", "birds/labels.CSV"),
        ("labels.csv", "labels.csv"),
        ("mine.sets:birds", "mine.sets:birds"),
    ],
)
def test_a_file_that_describes_a_set_is_named_with_its_folder(data: str, name: str) -> None:
    assert short_name(data) == name

from resvision.core.plurals import counted, length_in_words


def test_one_thing_is_singular_and_all_other_numbers_are_plural() -> None:
    epochs = [counted(number, "epoch") for number in (0, 1, 2, 1200)]
    assert epochs == ["0 epochs", "1 epoch", "2 epochs", "1,200 epochs"]
    assert (counted(1, "class"), counted(3, "class")) == ("1 class", "3 classes")


def test_the_length_of_a_run_is_written_as_a_person_writes_it() -> None:
    assert [length_in_words(text) for text in ("1 epochs", "20 epochs", "64000 steps")] == [
        "1 epoch",
        "20 epochs",
        "64,000 steps",
    ]

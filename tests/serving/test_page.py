"""The page, as a person uses it: a headless Chromium drops an image and reads the label."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving.browser import CHROMIUM, Page, browser
from serving.client import picture
from serving.running import Running, running

from resvision.serving.page import language_of

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

TOP = "document.querySelector('.bars .name')?.textContent"
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SENT = {"en": "The image digit.png", "ko": "이미지 digit.png"}
TIMES = {"en": "Where the time went", "ko": "걸린 시간"}


@pytest.fixture(scope="module")
def server(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(f"one={digits}", f"two={digits}", cache=tmp_path_factory.mktemp("cache")) as started:
        yield started


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "digit.png"
    path.write_bytes(picture())
    return path


def label(server: Running, image: Path) -> Any:
    return server.predict(image.read_bytes(), "one").json()["predictions"][0]["label"]


@needs_chromium
@pytest.mark.parametrize(
    ("language", "width", "event"), [("en", 1100, "drop"), ("ko", 400, "drop"), ("en", 400, "paste")]
)
def test_an_image_that_is_given_to_the_page_gets_its_label(
    page: Page, server: Running, image: Path, language: str, width: int, event: str
) -> None:
    page.open(server.address, width=width, language=language)
    page.drop(image, event=event)
    assert page.wait(TOP) == label(server, image)
    assert page.value("document.documentElement.lang") == language
    assert page.value("document.querySelector('.frame img').alt") == SENT[language]
    assert TIMES[language] in page.value("document.querySelector('.timing').textContent")
    assert page.value(WIDER) <= 0, "the page is wider than the screen"
    assert page.errors == []


@needs_chromium
def test_two_models_are_compared_and_the_language_changes_in_place(page: Page, server: Running, image: Path) -> None:
    page.open(server.address)
    page.drop(image)
    page.wait(TOP)
    page.value("(() => { second.value = 'two'; second.dispatchEvent(new Event('change')); })()")
    page.wait("document.querySelectorAll('.card').length === 2")
    said = label(server, image)
    assert page.value("document.getElementById('status').textContent") == f"Both say {said}."
    page.value("document.querySelector('[data-language=ko]').click()")
    assert page.value("document.getElementById('status').textContent") == f"두 모델의 답이 같습니다: {said}"
    assert page.value("document.querySelectorAll('.card').length") == 2


@needs_chromium
def test_a_file_that_is_no_image_is_told_on_the_page(page: Page, server: Running, tmp_path: Path) -> None:
    path = tmp_path / "text.png"
    path.write_text("no image")
    page.open(server.address)
    page.drop(path)
    assert "text.png" in page.wait("document.querySelector('.error')?.textContent")
    assert page.value("document.querySelectorAll('.bars').length") == 0
    assert all("422" in error for error in page.errors)
    page.errors.clear()


@needs_chromium
def test_the_file_is_chosen_by_keyboard(page: Page, server: Running) -> None:
    page.open(server.address)
    reached = "[...document.querySelectorAll('button, select, input, a')].filter((node) => !node.disabled)"
    names = page.value(f"{reached}.map((node) => node.id || node.lang || node.getAttribute('href'))")
    assert names == ["en", "ko", "first", "second", "file", "openapi.json", "metrics"]
    page.value("document.getElementById('file').focus()")
    outline = "getComputedStyle(document.querySelector('#drop label')).outlineStyle"
    for kind in ("keyDown", "keyUp"):  # a key shows where the focus is
        page.call("Input.dispatchKeyEvent", type=kind, key="Shift", code="ShiftLeft", windowsVirtualKeyCode=16)
    assert page.value("document.activeElement.id") == "file"
    assert page.wait(f"{outline} === 'solid'")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("en;q=0.5,ko;q=0.7", "ko"),
        ("en,ko", "en"),
        ("fr,de;q=0.5", "en"),
        ("ko;q=nonsense,en;q=0.1", "en"),
    ],
)
def test_the_page_speaks_the_language_that_the_browser_prefers(accepted: str, language: str) -> None:
    assert language_of(accepted) == language

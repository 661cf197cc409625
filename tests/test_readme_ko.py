"""The front page in Korean says what README.md says: the same code, the same links, the same order."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENGLISH, KOREAN = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ko.md"))


def code(document: str) -> list[str]:
    return re.findall(r"^```\w*\n.*?^```$", document, flags=re.DOTALL | re.MULTILINE)


def links(document: str) -> list[str]:
    return [target for target in re.findall(r"\]\(([^)]+)\)", document) if not target.startswith("README")]


def test_the_code_of_both_front_pages_is_the_same() -> None:
    assert len(code(ENGLISH)) >= 8
    assert code(KOREAN) == code(ENGLISH)


def test_both_front_pages_have_the_same_parts_and_lead_to_the_same_pages_that_exist() -> None:
    headings = [re.findall(r"^(#+) ", document, flags=re.MULTILINE) for document in (ENGLISH, KOREAN)]
    assert headings[0] == headings[1]
    assert {*links(KOREAN)} == {*links(ENGLISH)}
    tables = [re.findall(r"^\| \[[^]]+\]\(([^)]+)\)", document, flags=re.MULTILINE) for document in (ENGLISH, KOREAN)]
    assert [target.replace(".ko.", ".") for target in tables[1]] == tables[0]
    assert all((ROOT / target).exists() for target in links(KOREAN))


def test_each_front_page_leads_to_the_other() -> None:
    assert "](README.ko.md)" in ENGLISH
    assert "](README.md)" in KOREAN


def test_inline_code_of_the_korean_page_is_that_of_the_english_one() -> None:
    inline = [set(re.findall(r"(?<!`)`([^`\n]+)`(?!`)", document)) for document in (ENGLISH, KOREAN)]
    assert inline[1] <= inline[0]

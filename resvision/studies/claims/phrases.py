"""The book's own sentences, headings and words in both languages."""

from collections.abc import Mapping
from typing import NamedTuple

from resvision.studies.claims.entries import Language

Words = Mapping[Language, str]


class Phrase(NamedTuple):
    """A text in both languages, whose fields in braces are filled alike."""

    en: str
    ko: str

    def __call__(self, language: Language, **fields: object) -> str:
        """The text in a language, filled."""
        return (self.ko if language == "ko" else self.en).format(**fields)


TITLE = Phrase("# The claims book", "# 주장 장부")

INTRODUCTION = Phrase(
    """\
Five notes (Korean) on residual networks, on older nets, on detection and on segmentation make claims: some right, some
half right, some wrong. Here is every one of them that can be tested, in our words, with the place in the notes, a
command that tests it, what the papers say, what was measured here, and a verdict. `resvision study claims` writes this
page; nothing in the last column is written by hand but where a paper's text decides.

A claim is decided by one of these:

- **a study**, measured here: *supported* or *contradicted* where the mean difference of pairs of equal seeds lies beyond
  the two-sided 95 % bound of Student's t, else *undecided*. A claim that rests on several claims of a study needs all of
  them; sets of data that disagree leave it undecided. *Not measured yet*: the command has not been run here.
- **arithmetic**, which the command computes: *right*, *partly right* or *wrong*, by how much of what the note says holds.
- **a published table**: the same, by the numbers that a paper prints. They are the paper's, and nothing measured here.
- **a paper's text**, where no number decides.

Figures are means over the seeds ± the standard deviation of one run. *Training loss* is that of the last epoch, *test
error* that of the test images. A place such as `002:234` is note 002, line 234:
{notes}.
""",
    """\
잔차 네트워크(ResNet)와 그 이전의 네트워크, 객체 검출, 분할을 다룬 한국어 노트 다섯 편에는 여러 주장이 있다. 맞는 것도,
반만 맞는 것도, 틀린 것도 있다. 그 가운데 검증할 수 있는 주장을 모두 모아 우리 말로 옮기고, 노트의 위치, 검증 명령, 논문의
설명, 여기서 측정한 결과, 판정을 한 줄에 적었다. 이 문서는 `resvision study claims`가 만든다. 논문의 글로 판정한 경우를
빼면 마지막 열은 사람이 적지 않고 수치에서 계산한다.

판정의 근거는 다음 가운데 하나다.

- **실험**: 여기서 측정했다. 같은 시드끼리 짝지은 차이의 평균이 스튜던트 t 분포의 양측 95 % 한계를 넘으면 *뒷받침됨* 또는
  *반박됨*, 넘지 않으면 *미결정*이다. 한 실험의 여러 주장에 기댄 주장은 그 모두가 성립해야 하며, 데이터 집합끼리 결과가
  엇갈리면 미결정으로 남긴다. *아직 측정 안 함*은 이 명령을 여기서 아직 실행하지 않았다는 뜻이다.
- **계산**: 명령이 직접 계산한다. 노트의 말이 얼마나 성립하느냐에 따라 *맞음*, *일부 맞음*, *틀림*이다.
- **논문의 표**: 논문에 실린 수치로 같은 방식으로 판정한다. 논문의 값이며 여기서 측정한 값이 아니다.
- **논문의 글**: 숫자로 판정할 수 없을 때 쓴다.

수치는 시드별 결과의 평균 ± 한 번 학습의 표준편차다. *학습 손실*은 마지막 에폭의 값, *테스트 오류율*은 테스트 이미지의
값이다. `002:234`는 노트 002의 234번째 줄을 가리킨다. {notes}.
""",
)

NOTES: Mapping[str, Phrase] = {
    "000": Phrase("handwritten notes on ResNet", "ResNet 손글씨 노트"),
    "001": Phrase("slides on ResNet", "ResNet 발표 자료"),
    "002": Phrase("slides of a lecture on CNNs", "CNN 심화 강의 자료"),
    "003": Phrase("a wiki page on ResNet", "ResNet 위키 페이지"),
    "004": Phrase("a ninth week's preparation: ResNet, detection, segmentation", "9주차 예습 과제: ResNet, 검출, 분할"),
}
"""The notes by number, in words."""

COUNTS = Phrase("## How many", "## 몇 건인가")
TABLE = Phrase("## The claims", "## 주장")
SETTINGS = Phrase("## What was run", "## 실행한 실험")
NOTHING_RUN = Phrase(
    "No results of studies were found: every claim that a study decides waits for its command.",
    "실험 결과가 아직 없다. 실험으로 판정할 주장은 모두 명령이 실행되기를 기다린다.",
)
TOTAL = Phrase("{count} claims.", "모두 {count}건이다.")
HEADINGS = (
    Phrase("claim", "주장"),
    Phrase("note", "노트"),
    Phrase("command", "명령"),
    Phrase("what the papers say", "논문의 설명"),
    Phrase("what was measured or computed here", "여기서 측정하거나 계산한 결과"),
    Phrase("verdict", "판정"),
)
CLAIMS = Phrase("claims", "주장")
PAPERS = Phrase("papers", "논문")
IN_FACT = Phrase("in fact", "바른 사실")
HERE = Phrase("here", "여기서")
VERDICT = Phrase("verdict", "판정")
COMMAND = Phrase("command", "명령")
FACT = Phrase("**In fact:** {fact}", "**바른 사실:** {fact}")

BY: Mapping[str, Phrase] = {
    "study": Phrase("by a study", "실험"),
    "arithmetic": Phrase("by arithmetic", "계산"),
    "table": Phrase("by a published table", "논문의 표"),
    "text": Phrase("by a paper's text", "논문의 글"),
}
"""What decides a claim, in words."""

WORDS: Mapping[str, Phrase] = {
    "supported": Phrase("supported", "뒷받침됨"),
    "contradicted": Phrase("contradicted", "반박됨"),
    "undecided": Phrase("undecided", "미결정"),
    "not measured": Phrase("not measured yet", "아직 측정 안 함"),
    "right": Phrase("right", "맞음"),
    "partly right": Phrase("partly right", "일부 맞음"),
    "wrong": Phrase("wrong", "틀림"),
}
"""The words of verdicts."""

TEXT_DECIDES = Phrase("Nothing to measure; {where}.", "측정할 것이 없다. 근거: {where}.")
SECTION = Phrase(", section {section}", ", {section}절")
PRINTED = Phrase("Printed: {shown}", "논문 수치: {shown}")
COMPUTED = Phrase("Computed: {shown}", "계산: {shown}")

ON_DATA = Phrase("{data}, {seeds} seeds, {date}{quick}: {findings}", "{data}, 시드 {seeds}개, {date}{quick}: {findings}")
QUICK = Phrase(", quick", ", 짧은 실험")
NEEDED = Phrase("undecided, {pairs} seeds would decide", "미결정, 시드 {pairs}개면 판정 가능")
UNDECIDED = Phrase("undecided", "미결정")
LEFT_OUT = Phrase("{count} diverged and left out", "발산한 {count}개 제외")
DIFFERENCE = Phrase("`{condition}` above `{above}` by {value}", "`{condition}` − `{above}` = {value}")

FIGURES: Mapping[str, Phrase] = {
    "loss": Phrase("training loss", "학습 손실"),
    "trained": Phrase("training error", "학습 오류율"),
    "parameters": Phrase("parameters", "파라미터 수"),
    "seconds": Phrase("seconds of training", "학습 시간(초)"),
}
"""Figures of every member, in words; that of the test images is named by its task, others by their names."""

TESTED: Mapping[str, Phrase] = {
    "classification": Phrase("test error", "테스트 오류율"),
    "segmentation": Phrase("test mean IoU", "테스트 평균 IoU"),
    "detection": Phrase("test AP", "테스트 AP"),
    "motion": Phrase("test FDE", "테스트 FDE"),
}
"""The main figure of each task."""

RUN = Phrase(
    "- `{study}` on {data}{quick}: {conditions} conditions, {seeds} seeds each, {length}; {date}, {machine}",
    "- `{study}`, 데이터 {data}{quick}: 조건 {conditions}개, 조건마다 시드 {seeds}개, {length}; {date}, {machine}",
)

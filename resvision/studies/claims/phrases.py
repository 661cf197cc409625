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


TITLE = Phrase("# The claims book", "# 주장 검증표")

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
COUNT = Phrase("- {by}: {count} ({listed})", "- {by}: {count}건 ({listed})")
OF_A_WORD = Phrase("{number} {word}", "{word} {number}건")
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

TEXT_DECIDES = Phrase("Nothing to measure: {where} decides.", "측정할 것이 없다. 판정 근거: {where}.")
NOT_RUN = Phrase("Not run here yet; the command decides it.", "여기서 아직 실행하지 않았다. 명령의 결과가 판정한다.")
SECTION = Phrase(", section {section}", ", {section}절")
PRINTED = Phrase("Printed: {shown}", "논문 수치: {shown}")
COMPUTED = Phrase("Computed: {shown}", "계산: {shown}")
MEASURED = Phrase("Measured: {shown}", "측정: {shown}")

ON_DATA = Phrase(
    "{data}, {seeds} seeds, {date}{quick}: {findings}", "{data}, 시드 {seeds}개, {date}{quick}: {findings}"
)
QUICK = Phrase(", quick", ", 짧은 실험")
NEEDED = Phrase("undecided, {pairs} seeds would decide", "미결정, 시드 {pairs}개면 판정 가능")
UNDECIDED = Phrase("undecided", "미결정")
UNMEASURED = Phrase("not measured here: the other {count} of its claims", "나머지 주장 {count}건은 측정 안 함")
LEFT_OUT = Phrase("{count} diverged and left out", "발산한 {count}개 제외")
DIFFERENCE = Phrase("`{condition}` above `{above}` by {value}", "`{condition}`와 `{above}`의 차이 {value}")

FIGURES: Mapping[str, Phrase] = {
    "loss": Phrase("training loss", "학습 손실"),
    "parameters": Phrase("parameters", "파라미터 수"),
    "seconds": Phrase("seconds of training", "학습 시간(초)"),
    "cka.near": Phrase("CKA of neighbouring layers", "이웃한 층의 CKA"),
    "cka.far": Phrase("CKA of far layers", "먼 층의 CKA"),
    "gradients.start": Phrase("first / last gradient at the start, decades", "시작 시 첫 층/끝 층 기울기(자릿수)"),
    "gradients.trained": Phrase("first / last gradient in training, decades", "학습 중 첫 층/끝 층 기울기(자릿수)"),
    "responses.mean": Phrase("mean response", "평균 응답"),
    "paths.decades": Phrase("gradient by length of path, decades a block", "경로 길이에 따른 기울기(블록당 자릿수)"),
    "paths.relative": Phrase("mean length by gradient over that by number", "기울기로 잰 평균 길이/개수로 잰 것"),
    "lesion.within": Phrase("rise of the error, other blocks", "오류율 상승, 나머지 블록"),
    "lesion.entering": Phrase("rise of the error, blocks that enter a stage", "오류율 상승, 단계의 첫 블록"),
    "lesion.few": Phrase("error after few deletions", "조금 삭제한 뒤의 오류율"),
    "lesion.many": Phrase("error after most deletions", "많이 삭제한 뒤의 오류율"),
    "lesion.swapped_few": Phrase("error after few swaps", "조금 맞바꾼 뒤의 오류율"),
    "lesion.swapped_many": Phrase("error after most swaps", "많이 맞바꾼 뒤의 오류율"),
    "fit.loss_gap": Phrase("gap of test and training loss", "테스트 손실과 학습 손실의 차이"),
    "surface.width": Phrase("width of the minimum", "극소점의 너비"),
    "surface.concave": Phrase("share of the curve that bends downwards", "아래로 굽은 구간의 비율"),
    "times.step_ms": Phrase("milliseconds of a step", "한 스텝의 시간(ms)"),
    "start.loss": Phrase("loss of the first steps", "처음 스텝의 손실"),
    "ensembles.of-1": Phrase("error of one net", "네트워크 하나의 오류율"),
    "ensembles.of-6": Phrase("error of six nets", "네트워크 여섯 개의 오류율"),
}
"""Figures of every member, in words; those that tasks name are in TRAINED and TESTED, others have their names."""

TRAINED: Mapping[str, Phrase] = {
    "error": Phrase("training error", "학습 오류율"),
    "pixel error": Phrase("training pixel error", "학습 픽셀 오류율"),
    "FDE": Phrase("training FDE", "학습 FDE"),
}
"""The first metrics of training, by the nouns that their kinds give them."""

TESTED: Mapping[str, Phrase] = {
    "error": Phrase("test error", "테스트 오류율"),
    "mean IoU": Phrase("test mean IoU", "테스트 평균 IoU"),
    "AP": Phrase("test AP", "테스트 AP"),
    "FDE": Phrase("test FDE", "테스트 FDE"),
}
"""The main figures of tasks, by the nouns that their kinds give them."""

RUN = Phrase(
    "- `{command}`: {conditions}, {seeds} seeds each, {length}, {shown}; {date}, {machine}",
    "- `{command}`: {conditions}, 조건마다 시드 {seeds}개, {length}, {shown}; {date}, {machine}",
)
CONDITIONS = Phrase("{words}", "조건 {count}개")
LENGTHS: Mapping[str, Phrase] = {
    "epochs": Phrase("{words}", "{count}에폭"),
    "steps": Phrase("{words}", "{count}스텝"),
}
"""Lengths of trainings, by the unit of `training.duration`."""

SHOWN = Phrase("{count:,} images of {side} px", "{side}픽셀 이미지 {count:,}장")
SHOWN_ANY = Phrase("{count:,} images", "이미지 {count:,}장")

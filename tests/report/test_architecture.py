import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from torch import Tensor, nn

from resvision import catalog
from resvision.core.errors import RunError, SettingsError
from resvision.probes.graph import Node, graph
from resvision.probes.shapes import WithoutDrawing
from resvision.report.architecture import BOX, draw, require_free, write

SVG = "{http://www.w3.org/2000/svg}"


def nodes_of(name: str, **options: object) -> tuple[Node, ...]:
    with torch.device("meta"), WithoutDrawing():
        net = catalog.build(name, num_classes=10, **options)
    return graph(net, catalog.find(name).input)


def drawn(nodes: tuple[Node, ...], *, fold: bool | None = None) -> ElementTree.Element:
    return ElementTree.fromstring(draw(nodes, title="a <net>", notes=('"1 & 2"',), fold=fold))


def boxes(svg: ElementTree.Element) -> list[tuple[float, float]]:
    """Left upper corners of the layers."""
    return [(float(r.get("x")), float(r.get("y"))) for r in svg.iter(f"{SVG}rect") if r.get("width") == f"{BOX:g}"]


def arcs(svg: ElementTree.Element) -> Counter[str | None]:
    """Shortcuts by their dashes."""
    return Counter(path.get("stroke-dasharray") for path in svg.iter(f"{SVG}path") if " Q" in path.get("d"))


def texts(svg: ElementTree.Element) -> list[str]:
    return [text.text for text in svg.iter(f"{SVG}text")]


def repeats(svg: ElementTree.Element) -> list[int]:
    """How often the parts in frames follow each other."""
    return [int(text.split()[0]) for text in texts(svg) if text.endswith("\N{MULTIPLICATION SIGN}")]


def test_the_graph_has_every_layer_once_and_the_additions() -> None:
    kinds = Counter(node.label if node.kind in {"pooling", "meeting"} else node.kind for node in nodes_of("resnet18"))
    assert kinds == {
        "image": 1,
        "convolution": 1 + 16 + 3,
        "3x3 max pool, /2": 1,
        "global avg pool": 1,
        "linear": 1,
        "add": 8,
    }


def test_a_label_says_window_channels_and_stride() -> None:
    labels = [node.label for node in nodes_of("resnet18")]
    assert labels[1:4] == ["7x7 conv, 64, /2", "3x3 max pool, /2", "3x3 conv, 64"]
    assert "1x1 conv, 128, /2" in labels
    assert labels[-1] == "fc 10"


def test_an_identity_shortcut_is_an_edge_and_a_padded_one_a_node() -> None:
    nodes = nodes_of("resnet20")
    additions = [node for node in nodes if node.label == "add"]
    shortcuts = [nodes[min(node.inputs)].label for node in additions]
    assert len(additions) == 9
    assert sum(label == "zero padding" for node in nodes for label in [node.label]) == 2
    assert all(node.shape == nodes[node.inputs[0]].shape for node in additions)
    assert shortcuts[0] == "3x3 conv, 16"


class Branched(nn.Module):
    """Two branches and the image itself, joined; a head that leads nowhere; functional operations."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.weight = nn.Parameter(torch.zeros(5, 3, 1, 1))
        self.side = nn.Conv2d(12, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        joined = torch.cat([self.conv(images).relu(), torch.conv2d(images, self.weight), images], dim=1)
        self.side(joined)
        return joined.mean(dim=(2, 3))


def test_operations_outside_of_layers_are_followed_and_what_leads_nowhere_is_left_out() -> None:
    nodes = graph(Branched(), (3, 8, 8))
    assert [(node.label, node.inputs) for node in nodes] == [
        ("image", ()),
        ("3x3 conv, 4", (0,)),
        ("1x1 conv, 5", (0,)),
        ("concat", (1, 2, 0)),
        ("global avg pool", (3,)),
    ]


class Dense(nn.Module):
    """Every layer reads all before it: branches that cross."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3 + 2 * i, 2, 3, padding=1) for i in range(4))

    def forward(self, images: Tensor) -> Tensor:
        maps = [images]
        for conv in self.convs:
            maps.append(conv(torch.cat(maps, dim=1)))
        return torch.cat(maps, dim=1)


def test_branches_that_cross_are_one_box() -> None:
    assert "4 layers, crossing" in texts(drawn(graph(Dense(), (3, 8, 8))))


def test_the_picture_is_described_and_every_word_is_escaped() -> None:
    svg = drawn(nodes_of("resnet20"))
    assert (svg.get("role"), svg.get("aria-labelledby")) == ("img", "title desc")
    assert svg.find(f"{SVG}title").text == "a <net>"
    described = 'a <net> from top to bottom: 19 convolution, 9 add, 2 other, 1 pooling, 1 linear. "1 & 2"'
    assert svg.find(f"{SVG}desc").text == described
    assert not [element for element in svg.iter() if element.tag in {f"{SVG}script", f"{SVG}image", f"{SVG}a"}]


def test_identities_are_solid_arcs_and_changes_of_shape_dotted() -> None:
    assert arcs(drawn(nodes_of("resnet20"))) == {None: 7, "2 3": 2}
    assert arcs(drawn(nodes_of("resnet18"))) == {None: 5, "2 3": 3}
    assert arcs(drawn(nodes_of("resnet34_c"), fold=False)) == {"7 3": 13, "2 3": 3}
    assert arcs(drawn(nodes_of("plain34"))) == {}


def test_a_long_net_is_folded_and_can_be_drawn_in_full() -> None:
    nodes = nodes_of("resnet110")
    folded, full = drawn(nodes), drawn(nodes, fold=False)
    assert repeats(folded) == [18, 17, 17]
    assert arcs(folded) == {None: 3, "2 3": 2}
    assert len(boxes(full)) == 111
    assert len(boxes(folded)) == 1 + 3 * 2 + 2 * 2 + 2


def test_a_fold_holds_what_it_stands_for() -> None:
    """Boxes inside a frame, times its number, give the net's layers."""
    svg = drawn(nodes_of("plain110"))
    counts = repeats(svg)
    assert len(boxes(svg)) - len(counts) + sum(counts) == 111


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "preresnet164", "resmlp", "googlenet_2014", "bn_inception"])
def test_boxes_lie_inside_the_picture_and_apart(name: str) -> None:
    svg = drawn(nodes_of(name))
    width, height = (float(svg.get(side)) for side in ("width", "height"))
    corners = boxes(svg)
    assert all(x >= 0 and x + BOX <= width and y >= 0 and y + 22 <= height for x, y in corners)
    for i, (x, y) in enumerate(corners):
        assert all(abs(x - other_x) >= BOX or abs(y - other_y) >= 22 for other_x, other_y in corners[:i])


def test_branches_of_a_module_stand_side_by_side() -> None:
    svg = drawn(nodes_of("googlenet_2014"))
    rows = Counter(y for _, y in boxes(svg))
    assert rows.most_common()[0][1] == 4
    assert sum(count == 4 for count in rows.values()) == 9


def test_sizes_of_maps_are_told_where_they_change() -> None:
    def told(name: str) -> list[str]:
        return [text for text in texts(drawn(nodes_of(name))) if re.fullmatch(r"\d+x\d+", text)]

    assert told("resnet50") == ["112x112", "56x56", "28x28", "14x14", "7x7", "1x1"]
    assert told("bn_inception") == ["112x112", "56x56", "28x28", "14x14", "7x7", "1x1"]


def test_a_pooling_of_all_maps_to_one_vector_has_its_own_name() -> None:
    assert "SpatialPyramidPooling" in [node.label for node in nodes_of("prelunet_a", width=6)]


def test_a_long_label_is_narrowed_to_its_box() -> None:
    net = nn.Sequential(nn.Conv2d(64, 64, 3, stride=2, dilation=2, groups=32, padding=2), nn.Conv2d(64, 4, 1))
    labels = {text.text: text.get("textLength") for text in drawn(graph(net, (64, 8, 8))).iter(f"{SVG}text")}
    assert labels["3x3 conv, 64, /2, dilation 2, 32 groups"] == "156"
    assert labels["1x1 conv, 4"] is None


def test_equal_nets_give_equal_text_of_plain_numbers() -> None:
    text = draw(nodes_of("resnet20"), title="a")
    assert text == draw(nodes_of("resnet20"), title="a")
    assert not re.search(r"nan|inf\b|e[+-]\d", text)


def test_no_file_is_replaced_unless_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "net.svg"
    require_free(path, force=False)
    write(path, "new")
    with pytest.raises(SettingsError, match=r"there already.*--force"):
        require_free(path, force=False)
    require_free(path, force=True)
    with pytest.raises(SettingsError, match="is a folder"):
        require_free(tmp_path, force=True)
    with pytest.raises(SettingsError, match="there is no folder"):
        require_free(tmp_path / "no" / "net.svg", force=False)
    with pytest.raises(RunError, match="with --svg"):
        write(tmp_path / ("n" * 300), "too long a name")
    assert [file.name for file in tmp_path.iterdir()] == ["net.svg"]

"""CIFAR-100: 50,000 + 10,000 RGB images of 32x32 pixels in a hundred classes (the fine labels)."""

from resvision.core.views import Stretch
from resvision.data.cifar import CifarSet

# fmt: off
CLASSES = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
    "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
    "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
    "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
    "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow_tree", "wolf", "woman", "worm",
)
# fmt: on
CIFAR100 = CifarSet(
    name="cifar100",
    folder="cifar-100-python",
    files={"train": (["train"], 50_000), "test": (["test"], 10_000)},
    labels=b"fine_labels",
    classes=CLASSES,
    view=Stretch(
        channels=3,
        resize_px=32,
        crop_px=32,
        mean=(0.5071, 0.4865, 0.4409),  # of the training images, as is std
        std=(0.2673, 0.2564, 0.2762),
    ),
)
open_splits, find = CIFAR100.open_splits, CIFAR100.find

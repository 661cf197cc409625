"""Downloads of data sets through torchvision, which checks their sums."""

from pathlib import Path

from torchvision import datasets

from resvision.data.roots import default_root


def cifar10(root: Path | None) -> Path:
    """Fetch CIFAR-10 into `root` or the data root, and return the folder of its batches."""
    return _cifar(datasets.CIFAR10, root)


def cifar100(root: Path | None) -> Path:
    """Fetch CIFAR-100 as `cifar10` does."""
    return _cifar(datasets.CIFAR100, root)


def mnist(root: Path | None) -> Path:
    """Fetch MNIST into `root` or the data root, and return the folder of its idx files."""
    return _idx(datasets.MNIST, root)


def fashion_mnist(root: Path | None) -> Path:
    """Fetch Fashion-MNIST as `mnist` does."""
    return _idx(datasets.FashionMNIST, root)


def _cifar(dataset: type[datasets.CIFAR10], root: Path | None) -> Path:
    base = root or default_root()
    dataset(str(base), download=True)
    return base / str(dataset.base_folder)


def _idx(dataset: type[datasets.MNIST], root: Path | None) -> Path:
    base = root or default_root()
    for train in (True, False):
        dataset(str(base), train=train, download=True)
    return base / dataset.__name__ / "raw"

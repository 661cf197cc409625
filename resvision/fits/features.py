"""Fits on the features of a trained run: linear SVMs, a ridge classifier, k-means.

The features of an image are the input of the net's last layer, as fc7 is in R-CNN (Girshick et al. 2014,
https://arxiv.org/abs/1311.2524). Each function is the fit of a phase whose parent in the role `net` is a run of
classification; it learns from that run's training images, without augmentation.

Glossary
    N images, D features, K classes or clusters
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
import safetensors.numpy
from msgspec import Meta
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from resvision.assembly import Assembly, assemble, task_name
from resvision.contracts import Batch, CountedBatches, Losses, System
from resvision.core import rundir
from resvision.core.errors import RunError, SettingsError
from resvision.core.files import require_tensors
from resvision.core.tensor_files import tensor_bytes
from resvision.core.terminal import tell
from resvision.initial_weights import head
from resvision.loading.workers import batches
from resvision.preparation import reopen
from resvision.run import Run, read_run
from resvision.tasks import task_of
from resvision.training import machine as machines
from resvision.training.checkpoints import load_weights
from resvision.training.evaluation import Predictions, predict_all
from resvision.training.fits import Linear, kmeans, ridge
from resvision.training.fits import linear_svm as fit_svm
from resvision.training_graph import FitInputs, Fitted

NET = "net"
"""The role of the run whose features are fitted."""

Positive = Annotated[float, Meta(gt=0)]


@dataclass(frozen=True, kw_only=True)
class SvmOptions:
    """The cost of an example on the wrong side, beside the norm of the weights."""

    cost: Positive = 1.0


@dataclass(frozen=True, kw_only=True)
class RidgeOptions:
    """The penalty of the squared weights, beside a sum over all examples."""

    penalty: Positive = 1.0


@dataclass(frozen=True, kw_only=True)
class KmeansOptions:
    """The number of clusters, and the seed of the centres to start with."""

    clusters: Annotated[int, Meta(ge=1)] = 10
    seed: Annotated[int, Meta(ge=0)] = 0


class Features(NamedTuple):
    """The features of the images of one split, (N, D) float32, and their class indices, (N,)."""

    values: NDArray[np.float32]
    labels: NDArray[np.int64]


def features(inputs: FitInputs, split: str) -> Features:
    """Compute the features of the images in the split `train` or `test` of the parent `net`, in the order of its data.

    A file that an earlier start left in `scratch` is used. Raises RunError where it is damaged, SettingsError
    where the parent is no classifier, and what loading a run raises.
    """
    path = inputs.scratch / f"{split}.safetensors"
    if not path.is_file():
        tell(inputs.console, f"features of the {split} images of {inputs.parent(NET).name}")
        predictions = _compute(inputs, split)
        rundir.write_bytes(path, tensor_bytes({"values": predictions.outputs, "labels": predictions.targets}))
    try:
        require_tensors(path)
        arrays = safetensors.numpy.load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path}: cannot be read: {error}; delete it and go on") from None
    return Features(arrays["values"], arrays["labels"])


def linear_svm(inputs: FitInputs) -> Fitted:
    """Fit a linear SVM for each class; `weight` (K, D) and `bias` (K,), judged by the error on the test images."""
    options = inputs.read_options(SvmOptions)
    train, test = features(inputs, "train"), features(inputs, "test")
    num_classes = _num_classes(inputs)
    return _judge(fit_svm(train.values, train.labels, num_classes=num_classes, cost=options.cost), test)


def ridge_classifier(inputs: FitInputs) -> Fitted:
    """Fit ridge regression to 1 for the class and -1 for all others; tensors and figures are those of `linear_svm`."""
    options = inputs.read_options(RidgeOptions)
    train, test = features(inputs, "train"), features(inputs, "test")
    targets = 2.0 * np.eye(_num_classes(inputs))[train.labels] - 1.0
    return _judge(ridge(train.values, targets, penalty=options.penalty), test)


def feature_clusters(inputs: FitInputs) -> Fitted:
    """Cluster the training images by k-means; `centres` (K, D), judged by their inertia."""
    options = inputs.read_options(KmeansOptions)
    train = features(inputs, "train")
    clusters = kmeans(train.values, clusters=options.clusters, seed=options.seed)
    figures = {"inertia": clusters.inertias[-1], "rounds": len(clusters.inertias) - 1}
    return Fitted(tensors={"centres": clusters.centres.astype(np.float32)}, evaluation=figures)


class FeatureSystem(System):
    """A classifier whose results are features, the input of the last of its modules `heads`, (N, D)."""

    def __init__(self, classifier: System, heads: Sequence[str]) -> None:
        super().__init__()
        self.net = classifier.net
        self.classifier = classifier
        self._features: Tensor | None = None
        for name in heads:
            self.net.get_submodule(name).register_forward_pre_hook(self._keep_features)

    def _keep_features(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self._features = args[0]

    def losses(self, batch: Batch) -> Losses:
        """The losses of the classifier."""
        return self.classifier.losses(batch)

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """The weights of the classifier's terms."""
        return self.classifier.weights(batch)

    def predict(self, inputs: Any) -> Tensor:
        """The features of the images. Raises SettingsError where the last layer sees maps of several positions."""
        self.classifier.predict(inputs)
        assert self._features is not None, "the net ends in its head"
        if self._features[0].numel() != self._features.shape[1]:
            shape = "x".join(map(str, self._features.shape[1:]))
            raise SettingsError(f"parents: {NET}: its last layer sees maps of {shape}, not features; name a classifier")
        return self._features.flatten(1)


def _judge(layer: Linear, test: Features) -> Fitted:
    """Cast a layer to float32, as nets keep it, and judge it by its error on the test images."""
    weight, bias = layer.weight.astype(np.float32), layer.bias.astype(np.float32)
    predicted = Linear(weight.astype(np.float64), bias.astype(np.float64)).scores(test.values).argmax(axis=1)
    error = float(np.mean(predicted != test.labels))
    figures = {"top1_error": error, "images": len(test.labels)}
    return Fitted(tensors={"weight": weight, "bias": bias}, evaluation=figures)


def _num_classes(inputs: FitInputs) -> int:
    return len(_run(inputs).data.classes or ())


def _run(inputs: FitInputs) -> Run:
    return read_run(inputs.parent(NET), allow_code=inputs.allow_code)


def _compute(inputs: FitInputs, split: str) -> Predictions:
    run = _run(inputs)
    built = assemble(reopen(run), device=machines.prepare(run.machine), begun=True)
    load_weights(built.system.net, inputs.weights(NET))
    share = _batches_in_order(run, built, split)
    running = batches(share, 0, len(share), workers=run.machine.workers or 0)

    def until_stopped() -> Iterator[Batch]:
        for batch in running:
            inputs.leave_if_stopped()
            yield batch

    try:
        return predict_all(FeatureSystem(built.system, head(run.model)), until_stopped(), machine=run.machine)
    finally:
        running.close()


def _batches_in_order(run: Run, built: Assembly, split: str) -> CountedBatches:
    """The batches of a split, each image once, as in evaluation."""
    if split == "test":
        return built.at_the_end.batches
    size = 2 * run.training.batch_size
    return task_of(task_name(run)).exam_batches(built.splits.train, batch_size=size, rank=0, world=1)

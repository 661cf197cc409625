"""Bundles that are served: tiny nets of the runs that all tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving.client import FP32, Client

from resvision.export.bundles import write_bundle
from resvision.inference.load import load
from resvision.launch import Finished
from resvision.serving.application import application
from resvision.serving.limits import Limits
from resvision.serving.metrics import Metrics
from resvision.serving.served_models import ServedModel, ServedModels
from resvision.serving.service import Service


@pytest.fixture(scope="session")
def digits(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a ResNet-20 for grey digits."""
    folder = tmp_path_factory.mktemp("served") / "digits"
    write_bundle(load(finished.folder), folder, reader=None, settings=FP32)
    return folder


@pytest.fixture(scope="session")
def squares_net(segmented: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a net for label maps."""
    folder = tmp_path_factory.mktemp("served") / "squares"
    write_bundle(load(segmented.folder), folder, reader=None, settings=FP32)
    return folder


@pytest.fixture(scope="session")
def clients() -> Iterator[Callable[..., Client]]:
    """Makes clients for bundles by name, with limits and what `application` takes; their models are warm."""
    services: list[Service] = []

    def made(places: dict[str, Path], limits: Limits | None = None, **words: Any) -> Client:
        models = ServedModels([ServedModel(name, place, FP32, lambda views: None) for name, place in places.items()])
        for model in models.values():
            model.swap(model.load())
        services.append(Service(models, limits or Limits(), Metrics(), threads=2))
        return Client(services[-1], application(services[-1], **words))

    yield made
    for service in services:
        service.close()


@pytest.fixture(scope="session")
def client(clients: Callable[..., Client], digits: Path) -> Client:
    """A client of the net for digits."""
    return clients({"digits": digits})

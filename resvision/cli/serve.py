"""`resvision serve`: bundles behind HTTP, with a page to try them."""

from typing import Annotated

import typer

from resvision.runtime.shipped import SHIPPED


def command(
    bundles: Annotated[
        list[str],
        typer.Argument(
            metavar="BUNDLE...",
            help="Serve these bundles: folders that `resvision export` wrote, or shipped ones by name"
            f" ({', '.join(SHIPPED)}); NAME=BUNDLE names one.",
        ),
    ],
    host: Annotated[
        str, typer.Option(help="Listen to this address; 0.0.0.0 is reached from other machines.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Listen to this port; 0 takes a free one.")] = 8000,
    engine: Annotated[str, typer.Option(help="Run the nets by openvino or onnxruntime.")] = "openvino",
    precision: Annotated[str, typer.Option(help="Compute in fp32 or bf16; auto leaves it to the engine.")] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Use this number of threads; as many as the CPU's quota allows if left out."),
    ] = None,
    mode: Annotated[
        str, typer.Option(help="Favour one answer as soon as can be (latency), or many of them (throughput).")
    ] = "latency",
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="Change a limit, such as queue=64. Repeatable; docs/serving.md lists them."
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Answer under this host name too, such as that of a proxy. Repeatable."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Let pages of this origin, such as https://example.org, ask. Repeatable."),
    ] = None,
) -> None:
    """Answer HTTP requests with results of bundles, and show a page."""
    from resvision.core.cores import usable_threads
    from resvision.runtime.engines import EngineSettings
    from resvision.serving.limits import limits_of
    from resvision.serving.server import Listening, serve

    settings = EngineSettings(
        engine=engine,  # type: ignore[arg-type]  # it checks its choices itself
        precision=precision,  # type: ignore[arg-type]
        threads=threads or usable_threads(),
        mode=mode,  # type: ignore[arg-type]
    )
    listening = Listening(host=host, port=port, hosts=tuple(allow_host or ()), origins=tuple(allow_origin or ()))
    serve(bundles, listening=listening, limits=limits_of(limit or []), settings=settings)

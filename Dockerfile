# `resvision serve` without torch. docs/serving.md has the commands and the sizes.
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY resvision resvision
RUN python -m venv /opt/resvision \
 && /opt/resvision/bin/pip install --no-cache-dir --constraint constraints.txt '.[serve,openvino]' \
 && /opt/resvision/bin/pip uninstall --yes pip

FROM python:3.12-slim
COPY --from=build /opt/resvision /opt/resvision
# Compiled graphs are kept in /cache/resvision. Nothing else is written but uploads of recorded tracks, in /tmp for a moment.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin resvision \
 && install --directory --owner resvision --mode 0700 /cache
ENV PATH=/opt/resvision/bin:$PATH \
    XDG_CACHE_HOME=/cache \
    PYTHONDONTWRITEBYTECODE=1
USER resvision
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8000, timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["resvision", "serve", "--host", "0.0.0.0", "--port", "8000"]

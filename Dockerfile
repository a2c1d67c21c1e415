# One image for web, workers, supervisor and the commands; compose.yaml and deploy/kubernetes say which runs what.
# Pinned by version; whoever builds for production pins the digest too: --build-arg PYTHON=3.13.7-slim-bookworm@sha256:...
ARG PYTHON=3.13.7-slim-bookworm

FROM python:${PYTHON} AS packages
COPY requirements.lock /tmp/requirements.lock
# Nothing but the files whose hashes are in the lock, and no code of a package's own at the installation.
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --quiet \
        --require-hashes --only-binary :all: --requirement /tmp/requirements.lock \
    && /opt/venv/bin/pip uninstall --yes --quiet pip

FROM packages AS site
WORKDIR /app
COPY . .
ENV PATH=/opt/venv/bin:$PATH
# Settings want their values even where nothing is asked of a server; none of these reaches the running image.
RUN python -m compileall -q /app /opt/venv \
    && MODE=sandbox SECRET_KEY=$(python -c "import secrets; print(secrets.token_urlsafe(50))") ALLOWED_HOSTS=build \
    DATABASE_URL=postgres://build@127.0.0.1:1/build REDIS_URL=redis://127.0.0.1:1 \
    python manage.py collectstatic --no-input --verbosity 0

FROM python:${PYTHON}
# An init that reaps and passes signals on, also where nobody says `init: true`.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin holdfast
COPY --from=packages /opt/venv /opt/venv
COPY --from=site /app /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings
WORKDIR /app
# By number: Kubernetes' runAsNonRoot believes no name. Nothing but /tmp and /dev/shm is ever written to.
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["tini", "--"]
# /dev/shm: gunicorn's heartbeat file must not wait for a disk. No control socket: it would be shared under $HOME.
# The access log has the path without its query, and no referrer: a search puts people's addresses there.
CMD ["gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000", "--no-control-socket", "--worker-class", "gthread", \
     "--workers", "2", "--threads", "8", "--worker-tmp-dir", "/dev/shm", "--access-logfile", "-", \
     "--logger-class", "config.accesslog.PlainLogger", \
     "--access-logformat", "%(h)s %(t)s %(m)s %(U)s %(s)s %(b)s %(L)ss \"%(a)s\""]

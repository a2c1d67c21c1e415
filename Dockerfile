# One image for web, workers, supervisor and the commands; compose.yaml says which runs what.
FROM python:3.11-slim-bookworm AS packages
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -q -r /tmp/requirements.txt

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin holdfast
COPY --from=packages /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings
WORKDIR /app
COPY . .
# Settings want their values even where nothing is asked of a server; none of these reaches the running image.
RUN MODE=sandbox SECRET_KEY=$(python -c "import secrets; print(secrets.token_urlsafe(50))") ALLOWED_HOSTS=build \
    DATABASE_URL=postgres://build@127.0.0.1:1/build REDIS_URL=redis://127.0.0.1:1 \
    python manage.py collectstatic --no-input --verbosity 0
USER holdfast
EXPOSE 8000
# /dev/shm: gunicorn's heartbeat file must not wait for a disk. No control socket: it would be shared under $HOME.
# The access log has the path without its query, and no referrer: a search puts people's addresses there.
CMD ["gunicorn", "config.wsgi", "--bind", "0.0.0.0:8000", "--no-control-socket", "--worker-class", "gthread", \
     "--workers", "2", "--threads", "8", "--worker-tmp-dir", "/dev/shm", "--access-logfile", "-", \
     "--logger-class", "config.accesslog.PlainLogger", \
     "--access-logformat", "%(h)s %(t)s %(m)s %(U)s %(s)s %(b)s %(L)ss \"%(a)s\""]

# One image for web, worker and beat; the command says which (see compose.yaml). CPU only, not run as root.
# Its steps have been run one by one, outside a container; the image itself has not been built yet (docs/deploy.md).
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 READ_DOT_ENV=0

RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /srv/proctoring --shell /usr/sbin/nologin proctoring

WORKDIR /srv/proctoring

# The script that `make run` and CI use; only what it reads, so that a change in the code installs nothing again.
COPY Makefile requirements.txt ./
COPY bin/install bin/system-packages bin/
RUN PYTHON=/usr/local/bin/python3.11 make install \
    && rm -rf /root/.cache /var/lib/apt/lists/*

COPY . .

# Libraries that keep a folder at home may write to /tmp only.
ENV PATH=/srv/proctoring/.venv/bin:$PATH \
    STATIC_ROOT=/srv/proctoring/staticfiles \
    VAR_DIR=/srv/var \
    HOME=/tmp \
    HOST=0.0.0.0 \
    PORT=8000
# The folder is not writable later; the key is of this moment and stays nowhere.
RUN mkdir -p staticfiles /srv/var \
    && SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" VAR_DIR=/tmp/build python manage.py collectstatic --noinput -v 0 \
    && python -m compileall -q accounts exams monitoring proctoring reports vision \
    && rm -rf /tmp/build \
    && chown proctoring:proctoring /srv/var

USER proctoring
VOLUME /srv/var
EXPOSE 8000

# Workers and beat answer no requests; compose.yaml gives them checks of their own.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-m", "proctoring.alive"]

# A container alone: migrations, then the server with worker and beat inside.
CMD ["sh", "-c", "python manage.py migrate --noinput && exec daphne -v 0 -b 0.0.0.0 -p \"$PORT\" --no-server-name proctoring.asgi:application"]

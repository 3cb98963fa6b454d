FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements.txt .
RUN pip install -r requirements.txt

COPY manage.py gunicorn.conf.py pyproject.toml SECURITY.md CHANGELOG.md ./
COPY console console
COPY migrations_app migrations_app
COPY templates templates
COPY static static
COPY docs docs

RUN useradd --system --uid 10001 ferry && install -d -o ferry -m 0700 /data
USER ferry
ENV VECTORFERRY_DATA_DIR=/data
VOLUME /data
EXPOSE 8000

# The Host header must be one of ALLOWED_HOSTS, so the check sends the first of them instead of 127.0.0.1.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python", "-c", "\
import os, urllib.request as r; \
host = (os.environ.get('ALLOWED_HOSTS') or 'localhost').split(',')[0].strip().lstrip('.').replace('*', 'localhost'); \
r.urlopen(r.Request('http://127.0.0.1:8000/healthz', headers={'Host': host}), timeout=4)"]

CMD ["gunicorn", "console.wsgi", "--bind", "0.0.0.0:8000"]

"""What a marked test needs of this machine, and why it is not there if it is not."""

import os
import shutil
import sys
from functools import cache
from pathlib import Path

MARKS = ("postgres", "redis", "local", "browser", "poppler")


def required() -> bool:
    """Whether a missing service is a failure: CLAUSE_REQUIRE_SERVICES=1."""
    return os.environ.get("CLAUSE_REQUIRE_SERVICES") == "1"


@cache
def missing(mark: str) -> str:
    """Why tests with this mark cannot run here; empty if they can."""
    return {"postgres": _postgres, "redis": _redis, "local": _local, "browser": _browser, "poppler": _poppler}[mark]()


def _postgres() -> str:
    from django.db import connection

    return "" if connection.vendor == "postgresql" else "PostgreSQL (this pass runs on SQLite)"


def _redis() -> str:
    from django.conf import settings

    return "" if settings.CLAUSE_REDIS_URL else "Redis (CLAUSE_REDIS_URL is not set)"


def _local() -> str:
    if sys.platform != "linux":
        return "Linux"
    if os.getuid() != 0:
        return "root (hosts are made of namespaces)"
    paths = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    absent = [name for name in ("sshd", "ssh-keygen", "nft", "ip", "unshare") if not shutil.which(name, path=paths)]
    return ", ".join(absent)


@cache
def chromium() -> str:
    """The browser's binary: CLAUSE_CHROMIUM, else the first of the usual names."""
    names = [os.environ.get("CLAUSE_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    return next((found for name in names if name and (found := shutil.which(name))), "")


def _browser() -> str:
    if not chromium():
        return "Chromium"
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "playwright"
    return ""


def _poppler() -> str:
    return "" if shutil.which("pdftotext") else "pdftotext (poppler-utils)"


def repository() -> Path:
    return Path(__file__).resolve().parents[2]

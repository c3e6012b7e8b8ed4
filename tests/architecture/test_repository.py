"""What the repository must not hold."""

import re
import subprocess

import pytest

from tests.architecture import source

ADDRESS = re.compile(r"(?:https?|file|git|ssh)\+?:|--(?:extra-)?index|--find-links|--trusted-host", re.IGNORECASE)
# In pieces, or this file would be the first to hold them.
REGISTRIES = [
    "pypi" + ".org", "python" + "hosted.org", "npmjs" + ".org", "npmjs" + ".com", "crates" + ".io",
    "rubygems" + ".org", "unpkg" + ".com", "jsdelivr" + ".net", "cdnjs" + ".cloudflare",
]  # fmt: skip


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=source.ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout")
    return [name for name in listed.stdout.split("\0") if name and (source.ROOT / name).is_file()]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_pin_everything_and_name_no_address(lock: str) -> None:
    text = (source.ROOT / lock).read_text(encoding="utf-8")
    assert not ADDRESS.search(text)
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert pins
    assert all(re.match(r"[\w.\[\],-]+==[\w.!+]+", pin) for pin in pins)
    assert text.count("--hash=sha256:") >= len(pins)


def test_no_registry_is_named_anywhere() -> None:
    found = []
    for name in tracked():
        data = (source.ROOT / name).read_bytes().lower()
        found += [f"{name}: {registry}" for registry in REGISTRIES if registry.encode() in data]
    assert found == []


def test_no_key_is_kept_here() -> None:
    pem = rb"-----BEGIN [A-Z ]*PRIVATE" + rb" KEY-----\s+[A-Za-z0-9+/=\s]{60,}"
    key = re.compile(pem + rb"|\bsk_" + rb"live_[A-Za-z0-9]{16,}")
    assert [name for name in tracked() if key.search((source.ROOT / name).read_bytes())] == []


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
    named = [
        name
        for name in tracked()
        if name.endswith((".py", ".html", ".js", ".css", ".toml", ".md", ".sh", ".yml", ".yaml"))
    ]
    assert [name for name in named if later.search((source.ROOT / name).read_text(encoding="utf-8"))] == []

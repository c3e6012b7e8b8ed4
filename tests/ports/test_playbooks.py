"""Ansible as a program: nothing that a customer or their machine said is ever a template where the panel runs
(SRV-9)."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.core.errors import ProviderError
from servers.managing import playbooks
from servers.remote import Target

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBu"
HERE = Target("127.0.0.1", KEY, "unused")
PLAYBOOK = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.command: {argv: [echo, "{{ clause_name }}", "{{ clause_mailboxes[0].address }}"]}
      tags: [told]
    - ansible.builtin.command: cat hostile
      register: found
    - ansible.builtin.command: {argv: [echo, "{{ found.stdout }}"]}
      tags: [told]
"""


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A playbook of this machine, which reads what a hostile one says, and the template it says."""
    (tmp_path / "callback_plugins").symlink_to(playbooks.FOLDER / "callback_plugins")
    monkeypatch.setattr(playbooks, "FOLDER", tmp_path)
    template = "{{lookup('pipe','touch\t" + str(tmp_path / "ran") + "')}}"
    (tmp_path / "hostile").write_text(template)
    (tmp_path / "words.yml").write_text(PLAYBOOK.replace("cat hostile", f"cat {tmp_path / 'hostile'}"))
    return template


def played(words: dict[str, Any], target: Target = HERE) -> list[str]:
    outcome = playbooks.play(target, "words", words, heard=lambda _line: None, timeout=60)
    return [line.told for line in outcome.told]


def words_of(text: str) -> dict[str, Any]:
    return {"clause_name": text, "clause_mailboxes": [{"address": text}]}


def test_a_template_among_the_words_is_refused_and_nothing_runs(tmp_path: Path, hostile: str) -> None:
    for words in (words_of(hostile), {"clause_packages": ["a", hostile]}, {"a": {hostile: 1}}, {"a": "{% b %}"},
                  {"a": [["{# c #}"]]}):  # fmt: skip
        with pytest.raises(ProviderError, match="template") as refused:
            played(words)
        assert refused.value.permanent
        assert "lookup" not in str(refused.value)
    assert not (tmp_path / "ran").exists()


def test_what_gets_through_is_words_all_the_same(
    tmp_path: Path, hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    assert played(words_of("shop.example")) == ["shop.example shop.example", hostile], "what a machine says stays so"
    monkeypatch.setattr(playbooks, "_MARKS", ())
    assert played(words_of(hostile)) == [f"{hostile} {hostile}", hostile]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "target",
    [
        Target("{{lookup('pipe','id')}}", KEY, "k"), Target("-oProxyCommand=id", KEY, "k"),
        Target("192.0.2.1\n192.0.2.2", KEY, "k"), Target("192.0.2.1", "* ssh-rsa AAAA", "k"),
        Target("192.0.2.1", KEY, "k", user="root\n"), Target("192.0.2.1", "", "k"),
        Target("fe80::1%{{x}}", KEY, "k"),
    ],
)  # fmt: skip
def test_a_host_that_is_no_plain_address_with_one_plain_key_is_not_gone_to(target: Target) -> None:
    with pytest.raises(ProviderError) as refused:
        played({}, target)
    assert refused.value.permanent


@given(st.recursive(st.text(max_size=5) | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3) | (
    st.dictionaries(st.text(max_size=3), inner, max_size=3)
)))  # fmt: skip
def test_each_word_is_marked_as_never_a_template(words: object) -> None:
    def unmarked(told: Any) -> Any:
        if isinstance(told, dict):
            return told["__ansible_unsafe"] if set(told) == {"__ansible_unsafe"} else {
                key: unmarked(one) for key, one in told.items()
            }  # fmt: skip
        assert not isinstance(told, str)
        return [unmarked(one) for one in told] if isinstance(told, list) else told

    assert unmarked(json.loads(json.dumps(playbooks.plain(words)))) == words

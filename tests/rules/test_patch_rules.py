"""The law of updates: what apt says is read as it is meant, security goes first, nothing is late before its instant
(SRV-9); working days never count a week-end or a holiday (SUB-11)."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.core import calendars
from panel.terms.numbers import PatchTerms, UpdateTerms
from servers.managing import managed_rules, patch_rules
from servers.managing.patch_rules import Known, Waiting
from servers.networking.firewall_rules import Direction, Protocol, Verdict

LAW = PatchTerms(within_days=30, install_after_days=7)
UPDATES = UpdateTerms(working_days=30, remind_working_days=(10, 2), hourly=7200)
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))

APT = """Reading package lists...
Building dependency tree...
The following NEW packages will be installed:
  linux-image-6.1.0-31
The following packages will be upgraded:
  libssl3 tzdata
Inst libssl3 [3.0.11-1~deb12u2] (3.0.15-1~deb12u1 Debian-Security:12/stable-security [amd64]) []
Inst tzdata [2024a-0] (2025a-0 Debian:12.9/stable, Debian:12-updates/stable-updates [all])
Inst linux-image-6.1.0-31 (6.1.128-1 Debian-Security:12/stable-security [amd64])
Conf libssl3 (3.0.15-1~deb12u1 Debian-Security:12/stable-security [amd64])
Remv old-thing [1.0]
"""


def test_what_apt_says_is_read_and_what_comes_anew_is_no_update() -> None:
    assert patch_rules.parse(APT) == [
        Waiting("libssl3", "3.0.11-1~deb12u2", "3.0.15-1~deb12u1", security=True),
        Waiting("tzdata", "2024a-0", "2025a-0", security=False),
    ]


HOSTILE = (
    "{{lookup('pipe','id')}}", "{%x%}", "a{#b#}", "-oAPT::Update::Pre-Invoke::=id", "A", "a/../b", "a=1", "a*",
    "a'b", 'a"b', "a;id", "a$(id)", "é", "a:b:c", "a" * 121, "",
)  # fmt: skip


@pytest.mark.parametrize("words", HOSTILE)
def test_a_line_with_words_that_no_package_has_is_no_update(words: str) -> None:
    good = "Inst tzdata [2024a-0] (2025a-0 Debian:12.9/stable [all])"
    lines = [
        f"Inst {words} [1.0] (2.0 Debian:12/stable [amd64])", f"Inst a [{words}{{] (2.0 Debian:12/stable [amd64])",
        f"Inst a [1.0] ({words}{{ Debian:12/stable [amd64])", f"Inst a [1.0] (2.0 Debian{{{words} [amd64])",
    ]  # fmt: skip
    assert patch_rules.parse("\n".join([*lines, good])) == [Waiting("tzdata", "2024a-0", "2025a-0", security=False)]


PIECES = (
    "Inst ", "a", "lib+x.y-1", ":amd64", " ", "[", "]", "(", ")", "1:2~3", "{{", "}}", "{%", "{#", "'", '"', "\n", "\t",
    "\x85", "é", "security",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_nothing_that_is_read_can_be_a_template_or_a_quote(text: str) -> None:
    for one in patch_rules.parse(text):
        assert patch_rules.is_package(one.package)
        assert not set(one.package + one.installed + one.available) & set("{}%#'\"\n \t$;|&<>`\\")


def test_packages_of_another_architecture_and_sources_with_names_are_read() -> None:
    text = "Inst libc6:i386 [2:2.36-9+deb12u8] (2:2.36-9+deb12u10 Docker CE:12, Debian-Security:12/a_b [i386]) []"
    assert patch_rules.parse(text) == [Waiting("libc6:i386", "2:2.36-9+deb12u8", "2:2.36-9+deb12u10", security=True)]


@given(st.text())
def test_whatever_a_server_says_nothing_breaks(text: str) -> None:
    assert all(len(one.package) <= 120 for one in patch_rules.parse(text))


def test_a_server_that_says_too_much_is_cut_off() -> None:
    line = "Inst a [1] (2 X [all])\n"
    assert len(patch_rules.parse(line * (patch_rules.MOST + 10))) == patch_rules.MOST


@given(INSTANTS, st.booleans(), st.timedeltas(timedelta(0), timedelta(days=60)))
def test_everything_is_tried_long_before_it_is_late(first_seen: datetime, security: bool, after: timedelta) -> None:
    known, now = [Known("a", security, first_seen)], first_seen + after
    due, late = patch_rules.to_install(known, now, LAW), patch_rules.late(known, now, LAW)
    assert not security or due == ["a"]
    assert not late or due == ["a"]
    assert bool(late) == (now > patch_rules.late_after(first_seen, LAW))
    if after < timedelta(days=6):
        assert bool(due) == security


@given(INSTANTS)
def test_working_days_are_counted_from_the_mail(told_at: datetime) -> None:
    until = patch_rules.until(told_at, UPDATES)
    first, last = calendars.paris_date(told_at), calendars.last_day_before(until)
    counted = [first + timedelta(days=n) for n in range(1, (last - first).days + 1)]
    assert sum(map(calendars.is_working_day, counted)) == 30
    assert calendars.is_working_day(last)
    reminders = patch_rules.reminders(told_at, UPDATES)
    assert sorted(reminders) == list(reminders)
    assert all(told_at < instant < until for instant in reminders)


@pytest.mark.parametrize(("minutes", "cents"), [(1, 120), (50, 6000), (60, 7200), (61, 7320), (1440, 172_800)])
def test_the_hourly_rate_is_rounded_once(minutes: int, cents: int) -> None:
    assert patch_rules.fee(minutes, UPDATES) == cents


@given(st.integers(1, 1440), st.integers(1, 50_000))
def test_a_fee_is_never_more_than_half_a_cent_off(minutes: int, hourly: int) -> None:
    law = UpdateTerms(30, (), hourly)
    assert abs(patch_rules.fee(minutes, law) * 60 - hourly * minutes) <= 30


def test_the_first_firewall_lets_in_what_the_roles_need_and_nothing_else() -> None:
    policy = managed_rules.firewall(["web", "mail"])
    lets = {
        port
        for port in range(1, 10_000)
        if policy.verdict(Direction.IN, Protocol.TCP, port, "198.51.100.9") is Verdict.ACCEPT
    }
    assert lets == {22, 25, 80, 110, 143, 443, 465, 587, 993, 995}
    bare = managed_rules.firewall([])
    assert [bare.verdict(Direction.IN, Protocol.TCP, port, "198.51.100.9") for port in (22, 80)] == [
        Verdict.ACCEPT, Verdict.DROP,
    ]  # fmt: skip


@pytest.mark.parametrize("address", ["a@b.example", "first.last+tag@mail.shop.example", "a" * 64 + "@b.example"])
def test_addresses_a_mailbox_can_have(address: str) -> None:
    assert managed_rules.is_mail_address(address)


@given(st.text(max_size=40))
def test_no_address_breaks_out_of_the_file_it_stands_in(text: str) -> None:
    if managed_rules.is_mail_address(text):
        assert not set(text) & set(" \t\r\n:{}%$#\"'\\/")


@pytest.mark.parametrize(
    "address", ["", "a", "@b.example", "a@b", "a..b@c.example", "a@b.example\n", "{{x}}@b.example", "A@b.example",
                "a@-b.example", "a:b@c.example", "a@b_c.example"]
)  # fmt: skip
def test_addresses_a_mailbox_cannot_have(address: str) -> None:
    assert not managed_rules.is_mail_address(address)


@given(st.one_of(st.text(), st.sampled_from(HOSTILE)), st.one_of(st.just(""), st.text(), st.sampled_from(HOSTILE)))
def test_what_a_server_is_called_is_a_host_name_whatever_it_is_made_of(name: str, published: str) -> None:
    called = managed_rules.host_name(name, published)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", called)


def test_a_published_name_comes_first() -> None:
    assert managed_rules.host_name("web-1", "shop.example") == "shop.example"
    assert managed_rules.host_name("web-1", "") == "web-1.localdomain"

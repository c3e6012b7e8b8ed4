"""A host whose packages come from a repository on its own disk: what the managed service installs is installed."""

import imaplib
import poplib
import smtplib
import socket
import ssl
import time
import urllib.request
from pathlib import Path

import paramiko

from servers.providers.local_adapter import LocalProvider
from servers.remote import Remote
from servers.remote.ssh import SshRemote
from tests.support.packages import SETTLED, Repository

HERE = "/srv/packages"
WEAK = "PasswordAuthentication yes\n"


def mail_and_web(folder: Path, cloud: LocalProvider) -> Repository:
    """The mail server and the web server of this machine's distribution, as packages for its hosts."""
    (image,) = cloud.driver.cache.glob("root-*")
    made = Repository(folder, image)
    made.make("ca-certificates")
    made.make("story-library")
    made.copy("openssl")
    made.copy("dovecot-core", after=SETTLED["dovecot-core"])
    for name in ("dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd"):
        made.copy(name, needs="dovecot-core")
    made.copy("postfix", after=SETTLED["postfix"])
    made.copy("nginx-light", "nginx-light", "nginx-common", "nginx", after=SETTLED["nginx-light"])
    made.index()
    return made


def offer(inside: Remote, repository: Repository) -> None:
    """The host's apt knows the repository, as it is now, and nothing else."""
    assert isinstance(inside, SshRemote)
    with inside.transport().open_sftp_client() as files:
        with files.open("/root/packages.tar", "wb") as archive:
            archive.set_pipelined(True)
            archive.write(repository.archive())
        with files.open("/etc/apt/sources.list", "w") as sources:
            sources.write(f"deb [trusted=yes] file://{HERE} ./\n")
    lines = f"rm -rf {HERE}; mkdir -p {HERE}; tar -C {HERE} -xf /root/packages.tar; rm /root/packages.tar"
    done(inside, lines)


def done(inside: Remote, lines: str) -> str:
    """What shell commands print; they must end well."""
    result = inside.run(["sh", "-e", "-c", lines], timeout=60)
    assert result.status == 0, (result.output, result.errors)
    return result.output


def weaken(inside: Remote) -> None:
    """As some images come: whoever guesses a password gets in."""
    done(inside, f"printf '{WEAK}' > /etc/ssh/sshd_config.d/50-image.conf; pkill -HUP -o -x sshd; sleep 0.5")


def ways_in(ip: str) -> set[str]:
    """How an SSH server lets somebody in who shows nothing."""
    with socket.create_connection((ip, 22), 10) as line, paramiko.Transport(line) as transport:
        transport.start_client(timeout=10)
        try:
            transport.auth_none("root")
        except paramiko.BadAuthenticationType as refusal:
            return set(refusal.allowed_types)
    return {"none"}


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()  # the certificate is the host's own
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def send(ip: str, to: str, words: str) -> None:
    """A mail from somewhere else."""
    with smtplib.SMTP(ip, 25, timeout=10) as line:
        line.sendmail("bob@elsewhere.example", to, f"Subject: story\n\n{words}\n")


def relays(ip: str) -> bool:
    """Whether it takes mail for others from anybody."""
    with smtplib.SMTP(ip, 25, timeout=10) as line:
        line.helo("elsewhere.example")
        line.mail("bob@elsewhere.example")
        return line.rcpt("carol@another.example")[0] < 400


def read_over_imap(ip: str, user: str, password: str, *, patience: float = 10) -> str:
    """The text of the newest mail, over TLS."""
    until = time.monotonic() + patience
    with imaplib.IMAP4_SSL(ip, 993, ssl_context=_trusting(), timeout=10) as box:
        box.login(user, password)
        while time.monotonic() < until:
            count = int((box.select()[1][0] or b"0").decode())
            if count:
                return str(box.fetch(str(count), "(BODY[TEXT])")[1][0][1].decode().strip())  # type: ignore[index]
            time.sleep(0.1)
    return ""


def count_over_pop(ip: str, user: str, password: str) -> int:
    """How many mails are there, over TLS."""
    line = poplib.POP3_SSL(ip, 995, timeout=10, context=_trusting())
    try:
        line.user(user)
        line.pass_(password)
        return line.stat()[0]
    finally:
        line.close()


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10, context=_trusting() if url.startswith("https") else None) as answer:
        return str(answer.read().decode())

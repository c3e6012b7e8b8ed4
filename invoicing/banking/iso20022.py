"""What every file of the bank has in common: XML under one namespace, safely parsed."""

from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from django.utils.translation import gettext as _

LARGEST = 10 * 1024 * 1024


class RefusedFile(Exception):
    """Not a file that we can take in; the sentence says why."""


def parse(raw: bytes) -> Any:
    """The root element. RefusedFile when it is no XML, or too large."""
    if len(raw) > LARGEST:
        raise RefusedFile(_("The file is larger than 10 MB."))
    try:
        return ElementTree.fromstring(raw, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise RefusedFile(_("This is not an XML file of a bank.")) from None


class Reader:
    """Finds elements by path under the namespace of one version."""

    def __init__(self, space: str) -> None:
        self.space = space

    def find(self, node: Any, path: str) -> Any:
        return node.find("/".join(self.space + step for step in path.split("/")))

    def text(self, node: Any, *paths: str) -> str:
        """The text at the first of `paths` that says something, its white space made single."""
        for path in paths:
            found = self.find(node, path)
            if found is not None and found.text and found.text.strip():
                return " ".join(found.text.split())
        return ""

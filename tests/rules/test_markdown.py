"""Our small Markdown: what legal texts need, and no way for HTML to come through."""

from hypothesis import given
from hypothesis import strategies as st

from panel.core import markdown


def test_what_legal_texts_need() -> None:
    made = markdown.render(
        "## 1 Account\n\nWhoever *may* **must**.\nStill the same.\n\n- one\n- two\n  and more\n\n1. first\n\n"
        "[terms](/legal/) and <https://example.org>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> said"
    )
    for part in (
        '<h3 id="1-account">1 Account</h3>', "<p>Whoever <em>may</em> <strong>must</strong>. Still the same.</p>",
        "<ul><li>one</li><li>two and more</li></ul>", "<ol><li>first</li></ol>", '<a href="/legal/">terms</a>',
        '<a href="https://example.org">https://example.org</a>', '<th scope="col">a</th>', "<td>2</td>",
        "<blockquote><p>said</p>",
    ):  # fmt: skip
        assert part in made, part


def test_its_title_is_its_first_heading() -> None:
    assert markdown.title("\n# Terms of use\n\ntext") == "Terms of use"
    assert markdown.title("no heading") == ""


def test_links_lead_nowhere_strange() -> None:
    for address in ("javascript:alert(1)", "data:text/html,x", "//evil.example/x y", "vbscript:x"):
        assert 'href="' + address.split(":")[0] + ":" not in markdown.render(f"[click]({address})")


TAGS = [
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "p",
    "ul",
    "ol",
    "li",
    "strong",
    "em",
    "code",
    "a",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "div",
    "hr",
    "blockquote",
]


@given(st.text(alphabet=st.sampled_from(list("<>&\"'`*_[]()#-|1. \nabj:/")), max_size=200))
def test_no_tag_but_our_own(text: str) -> None:
    made = markdown.render(text)
    rest = made
    for tag in TAGS:
        rest = rest.replace(f"</{tag}>", "").replace(f"<{tag}>", "")
    for piece in rest.split("<")[1:]:
        assert piece.split(" ")[0].rstrip(">") in TAGS, (text, made)
    assert "<script" not in made

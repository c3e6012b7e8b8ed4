"""The pages a person visits: card entry of a Checkout Session, and the bank's 3-D Secure question.

Every form post answers with a redirect, so that a reload never repeats an attempt.
"""

from __future__ import annotations

import contextlib
import re
from urllib.parse import parse_qs, urlencode, urlsplit

from invoicing.gateways.fake import cards, intents, objects, pages, sessions
from invoicing.gateways.fake.faults import CardFault, Fault
from invoicing.gateways.fake.store import Object, Store
from invoicing.gateways.fake.wire import Request, Response

PATHS = re.compile(
    r"^/(?:c/(?P<session>cs_test_\w+)(?P<back>/return)?|3ds/(?P<intent>\w+)/(?P<token>\w+)|assets/pay\.css)$"
)


def owns(path: str) -> bool:
    """Whether a path is one of the pages (and not the API, nor the control panel)."""
    return bool(re.match(r"^/(c|3ds|assets)/", path))


def handle(store: Store, request: Request) -> Response:
    lang = _language(request, None)
    found = PATHS.match(request.path)
    if not found or request.method not in ("GET", "HEAD", "POST"):
        return _html(404, pages.missing(lang))
    if request.path == "/assets/pay.css":
        return Response(
            200,
            {
                "Content-Type": "text/css; charset=utf-8",
                "Cache-Control": "max-age=3600",
                "X-Content-Type-Options": "nosniff",
            },
            pages.CSS.encode(),
        )
    try:
        if found["session"]:
            session = store.get("checkout.session", found["session"])
            if request.method == "POST" and not found["back"]:
                return _pay(store, session, request)
            return _show(store, session, request, came_back=bool(found["back"]))
        return _challenge(store, found["intent"], found["token"], request)
    except Fault:
        return _html(404, pages.missing(lang))


def _show(store: Store, session: Object, request: Request, *, came_back: bool) -> Response:
    lang = _language(request, session)
    if came_back:
        if session["status"] == "complete":
            return _to(session["success_url"])
        return _to(f"../{session['id']}?problem=authentication_failure")
    asked = parse_qs(request.query).get("problem", [""])[0]
    problem = asked if asked in pages.PROBLEMS["en"] else ""
    if session["status"] != "open":  # the merchant may have heard of a refusal sooner than the person could read it
        return _html(200, pages.closed(session, lang, problem), session["success_url"])
    return _html(200, pages.entry(session, lang, problem), session["success_url"], session["cancel_url"])


def _pay(store: Store, session: Object, request: Request) -> Response:
    """One press of "Pay": a double click finds the session complete and is only sent on."""
    form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
    if session["payment_method_types"] == ["sepa_debit"]:
        return _sign(store, session, form)
    try:
        card = cards.read_number(form.get("number", ""))
        month, year = _expiry(form.get("expiry", ""))
        if not re.fullmatch(r"\d{3,4}", form.get("cvc", "").strip()):
            raise CardFault("Your card's security code is invalid.", code="invalid_cvc")
    except CardFault as fault:
        return _problem(session, fault)
    with store.transaction():
        session = store.get("checkout.session", session["id"])
        if session["status"] != "open":
            return _to(session["success_url"] if session["status"] == "complete" else session["id"])
        intent = sessions.intent_for(store, session)
        if intent["status"] == "requires_action":  # the person left the bank's page and tries again
            intent.update(status="requires_payment_method", next_action=None)
        address = {part: form.get(part, "")[:100] or None for part in ("line1", "postal_code")}
        billing = {"name": form.get("name", "")[:100] or None, "address": {**objects.NOWHERE, **address}}
        method = store.put(objects.card_method(store, card, month, year, billing))
        back = f"{store.page_base(session['success_url'])}/c/{session['id']}/return"
        try:
            intent = intents.confirm(store, intent, method, off_session=False, return_url=back)
        except CardFault as fault:
            return _problem(session, fault)
    if intent["status"] == "requires_action":
        return _to(intent["next_action"]["redirect_to_url"]["url"])
    return _to(session["success_url"])


def _sign(store: Store, session: Object, form: dict[str, str]) -> Response:
    """A mandate is signed: the account number is kept, nothing is debited yet."""
    try:
        iban = cards.read_iban(form.get("iban", ""))
    except Fault:
        return _to(f"{session['id']}?problem=invalid_iban")
    with store.transaction():
        session = store.get("checkout.session", session["id"])
        if session["status"] != "open":
            return _to(session["success_url"] if session["status"] == "complete" else session["id"])
        intent = sessions.intent_for(store, session)
        billing = {"name": form.get("name", "")[:100] or None, "email": form.get("email", "")[:200] or None}
        method = store.put(objects.sepa_method(store, iban, billing))
        intents.confirm(store, intent, method, off_session=False, return_url=session["success_url"])
    return _to(session["success_url"])


def _challenge(store: Store, ref: str, token: str, request: Request) -> Response:
    intent = store.any(ref)
    if not intent or intent["object"] not in intents.NAMES or not intent["client_secret"].endswith(f"_{token}"):
        raise Fault("No such challenge", status=404)
    session = store.any(intent["_session"]) if intent["_session"] else None
    lang = _language(request, session)
    back = intent["_return_url"] or ""
    if request.method != "POST":
        if intent["status"] != "requires_action":
            return _to(_returning(intent, back))
        method = store.get("payment_method", intent["payment_method"])
        after = session["success_url"] if session else back
        return _html(200, pages.challenge(intent, method, lang), back, after)
    answer = parse_qs(request.body.decode("utf-8", "replace")).get("answer", [""])[0]
    if answer not in ("authorise", "refuse"):
        return _to(token)
    with store.transaction():
        intent = store.get(intent["object"], ref)
        if intent["status"] == "requires_action":
            with contextlib.suppress(CardFault):  # the refusal is written on the intent; the merchant reads it there
                intents.answer(store, intent, authorised=answer == "authorise")
    return _to(_returning(intent, back))


def _returning(intent: Object, back: str) -> str:
    kind = intent["object"]
    status = "succeeded" if intent["status"] == "succeeded" else "failed"
    extra = urlencode({kind: intent["id"], f"{kind}_client_secret": intent["client_secret"], "redirect_status": status})
    return f"{back}{'&' if '?' in back else '?'}{extra}"


def _expiry(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*(\d{1,2})\s*[/-]?\s*(\d{4}|\d{2})\s*", text)
    if not found or not 1 <= int(found[1]) <= 12:
        raise CardFault("Your card's expiration date is invalid.", code="invalid_expiry")
    year = int(found[2])
    return int(found[1]), year if year > 99 else 2000 + year


def _problem(session: Object, fault: CardFault) -> Response:
    code = fault.body.get("decline_code") or fault.body["code"]
    if code.endswith("authentication_failure"):
        code = "authentication_failure"
    return _to(f"{session['id']}?problem={code if code in pages.PROBLEMS['en'] else 'declined'}")


def _language(request: Request, session: Object | None) -> str:
    if session and session["locale"] in pages.TEXTS:
        return str(session["locale"])
    return "fr" if request.headers.get("accept-language", "").lower().startswith("fr") else "en"


def _to(address: str) -> Response:
    return Response(303, {"Location": address, "Cache-Control": "no-store"})


def _html(status: int, text: str, *forms_lead_to: str | None) -> Response:
    """A page under its own strict policy; forms may lead on only to where the merchant asked to return."""
    origins = sorted({f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" for url in forms_lead_to if url})
    policy = (
        f"default-src 'none'; style-src 'self'; form-action 'self' {' '.join(origins)}; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    return Response(
        status,
        {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
        text.encode(),
    )

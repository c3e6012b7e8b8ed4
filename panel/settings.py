"""Settings. The embedded default needs nothing from the environment; production sets CLAUSE_* (docs/operations/)."""

import contextlib
import os
import secrets
import sys
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from panel import env

BASE_DIR = Path(__file__).resolve().parent.parent
PRODUCTION = env.flag("CLAUSE_PRODUCTION")
TESTING = "pytest" in sys.modules
EMBEDDED = not PRODUCTION

# --- Where this installation keeps its data, and its keys ---------------------------------------------------------
CLAUSE_DATA = Path(
    env.text("CLAUSE_DATA") or (tempfile.mkdtemp(prefix="clause-test-") if TESTING else BASE_DIR / "data")
).resolve()


def _installation_key() -> str:
    """Embedded: a random key made once, readable by its owner alone. Production: from the environment."""
    if PRODUCTION:
        return env.required("CLAUSE_SECRET_KEY")
    CLAUSE_DATA.mkdir(parents=True, exist_ok=True)
    path = CLAUSE_DATA / "secret-key"
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=CLAUSE_DATA, prefix="secret-key.", delete=False) as fresh:
            fresh.write(secrets.token_urlsafe(50))  # readable by its owner alone
        with contextlib.suppress(FileExistsError):  # another process was first: its key holds
            os.link(fresh.name, path)
        Path(fresh.name).unlink()
    return path.read_text()


SECRET_KEY = _installation_key()
CLAUSE_SECRET_KEYS = env.words("CLAUSE_SECRET_KEYS") or [SECRET_KEY]
DEBUG = False
HOST = env.text("HOST", "127.0.0.1")
PORT = env.number("PORT", 8000)
CLAUSE_LOCAL_HOSTS = env.flag("LOCAL")  # real hosts out of network namespaces: root, Linux, loopback only
if CLAUSE_LOCAL_HOSTS and (PRODUCTION or HOST not in ("127.0.0.1", "localhost", "::1")):
    raise ImproperlyConfigured("LOCAL=1 is for this machine alone: it needs the embedded mode and a loopback HOST")
CLAUSE_BASE_URL = env.text("CLAUSE_BASE_URL", f"http://{'127.0.0.1' if HOST == '0.0.0.0' else HOST}:{PORT}").rstrip("/")  # noqa: S104
ALLOWED_HOSTS = env.words("CLAUSE_HOSTS") if PRODUCTION else ["127.0.0.1", "localhost", "[::1]", "testserver", HOST]
if EMBEDDED and HOST in ("0.0.0.0", "::"):  # noqa: S104
    ALLOWED_HOSTS = ["*"]
CSRF_TRUSTED_ORIGINS = [CLAUSE_BASE_URL]

# --- The operator ---------------------------------------------------------------------------------------------
CLAUSE_OPERATOR = env.text("CLAUSE_OPERATOR", "say_digital")
CLAUSE_BRAND = {
    "name": env.text("CLAUSE_BRAND", "SAY Digital I/O"),
    "short": "SAY",
    "product": "Clause",
    "accent": env.text("CLAUSE_ACCENT", "petrol"),
    "tagline": env.text("CLAUSE_TAGLINE", "Servers and domains, run to the letter."),
}
CLAUSE_SELLER = {
    "name": env.text("CLAUSE_SELLER_NAME", "SAY Digital I/O SAS"),
    "legal_form": env.text("CLAUSE_SELLER_FORM", "SAS au capital de 10 000 EUR"),
    "street": env.text("CLAUSE_SELLER_STREET", "12 rue de l\u2019Exemple"),
    "postcode": env.text("CLAUSE_SELLER_POSTCODE", "75002"),
    "city": env.text("CLAUSE_SELLER_CITY", "Paris"),
    "country": "FR",
    "siren": env.text("CLAUSE_SELLER_SIREN", "732829320"),
    "rcs": env.text("CLAUSE_SELLER_RCS", "RCS Paris 732 829 320"),
    "vat_number": env.text("CLAUSE_SELLER_VAT", "FR44732829320"),
    "email": env.text("CLAUSE_SELLER_EMAIL", "billing@clause.example"),
    "uses_oss": env.flag("CLAUSE_SELLER_OSS", default=True),  # consumers abroad: their country's VAT (One Stop Shop)
    "vat_on_debits": env.flag("CLAUSE_SELLER_VAT_ON_DEBITS"),  # VAT due on invoicing instead of on receipt
    "iban": env.text("CLAUSE_SELLER_IBAN", "FR7630006000011234567890189"),
}
CLAUSE_RELEASE_BY_ONE = env.flag("CLAUSE_RELEASE_BY_ONE")  # ABU-12: one person may release the brake
CLAUSE_NEVER_BLOCK = env.networks(env.words("CLAUSE_NEVER_BLOCK"))  # the panel's and the network's own addresses

# --- Apps -----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "channels",
    "csp",
    "django_htmx",
    "template_partials.apps.SimpleAppConfig",
    "ninja",
    "panel.core",
    "panel.terms",
    "panel.accounts",
    "invoicing",
    "tickets",
    "domains",
    "servers",
    "abuse",
    "panel.runtime",
    "panel.sandbox",
    "panel.console",
    "panel.api",
    "panel.demo",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "panel.core.live.middleware.ReadingSinceMiddleware",
    "panel.accounts.middleware.LastSeenMiddleware",
    "panel.core.preferences.PreferencesMiddleware",
    "panel.accounts.middleware.ActorMiddleware",
    "panel.accounts.middleware.StaffSecondFactorMiddleware",
]
ROOT_URLCONF = "panel.urls"
WSGI_APPLICATION = "panel.wsgi.application"
ASGI_APPLICATION = "panel.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
FORM_RENDERER = "panel.core.forms.Renderer"

_LOADERS = [
    "django.template.loaders.filesystem.Loader",
    "django.template.loaders.app_directories.Loader",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "panel" / "templates"],
        "OPTIONS": {
            "loaders": [("template_partials.loader.Loader", [("django.template.loaders.cached.Loader", _LOADERS)])],
            "builtins": [
                "template_partials.templatetags.partials",
                "django.templatetags.i18n",
                "django.templatetags.static",
                "panel.core.templatetags.remembered",
                "panel.core.templatetags.ui",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "panel.core.context.shell",
            ],
        },
    },
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "panel" / "rows"],
        "OPTIONS": {"environment": "panel.core.rows.environment"},
    },
]

# --- Database -------------------------------------------------------------------------------------------------
_DATABASE_URL = env.text("CLAUSE_DATABASE_URL")
if PRODUCTION and not _DATABASE_URL:
    raise ImproperlyConfigured("CLAUSE_DATABASE_URL must be set")
if _DATABASE_URL:
    DATABASES = {
        "default": {
            **env.postgresql(_DATABASE_URL),
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": True,
            # after so many runs PostgreSQL keeps the plan of a query of panel.core.prepared
            "OPTIONS": {"prepare_threshold": 3 if env.flag("CLAUSE_PREPARED", default=True) else None},
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(CLAUSE_DATA / "clause.sqlite3"),
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": (
                    "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA busy_timeout=20000;"
                    "PRAGMA cache_size=-20000;PRAGMA temp_store=MEMORY;PRAGMA recursive_triggers=ON"
                ),
            },
            "TEST": {"NAME": str(CLAUSE_DATA / "test.sqlite3")},
        }
    }

# --- Redis: production's cache, live channel and Celery's broker -------------------------------------------------
CLAUSE_REDIS_URL = env.text("CLAUSE_REDIS_URL")
if PRODUCTION and not CLAUSE_REDIS_URL:
    raise ImproperlyConfigured("CLAUSE_REDIS_URL must be set")
if CLAUSE_REDIS_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CLAUSE_REDIS_URL}}
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}  # routing only: see panel.core.live
CELERY_BROKER_URL = CLAUSE_REDIS_URL or "memory://"

# --- Clouds and payment -------------------------------------------------------------------------------------------
_LOCAL_PLACE: dict[str, object] = {
    "provider": "local",
    "label": _("This machine"),
    "bridge": env.text("CLAUSE_LOCAL_BRIDGE", "clause0"),
    "subnet": env.text("CLAUSE_LOCAL_SUBNET", "10.77.0.0/24"),
}
CLAUSE_PLACES: dict[str, dict[str, object]] = (
    {}
    if PRODUCTION
    else {
        "sim-1": {
            "provider": "simulated",
            "label": _("Simulated cloud, Paris"),
            "push_secret": f"push_{SECRET_KEY[:24]}",
        },
        **({"local-1": _LOCAL_PLACE} if CLAUSE_LOCAL_HOSTS else {}),
    }
)
if PRODUCTION and env.text("CLAUSE_PLACES_FILE"):
    import tomllib

    CLAUSE_PLACES = tomllib.loads(Path(env.required("CLAUSE_PLACES_FILE")).read_text())
CLAUSE_GATEWAY: dict[str, str] = (
    {
        "kind": "stripe",
        "api_key": env.required("CLAUSE_STRIPE_KEY"),
        "webhook_secret": env.required("CLAUSE_STRIPE_WEBHOOK_SECRET"),
        "api_base": env.text("CLAUSE_STRIPE_API_BASE"),
    }
    if PRODUCTION
    else {
        "kind": "stripe",
        "api_key": "sk_test_embedded",
        "webhook_secret": env.text("CLAUSE_STRIPE_WEBHOOK_SECRET", f"whsec_{SECRET_KEY[:24]}"),
        "api_base": env.text("CLAUSE_STRIPE_API_BASE")
        or f"http://127.0.0.1:{env.number('CLAUSE_FAKE_STRIPE_PORT', PORT + 1)}",
    }
)
# Terminals to servers in the browser (SRV-8)
CLAUSE_TERMINAL = {
    "idle_minutes": env.number("CLAUSE_TERMINAL_IDLE_MINUTES", 20),
    "longest_hours": env.number("CLAUSE_TERMINAL_LONGEST_HOURS", 8),
    "per_person": env.number("CLAUSE_TERMINAL_PER_PERSON", 4),
    "per_server": env.number("CLAUSE_TERMINAL_PER_SERVER", 6),
    "history_lines": env.number("CLAUSE_TERMINAL_HISTORY_LINES", 500),
    "staff_days": env.number("CLAUSE_TERMINAL_STAFF_DAYS", 30),
}
# How many managed servers are gone over at the same time, each by a worker (SRV-9)
CLAUSE_MANAGED_AT_ONCE = env.number("CLAUSE_MANAGED_AT_ONCE", 4 if PRODUCTION else 1)
# Direct debits by files of our own: the creditor identifier (ICS) that the bank gave; none: no such mandates
CLAUSE_SEPA = {
    "creditor_id": env.text("CLAUSE_SEPA_CREDITOR_ID", "" if PRODUCTION else "FR72ZZZ123456"),
    "bic": env.text("CLAUSE_SEPA_BIC"), "format": env.text("CLAUSE_SEPA_FORMAT", "pain.008.001.08"),
}  # fmt: skip
# Where VAT numbers are checked; empty, and only in the embedded runtime: a simulated register
CLAUSE_VIES = {
    "url": env.text("CLAUSE_VIES_URL", "https://ec.europa.eu/taxation_customs/vies/rest-api" if PRODUCTION else "")
}
# The accredited platform for e-invoices and e-reports: none until the operator has one; embedded: a simulated one
CLAUSE_PLATFORM = {
    "url": env.text("CLAUSE_PLATFORM_URL"), "token": env.text("CLAUSE_PLATFORM_TOKEN"), "simulated": EMBEDDED,
}  # fmt: skip
# A CSV of first address, last address, country: where a private customer's connection comes from (INV-10)
CLAUSE_IP_COUNTRIES = env.text("CLAUSE_IP_COUNTRIES")
# Providers of throw-away mail addresses (SUB-4); staff adds to it and takes from it in the console
CLAUSE_DISPOSABLE_MAIL = env.words(
    "CLAUSE_DISPOSABLE_MAIL",
    "10minutemail.com, dispostable.com, getnada.com, grr.la, guerrillamail.com, jetable.org, mailinator.com, "
    "maildrop.cc, mohmal.com, sharklasers.com, temp-mail.org, tempmail.dev, throwawaymail.com, trashmail.com, "
    "yopmail.com",
)

# --- Mail ---------------------------------------------------------------------------------------------------------
CLAUSE_MAIL_DOMAIN = env.text("CLAUSE_MAIL_DOMAIN", "clause.example")
DEFAULT_FROM_EMAIL = env.text("CLAUSE_MAIL_FROM", f"{CLAUSE_BRAND['name']} <response@{CLAUSE_MAIL_DOMAIN}>")
if PRODUCTION or env.text("CLAUSE_SMTP_HOST"):
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = env.text("CLAUSE_SMTP_HOST", "localhost")
    EMAIL_PORT = env.number("CLAUSE_SMTP_PORT", 25)
    EMAIL_HOST_USER = env.text("CLAUSE_SMTP_USER")
    EMAIL_HOST_PASSWORD = env.text("CLAUSE_SMTP_PASSWORD")
    EMAIL_USE_TLS = env.flag("CLAUSE_SMTP_STARTTLS")
    EMAIL_TIMEOUT = 20
else:  # the embedded default keeps its mails in a folder; staff and the newcomer read them under /mailbox/
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = CLAUSE_DATA / "mail"

# --- People -------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["panel.accounts.identity.Backend"]
SESSION_ENGINE = "panel.accounts.identity"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "panel.accounts.allauth_adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_SIGNUP_FORM_CLASS = "panel.accounts.forms.SignupForm"
ACCOUNT_FORMS = {"signup": "panel.accounts.signup_form.WholeSignupForm"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ALLAUTH_TRUSTED_PROXY_COUNT = env.number("CLAUSE_PROXIES", 1 if PRODUCTION else 0)
MFA_ADAPTER = "panel.accounts.allauth_adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = EMBEDDED
MFA_TOTP_ISSUER = CLAUSE_BRAND["name"]
USERSESSIONS_TRACK_ACTIVITY = True
CLAUSE_REQUIRE_STAFF_MFA = env.flag("CLAUSE_REQUIRE_STAFF_MFA", default=True)

# --- Security -----------------------------------------------------------------------------------------------------
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
if PRODUCTION:
    SECURE_SSL_REDIRECT = env.flag("CLAUSE_SSL_REDIRECT", default=True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        # after a form the browser is sent on to the payment provider's own page
        "form-action": ["'self'", "https://checkout.stripe.com", *([CLAUSE_GATEWAY["api_base"]] if EMBEDDED else [])],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
        "manifest-src": ["'self'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024

# --- Language and time ----------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Fran\u00e7ais")]
LOCALE_PATHS = [BASE_DIR / "panel" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Europe/Paris"

# --- Static files -------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = CLAUSE_DATA / "static"
STATICFILES_DIRS = [BASE_DIR / "panel" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = TESTING

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": env.text("CLAUSE_LOG_LEVEL", "INFO")},
    "loggers": {"factur-x": {"level": "WARNING"}},  # else three lines for each document
}
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

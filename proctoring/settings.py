"""All settings, read from the environment and from ``.env``; README has the table."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from kombu import Queue

from proctoring import __version__
from proctoring.environment import (
    MARIADB,
    POSTGRESQL,
    SQLITE,
    Environment,
    own_address,
    read_database_url,
    read_frame_store,
    read_origins,
    read_redis_url,
    read_secrets,
)
from proctoring.face_settings import read_face_distance, read_face_keys
from proctoring.figures import read_token, share_figures
from proctoring.logs import FORMATS, LEVELS, logging_settings, read_log_choice

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
if env.flag("READ_DOT_ENV", default=True):
    env.read_env(BASE_DIR / ".env")

VAR_DIR = Path(env.text("VAR_DIR", str(BASE_DIR / "var")))
VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)

# --- security ---------------------------------------------------------------------------------------------------------
DEBUG = env.flag("DEBUG")
SECRET_KEY, JWT_SECRET = read_secrets(env.text("SECRET_KEY"), env.text("JWT_SECRET"))
ALLOWED_HOSTS = env.texts("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.texts("CSRF_TRUSTED_ORIGINS")
# Behind a proxy that ends TLS; off by default so that a laptop works over plain HTTP.
SECURE = env.flag("SECURE")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
# Probes ask from within, past the proxy.
SECURE_REDIRECT_EXEMPT = [r"^health(/ready)?/?$"]
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
# So many proxies of ours stand before the server and write down, in X-Forwarded-For, who called them. With none the
# header is whatever the caller likes, and is not looked at.
TRUSTED_PROXIES = env.number("TRUSTED_PROXIES", default=0, least=0, most=10)
# Browser clients on other origins; a front end under development usually runs on port 3000.
CORS_ALLOWED_ORIGINS = read_origins(
    "ALLOWED_ORIGINS", env.texts("ALLOWED_ORIGINS", default=["http://localhost:3000"] if DEBUG else [])
)
CORS_URLS_REGEX = r"^/(api/|health|schema|$)"
CORS_EXPOSE_HEADERS = ["Content-Disposition", "Content-Language", "Date", "Retry-After", "X-Request-ID"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# --- what it is made of -----------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "corsheaders",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "proctoring.apps.SignInsConfig",
    "import_export",
    "proctoring.apps.ProctoringConfig",
    "accounts",
    "exams",
    "monitoring",
    "reports",
]
MIDDLEWARE = [
    "proctoring.logs.request_context",
    "proctoring.metrics.measured",
    "django.middleware.security.SecurityMiddleware",
    "proctoring.middleware.content_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "proctoring.middleware.api_guard",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "proctoring.middleware.chosen_language",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "proctoring.urls"
ASGI_APPLICATION = "proctoring.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- database ---------------------------------------------------------------------------------------------------------
_database_url = env.text("DATABASE_URL")
_database: dict[str, Any] = (
    read_database_url("DATABASE_URL", _database_url)
    if _database_url
    else {"ENGINE": SQLITE, "NAME": str(VAR_DIR / "db.sqlite3")}
)
_options_of: dict[str, dict[str, Any]] = {
    # One writer at a time, queued at BEGIN instead of failing at the first write.
    SQLITE: {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
    },
    # Who finds no connection is told so soon, and a server that is back is noticed soon, however long it was away.
    POSTGRESQL: {"pool": {"timeout": 5, "reconnect_timeout": 4}},
    # Text that is too long or a number out of range is an error there as everywhere, not something to cut to size.
    MARIADB: {
        "charset": "utf8mb4",
        "isolation_level": "read committed",
        "init_command": "SET sql_mode='STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
    },
}
_database["OPTIONS"] = _options_of[_database["ENGINE"]] | _database.get("OPTIONS", {})
# Of connections that wait in the pool, those that the server's restart has ended are not given to anybody.
_database["CONN_HEALTH_CHECKS"] = _database["ENGINE"] == POSTGRESQL
DATABASES = {"default": _database}
if _database["ENGINE"] == MARIADB:
    # Unique constraints with a condition or over an expression will not be made, say these; our backend makes them.
    SILENCED_SYSTEM_CHECKS = ["models.W036", "models.W044"]

# --- people -----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
# Five wrong passwords or faces from one address close that account for that address for a while. Not for everybody:
# nobody may lock a candidate out of an exam from elsewhere.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # it opens again, even for somebody who keeps on trying
AXES_USERNAME_CALLABLE = "accounts.lockout.account_name"
AXES_CLIENT_IP_CALLABLE = "accounts.addresses.client_address"
AXES_LOCKOUT_CALLABLE = "proctoring.lockout.answer_locked_out"
AXES_DISABLE_ACCESS_LOG = True  # it would open a session for every client that signs in with a token
AXES_VERBOSE = False

# Recognition by face: without a key of its own everything else works and face calls answer 503.
FACE_KEY, FACE_KEY_PREVIOUS = read_face_keys(env.text("FACE_KEY"), env.texts("FACE_KEY_PREVIOUS"))
FACE_MAX_DISTANCE = read_face_distance(env.text("FACE_MAX_DISTANCE", "0.5"))
# One picture, which a photo of the person passes as well.
FACE_SINGLE_PICTURE_LOGIN = env.flag("FACE_SINGLE_PICTURE_LOGIN")

# --- the interface for programs ---------------------------------------------------------------------------------------
SIMPLE_JWT = {
    "SIGNING_KEY": JWT_SECRET,
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=env.number("ACCESS_TOKEN_MINUTES", default=30, most=24 * 60)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "CHECK_REVOKE_TOKEN": True,  # a changed password ends every token
    "UPDATE_LAST_LOGIN": False,
}
# One request: the largest is a picture and its events in base64.
MAX_REQUEST_BYTES = 20 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_REQUEST_BYTES
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["proctoring.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "accounts.pagination.Pages",
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "proctoring.filters.StableOrdering",
    ],
    "DEFAULT_SCHEMA_CLASS": "proctoring.schema.Schema",
    "DEFAULT_THROTTLE_CLASSES": ["accounts.throttling.SteadyThrottle"],
    "NUM_PROXIES": TRUSTED_PROXIES,
    # A hall of candidates may share one address, so anonymous limits are wide; lock-out guards single accounts.
    "DEFAULT_THROTTLE_RATES": {
        "sign_in": "300/min",
        "register": "120/min",
        "intake": "1200/min",
        "submit": "60/min",
        "check": "30/min",
    },
    "DEFAULT_METADATA_CLASS": None,  # the description says all there is; OPTIONS is for preflights
    "EXCEPTION_HANDLER": "proctoring.errors.handle_error",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Proctoring",
    "DESCRIPTION": "Candidates sit exams, the server watches and points, a human decides.",
    "VERSION": __version__,
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "TAGS": [
        {"name": "service", "description": "What this is, and whether it works."},
        {"name": "accounts", "description": "Who somebody is: registration, tokens, faces, consents."},
        {"name": "exams", "description": "What is sat, by whom, under which rules."},
        {"name": "sessions", "description": "One candidate's one sitting, from the system check to its end."},
        {"name": "intake", "description": "What a candidate's browser sends: pictures, sound, events."},
        {"name": "monitoring", "description": "What was seen, what it weighs, and what humans decided."},
        {"name": "submissions", "description": "Code that candidates hand in; every version is kept."},
        {"name": "admin", "description": "Users and figures across sessions."},
        {"name": "reports", "description": "What can be kept of a session: PDF and JSON."},
    ],
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "proctoring.schema.name_operations",
    ],
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "docExpansion": "none", "filter": True},
    # Fields of the same name with different choices.
    "ENUM_NAME_OVERRIDES": {
        "SessionStatus": "exams.models.SessionStatus",
        "SessionSource": "exams.models.ExamSession.Source",
        "ReportState": "reports.models.SessionReport.Status",
        "LogSource": "monitoring.models.MonitoringLog.Source",
        "Severity": "exams.kinds.Severity",
        "RiskLevel": "exams.kinds.RiskLevel",
        "Verdict": "monitoring.models.ReviewDecision.Verdict",
        "VerdictOrUndecided": ["confirmed", "dismissed", "escalated", "undecided"],
        "Outcome": "monitoring.models.ReviewDecision.Outcome",
        "DecidedOutcome": "monitoring.case_models.ReviewCase.Leaning",
        "Role": "accounts.models.Role",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- languages and time -----------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("bn", "বাংলা")]
TIME_ZONE = env.text("TIME_ZONE", "UTC")
USE_TZ = True
FORMAT_MODULE_PATH = "proctoring.formats"
LOCALE_PATHS = [BASE_DIR / "proctoring" / "locale"]

# --- files ------------------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(VAR_DIR / "static")))
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # whitenoise warns about a folder that is not there
STATICFILES_DIRS = [BASE_DIR / "static"]
# Static files need no collecting step; a proxy may serve a collected STATIC_ROOT instead.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
MEDIA_ROOT = Path(env.text("MEDIA_ROOT", str(VAR_DIR / "media")))
# Pictures of people are served by views that check who asks, never from an open address.
MEDIA_URL = ""
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
# Static files hold nobody's face, and who serves them may be another user.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage",
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
}
REDIS_URL = read_redis_url("REDIS_URL", env.text("REDIS_URL"))
# Where pictures and sound wait to be examined: in a folder of this machine, or in Redis, for several machines.
FRAME_STORE = read_frame_store("FRAME_STORE", env.text("FRAME_STORE"), REDIS_URL)
FRAME_SPOOL = Path(env.text("FRAME_SPOOL", str(VAR_DIR / "spool")))
FRAME_QUEUE_LENGTH = env.number("FRAME_QUEUE_LENGTH", default=240)
# What waits for a session that ended so long ago will not be examined any more.
FRAME_TTL_S = env.number("FRAME_TTL_S", default=24 * 3600, least=60)
# A worker that has not been heard of for so long is taken for dead, and another one goes on with its session.
CLAIM_S = env.number("CLAIM_S", default=5, most=300)
# For how long pictures, reports and raw observations are kept after a session's end and the last decision; 0: for ever.
KEEP_DAYS = env.number("KEEP_DAYS", default=365, least=0)
# For how long it is kept who looked at whose picture; 0: for ever.
KEEP_ACCESS_DAYS = env.number("KEEP_ACCESS_DAYS", default=365, least=0)
# For how long after its end a session is waited for whose connection was lost when its time was up; 0: not at all.
RETURN_MINUTES = env.number("RETURN_MINUTES", default=10, least=0, most=24 * 60)
FRAME_WAIT_S = env.number("FRAME_WAIT_S", default=10, least=0, most=60)
# What a session's sockets may send: pictures and chunks of sound per second, and twice as many at once.
SOCKET_FRAMES_PER_S = env.number("SOCKET_FRAMES_PER_S", default=30, most=1_000_000)
CAPTURE_FPS = 1.0
# How long the end of a session waits for its scores to be final; they are told as they stand after that.
END_WAIT_S = 5.0
os.environ.setdefault("PROCTORING_MODELS", str(VAR_DIR / "models"))

# --- where it listens -------------------------------------------------------------------------------------------------
HOST = env.text("HOST", "127.0.0.1")
PORT = env.number("PORT", default=8000, most=65535)

# Where people reach this server: links in e-mail begin with it.
SITE_URL = env.text("SITE_URL")
SITE_URL = read_origins("SITE_URL", [SITE_URL])[0] if SITE_URL else own_address(HOST, PORT)

# --- e-mail -----------------------------------------------------------------------------------------------------------
_mailer = "console" if DEBUG else "smtp"
EMAIL_BACKEND = env.text("EMAIL_BACKEND", f"django.core.mail.backends.{_mailer}.EmailBackend")
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.number("EMAIL_PORT", default=25, most=65535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "proctoring@localhost")

# --- background work --------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", REDIS_URL or "memory://localhost")
# Without a broker the worker and beat live inside the server process.
EMBEDDED_WORKER = env.flag("EMBEDDED_WORKER", default=CELERY_BROKER_URL.startswith("memory://"))
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker, however long that is away
# A message that a worker took and neither finished nor gave back is handed out again after this; it must be longer than
# any task may take, or the task would be done twice. Other brokers see the worker's connection break.
VISIBILITY_S = 1800
CELERY_BROKER_TRANSPORT_OPTIONS = {}
if CELERY_BROKER_URL.startswith("memory://"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {"polling_interval": 0.01}
elif CELERY_BROKER_URL.startswith(("redis://", "rediss://", "unix://")):
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": VISIBILITY_S}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 900
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Building the models takes a new process some seconds; the usual four would be too few on a small machine.
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 120.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Celery closes databases around each task, and with them the pool: four new connections for each picture. After so many
# tasks only; in between a task's connection goes back to the pool (proctoring/celery.py).
CELERY_DB_REUSE_MAX = 10_000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = env.number("WORKER_MAX_MEMORY_KB", default=1_500_000)
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_QUEUES = [Queue(name) for name in ("default", "vision", "audio", "reports")]
CELERY_TASK_ROUTES = {
    "monitoring.tasks.analyze_sessions": {"queue": "vision"},
    "monitoring.tasks.analyze_sounds": {"queue": "audio"},
    # It examines what is left, and the chores of the default queue must not wait behind a hall that hands in.
    "monitoring.tasks.finish_session": {"queue": "vision"},
    "reports.tasks.*": {"queue": "reports"},
}
_chores: dict[str, dict[str, Any]] = {
    "sweep": {"task": "monitoring.tasks.sweep", "schedule": 4.0},
    "silence": {"task": "monitoring.tasks.watch_silence", "schedule": 5.0},
    "reports": {"task": "reports.tasks.sweep_reports", "schedule": 60.0},
    "expire": {"task": "monitoring.tasks.expire_overdue", "schedule": 30.0},
    "retention": {"task": "monitoring.tasks.remove_old_evidence", "schedule": 3600.0},
    "tokens": {"task": "accounts.tasks.forget_tokens", "schedule": 6 * 3600.0},
}
# A chore that waited until its next turn is not done twice: without workers the queue would fill with them.
CELERY_BEAT_SCHEDULE = {
    name: chore | {"options": {"expires": chore["schedule"], "ignore_result": True}} for name, chore in _chores.items()
}
# All sockets of one process share what may wait in Redis, so Channels' own 100 are gone in one burst.
CHANNEL_CAPACITY = 1000
CHANNEL_LAYERS = {
    "default": (
        # Idle consumers block for 5 seconds, which redis-py's own read timeout of 5 would end.
        {
            "BACKEND": "proctoring.layers.SteadyRedisLayer",
            "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": 15}], "capacity": CHANNEL_CAPACITY},
        }
        if REDIS_URL
        else {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": CHANNEL_CAPACITY}}
    )
}
CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    ),
    # Last pictures for a live wall that somebody looks at: names of their own in Redis, in memory a place of their own.
    "glimpses": (
        {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "glimpses",
            # Workers ask it for every round of pictures, and may not be held up by it.
            "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
        }
        if REDIS_URL
        else {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": "glimpses",
            "OPTIONS": {"MAX_ENTRIES": 5000},
        }
    ),
}

# --- logs -------------------------------------------------------------------------------------------------------------
LOG_FORMAT = read_log_choice("LOG_FORMAT", env.text("LOG_FORMAT", "text" if DEBUG else "json").lower(), FORMATS)
LOG_LEVEL = read_log_choice("LOG_LEVEL", env.text("LOG_LEVEL", "WARNING").upper(), LEVELS)
LOGGING = logging_settings(form=LOG_FORMAT, level=LOG_LEVEL)

# --- figures for Prometheus -------------------------------------------------------------------------------------------
METRICS_TOKEN = read_token("METRICS_TOKEN", env.text("METRICS_TOKEN"))
# In the environment of a worker alone: where it shows its figures, on HOST.
METRICS_PORT = env.number("METRICS_PORT", default=0, least=0, most=65535)
if METRICS_PORT:
    share_figures()

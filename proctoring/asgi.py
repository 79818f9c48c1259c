"""The server's entry: ``daphne proctoring.asgi:application``."""

import gc
import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proctoring.settings")

_http = get_asgi_application()

from django.conf import settings  # noqa: E402  the settings exist only from here on

from monitoring import routing  # noqa: E402  and so do the models
from proctoring import logs, sockets  # noqa: E402

sockets.install()

if settings.EMBEDDED_WORKER:
    from proctoring import embedded

    embedded.start()

# What is loaded now stays: the collector need not walk through all of it every few requests, for 100 ms each time.
get_resolver().url_patterns  # noqa: B018  loads the pages, the console and the interface
gc.collect()
gc.freeze()

application = ProtocolTypeRouter({"http": _http, "websocket": logs.socket_context(routing.application())})
"""What the server calls."""

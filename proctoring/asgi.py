"""The server's entry: ``daphne proctoring.asgi:application``."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proctoring.settings")

_http = get_asgi_application()

from django.conf import settings  # noqa: E402  the settings exist only from here on

from monitoring import routing  # noqa: E402  and so do the models
from proctoring import logs, sockets  # noqa: E402

sockets.install()

if settings.EMBEDDED_WORKER:
    from proctoring import embedded

    embedded.start()

application = ProtocolTypeRouter({"http": _http, "websocket": logs.socket_context(routing.application())})
"""What the server calls."""

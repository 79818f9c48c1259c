"""Calls for anyone: what this is, and its documentation."""

from proctoring.tests.permission_rows.row import Row

ANYONE = "200 200 200 200 200 200 200"
AWAY = "302 302 302 302 302 302 302"

ROWS = [
    Row("GET /", ANYONE, ANYONE),
    Row("GET /health", ANYONE, ANYONE),
    Row("GET /health/ready", ANYONE, ANYONE),
]

# What describes the interface is no part of its own description.
PAGES = [
    Row("GET /schema", ANYONE, ANYONE, query="?format=json"),
    Row("GET /schema/ws", ANYONE, ANYONE),
    Row("GET /docs", ANYONE, ANYONE),
    Row("GET /redoc", ANYONE, ANYONE),
    Row("GET /exam/", ANYONE, ANYONE),
    Row("GET /exam/{code}/", ANYONE, ANYONE, at={"code": "exam"}),
    Row("POST /exam/language", AWAY, AWAY, sends={"language": "bn"}, holds=lambda _cell: False),  # a cookie
]

"""Where a request comes from."""

import pytest
from django.test import RequestFactory, override_settings

from accounts.addresses import client_address


@pytest.mark.parametrize(
    ("proxies", "connected", "forwarded", "found"),
    [
        (0, "192.0.2.1", None, "192.0.2.1"),
        (0, "192.0.2.1", "198.51.100.7", "192.0.2.1"),
        (1, "192.0.2.1", None, "192.0.2.1"),
        (1, "192.0.2.1", "198.51.100.7", "198.51.100.7"),
        (1, "192.0.2.1", "made-up, 203.0.113.5, 198.51.100.7", "198.51.100.7"),
        (2, "192.0.2.1", "made-up, 203.0.113.5, 198.51.100.7", "203.0.113.5"),
        (2, "192.0.2.1", "198.51.100.7", "198.51.100.7"),
        (1, "192.0.2.1", "rubbish", "192.0.2.1"),
        (1, "192.0.2.1", " , ", "192.0.2.1"),
        (1, "192.0.2.1", "198.51.100.7:51234", "198.51.100.7"),
        (1, "192.0.2.1", "[2001:DB8:0::1]:51234", "2001:db8::1"),
        (0, "::ffff:192.0.2.1", None, "192.0.2.1"),
        (0, "fe80::1%eth0", None, "fe80::1"),
        (0, "", None, None),
    ],
)
def test_it_believes_as_many_proxies_as_there_are(proxies, connected, forwarded, found):
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    request = RequestFactory().get("/", REMOTE_ADDR=connected, **headers)
    with override_settings(TRUSTED_PROXIES=proxies):
        assert client_address(request) == found

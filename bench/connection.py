"""Connections that speak https only, whatever they are redirected to, and ask a busy server again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.util import Retry, parse_url

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
BACKOFF: Final = 0.3  # seconds before a busy server is asked again; doubles
REPEATED: Final = 3


def session(headers: Mapping[str, str], *, plain: bool) -> requests.Session:
    """A session that sends these headers.

    Args:
        headers: By name; what is secret in them is not sent on to another host.
        plain: Whether http is spoken to others than servers on this very computer.
    """
    retry = Retry(
        total=REPEATED,
        backoff_factor=BACKOFF,
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
        respect_retry_after_header=False,  # a server may not make us wait for an hour
    )
    made = _Session(plain=plain)
    for prefix in ("https://", "http://"):
        made.mount(prefix, HTTPAdapter(max_retries=retry))
    made.headers.update({**headers, "Accept-Encoding": "identity"})  # a compressed transfer cannot be resumed
    return made


class _Session(requests.Session):
    def __init__(self, *, plain: bool) -> None:
        super().__init__()
        self._plain = plain

    def get_adapter(self, url: str | bytes) -> BaseAdapter:
        url = url.decode() if isinstance(url, bytes) else url
        parts = parse_url(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and (self._plain or parts.host in LOOPBACK)):
            raise requests.exceptions.InvalidSchema(f"{parts.scheme} to {parts.host}")
        return super().get_adapter(url)

"""HTTP for scrapers: the pages of `fastnvmetrics serve`."""

from __future__ import annotations

import errno
import socket
import socketserver
import threading
import urllib.parse
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

__all__ = ["MetricsServer"]

#: Seconds that a client has for its request and for taking the answer.
_PATIENCE = 10.0
#: Connections that are answered at a time; further ones wait for a second, then are closed.
_MOST_CONNECTIONS = 32
_LONGEST_NAME = 64
_PAGE = b"""fastnvmetrics: GPU, CPU, memory, power and temperature of this board, for Prometheus.

/metrics              minimum, mean and maximum since this address asked last
/metrics?scraper=NAME the same for one of several scrapers at an address
"""


class MetricsServer:
    """Answers ``GET /metrics`` in threads of its own until it is closed.

    Parameters
    ----------
    host, port
        Where to listen; port 0 takes one that is free.
    scrape
        Returns metric families for the name of a scraper.

    Attributes
    ----------
    address
        ``HOST:PORT`` as in a URL.

    Raises
    ------
    OSError
        The address is in use or none of this machine.
    """

    def __init__(self, host: str, port: int, scrape: Callable[[str], list[Any]]) -> None:
        self._scrape = scrape
        self._server = _Server(host, port, self._answer)
        bound = self._server.server_address
        name = str(bound[0])
        self.address = f"[{name}]:{bound[1]}" if ":" in name else f"{name}:{bound[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="fnvm-http", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening; who is being answered has a moment to take it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        text = ("Content-Type", "text/plain; charset=utf-8")
        if environ["REQUEST_METHOD"] != "GET":
            start_response("405 Method Not Allowed", [text, ("Allow", "GET")])
            return [b"only GET\n"]
        if environ.get("PATH_INFO", "/") == "/":
            start_response("200 OK", [text])
            return [_PAGE]
        if environ.get("PATH_INFO") != "/metrics":
            start_response("404 Not Found", [text])
            return [b"there is /metrics\n"]
        try:
            families = self._scrape(_scraper(environ))
        except OSError as error:
            start_response("503 Service Unavailable", [text])
            return [f"the recording cannot be read: {error}\n".encode()]
        registry = CollectorRegistry()
        registry.register(_Families(families))
        answer: Iterable[bytes] = make_wsgi_app(registry)(environ, start_response)
        return answer


class _Families:
    """A collector of what was collected: a scrape begins a window, so it is made once."""

    def __init__(self, families: list[Any]) -> None:
        self._families = families

    def collect(self) -> list[Any]:
        return self._families

    def describe(self) -> list[Any]:
        """Tell the registry the names, for ``?name[]=``."""
        return self._families


def _scraper(environ: dict[str, Any]) -> str:
    query = urllib.parse.parse_qs(environ.get("QUERY_STRING", ""))
    named = query.get("scraper", [""])[0][:_LONGEST_NAME]
    # A name is no address: nobody takes another's window by accident.
    return f"name {named}" if named else f"address {environ.get('REMOTE_ADDR', '')}"


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE

    def log_message(self, *args: Any) -> None:
        """Say nothing: there is a request every few seconds for years."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, host: str, port: int, application: Callable[..., Any]) -> None:
        try:
            found = socket.getaddrinfo(
                host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        except UnicodeError:  # of the codec for names
            raise OSError(errno.EINVAL, "not the name of a host") from None
        self.address_family, _, _, _, address = found[0]
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(address, _Handler)  # type: ignore[arg-type]
        self.set_app(application)

    def server_bind(self) -> None:
        # HTTPServer's asks the DNS for the name of this machine, which can take as long as it
        # likes.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = (
            str(self.server_address[0]),
            int(self.server_address[1]),
        )
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(timeout=1.0):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""

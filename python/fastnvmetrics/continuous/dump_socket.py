"""How `fastnvmetrics dump` and a flight recorder talk: a socket in the recorder's directory.

A request is the line ``dump``; the answer one JSON object, ``{"path": …}`` or ``{"error": …}``,
with spaces before it for as long as it takes.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

__all__ = ["DumpServer", "ask_for_dump"]

_NAME = "socket"
#: Seconds from one sign of life to the next, and after which the other side counts as dead.
_PULSE, _PATIENCE = 2.0, 30.0
_LONGEST_ANSWER = 1 << 16
#: Requests that wait at a time.
_MOST = 16


@contextlib.contextmanager
def _address(directory: str) -> Iterator[str]:
    """Give the block an address of the socket that is short, however long the path of the directory
    is.
    """
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{_NAME}"
    finally:
        os.close(descriptor)


class DumpServer:
    """Listens in a directory, and hands requests to another thread.

    Parameters
    ----------
    directory
        Whose lock the caller holds: a socket that is there was left.
    wake
        Is called after each request, to have the other thread look at them.

    Attributes
    ----------
    requests
        Futures to be given the path of a trace, or an error.

    Raises
    ------
    OSError
        There can be no socket.
    """

    def __init__(self, directory: str, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.requests: queue.SimpleQueue[Future[str]] = queue.SimpleQueue()
        self._path = os.path.join(directory, _NAME)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self._waiting: list[threading.Thread] = []
        self._free = threading.BoundedSemaphore(_MOST)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _address(directory) as address:
                self._socket.bind(address)
            # For the recorder's group as well: who may enter the directory is for its mode to say.
            os.chmod(self._path, 0o660)
            self._socket.listen(_MOST)
        except BaseException:
            self._socket.close()
            raise
        self._thread = threading.Thread(target=self._accept, name="fnvm-dumps", daemon=True)
        self._thread.start()

    def taken(self) -> list[Future[str]]:
        """Return the requests that are waiting, to be answered by who calls."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self.requests.get_nowait())
        return found

    def close(self, wait: bool = False) -> None:
        """Listen no more; requests that are waiting can still be answered. Calling it again is
        harmless.

        Parameters
        ----------
        wait
            Give answers a second to be taken, before the process ends.
        """
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        if wait:
            deadline = time.monotonic() + 1.0
            for request in self._waiting:
                request.join(max(deadline - time.monotonic(), 0))

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            if not self._free.acquire(blocking=False):
                peer.close()
                continue
            self._waiting = [request for request in self._waiting if request.is_alive()]
            request = threading.Thread(
                target=self._serve, args=(peer,), name="fnvm-asked", daemon=True
            )
            self._waiting.append(request)
            request.start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            with peer, contextlib.suppress(OSError):
                peer.settimeout(_PATIENCE)
                if peer.recv(64).strip() != b"dump":
                    return
                request: Future[str] = Future()
                self.requests.put(request)
                self._wake()
                while not request.done():
                    peer.sendall(b" ")
                    with contextlib.suppress(FutureTimeout):
                        request.exception(timeout=_PULSE)
                error = request.exception()
                answer = {"error": str(error)} if error is not None else {"path": request.result()}
                peer.sendall(json.dumps(answer).encode() + b"\n")
        finally:
            self._free.release()


def ask_for_dump(directory: str) -> str:
    """Have the recorder of a directory make a trace; return its path.

    Raises
    ------
    ConnectionError, FileNotFoundError
        Nobody listens there, or no longer.
    OSError
        It may not be asked, or cannot do it; the message says why.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer, _address(directory) as address:
        peer.settimeout(_PATIENCE)
        peer.connect(address)
        peer.sendall(b"dump\n")
        answer = b""
        while not answer.endswith(b"\n"):
            try:
                part = peer.recv(4096)
            except TimeoutError:
                raise TimeoutError(
                    "the recorder does not answer: it hangs or was stopped"
                ) from None
            if not part or len(answer) > _LONGEST_ANSWER:
                raise ConnectionAbortedError("the recorder ended before it had made the trace")
            answer = (answer + part).lstrip()
    told = json.loads(answer)
    if "path" not in told:
        raise OSError(str(told.get("error", "the recorder gave no reason")))
    return str(told["path"])

"""Servers on loopback that answer as a test wants: slowly, in pieces, or never."""

import socket
import threading
import time
from contextlib import contextmanager, suppress


@contextmanager
def served(answer):
    """A server that hands each connection to `answer`; its address, and the first lines that it was asked."""
    listener, asked = socket.create_server(("127.0.0.1", 0)), []

    def one(connection):
        with connection:
            asked.append(connection.recv(65536).split(b"\r\n")[0].decode())
            with suppress(OSError):  # given up
                answer(connection)

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        listener.close()


def slowly(head, piece, pause=0.02):
    """`head` at once, then `piece` for ever, every `pause` seconds."""

    def answer(connection):
        connection.sendall(head)
        while True:
            connection.sendall(piece)
            time.sleep(pause)

    return answer

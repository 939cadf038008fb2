"""Ways to an AWS that does not answer, answers late, or says no."""

import socket
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def forward(port, endpoint):
    """From now on, whoever connects to that port talks to the endpoint."""
    host, _, to = endpoint.removeprefix("http://").rpartition(":")
    listener = socket.create_server(("127.0.0.1", port))

    def pump(source, sink):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    def accept():
        while True:
            client, _ = listener.accept()
            server = socket.create_connection((host, int(to)))
            threading.Thread(target=pump, args=(client, server), daemon=True).start()
            threading.Thread(target=pump, args=(server, client), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def deny(action):
    """The URL of a service that denies everything, as AWS does."""
    body = (
        f'{{"__type": "AccessDeniedException", "Message": '
        f'"User is not authorized to perform: {action}"}}'.encode()
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            # S3 writes XML, of which a client needs no more than the status.
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self):
            self.send_response(400)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            """Requests are of no interest here."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


class Gate:
    """A way to AWS on which single actions can be denied."""

    def __init__(self, endpoint):
        self.denied: set[str] = set()
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                action = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
                if action in gate.denied:
                    message = (
                        f'{{"__type": "AccessDeniedException", "message": '
                        f'"not authorized to perform: {action}"}}'
                    )
                    self.answer(400, message.encode())
                    return
                request = urllib.request.Request(
                    endpoint + self.path, data=body, headers=dict(self.headers)
                )
                try:
                    with urllib.request.urlopen(request) as response:
                        self.answer(response.status, response.read())
                except urllib.error.HTTPError as error:
                    self.answer(error.code, error.read())

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                """Requests are of no interest here."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"

"""A webhook on this machine that keeps what is posted to it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "T000/B000/a-secret-token"


class Webhook:
    def __init__(self, status=200):
        self.posts: list[dict] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.posts.append({"path": self.path, "text": json.loads(body)["text"]})
                self.send_response(status)
                self.end_headers()

            def log_message(self, *arguments):
                """Requests are kept, not logged."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def connection(self):
        """The fields of the Airflow connection to it, of the type that Airflow has for Slack."""
        return {
            "conn_type": "slackwebhook",
            "host": f"http://127.0.0.1:{self.port}/services",
            "password": TOKEN,
        }

    def close(self):
        self.server.shutdown()
        self.server.server_close()

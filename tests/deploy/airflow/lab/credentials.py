"""The endpoint from which a container gets the credentials of its task's role, as ECS has it in
every container.
"""

import json
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from moto.sts.models import sts_backends


class Endpoint:
    def __init__(self) -> None:
        self.tasks: dict[str, tuple[str, str, str]] = {}
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = endpoint.answer(self.path.rpartition("/")[2])
                self.send_response(200 if answer else 404)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(answer or {"message": "no such task"}).encode())

            def log_message(self, *arguments: object) -> None:
                """Requests are of no interest here."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def admit(self, task_id: str, role: str, region: str, account: str) -> str:
        """The URL under which that task finds the credentials of its role."""
        self.tasks[task_id] = (role, region, account)
        return f"{self.url}/{task_id}"

    def answer(self, task_id: str) -> dict[str, str] | None:
        if task_id not in self.tasks:
            return None
        role, region, account = self.tasks[task_id]
        session = sts_backends[account]["aws"].assume_role(
            region_name=region,
            role_session_name=task_id,
            role_arn=role,
            policy="",
            duration=3600,
            external_id="",
        )
        expiration = datetime.now(timezone.utc) + timedelta(hours=1)
        return {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "Token": session.session_token,
            "RoleArn": role,
            "Expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

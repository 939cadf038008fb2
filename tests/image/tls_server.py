"""An AWS of one answer behind TLS: tls_server.py FOLDER, which holds answer.json, server.pem and
key.pem. Listens on port 8443.
"""

import http.server
import pathlib
import ssl
import sys

folder = pathlib.Path(sys.argv[1])
answer = (folder / "answer.json").read_bytes()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


server = http.server.ThreadingHTTPServer(("", 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "server.pem", folder / "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready")
server.serve_forever()

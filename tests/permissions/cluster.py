"""An API server of Kubernetes that knows ConfigMaps and one field manager: enough for a plan to live in an EKS cluster here.

What a real API server makes of the tool's requests, and EKS of its token, is tested in `tests/cluster`; this one only lets a plan be
deployed, changed, rolled back and destroyed, so that its calls to AWS can be held to its policy.
"""

import base64
import json
import os
import re
import ssl
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

ONE = re.compile(r"/api/v1/namespaces/([^/]+)/configmaps/([^/]+)$")
ALL = re.compile(r"/api/v1/(?:namespaces/([^/]+)/)?configmaps$")
KINDS = {"kind": "APIResourceList", "groupVersion": "v1", "resources": [
    {"name": "configmaps", "kind": "ConfigMap", "namespaced": True}, {"name": "namespaces", "kind": "Namespace", "namespaced": False}]}
SYSTEM = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": "00000000-0000-4000-8000-000000000001"}}


def certificates(folder):
    """An authority, and a certificate for 127.0.0.1 that it signed."""
    def openssl(words):
        subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)

    with open(f"{folder}/names", "w", encoding="utf-8") as out:
        out.write("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    for name in ("ca", "server"):
        openssl(f"ecparam -name prime256v1 -genkey -noout -out {name}.key")
    openssl("req -x509 -new -key ca.key -sha256 -days 2 -subj /CN=lab-ca -out ca.crt -addext basicConstraints=critical,CA:TRUE")
    openssl("req -new -key server.key -subj /CN=127.0.0.1 -out server.csr")
    openssl("x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -sha256 -days 2 -extfile names -out server.crt")


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    objects = None

    def log_message(self, *_):
        """Says nothing."""

    def answer(self, status, document):
        """Sends a document."""
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, reason):
        """Sends a refusal."""
        self.answer(status, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason, "code": status,
                             "message": f"{self.command} {self.path}"})

    def handle_any(self):
        """Reads, applies, lists or deletes."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urlsplit(self.path)
        if not (self.headers.get("Authorization") or "").startswith("Bearer k8s-aws-v1."):
            return self.refuse(401, "Unauthorized")
        fixed = {"/version": {"gitVersion": "v1.36.3"}, "/readyz": {}, "/api/v1": KINDS, "/api/v1/namespaces/kube-system": SYSTEM}
        if split.path in fixed:
            return self.answer(200, fixed[split.path])
        if found := ALL.match(split.path):
            items = [one for (namespace, _), one in sorted(self.objects.items()) if found[1] in (None, namespace)]
            wanted = parse_qs(split.query).get("labelSelector", [""])[0].partition("=")
            labels = [one["metadata"].get("labels", {}) for one in items]
            items = [one for one, own in zip(items, labels) if not wanted[0] or own.get(wanted[0]) == wanted[2]]
            return self.answer(200, {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {}, "items": items})
        found = ONE.match(split.path)
        if not found:
            return self.refuse(404, "NotFound")
        return self.one(found.groups(), body, "dryRun" in parse_qs(split.query))

    do_GET = do_PATCH = do_DELETE = do_POST = handle_any

    def one(self, key, body, dry):
        """One ConfigMap."""
        there = self.objects.get(key)
        if self.command == "PATCH":
            # There is one manager: what it applies is the object.
            made = json.loads(body)
            uid = there["metadata"]["uid"] if there else f"00000000-0000-4000-9000-{len(self.objects):012d}"
            made["metadata"] |= {"uid": uid, "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
            if not dry:
                self.objects[key] = made
            return self.answer(200, made)
        if not there:
            return self.refuse(404, "NotFound")
        if self.command == "DELETE":
            del self.objects[key]
            return self.answer(200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
        return self.answer(200, there)


class ApiServer:
    """A server in a thread of its own; it ends with its `with` block."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="akidb-edge-cluster-")
        certificates(self.folder.name)
        self.objects = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"objects": self.objects}))
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{self.folder.name}/server.crt", f"{self.folder.name}/server.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.folder.cleanup()

    def described(self, name, region, account):
        """What DescribeCluster says of a cluster with this API server."""
        with open(os.path.join(self.folder.name, "ca.crt"), "rb") as authority:
            data = base64.b64encode(authority.read()).decode()
        return {"cluster": {
            "name": name, "arn": f"arn:aws:eks:{region}:{account}:cluster/{name}", "status": "ACTIVE", "version": "1.36",
            "endpoint": f"https://127.0.0.1:{self.server.server_port}", "certificateAuthority": {"data": data}}}

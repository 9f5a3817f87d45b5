"""A device of the laboratory whose pods really run: provisioned over SSH, its image pushed to its own registry, asked through its Service."""

import contextlib
import json
import os
import shutil
import subprocess
import threading
import time

import metrics
from cloud import TEXT
from load import MODEL, Load, Stream, posting
from parts import Relay, ask
from demo import Wrong, need, until

LAB = "tests/lab"
HOST = "jetson-01"
NAMESPACE, APP = "akidb", "akidb-rest-jetson"
REGISTRY_IMAGE = "localhost/registry:lab"
BARE = "ls -A /usr/local/bin /etc/rancher /var/lib/rancher /var/lib/akidb-edge /var/lib/akidb-edge-registry 2>/dev/null; ls /etc/systemd/system"


LEVEL = "pod-security.kubernetes.io/enforce"


def bare_pod(spec):
    """A pod of this specification, as JSON."""
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "admission", "namespace": NAMESPACE}, "spec": spec})


def hindrance(mode):
    """Why there is no device; none when there can be one."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if mode == "no":
        return "--device no"
    if os.geteuid() != 0:
        why = "it needs root (namespaces)"
    elif subprocess.run([os.path.join(root, LAB, "kubernetes/build"), "--check"], capture_output=True, check=False).returncode:
        why = "the control plane is not built: tests/lab/kubernetes/build (needs Go once)"
    else:
        done = subprocess.run([os.path.join(root, LAB, "hosts/lab"), "check", "--real"], capture_output=True, text=True, check=False)
        why = done.stderr.strip() if done.returncode else None
    if why and mode == "yes":
        raise SystemExit(f"localstack/system: no device: {why}")
    return why


class Device:
    """One host of a laboratory of its own."""

    def __init__(self, demo):
        self.demo, self.name = demo, f"system-{os.getpid()}"
        self.relay = self.key = None
        self.up = False

    def script(self, *words, **options):
        done = subprocess.run([os.path.join(self.demo.root, LAB, words[0]), *words[1:]], capture_output=True, text=True, check=False, **options)
        if done.returncode:
            raise Wrong(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def inside(self, lines):
        return self.script("hosts/lab", "exec", self.name, HOST, "sh", "-c", lines)

    def access(self):
        """How the device is reached."""
        return ("--ssh-config", self.demo.path("ssh_config"), "--keep-connections", "0", "--sudo-password-fd", "0")

    def flags(self):
        """The same, for verbs that take an inventory."""
        return ("--inventory", self.demo.path("hosts.yaml"), *self.access())

    def password(self):
        return open(self.demo.path("password"), encoding="utf-8")

    def jetson(self, *words, options=(), **more):
        """A verb about devices. Who is taken down is known from the journal."""
        flags = self.access() if words[0] == "uninstall" else self.flags()
        with self.password() as password:
            return self.demo.edge("jetson", *words, options=(*flags, *options), stdin=password, **more)

    def start(self):
        """The host, an inventory, and what it would fetch if it reached anything."""
        path = self.demo.path
        inventory = json.loads(self.script("hosts/lab", "up", self.name, "--hosts", "1", "--real", HOST))
        self.up = True
        host = inventory["hosts"][0]
        self.address, self.netns = host["address"], host["netns"]
        near = self.address.rsplit(".", 1)[0] + ".1"
        self.relay = Relay(near, int(self.demo.endpoint.rsplit(":", 1)[1]))
        self.demo.variables |= {"registry": f"{self.address}:5000", "endpoint": f"http://{near}:{self.relay.port}"}
        self.write("ssh_config", f"Host *\n  IdentityFile {inventory['identity_file']}\n  IdentitiesOnly yes\n"
                                 f"  UserKnownHostsFile {inventory['known_hosts']}\n")
        self.write("password", inventory["password"] + "\n")
        self.write("hosts.yaml", f"hosts:\n  {HOST}: {{address: {self.address}, user: {host['user']}, host_key: \"{host['fingerprint']}\", role: server}}\n")
        self.bare = self.inside(BARE)
        folder = path("artifacts")
        self.script("hosts/lab", "artifacts", folder)
        for name, wanted in (("k3s-arm64", "k3s"), ("install.sh", "k3s-install.sh")):
            os.rename(os.path.join(folder, name), os.path.join(folder, wanted))
        self.write("artifacts/nvidia-container-toolkit-keyring.asc", "a key\n")
        self.script("image", "registry", os.path.join(folder, "registry.tar"), "--name", REGISTRY_IMAGE)
        for name in ("images.tar", "k3s-airgap-images-arm64.tar", "sha256sum-arm64.txt"):
            os.remove(os.path.join(folder, name))
        sums = subprocess.run(["sha256sum", *sorted(os.listdir(folder))], cwd=folder, capture_output=True, text=True, check=True).stdout
        self.write("artifacts/SHA256SUMS", sums)

    def write(self, name, text):
        with open(self.demo.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def provision(self):
        demo = self.demo
        demo.title("D1. A device: k3s over SSH, a registry on it; the project's own image, pushed there")
        self.start()
        _, seconds = self.jetson("provision", options=("--yes", "--artifacts", demo.path("artifacts")))
        demo.measured("device provisioned", seconds, "s", "wall time of jetson provision --yes: toolkit, k3s (containerd, kubelet, kube-proxy), registry")
        begun = time.monotonic()
        self.script("image", "app", demo.path("rest.tar"), "--name", "akidb/rest:jetson-v1.0.0", "--binary", demo.binary, "--onnxruntime",
                    demo.onnxruntime)
        size = os.path.getsize(demo.path("rest.tar")) / 1e6
        demo.measured("image of the server", round(size), "MB", f"the archive, assembled without an engine in {time.monotonic() - begun:.1f} s")
        _, seconds = self.jetson("image", "push", demo.path("rest.tar"))
        demo.measured("image pushed", seconds, "s", "over SSH to the device, from there into its registry, by TLS and login")

    def kubectl(self, *words, text=None):
        done = self.tried(*words, text=text)
        need(done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def tried(self, *words, text=None):
        """The same, whatever the API server answers."""
        return subprocess.run([self.programs, "--kubeconfig", self.demo.path("kubeconfig"), *words], input=text, capture_output=True, text=True,
                              check=False)

    def secrets(self):
        """What a person makes in the cluster: keys of clients, who may read the models. They wait for the namespace that deploy makes."""
        said = subprocess.run([self.demo.binary, "serve", "--new-api-key", "viewer"], capture_output=True, text=True, check=True, env=self.demo.environment)
        self.key, line = said.stdout.split()
        until(120, self.namespace, "the namespace is there")
        # From now on the API server admits no pod there that breaks the level.
        self.kubectl("label", "namespace", NAMESPACE, f"{LEVEL}=restricted")
        wanted = {"akidb-api-keys": {"api-keys": line + "\n"},
                  "akidb-models-reader": {"AWS_ACCESS_KEY_ID": self.demo.account, "AWS_SECRET_ACCESS_KEY": "test"}}
        secrets = [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "stringData": data}
                   for name, data in wanted.items()]
        self.kubectl("create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": secrets}))

    def namespace(self):
        """Whether deploy has made it yet."""
        try:
            return self.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "name")
        except Wrong:
            # The API server may be starting.
            return None

    def deploy(self, world):
        demo = self.demo
        demo.title("D2. A real pod: from the registry, with keys, the model by sync; a text through the Service")
        self.programs = os.path.join(self.script("kubernetes/build", "--check").strip(), "bin/kubectl")
        self.jetson("kubeconfig", options=("--out", demo.path("kubeconfig")), quiet=True)
        thread = threading.Thread(target=self.in_background, args=(self.secrets,), daemon=True)
        self.trouble = None
        thread.start()
        try:
            _, seconds = self.jetson("deploy", options=("--yes", "--artifacts", demo.path("artifacts")))
        except Wrong:
            demo.say(self.kubectl("get", "pods", "-A", "-o", "wide") + self.kubectl("get", "events", "-n", NAMESPACE))
            raise
        thread.join(60)
        need(not self.trouble, f"the secrets could not be made: {self.trouble}")
        demo.measured("app deployed on the device", seconds, "s", "wall time of jetson deploy --yes: pulled, started, model synced, /ready")
        pods = json.loads(self.kubectl("get", "pods", "-n", NAMESPACE, "-o", "json"))["items"]
        need(len(pods) == 1 and pods[0]["status"]["containerStatuses"][0]["containerID"].startswith("containerd://"), "that pod is not real")
        self.admitted(pods[0])
        answer = until(20, self.answered, "the Service answers")
        need(answer[2]["embeddings"][0] == world.vector, "the device gives another vector than the regions")
        demo.measured("POST to the device", answer[3], "ms", "through its Service on port 80: kube-proxy to the pod")
        need(ask((self.address, 80), "POST", "/api/v1/embed", {"inputs": [TEXT]})[0] == 401, "the device answers without a key")
        demo.say(f"  pod {pods[0]['metadata']['name']} on {pods[0]['spec']['nodeName']}, image {pods[0]['spec']['containers'][0]['image']}; "
                  "its namespace enforces Pod Security `restricted`; without a key: 401")
        metrics.check(demo, self)

    def admitted(self, pod):
        """The API server takes the pod where Pod Security `restricted` is enforced, and refuses one that has more rights."""
        need("runtimeClassName" not in pod["spec"], f"a pod without a GPU has the runtime class {pod['spec'].get('runtimeClassName')}")
        enforced = json.loads(self.kubectl("get", "namespace", NAMESPACE, "-o", "json"))["metadata"]["labels"].get(LEVEL)
        need(enforced == "restricted", f"the namespace enforces {enforced}")
        spec = {name: value for name, value in pod["spec"].items() if name != "nodeName"}
        self.kubectl("create", "--dry-run=server", "-f", "-", text=bare_pod(spec))
        refused = self.tried("create", "--dry-run=server", "-f", "-", text=bare_pod({**spec, "hostNetwork": True}))
        need(refused.returncode and "violates PodSecurity" in refused.stderr, f"a pod in the host's network is admitted: {refused.stderr}")

    def in_background(self, action):
        try:
            action()
        except Exception as error:
            self.trouble = error

    def answered(self):
        try:
            answer = self.view("POST", "/api/v1/embed", {"model": MODEL, "inputs": [TEXT]})
        except OSError:
            return None
        return answer if answer[0] == 200 else None

    def view(self, method, path, body=None):
        """A client of the device: through the Service, with its key."""
        return ask((self.address, 80), method, path, body, {"authorization": f"Bearer {self.key}"})

    def drain(self):
        """The device is drained while requests go on: what it took it answers."""
        demo = self.demo
        demo.title("D3. The device is drained: what it took it answers; and comes back")
        load = Load([Stream("POST to the device", posting(self.view))])
        try:
            until(30, lambda: load.answered() > 3, "the device answers")
            _, seconds = self.jetson("drain", HOST)
        finally:
            load.end()
        # Once the pod has left the Service there is nobody to connect to; a request that was sent and not answered is something else.
        cut = load.failed()
        need(not cut, f"{len(cut)} requests were taken and not answered, the first one: {cut[:1]}")
        # The one that takes its place was admitted where the level is enforced; no node is left for it.
        waiting = json.loads(self.kubectl("get", "pods", "-n", NAMESPACE, "--field-selector=status.phase=Pending", "-o", "json"))["items"]
        need(len(waiting) == 1, f"{len(waiting)} pods wait for a node, not 1")
        demo.measured("device drained", seconds, "s", "jetson drain: out of the Service, requests under way answered, pod gone (at most 45 s)")
        demo.measured("requests cut off by the drain", len(cut), "requests", f"of {load.answered()} that were answered before and meanwhile")
        begun = time.monotonic()
        self.jetson("uncordon", HOST)
        until(120, self.answered, "the device is back in service")
        demo.measured("device back in service", time.monotonic() - begun, "s", "from the start of jetson uncordon until the Service answers")

    def uninstall(self):
        demo = self.demo
        demo.title("D4. The device is as it was")
        # The Secrets that a person made are not deleted unasked.
        refused, _ = self.jetson("uninstall", options=("--yes",), expect=3, quiet=True)
        need("akidb-api-keys" in refused, f"uninstall does not name the Secrets in the namespace: {refused}")
        _, seconds = self.jetson("uninstall", options=("--yes", "--empty-buckets"))
        demo.measured("device as it was", seconds, "s", "wall time of jetson uninstall --yes")
        left = self.inside(BARE)
        need(left == self.bare, f"the device differs from before:\n{left}\nbefore:\n{self.bare}")
        running = self.inside("pgrep -l 'containerd|kubelet|kube-proxy|akidb-edge' || :")
        need(not running, f"programs are left on the device: {running}")

    def end(self):
        if self.relay:
            self.relay.end()
        if self.up:
            self.script("hosts/lab", "down", self.name)
            spaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.split()
            need(self.netns not in spaces, f"the network namespace {self.netns} of the device is left")
        shutil.rmtree(self.demo.path("artifacts"), ignore_errors=True)
        for name in ("rest.tar", "kubeconfig", "password"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.demo.path(name))

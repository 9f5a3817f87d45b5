"""Whether the shipped Prometheus configuration finds the pods of the app: a real Prometheus, with the cluster's own list of pods.

Debian's Prometheus is built without the discovery of Kubernetes. So the pods come from a file, under the labels that the discovery
gives them (`__meta_kubernetes_pod_...`); relabelling, key and scrape are Prometheus's.
"""

import json
import os
import re
import shutil
import time

from parts import Part, ask
from demo import need, until

PORT = 9190


def check(demo, device):
    """Every pod of the cluster is offered; those of the app are scraped, and no other."""
    if not shutil.which("prometheus"):
        demo.skipped.append({"part": "Prometheus", "why": "prometheus is not there: tests/lab/install"})
        return
    folder = demo.path("prometheus")
    shutil.copytree(os.path.join(demo.root, "templates/observability"), folder, dirs_exist_ok=True)
    pods = json.loads(device.kubectl("get", "pods", "--all-namespaces", "-o", "json"))["items"]
    device.write("prometheus/pods.json", json.dumps([target for pod in pods for target in targets(pod)]))
    device.write("prometheus/key", device.key)
    device.write("prometheus/prometheus.yml", configuration(os.path.join(folder, "prometheus.yml"), folder))
    address = (device.address, PORT)
    begun = time.monotonic()
    prometheus = Part("prometheus", ["nsenter", f"--net=/var/run/netns/{device.netns}", "prometheus", f"--config.file={folder}/prometheus.yml",
                                     f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address[0]}:{PORT}"],
                      demo.environment, demo.path("prometheus.log"))
    try:
        found = until(60, lambda: scraped(address, prometheus), "Prometheus has read the metrics of the pod")
        kept = ask(address, "GET", "/api/v1/targets?state=active")[2]["data"]["activeTargets"]
    finally:
        prometheus.end()
    kept = [each["scrapeUrl"] for each in kept if each["labels"]["job"] == "akidb-edge-pods"]
    need(len(kept) == 1, f"Prometheus keeps {kept}, not the pod of the app alone")
    demo.measured("metrics of the pod read by Prometheus", time.monotonic() - begun, "s",
                   f"from its start, by the shipped rules: {found} of {len(pods)} pods")


def targets(pod):
    """What the discovery of Kubernetes says of a pod: a target for each port of a container."""
    plain = {name: value for field in ("label", "annotation")
             for name, value in ((f"__meta_kubernetes_pod_{field}_{re.sub('[^a-zA-Z0-9_]', '_', key)}", value)
                                 for key, value in pod["metadata"].get(f"{field}s", {}).items())}
    common = {**plain, "__meta_kubernetes_namespace": pod["metadata"]["namespace"], "__meta_kubernetes_pod_name": pod["metadata"]["name"],
              "__meta_kubernetes_pod_node_name": pod["spec"].get("nodeName", ""), "__meta_kubernetes_pod_ip": pod["status"].get("podIP", "")}
    ports = [(container, port) for container in pod["spec"]["containers"] for port in container.get("ports", [])]
    return [{"targets": [f"{pod['status'].get('podIP', '')}:{port['containerPort']}"],
             "labels": {**common, "__meta_kubernetes_pod_container_name": container["name"],
                        "__meta_kubernetes_pod_container_port_number": str(port["containerPort"])}} for container, port in ports]


def configuration(path, folder):
    """The shipped file, with pods from a file, the key that its comment asks for, and a shorter interval."""
    with open(path, encoding="utf-8") as file:
        head, pods = file.read().split("  - job_name: akidb-edge-pods\n")
    for old, new in (("    # authorization:\n    #   credentials_file: /etc/prometheus/akidb-edge.key\n",
                      f"    authorization:\n      credentials_file: {folder}/key\n"),
                     ("    kubernetes_sd_configs:\n      - role: pod\n", f"    file_sd_configs:\n      - files: [{folder}/pods.json]\n")):
        need(old in pods, f"prometheus.yml has no {old.split()[0]}")
        pods = pods.replace(old, new)
    return head.replace("15s", "1s") + "  - job_name: akidb-edge-pods\n" + pods


def scraped(address, prometheus):
    """The pod whose metrics are there, once they are."""
    need(prometheus.process.poll() is None, f"prometheus ended: {prometheus.said()[-600:]}")
    try:
        found = ask(address, "GET", "/api/v1/query?query=akidb_embed_requests_total")[2]["data"]["result"]
    except (OSError, KeyError, TypeError):
        return None
    pods = {f"{each['metric']['instance']} on {each['metric']['node']}" for each in found if each["metric"]["job"] == "akidb-edge-pods"}
    return ", ".join(sorted(pods)) or None

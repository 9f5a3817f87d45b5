#!/usr/bin/env python3
"""Deploys, changes, rolls back and destroys plans with exactly the policy that is printed for them.

    localstack/.venv/bin/python tests/permissions/lifecycle.py --binary target/debug/akidb-edge --upstream http://127.0.0.1:4566

Each plan lives in an account of its own, behind the proxy with permission checks (`proxy.py`). Then the same calls are asked about again:
a statement, an action or a resource of the policy that no call needed is a finding, and so is a statement without which the plan
still lives. Exit status 1: a finding.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

import boto3
from botocore.config import Config

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import cluster
import others
import paths
import proxy
import roles
from calls import listed

# What the policy holds that no plan here called for, and when it is called for.
ON_OCCASION = {
    "s3:AbortMultipartUpload": "an upload in parts breaks off; what was brought so far would cost money for ever",
}
# Resources of the policy that no call is on, by statement, and why they are there.
BESIDES = {
    "Objects": (r"arn:aws:s3:::[^/]+", "linters else hold that whoever may write the bucket's policy gains the rest of it"),
}


class Failed(Exception):
    """A command ended otherwise than it should."""


class Run:
    """One plan in an account of its own."""

    def __init__(self, name, plan, lab, server, options, variables=(), state=None):
        self.name, self.plan, self.lab, self.options = name, plan, lab, options
        self.endpoint = f"http://127.0.0.1:{server.server_port}"
        self.account = f"{int(time.time() * 1000) % 10**9:09d}{os.getpid() % 1000:03d}"[-12:].replace("0", "1", 1)
        while self.account in lab.policies:
            self.account = str(int(self.account) + 1)
        self.directory = tempfile.mkdtemp(prefix="akidb-edge-permissions-")
        self.prefix = f"p{self.account}"
        self.findings, self.refused, self.finder = [], [], None
        self.state = (state or f"file:{self.directory}/state").replace("PREFIX", self.prefix)
        own = {"prefix": self.prefix, "folder": "files", "model_dir": "models", "page_dir": "models/page", "key": self.arn("kms", "us-east-1", "key/" + "1" * 8),
               "replica_key": self.arn("kms", "eu-central-1", "key/" + "2" * 8),
               "acl": self.arn("wafv2", "us-east-1", "global/webacl/wide/" + "1" * 8)}
        self.variables = [word for key in variables for word in ("--var", f"{key}={own[key]}")]
        model = ("1_Pooling/config.json", "chunks.json", "config.json", "model_int8.onnx", "modules.json", "page/assets/main.js",
                 "page/index.html", "page/sw.js", "selfcheck.json", "sentence_bert_config.json", "static.bin", "tokenizer.json",
                 "tokenizer_config.json", "tokens.json")
        for folder, files in (("files", ("index.html", "404.html")), ("models", model)):
            for file in files:
                os.makedirs(os.path.dirname(f"{self.directory}/{folder}/{file}"), exist_ok=True)
                with open(f"{self.directory}/{folder}/{file}", "w", encoding="utf-8") as out:
                    out.write(f"{file} of {self.account}\n")
        if name == "wide":
            # Larger than what goes in one piece.
            with open(f"{self.directory}/files/large.bin", "wb") as out:
                out.write(bytes(17 << 20))
        for word in ("first", "second"):
            with zipfile.ZipFile(f"{self.directory}/{word}.zip", "w") as archive:
                archive.writestr("index.mjs", f"export const handler = async () => ({{status: '200', body: '{word}'}})\n")
        # A plan reads files of its own folder.
        shutil.copytree(f"{HERE}/plans", self.directory, dirs_exist_ok=True)
        subprocess.run([f"{ROOT}/localstack/up", "--port", self.options.upstream.rpartition(":")[2], "--account", self.account, "--quiet",
                        "--use-running"], check=True, stdout=subprocess.DEVNULL)

    def arn(self, service, region, what):
        """An ARN of this account."""
        return f"arn:aws:{service}:{region}:{self.account}:{what}"

    def command(self, words, plan=None, wants=0):
        """Runs the binary; everything that it says."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "AKIDB_EDGE_"))}
        environment |= {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": self.account, "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "AKIDB_EDGE_ROUTE53_RATE": "0", "USER": "tester",
            "AWS_CONFIG_FILE": "/nonexistent/config", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
        }
        words = words.split() + ["--plan", plan or self.plan, "--state", self.state, *self.variables]
        done = subprocess.run([self.options.binary, *words], env=environment, cwd=self.directory, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300, check=False)
        if wants is not None and done.returncode != wants:
            raise Failed(f"{self.name}: {' '.join(words)} ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def boundary(self):
        """An administrator makes the boundary that the plan names; most plans name none, which is refused."""
        said = self.command("deploy --print-iam-boundary --json", wants=None)
        if said.returncode not in (0, 3):
            raise Failed(f"{self.name}: --print-iam-boundary ended with {said.returncode}\n{said.stderr[-3000:]}")
        for name, document in json.loads(said.stdout).get("boundaries", {}).items():
            self.client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(document))

    @property
    def stack(self):
        """The name of the stack, as the plan says it."""
        return {"week13": "akidb-week13", "site": "static-site"}.get(self.name, self.name)

    def printed(self, plan=None):
        """The policy of a plan, as it is printed."""
        return json.loads(self.command("deploy --print-iam-policy", plan).stdout)

    def narrowed(self):
        """From now on calls are held to the IDs of what is deployed, where AWS chooses them."""
        policy = json.loads(self.command("deploy --print-iam-policy --deployed").stdout)
        sorts = ("hostedzone/", "healthcheck/", "cache-policy/", "origin-request-policy/", "response-headers-policy/",
                 "origin-access-control/")
        for one in policy["Statement"]:
            wide = [on for on in one["Resource"] if on.endswith(tuple(f"{sort}*" for sort in sorts))]
            if one["Effect"] == "Allow" and wide:
                raise Failed(f"{self.name}: {one['Sid']} is not held to IDs: {wide}")
        self.held_to(policy)

    def looks(self, plan=None):
        """Looks for drift, and for what is tagged as the stack's: of every kind, so that listings of kinds which the plan does not
        have are refused. The tool says so, and does not count on them."""
        asked = self.lab.records[self.account]
        before = len(asked)
        self.command("status --drift", plan)
        kept = [one for one in asked[before:] if all(check["result"] == "Allowed" or ":List" in check["action"] for check in one["checks"])]
        refused = [one for one in kept if any(check["result"] != "Allowed" for check in one["checks"])]
        asked[before:] = [one for one in asked[before:] if one not in refused]

    def judge_roles(self):
        """The stack's roles as they are now: what they may do, and where that leads."""
        self.finder = paths.Finder(self.lab, self.account, paths.boundaries(self))
        self.findings += roles.judged(self, self.finder, needs)

    def judge_ways(self, policy):
        """Where the policy leads. That the search finds something is shown by policies that are a little wider."""
        self.findings += [" > ".join(path) for path in self.finder.paths(policy)]
        for what, wider in widened(policy, self.finder.roles):
            if not paths.Finder(self.lab, self.account, self.finder.roles).paths(wider):
                self.findings.append(f"the search for ways to administrator does not see that {what}")

    def held_to(self, policy):
        """From now on calls are held to the policy."""
        self.lab.policies[self.account] = policy

    def checks(self):
        """Each different question that was asked."""
        seen = {}
        for record in self.lab.records.get(self.account, []):
            for check in record["checks"]:
                seen.setdefault(json.dumps([check["action"], check["resource"], check["context"]], sort_keys=True), check)
        return list(seen.values())

    def client(self, service, region="us-east-1"):
        """A client of the account's root, past the policy."""
        return self.lab.client(self.account, service, region)

    def deployer(self, service, region="us-east-1"):
        """A client that is held to the policy."""
        config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})
        return boto3.client(service, region_name=region, endpoint_url=self.endpoint, aws_access_key_id=self.account,
                            aws_secret_access_key="test", config=config)

    def logged(self, bucket, region="us-east-1"):
        """A service has written into a bucket: a log, a copy."""
        self.client("s3", region).put_object(Bucket=f"{self.prefix}-{bucket}", Key="edge-logs/one.gz", Body=b"log")

    def end(self):
        """Nothing stays on this machine."""
        shutil.rmtree(self.directory, ignore_errors=True)


def week13(run):
    """Week 13 with its cutover and all its fallbacks."""
    run.command("deploy --yes --wait propagated")
    run.judge_roles()
    run.command("deploy --yes")
    run.looks()
    whole = run.lab.policies[run.account]
    run.narrowed()
    run.variables += ["--var", "price_class=PriceClass_All"]
    run.command("deploy --yes")
    run.command("deploy --yes --request cutover")
    run.command("rollback --yes")
    run.held_to(whole)
    for fallback in ("dns-to-origin", "lambda-edge-off", "replication-paused"):
        run.command(f"rollback --yes --fallback {fallback}")
    run.command("rollback --yes --to 1")
    run.logged("cloudfront-logs")
    for bucket, region in (("metadata-snapshots-eu", "eu-central-1"), ("metadata-snapshots-ap", "ap-northeast-1")):
        run.logged(bucket, region)
    run.command("destroy --yes --empty-buckets")


def site(run):
    """The site of plans/examples: files change, one goes."""
    run.command("deploy --yes --wait propagated")
    run.judge_roles()
    with open(f"{run.directory}/files/index.html", "w", encoding="utf-8") as out:
        out.write("Another page\n")
    os.remove(f"{run.directory}/files/404.html")
    run.command("deploy --yes")
    run.looks()
    run.command("rollback --yes")
    run.command("destroy --yes --empty-buckets")


def wide(run):
    """Every setting that can change in place changes, and goes back; what was changed outside is put right."""
    run.command("deploy --yes --wait propagated")
    run.judge_roles()
    run.command("deploy --yes", "wide-changed.yaml")
    others.meddle(run)
    run.command("deploy --yes", "wide-changed.yaml")
    run.looks("wide-changed.yaml")
    run.command("rollback --yes --to 1")
    others.left_alone(run)
    run.logged("logs")
    run.command("destroy --yes --empty-buckets")


def keys(run):
    """Replication under KMS keys, within a boundary that an administrator made from what the tool prints."""
    run.command("deploy --yes --wait propagated")
    run.judge_roles()
    run.command("deploy --yes", "keys-changed.yaml")
    run.looks("keys-changed.yaml")
    run.command("rollback --yes")
    run.logged("replica", "eu-central-1")
    run.command("destroy --yes --empty-buckets")


def eks(run):
    """Objects of an EKS cluster: the cluster is looked up, and its objects do not concern IAM."""
    with cluster.ApiServer() as server:
        run.lab.answers[run.account, "eks:DescribeCluster"] = server.described("akidb-eu", "eu-central-1", run.account)
        run.command("deploy --yes")
        run.judge_roles()
        run.command("deploy --yes")
        run.looks()
        run.command("deploy --yes", "eks-changed.yaml")
        run.command("rollback --yes")
        left = [one["data"]["color"] for one in server.objects.values() if one["metadata"]["name"] == "settings"]
        if left != ["red"]:
            raise Failed(f"eks: after the rollback the cluster has {left}")
        run.command("destroy --yes")
        if server.objects:
            raise Failed(f"eks: the cluster still has {list(server.objects)}")


SCENARIOS = {
    "week13": (week13, "week13", ("prefix", "model_dir", "page_dir"), None),
    "site": (site, f"{ROOT}/plans/examples/static-site.yaml", ("prefix", "folder"), "s3://PREFIX-journal/stacks"),
    "wide": (wide, "wide.yaml", ("prefix", "folder", "key", "acl"), None),
    "eks": (eks, "eks.yaml", (), None),
    "keys": (keys, "keys.yaml", ("prefix", "folder", "key", "replica_key"), None),
}


def lived(name, lab, server, options):
    """A plan's life with exactly its policy: the run, the policy, and how long it took."""
    live, plan, variables, state = SCENARIOS[name]
    run = Run(name, plan, lab, server, options, variables, state)
    begun = time.monotonic()
    try:
        policy = run.printed()
        if state:
            # The bucket of the journal is there before.
            run.client("s3").create_bucket(Bucket=run.state.split("/")[2])
        others.settle(run)
        run.boundary()
        run.held_to(policy)
        live(run)
        refused = [one for one in run.checks() if one["result"] != "Allowed"]
        if refused:
            raise Failed(f"{name}: refused: {[(one['action'], one['resource']) for one in refused]}")
        run.judge_ways(policy)
    finally:
        run.end()
    return run, policy, time.monotonic() - begun


def without_one(lab, server, options):
    """Deploys the site without one statement of its policy: the deploy ends with an error that names the action."""
    for sid, action in (("MakeDistributions", "cloudfront:CreateDistribution"), ("Objects", "s3:PutObject")):
        run = Run("site", SCENARIOS["site"][1], lab, server, options, SCENARIOS["site"][2])
        try:
            policy = run.printed()
            run.held_to({**policy, "Statement": [one for one in policy["Statement"] if one["Sid"] != sid]})
            done = run.command("deploy --yes", wants=None)
            if done.returncode != 1 or f"not authorized to perform: {action} on" not in done.stderr + done.stdout:
                yield f"site: a deploy without the statement {sid} ended with {done.returncode}\n{done.stderr[-2000:]}"
        finally:
            run.end()


def widened(policy, stack_roles):
    """Policies that lead to administrator: the same with one thing more."""
    for name in list(stack_roles)[:1]:
        role = f"arn:aws:iam::*:role/{name}"
        yield "a role may be given anything", {**policy, "Statement": [*policy["Statement"], {
            "Sid": "More", "Effect": "Allow", "Action": ["iam:PutRolePermissionsBoundary"], "Resource": [role]}]}
    yield "another's function may be changed", {**policy, "Statement": [*policy["Statement"], {
        "Sid": "More", "Effect": "Allow", "Action": ["lambda:UpdateFunctionCode"], "Resource": ["*"]}]}
    yield "any role may be handed over", {**policy, "Statement": [*policy["Statement"], {
        "Sid": "More", "Effect": "Allow", "Action": ["iam:PassRole"], "Resource": ["*"]}]}


def texts(value):
    """One text or a list."""
    return listed(value)


def needs(lab, policy, checks):
    """What of a policy the checks needed: statements without which one of them is refused; (statement, action) and (statement,
    resource) that let one of them through."""
    statements = policy["Statement"]
    needed, actions, resources = set(), set(), set()
    denying = [one for one in statements if one["Effect"] == "Deny"]
    for one in statements:
        sid = one["Sid"]
        rest = {**policy, "Statement": [other for other in statements if other is not one]}
        meant = [check for check in checks if any(matches(action, check["action"]) for action in texts(one["Action"]))]
        bare = [asked(check) for check in meant]
        if one["Effect"] == "Deny" or not bare:
            continue
        without = lab.judge.ask(rest, bare) if len(rest["Statement"]) else [{"result": "ImplicitlyDenied"}] * len(bare)
        if any(said["result"] != "Allowed" for said in without):
            needed.add(sid)
        for resource in texts(one["Resource"]):
            alone = {"Version": policy["Version"], "Statement": [{**one, "Resource": [resource]}, *denying]}
            for check, said in zip(bare, lab.judge.ask(alone, bare)):
                if said["result"] == "Allowed":
                    resources.add((sid, resource))
                    actions |= {(sid, action) for action in texts(one["Action"]) if matches(action, check["action"])}
    return needed, actions, resources


def idle_denials(lab, policy, refused):
    """Denials without which nothing more is let through of what was refused."""
    if not refused:
        return
    for one in policy["Statement"]:
        if one["Effect"] == "Deny":
            rest = {**policy, "Statement": [other for other in policy["Statement"] if other is not one]}
            if all(said["result"] != "Allowed" for said in lab.judge.ask(rest, refused)):
                yield one["Sid"]


def matches(pattern, action):
    """Whether an action is meant by a pattern with a star at its end."""
    return action.lower().startswith(pattern[:-1].lower()) if pattern.endswith("*") else action.lower() == pattern.lower()


def asked(check):
    """A check without what was said to it."""
    return {key: check[key] for key in ("action", "resource", "context", "account", "principal")}


def is_besides(sid, resource):
    """Whether a resource is there for another reason than a call."""
    return sid in BESIDES and re.fullmatch(BESIDES[sid][0], resource)


def size(policy):
    """Characters of a policy as IAM counts them: all but white space."""
    return len(re.sub(r"\s", "", json.dumps(policy)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--only", nargs="*", choices=sorted(SCENARIOS), default=list(SCENARIOS))
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    server, lab = proxy.serve(options.upstream)
    findings, used, granted = [], set(), {}
    for name in options.only:
        run, policy, seconds = lived(name, lab, server, options)
        checks = run.checks()
        needed, actions, resources = needs(lab, policy, checks)
        allowed = [one for one in policy["Statement"] if one["Effect"] == "Allow"]
        idle = [one["Sid"] for one in allowed if one["Sid"] not in needed]
        lone = [(one["Sid"], resource) for one in allowed for resource in texts(one["Resource"])
                if (one["Sid"], resource) not in resources and not is_besides(one["Sid"], resource)]
        used |= {action for _, action in actions}
        for one in allowed:
            granted |= {action: one["Sid"] for action in texts(one["Action"])}
        findings += [f"{name}: {finding}" for finding in run.findings]
        findings += [f"{name}: the plan lives without the statement {sid}" for sid in idle]
        findings += [f"{name}: nothing is refused by {sid}" for sid in idle_denials(lab, policy, run.refused)]
        findings += [f"{name}: no call was on {resource} ({sid})" for sid, resource in lone]
        calls = len(lab.records[run.account])
        print(f"{name}: {calls} calls, {len(checks)} different questions, {len(policy['Statement'])} statements, "
              f"{size(policy)} characters, {seconds:.1f} s", flush=True)
    idle = sorted(set(granted) - used)
    findings += [f"no call needed {action} ({granted[action]})" for action in idle if action not in ON_OCCASION]
    findings += without_one(lab, server, options)
    for finding in findings:
        print(finding)
    lab.judge.end()
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

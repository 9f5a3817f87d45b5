"""The roles that a plan makes: what the services need that take them on, and nothing besides.

Sources: Amazon S3 User Guide, "Setting up permissions for live replication" and "Replicating encrypted objects"; CloudFront Developer
Guide, "Edge function logs": a function at the edge logs in the region that is next to the viewer.
"""

import json

REGIONS = ("us-east-1", "eu-central-1", "ap-northeast-1", "sa-east-1")


def check(run, role, action, resource, context=()):
    """A question to a role's policies."""
    return {"action": action, "resource": resource, "context": dict(context), "account": run.account,
            "principal": f"arn:aws:iam::{run.account}:role/{role}"}


def of_functions(run, role, arn):
    """What Lambda and its copies at the edge need: to write the function's logs."""
    functions = [one for one in run.client("lambda").list_functions()["Functions"] if one["Role"] == arn]
    for name in (one["FunctionName"] for one in functions):
        for region in REGIONS:
            for group in (f"/aws/lambda/{name}", f"/aws/lambda/us-east-1.{name}"):
                base = f"arn:aws:logs:{region}:{run.account}:log-group:{group}"
                yield check(run, role, "logs:CreateLogGroup", base + ":*")
                yield check(run, role, "logs:CreateLogStream", base + ":log-stream:one")
                yield check(run, role, "logs:PutLogEvents", base + ":log-stream:one")


def key_of(run, bucket, region):
    """The key of a bucket."""
    rules = run.client("s3", region).get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    return rules[0]["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID")


def of_replication(run, role, arn):
    """What S3 needs to copy the objects of each bucket that names the role."""
    s3 = run.client("s3")
    for source in (one["Name"] for one in s3.list_buckets()["Buckets"]):
        try:
            rules = s3.get_bucket_replication(Bucket=source)["ReplicationConfiguration"]
        except s3.exceptions.ClientError:
            continue
        if rules["Role"] != arn:
            continue
        bucket, key = f"arn:aws:s3:::{source}", f"arn:aws:s3:::{source}/models/one"
        for action in ("s3:GetReplicationConfiguration", "s3:ListBucket"):
            yield check(run, role, action, bucket)
        for action in ("s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"):
            yield check(run, role, action, key)
        for rule in rules["Rules"]:
            target = rule["Destination"]["Bucket"].rpartition(":")[2]
            for action in ("s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"):
                yield check(run, role, action, f"arn:aws:s3:::{target}/models/one")
            if rule.get("SourceSelectionCriteria", {}).get("SseKmsEncryptedObjects", {}).get("Status") == "Enabled":
                yield from of_keys(run, role, source, target, rule["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"])


def of_keys(run, role, source, target, replica_key):
    """S3 uses the keys for it, for these objects alone."""
    for action, bucket, key in (("kms:Decrypt", source, key_of(run, source, "us-east-1")), ("kms:Encrypt", target, replica_key)):
        region = key.split(":")[3]
        yield check(run, role, action, key, {"kms:ViaService": f"s3.{region}.amazonaws.com",
                                             "kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}/models/one"})


NEEDS = {"lambda.amazonaws.com": of_functions, "edgelambda.amazonaws.com": of_functions, "s3.amazonaws.com": of_replication}


def judged(run, finder, needs):
    """What is wrong with the stack's roles: refused, idle, open to others, or on a way to administrator."""
    iam, lab, wrong = run.client("iam"), run.lab, []
    for name, (boundary, _) in finder.roles.items():
        role = iam.get_role(RoleName=name)["Role"]
        trust = role["AssumeRolePolicyDocument"]["Statement"]
        services = [one for statement in trust for one in statement["Principal"]["Service"]]
        if any(set(statement["Principal"]) != {"Service"} for statement in trust):
            wrong.append(f"{name}: others than services may take it on: {trust}")
        names = iam.list_role_policies(RoleName=name)["PolicyNames"]
        policies = [iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"] for one in names]
        policy = {"Version": "2012-10-17", "Statement": [one for document in policies for one in document["Statement"]]}
        checks = {json.dumps(one): one for service in services for one in NEEDS[service](run, name, role["Arn"])}.values()
        refused = [one for one, said in zip(checks, lab.judge.ask(policy, list(checks), boundary)) if said["result"] != "Allowed"]
        wrong += [f"{name}: {one['action']} on {one['resource']} is refused" for one in refused]
        wrong += [f"{name}: {what}" for what in idle(lab, policy, list(checks), needs)]
        wrong += [f"{name}: {' > '.join(path)}" for path in finder.paths(policy, boundary)]
        beyond = [check(run, name, "logs:PutLogEvents", f"arn:aws:logs:us-east-1:{run.account}:log-group:/of/others:log-stream:x"),
                  check(run, name, "s3:GetObject", f"arn:aws:s3:::{run.others['bucket']}/x"),
                  check(run, name, "s3:ReplicateObject", f"arn:aws:s3:::{run.others['bucket']}/x"),
                  check(run, name, "kms:Decrypt", f"arn:aws:kms:us-east-1:{run.account}:key/1")]
        wrong += [f"{name}: {one['action']} on {one['resource']} is allowed"
                  for one, said in zip(beyond, lab.judge.ask(policy, beyond, boundary)) if said["result"] == "Allowed"]
    return wrong


def idle(lab, policy, checks, needs):
    """Statements, actions and resources that the service does not need."""
    named = {**policy, "Statement": [{**one, "Sid": one.get("Sid", str(at))} for at, one in enumerate(policy["Statement"])]}
    needed, actions, resources = needs(lab, named, checks)
    for one in named["Statement"]:
        if one["Sid"] not in needed:
            yield f"the statement {one['Sid']} is not needed"
        yield from (f"{action} is not needed" for action in one["Action"] if (one["Sid"], action) not in actions)
        yield from (f"{on} is not needed" for on in one["Resource"] if (one["Sid"], on) not in resources)

"""What AWS asks its policies about when a call comes: actions, on which resources, with which condition keys.

Sources: the Service Authorization Reference (actions, resource types, condition keys), and for calls that need more than the action
of their name: Amazon S3 User Guide, "Required permissions for Amazon S3 API operations"; Amazon CloudFront Developer Guide,
"CloudFront API permissions" (tags, access logs) and "Set up IAM permissions and roles for Lambda@Edge"; AWS Lambda and ACM API
references (tags); IAM User Guide, "Granting a user permissions to pass a role to an AWS service"; AWS WAF Developer Guide (web ACLs).
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from calls import Unknown, listed

# CloudFront, ACM and Route 53 choose the ID of what they make: it is not known when the policies are asked. AWS's messages then name
# the resource with a star, which would mean "any" to the evaluator.
NEW = "NEW"


@dataclass
class Check:
    """One question to the policies."""

    action: str
    resource: str = "*"
    context: dict = field(default_factory=dict)


class World:
    """What AWS knows of things that are there already. `clients` makes a boto3 client of the account for a service and a region."""

    def __init__(self, clients):
        self.clients = clients

    def ask(self, service, operation, region="us-east-1", **words):
        """An answer of the local AWS; nothing when the thing is not there."""
        try:
            return getattr(self.clients(service, region), operation)(**words)
        except Exception as bad:  # noqa: BLE001 - a service answers what is absent with an error of its own
            if getattr(bad, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 500) in (400, 404):
                return {}
            raise

    def tags(self, arn):
        """The tags of a thing, by its ARN, as the condition keys of AWS."""
        service, region = arn.split(":")[2:4]
        if service == "cloudfront":
            answer = self.ask("cloudfront", "list_tags_for_resource", Resource=arn).get("Tags", {}).get("Items", [])
        elif service == "acm":
            answer = self.ask("acm", "list_tags_for_certificate", region, CertificateArn=arn).get("Tags", [])
        elif service == "iam":
            answer = self.ask("iam", "list_role_tags", RoleName=arn.rpartition("/")[2]).get("Tags", [])
        elif service == "lambda":
            bare = ":".join(arn.split(":")[:7])
            tags = self.ask("lambda", "list_tags", region, Resource=bare).get("Tags", {})
            answer = [{"Key": key, "Value": value} for key, value in tags.items()]
        else:
            answer = []
        return {f"aws:ResourceTag/{tag['Key']}": tag["Value"] for tag in answer}

    def boundary(self, role):
        """The permissions boundary of a role that is there."""
        answer = self.ask("iam", "get_role", RoleName=role).get("Role", {})
        arn = answer.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        return {"iam:PermissionsBoundary": arn} if arn else {}

    def trusted(self, arn):
        """The services that may take a role on."""
        trust = self.ask("iam", "get_role", RoleName=arn.rpartition("/")[2]).get("Role", {}).get("AssumeRolePolicyDocument", {})
        statements = listed(trust.get("Statement"))
        return [name for one in statements for name in listed(one.get("Principal", {}).get("Service"))]


def of(call, world):
    """All questions of a call."""
    service = {"elasticloadbalancing": elb}.get(call.service) or globals().get(f"of_{call.service}")
    if not service:
        raise Unknown(f"the checks of {call.service}")
    return service(call, call.given, world)


def request_tags(pairs):
    """The condition keys of tags that a request brings."""
    keys = {f"aws:RequestTag/{key}": value for key, value in pairs}
    return keys | ({"aws:TagKeys": [key for key, _ in pairs]} if pairs else {})


# ---- S3

BUCKET_ACTIONS = {
    "ListObjectVersions": "ListBucketVersions", "ListObjects": "ListBucket", "ListObjectsV2": "ListBucket", "HeadBucket": "ListBucket",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetBucketEncryption": "GetEncryptionConfiguration", "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration", "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration", "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetBucketCors": "GetBucketCORS", "PutBucketCors": "PutBucketCORS", "DeleteBucketCors": "PutBucketCORS",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock", "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls", "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketNotificationConfiguration": "GetBucketNotification", "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
}
OBJECT_WRITES = {"PutObject", "CopyObject", "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"}


def of_s3(call, given, world):
    """Buckets and objects."""
    if call.operation == "ListBuckets":
        return [Check("s3:ListAllMyBuckets")]
    bucket = f"arn:aws:s3:::{given['Bucket']}"
    if "Key" not in given and call.operation != "DeleteObjects":
        return bucket_checks(call, given, world, bucket)
    return object_checks(call, given, world, bucket)


def bucket_checks(call, given, world, bucket):
    checks = [Check("s3:" + BUCKET_ACTIONS.get(call.operation, call.operation), bucket)]
    if call.operation == "CreateBucket" and "ObjectOwnership" in given:
        checks.append(Check("s3:PutBucketOwnershipControls", bucket))
    if call.operation == "PutBucketReplication":
        checks.append(passed(given["ReplicationConfiguration"]["Role"], "s3.amazonaws.com"))
    return checks


def object_checks(call, given, world, bucket):
    if call.operation == "DeleteObjects":
        doomed = listed(given["Delete"].get("Object"))
        names = [("s3:DeleteObjectVersion" if one.get("VersionId") else "s3:DeleteObject", one["Key"]) for one in doomed]
        return [Check(action, f"{bucket}/{key}") for action, key in names]
    target = f"{bucket}/{given['Key']}"
    version = "Version" if given.get("VersionId") else ""
    if call.operation in OBJECT_WRITES:
        checks = [Check("s3:PutObject", target)]
        if given.get("Tagging"):
            checks.append(Check("s3:PutObjectTagging", target))
        if given.get("CopySource"):
            checks += copied(given)
        return checks + key_checks(call, given["Bucket"], world)
    names = {"HeadObject": f"GetObject{version}", "GetObject": f"GetObject{version}", "DeleteObject": f"DeleteObject{version}",
             "GetObjectTagging": f"GetObject{version}Tagging", "AbortMultipartUpload": "AbortMultipartUpload"}
    checks = [Check("s3:" + names.get(call.operation, call.operation), target)]
    if call.operation in ("HeadObject", "GetObject"):
        # Without it S3 answers 403, not 404, for what is not there.
        checks.append(Check("s3:ListBucket", bucket))
        checks += key_checks(call, given["Bucket"], world, ("kms:Decrypt",)) if call.operation == "GetObject" else []
    return checks


def copied(given):
    """A copy reads its source with all that hangs on it."""
    source, _, query = unquote(given["CopySource"]).lstrip("/").partition("?versionId=")
    version = "Version" if query else ""
    source = f"arn:aws:s3:::{source}"
    checks = [Check(f"s3:GetObject{version}", source)]
    if given.get("TaggingDirective", "COPY") == "COPY":
        checks += [Check(f"s3:GetObject{version}Tagging", source), Check("s3:PutObjectTagging", source)]
    return checks


def key_checks(call, bucket, world, actions=("kms:GenerateDataKey", "kms:Decrypt")):
    """Objects under a key of the account: S3 uses it with the caller's permissions."""
    rules = world.ask("s3", "get_bucket_encryption", call.region, Bucket=bucket).get("ServerSideEncryptionConfiguration", {})
    default = (rules.get("Rules") or [{}])[0].get("ApplyServerSideEncryptionByDefault", {})
    key = default.get("KMSMasterKeyID")
    if not key:
        return []
    context = {"kms:ViaService": f"s3.{call.region}.amazonaws.com", "aws:ViaAWSService": "true"}
    # An alias is resolved to its key before the policies are asked.
    arn = key if ":key/" in key else f"arn:aws:kms:{call.region}:{call.account}:key/{key.rpartition('/')[2]}"
    return [Check(action, arn, context) for action in actions]


def passed(role, service):
    """A role is handed to a service."""
    return Check("iam:PassRole", role, {"iam:PassedToService": service})


# ---- IAM

ON_ROLES = {
    "AttachRolePolicy", "CreateRole", "DeleteRole", "DeleteRolePermissionsBoundary", "DeleteRolePolicy", "DetachRolePolicy", "GetRole",
    "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies", "ListRoleTags", "PutRolePermissionsBoundary", "PutRolePolicy",
    "TagRole", "UntagRole", "UpdateAssumeRolePolicy", "UpdateRole",
}


def of_iam(call, given, world):
    """Roles."""
    if call.operation not in ON_ROLES:
        return [Check(f"iam:{call.operation}")]
    role = given["RoleName"]
    arn = f"arn:aws:iam::{call.account}:role{given.get('Path', '/')}{role}"
    tags = [(given[name], given[name.replace(".Key", ".Value")]) for name in given if re.fullmatch(r"Tags\.member\.\d+\.Key", name)]
    keys = request_tags(tags)
    gone = [value for name, value in given.items() if name.startswith("TagKeys.member.")]
    keys |= {"aws:TagKeys": gone} if gone else {}
    if call.operation in ("CreateRole", "PutRolePermissionsBoundary"):
        keys |= {"iam:PermissionsBoundary": given["PermissionsBoundary"]} if given.get("PermissionsBoundary") else {}
    else:
        keys |= world.boundary(role) | world.tags(arn)
    if given.get("PolicyArn"):
        keys["iam:PolicyARN"] = given["PolicyArn"]
    checks = [Check(f"iam:{call.operation}", arn, keys)]
    if call.operation == "CreateRole" and tags:
        checks.append(Check("iam:TagRole", arn, request_tags(tags)))
    return checks


def of_sts(call, given, world):
    """GetCallerIdentity is allowed to everybody, whatever the policies say."""
    return [] if call.operation == "GetCallerIdentity" else [Check(f"sts:{call.operation}", given.get("RoleArn", "*"))]


# ---- EKS

def of_eks(call, given, world):
    """Clusters are looked up."""
    return [Check(f"eks:{call.operation}", f"arn:aws:eks:{call.region}:{call.account}:cluster/{given['name']}")]


# ---- Lambda

ACCOUNT_WIDE = {"ListFunctions", "GetAccountSettings"}
LAMBDA_ACTIONS = {"ListVersionsByFunction20150331": "ListVersionsByFunction"}


def of_lambda(call, given, world):
    """Functions and their versions."""
    name = re.sub(r"\d{8}$", "", call.operation)
    if name in ACCOUNT_WIDE:
        return [Check(f"lambda:{name}")]
    if "Resource" in given:
        arn = given["Resource"]
    else:
        arn = f"arn:aws:lambda:{call.region}:{call.account}:function:{given['FunctionName'].rpartition(':function:')[2]}"
        arn += f":{given['Qualifier']}" if given.get("Qualifier") else ""
    tags = given.get("Tags") or {}
    keys = request_tags(list(tags.items()))
    if name == "UntagResource":
        keys["aws:TagKeys"] = listed(given.get("TagKeys"))
    if name == "CreateFunction":
        checks = [Check("lambda:CreateFunction", arn, keys), passed(given["Role"], "lambda.amazonaws.com")]
        return checks + ([Check("lambda:TagResource", arn, keys)] if tags else [])
    checks = [Check(f"lambda:{name}", arn, keys | world.tags(arn))]
    if name == "UpdateFunctionConfiguration" and given.get("Role"):
        checks.append(passed(given["Role"], "lambda.amazonaws.com"))
    return checks


# ---- CloudFront

WITH_ID = {
    "distribution": ("DeleteDistribution", "GetDistribution", "GetDistributionConfig", "UpdateDistribution"),
    "cache-policy": ("DeleteCachePolicy", "GetCachePolicy", "UpdateCachePolicy"),
    "origin-request-policy": ("DeleteOriginRequestPolicy", "GetOriginRequestPolicy", "UpdateOriginRequestPolicy"),
    "response-headers-policy": ("DeleteResponseHeadersPolicy", "GetResponseHeadersPolicy", "UpdateResponseHeadersPolicy"),
    "origin-access-control": ("DeleteOriginAccessControl", "GetOriginAccessControl", "UpdateOriginAccessControl"),
}
KIND_OF = {operation: kind for kind, operations in WITH_ID.items() for operation in operations}


def of_cloudfront(call, given, world):
    """Distributions, policies, origin access controls."""
    name = re.sub(r"\d{4}_\d{2}_\d{2}$", "", call.operation)
    if name in ("TagResource", "UntagResource", "ListTagsForResource"):
        return [tagging(name, given, world)]
    if name in ("CreateDistribution", "CreateDistributionWithTags"):
        with_tags = given.get("DistributionConfigWithTags", given)
        config, pairs = with_tags.get("DistributionConfig", with_tags), tag_pairs(with_tags.get("Tags"))
        keys = request_tags(pairs)
        checks = [Check("cloudfront:CreateDistribution", "*", keys)]
        if pairs:
            checks.append(Check("cloudfront:TagResource", f"arn:aws:cloudfront::{call.account}:distribution/{NEW}", keys))
        return checks + around(call, config)
    if name not in KIND_OF:
        # The Service Authorization Reference gives these no resource.
        return [Check(f"cloudfront:{name}")]
    kind = KIND_OF[name]
    arn = f"arn:aws:cloudfront::{call.account}:{kind}/{given['Id']}"
    tags = world.tags(arn) if kind == "distribution" else {}
    checks = [Check(f"cloudfront:{name}", arn, tags)]
    if name == "UpdateDistribution":
        checks += around(call, given["DistributionConfig"])
    return checks


def tag_pairs(tags):
    """Tags in the XML of CloudFront."""
    items = (tags or {}).get("Items") or {}
    return [(tag["Key"], tag.get("Value", "")) for tag in listed(items.get("Tag") if isinstance(items, dict) else items)]


def tagging(name, given, world):
    """The three calls about tags."""
    keys = world.tags(given["Resource"])
    if name == "TagResource":
        keys |= request_tags(tag_pairs(given.get("Tags")))
    if name == "UntagResource":
        keys["aws:TagKeys"] = listed((given.get("TagKeys", {}).get("Items") or {}).get("Key"))
    return Check(f"cloudfront:{name}", given["Resource"], keys)


def around(call, config):
    """What CloudFront does with the caller's permissions when a distribution is made or changed."""
    checks = []
    logging = config.get("Logging") or {}
    if isinstance(logging, dict) and logging.get("Enabled") == "true":
        bucket = "arn:aws:s3:::" + logging["Bucket"].partition(".s3")[0]
        checks += [Check("s3:GetBucketAcl", bucket), Check("s3:PutBucketAcl", bucket)]
    behaviors = [config.get("DefaultCacheBehavior") or {}]
    more = (config.get("CacheBehaviors") or {}).get("Items") or {}
    behaviors += listed(more.get("CacheBehavior"))
    arns = set()
    for behavior in behaviors:
        found = (behavior.get("LambdaFunctionAssociations") or {})
        items = (found.get("Items") or {}) if isinstance(found, dict) else {}
        arns |= {one["LambdaFunctionARN"] for one in listed(items.get("LambdaFunctionAssociation"))}
    for arn in sorted(arns):
        checks += [Check(f"lambda:{action}", arn) for action in ("GetFunction", "EnableReplication", "DisableReplication")]
    if arns:
        checks += [
            Check("iam:CreateServiceLinkedRole", f"arn:aws:iam::{call.account}:role/aws-service-role/{service}/{role}",
                  {"iam:AWSServiceName": service})
            for service, role in (("replicator.lambda.amazonaws.com", "AWSServiceRoleForLambdaReplicator"),
                                  ("logger.cloudfront.amazonaws.com", "AWSServiceRoleForCloudFrontLogger"))]
    if config.get("WebACLId"):
        checks.append(Check("wafv2:GetWebACL", config["WebACLId"]))
    return checks


# ---- Route 53

def of_route53(call, given, world):
    """Zones, health checks, record sets."""
    def arn(kind, value):
        return f"arn:aws:route53:::{kind}/{value.rpartition('/')[2]}"

    name = call.operation
    if name == "ChangeResourceRecordSets":
        changes = listed(given["ChangeBatch"]["Changes"].get("Change"))
        sets = [change["ResourceRecordSet"] for change in changes]
        keys = {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": sorted({normal(one["Name"]) for one in sets}),
            "route53:ChangeResourceRecordSetsRecordTypes": sorted({one["Type"] for one in sets}),
            "route53:ChangeResourceRecordSetsActions": sorted({change["Action"] for change in changes}),
        }
        return [Check("route53:ChangeResourceRecordSets", arn("hostedzone", given["HostedZoneId"]), keys)]
    if name in ("ListTagsForResource", "ChangeTagsForResource"):
        return [Check(f"route53:{name}", arn(given["ResourceType"], given["ResourceId"]))]
    if name == "ListTagsForResources":
        ids = listed((given.get("ResourceIds") or {}).get("ResourceId"))
        return [Check(f"route53:{name}", arn(given["ResourceType"], one)) for one in ids]
    if name == "GetChange":
        return [Check("route53:GetChange", arn("change", given["Id"]))]
    if name in ("CreateHostedZone", "ListHostedZones", "ListHostedZonesByName", "CreateHealthCheck", "ListHealthChecks"):
        return [Check(f"route53:{name}")]
    if "HealthCheckId" in given:
        return [Check(f"route53:{name}", arn("healthcheck", given["HealthCheckId"]))]
    return [Check(f"route53:{name}", arn("hostedzone", given.get("HostedZoneId") or given["Id"]))]


def normal(name):
    """A name as Route 53 compares it: lower case, no dot at the end, other characters as octal escapes."""
    name = name.rstrip(".").lower()
    return re.sub(r"[^a-z0-9_.\\-]", lambda found: f"\\{ord(found[0]):03o}", name)


# ---- ACM, ELB, WAF

def of_acm(call, given, world):
    """Certificates."""
    if call.operation == "RequestCertificate":
        keys = request_tags([(tag["Key"], tag.get("Value", "")) for tag in given.get("Tags") or []])
        more = {"acm:DomainNames": [given["DomainName"], *(given.get("SubjectAlternativeNames") or [])],
                "acm:ValidationMethod": given.get("ValidationMethod", "EMAIL")}
        checks = [Check("acm:RequestCertificate", "*", keys | more)]
        if keys:
            new = f"arn:aws:acm:{call.region}:{call.account}:certificate/{NEW}"
            checks.append(Check("acm:AddTagsToCertificate", new, keys))
        return checks
    if "CertificateArn" not in given:
        return [Check(f"acm:{call.operation}")]
    keys = request_tags([(tag["Key"], tag.get("Value", "")) for tag in given.get("Tags") or []])
    return [Check(f"acm:{call.operation}", given["CertificateArn"], keys | world.tags(given["CertificateArn"]))]


def elb(call, given, world):
    """Load balancers are only looked at."""
    return [Check(f"elasticloadbalancing:{call.operation}")]


def of_wafv2(call, given, world):
    """Web ACLs are only named."""
    return [Check(f"wafv2:{call.operation}", given.get("ARN", "*"))]

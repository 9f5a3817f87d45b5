"""What belongs to others in the account of a run: it is there before, and no call of the deployer reaches it."""

import io
import json
import zipfile

from botocore.exceptions import ClientError

ANYBODY = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def archive():
    """A zip of a function."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as whole:
        whole.writestr("index.mjs", "export const handler = async () => 0\n")
    return out.getvalue()


def distribution(name):
    """The least that CloudFront takes."""
    return {
        "CallerReference": name, "Comment": name, "Enabled": False,
        "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "other.example", "CustomOriginConfig": {
            "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}}]},
        "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "https-only",
                                 "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"},
    }


def settle(run):
    """Makes what is there before: an administrator's role, a function that has it, a bucket, a distribution, a certificate."""
    made = run.others = {}
    iam = run.client("iam")
    role = iam.create_role(RoleName="administrator", AssumeRolePolicyDocument=json.dumps(ANYBODY))["Role"]["Arn"]
    iam.attach_role_policy(RoleName="administrator", PolicyArn=ADMINISTRATOR)
    made["role"] = role
    made["bucket"] = f"{run.prefix}-of-others"
    run.client("s3").create_bucket(Bucket=made["bucket"])
    function = run.client("lambda").create_function(FunctionName="of-others", Runtime="nodejs24.x", Role=role, Handler="index.handler",
                                                    Code={"ZipFile": archive()})
    made["function"] = function["FunctionArn"]
    one = run.client("cloudfront").create_distribution(DistributionConfig=distribution("others"))["Distribution"]
    made["distribution"], made["distribution id"] = one["ARN"], one["Id"]
    made["certificate"] = run.client("acm").request_certificate(DomainName="other.example", ValidationMethod="DNS")["CertificateArn"]
    made["zone"] = run.client("route53").create_hosted_zone(Name="other.example", CallerReference="others")["HostedZone"]["Id"]


def meddle(run):
    """Changes what the plan made, behind its back: what the next deploy has to put right."""
    iam, cloudfront = run.client("iam"), run.client("cloudfront")
    name = f"{run.name}-gateway"
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(ANYBODY))
    iam.update_role(RoleName=name, Description="Mine")
    iam.delete_role_permissions_boundary(RoleName=name)
    for one in cloudfront.list_origin_access_controls()["OriginAccessControlList"].get("Items", []):
        config = cloudfront.get_origin_access_control(Id=one["Id"])
        changed = config["OriginAccessControl"]["OriginAccessControlConfig"] | {"SigningBehavior": "never"}
        cloudfront.update_origin_access_control(Id=one["Id"], IfMatch=config["ETag"], OriginAccessControlConfig=changed)


def attempts(run):
    """Calls that a deployer could make to get at what is not the plan's: what they are, and the call."""
    def client(service):
        return run.deployer(service)

    made = run.others
    own = f"arn:aws:iam::{run.account}:role/{run.name}-gateway"
    tag = {"Key": "akidb:stack", "Value": run.name}
    yield "tags another's distribution", lambda: client("cloudfront").tag_resource(Resource=made["distribution"], Tags={"Items": [tag]})
    yield "deletes another's distribution", lambda: client("cloudfront").delete_distribution(Id=made["distribution id"], IfMatch="x")
    yield "makes a distribution without the tag", lambda: client("cloudfront").create_distribution(DistributionConfig=distribution("new"))
    yield "tags another's certificate", lambda: client("acm").add_tags_to_certificate(CertificateArn=made["certificate"], Tags=[tag])
    yield "deletes another's certificate", lambda: client("acm").delete_certificate(CertificateArn=made["certificate"])
    yield "asks for a certificate of another name", lambda: client("acm").request_certificate(
        DomainName="bank.example", ValidationMethod="DNS", Tags=[tag])
    yield "changes another's records", lambda: client("route53").change_resource_record_sets(
        HostedZoneId=made["zone"], ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": {
            "Name": "www.other.example", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}}]})
    yield "reads another's bucket", lambda: client("s3").list_objects_v2(Bucket=made["bucket"])
    yield "opens another's bucket", lambda: client("s3").put_bucket_policy(Bucket=made["bucket"], Policy="{}")
    yield "changes the code of another's function", lambda: client("lambda").update_function_code(
        FunctionName="of-others", ZipFile=archive())
    yield "makes a function of another name", lambda: client("lambda").create_function(
        FunctionName="new", Runtime="nodejs24.x", Role=own, Handler="index.handler", Code={"ZipFile": archive()})
    yield "hands another's role to its function", lambda: client("lambda").create_function(
        FunctionName=f"{run.prefix}-gateway", Runtime="nodejs24.x", Role=made["role"], Handler="index.handler", Code={"ZipFile": archive()})
    yield "says who may take another's role on", lambda: client("iam").update_assume_role_policy(
        RoleName="administrator", PolicyDocument=json.dumps(ANYBODY))
    yield "makes a role without a boundary", lambda: client("iam").create_role(
        RoleName=f"{run.name}-gateway", AssumeRolePolicyDocument=json.dumps(ANYBODY))
    yield "makes a role with another boundary", lambda: client("iam").create_role(
        RoleName=f"{run.name}-gateway", AssumeRolePolicyDocument=json.dumps(ANYBODY), PermissionsBoundary=ADMINISTRATOR)
    yield "makes a role of another name", lambda: client("iam").create_role(
        RoleName="new", AssumeRolePolicyDocument=json.dumps(ANYBODY))
    yield "widens the boundary of its role", lambda: client("iam").put_role_permissions_boundary(
        RoleName=f"{run.name}-gateway", PermissionsBoundary=ADMINISTRATOR)
    yield "takes the boundary of its role away", lambda: client("iam").delete_role_permissions_boundary(RoleName=f"{run.name}-gateway")
    yield "attaches a policy to its role", lambda: client("iam").attach_role_policy(RoleName=f"{run.name}-gateway", PolicyArn=ADMINISTRATOR)
    yield "takes its role on", lambda: client("sts").assume_role(RoleArn=own, RoleSessionName="deployer")
    yield "makes a user", lambda: client("iam").create_user(UserName="new")


def left_alone(run):
    """Every attempt is refused."""
    came_through = []
    for what, call in attempts(run):
        try:
            call()
            came_through.append(what)
        except ClientError as bad:
            if bad.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException"):
                came_through.append(f"{what}: {bad}")
    if came_through:
        raise AssertionError(f"{run.name}: the policy lets the deployer do what is not the plan's: {came_through}")
    # What was tried is not a part of the plan's life.
    tried = [one for one in run.lab.records[run.account] if any(check["result"] != "Allowed" for check in one["checks"])]
    run.refused = [{key: check[key] for key in ("action", "resource", "context", "account", "principal")}
                   for one in tried for check in one["checks"] if check["result"] != "Allowed"]
    run.lab.records[run.account] = [one for one in run.lab.records[run.account] if one not in tried]

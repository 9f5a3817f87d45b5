"""The benchmark's resource set for boto3: each step a function, with what it needs. Run by boto3_sequential.py and
boto3_graph.py, which differ only in the order and in how they wait for the function.

The same set as tests/fixtures/bench.yaml. Left out, in favour of the peer: looking up the load balancers (their names are
taken as known), reading anything before writing it, tags beyond the health checks', and any memory of what was done.
"""

import argparse
import io
import json
import pathlib
import time
import zipfile

import boto3
from botocore.config import Config

FUNCTION = pathlib.Path(__file__).resolve().parents[2] / "templates" / "lambda" / "gateway"
REGIONS = ["us-east-1", "eu-central-1", "ap-northeast-1"]
ELB_ZONES = {"us-east-1": "Z35SXDOTRQ7X7K", "eu-central-1": "Z215JYRZR1TBD5", "ap-northeast-1": "Z14GRHDCWA56QT"}
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
ALL_VIEWER_EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
SERVICES = ["s3", "iam", "lambda", "cloudfront", "route53"]


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokenizer", required=True)
    return parser.parse_args()


def package():
    """The edge function's zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(FUNCTION / "index.mjs", "index.mjs")
    return buffer.getvalue()


def trust(*services):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"}]})


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": actions, "Resource": resources} for actions, resources in statements]})


class Stack:
    """Steps are methods; STEPS names what each needs. Each makes its calls in sequence."""

    STEPS = {
        "replication_role": [], "function_role": [], "primary": [], "replica": [],
        "replication": ["replication_role", "primary", "replica"],
        "model": ["replication"], "tokenizer": ["replication"], "pointer": ["model", "tokenizer"],
        "function": ["function_role"], "active": ["function"], "version": ["active"],
        "access": [], "cache_policy": [],
        "distribution": ["access", "cache_policy", "version", "primary"],
        "bucket_policy": ["distribution"],
        "zone": [], "health_us_east_1": [], "health_eu_central_1": [], "health_ap_northeast_1": [],
        "records": ["zone"],
    }

    def __init__(self, options, connections, poll):
        self.options, self.poll, self.prefix, self.known = options, poll, options.prefix, {}
        session = boto3.session.Session()
        config = Config(max_pool_connections=connections)
        make = lambda service, region="us-east-1": session.client(service, region_name=region, config=config)
        self.s3, self.iam, self.lambda_, self.cloudfront, self.route53 = (make(service) for service in SERVICES)
        self.s3_eu = make("s3", "eu-central-1")
        self.domain = "bench.akidb.com"
        self.models, self.copies = f"{self.prefix}-models", f"{self.prefix}-models-replica"

    def role(self, name, trusted, document):
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
        self.iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=document)
        return arn

    def replication_role(self):
        here, there = f"arn:aws:s3:::{self.models}", f"arn:aws:s3:::{self.copies}"
        return self.role(f"{self.prefix}-replication", trust("s3.amazonaws.com"), policy(
            (["s3:GetReplicationConfiguration", "s3:ListBucket"], here),
            (["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"], here + "/*"),
            (["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], there + "/*")))

    def function_role(self):
        return self.role(f"{self.prefix}-gateway", trust("lambda.amazonaws.com", "edgelambda.amazonaws.com"), policy(
            (["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "arn:aws:logs:*:*:*")))

    def primary(self):
        self.s3.create_bucket(Bucket=self.models)
        self.s3.put_bucket_versioning(Bucket=self.models, VersioningConfiguration={"Status": "Enabled"})

    def replica(self):
        self.s3_eu.create_bucket(Bucket=self.copies, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.s3_eu.put_bucket_versioning(Bucket=self.copies, VersioningConfiguration={"Status": "Enabled"})

    def replication(self):
        self.s3.put_bucket_replication(Bucket=self.models, ReplicationConfiguration={
            "Role": self.known["replication_role"], "Rules": [{
                "ID": "to-eu", "Priority": 1, "Status": "Enabled", "Filter": {"Prefix": ""},
                "DeleteMarkerReplication": {"Status": "Enabled"},
                "Destination": {
                    "Bucket": f"arn:aws:s3:::{self.copies}",
                    "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
                    "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}}}}]})

    def put(self, name, path, kind):
        with open(path, "rb") as body:
            self.s3.put_object(Bucket=self.models, Key=f"models/all-MiniLM-L6-v2/{name}", Body=body, ContentType=kind)

    def model(self):
        self.put("model.onnx", self.options.model, "application/octet-stream")

    def tokenizer(self):
        self.put("tokenizer.json", self.options.tokenizer, "application/json")

    def pointer(self):
        body = json.dumps({"model": "models/all-MiniLM-L6-v2/model.onnx"}).encode()
        self.s3.put_object(Bucket=self.models, Key="models/all-MiniLM-L6-v2/latest.json", Body=body,
                           ContentType="application/json")

    def function(self):
        self.lambda_.create_function(
            FunctionName=f"{self.prefix}-gateway", Runtime="nodejs24.x", Role=self.known["function_role"],
            Handler="index.handler", Code={"ZipFile": package()}, MemorySize=128, Timeout=5)

    def active(self):
        """With a pause of our own, or boto3's waiter, which looks each second."""
        name = f"{self.prefix}-gateway"
        if self.poll is None:
            self.lambda_.get_waiter("function_active_v2").wait(FunctionName=name)
            return
        while self.lambda_.get_function_configuration(FunctionName=name)["State"] == "Pending":
            time.sleep(self.poll)

    def version(self):
        return self.lambda_.publish_version(FunctionName=f"{self.prefix}-gateway")["FunctionArn"]

    def access(self):
        return self.cloudfront.create_origin_access_control(OriginAccessControlConfig={
            "Name": self.models, "SigningProtocol": "sigv4", "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3"})["OriginAccessControl"]["Id"]

    def cache_policy(self):
        return self.cloudfront.create_cache_policy(CachePolicyConfig={
            "Name": f"{self.prefix}-embeddings", "MinTTL": 0, "DefaultTTL": 86400, "MaxTTL": 31536000,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": True, "EnableAcceptEncodingBrotli": True,
                "HeadersConfig": {"HeaderBehavior": "none"}, "CookiesConfig": {"CookieBehavior": "none"},
                "QueryStringsConfig": {"QueryStringBehavior": "whitelist", "QueryStrings": {
                    "Quantity": 3, "Items": ["input", "model", "version"]}}}})["CachePolicy"]["Id"]

    def distribution(self):
        def methods(*names):
            return {"Quantity": len(names), "Items": list(names), "CachedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]}}

        def behavior(target, cache, allowed, viewer="redirect-to-https", **more):
            return {"TargetOriginId": target, "ViewerProtocolPolicy": viewer, "AllowedMethods": allowed, "Compress": True,
                    "CachePolicyId": cache, **more}

        custom = [{
            "Id": region, "DomainName": f"origin-{region}.{self.domain}", "CustomOriginConfig": {
                "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only",
                "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]}}} for region in REGIONS]
        bucket = {"Id": "models", "DomainName": f"{self.models}.s3.us-east-1.amazonaws.com",
                  "OriginAccessControlId": self.known["access"], "S3OriginConfig": {"OriginAccessIdentity": ""}}
        read = methods("GET", "HEAD")
        every = methods("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")
        association = {"Quantity": 1, "Items": [
            {"LambdaFunctionARN": self.known["version"], "EventType": "origin-request", "IncludeBody": True}]}
        answer = self.cloudfront.create_distribution(DistributionConfig={
            "CallerReference": self.prefix, "Comment": self.prefix, "Enabled": True, "PriceClass": "PriceClass_200",
            "Origins": {"Quantity": 4, "Items": [*custom, bucket]},
            "OriginGroups": {"Quantity": 1, "Items": [{
                "Id": "reads", "FailoverCriteria": {"StatusCodes": {"Quantity": 4, "Items": [500, 502, 503, 504]}},
                "Members": {"Quantity": 2, "Items": [{"OriginId": "us-east-1"}, {"OriginId": "eu-central-1"}]}}]},
            "DefaultCacheBehavior": behavior("reads", self.known["cache_policy"], read),
            "CacheBehaviors": {"Quantity": 2, "Items": [
                {"PathPattern": "/api/v1/embed", **behavior(
                    "us-east-1", CACHING_DISABLED, every, "https-only", OriginRequestPolicyId=ALL_VIEWER_EXCEPT_HOST,
                    LambdaFunctionAssociations=association)},
                {"PathPattern": "/models/*", **behavior("models", CACHING_OPTIMIZED, read)}]}})
        return answer["Distribution"]["ARN"]

    def bucket_policy(self):
        self.s3.put_bucket_policy(Bucket=self.models, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"}, "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{self.models}/*",
            "Condition": {"StringEquals": {"AWS:SourceArn": self.known["distribution"]}}}]}))

    def zone(self):
        return self.route53.create_hosted_zone(Name=self.domain, CallerReference=self.prefix)["HostedZone"]["Id"].split("/")[-1]

    def health(self, region):
        number = self.route53.create_health_check(CallerReference=f"{self.prefix}-{region}", HealthCheckConfig={
            "Type": "HTTPS", "FullyQualifiedDomainName": f"origin-{region}.{self.domain}", "Port": 443,
            "ResourcePath": "/ready", "RequestInterval": 30, "FailureThreshold": 3})["HealthCheck"]["Id"]
        self.route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=number, AddTags=[
            {"Key": "Name", "Value": f"{self.prefix}-{region}"}, {"Key": "akidb:stack", "Value": self.prefix}])
        return number

    def health_us_east_1(self):
        return self.health("us-east-1")

    def health_eu_central_1(self):
        return self.health("eu-central-1")

    def health_ap_northeast_1(self):
        return self.health("ap-northeast-1")

    def records(self):
        def alias(name, label, region, **route):
            return {"Action": "UPSERT", "ResourceRecordSet": {
                "Name": f"{name}.{self.domain}", "Type": "A", "SetIdentifier": label, **route, "AliasTarget": {
                    "HostedZoneId": ELB_ZONES[region], "EvaluateTargetHealth": True,
                    "DNSName": f"akidb-rest-{region}-1.{region}.elb.amazonaws.com"}}}

        geo = [("US-East", "us-east-1", {"ContinentCode": "NA"}), ("EU-Central", "eu-central-1", {"ContinentCode": "EU"}),
               ("AP-Northeast", "ap-northeast-1", {"ContinentCode": "AS"}), ("Default", "us-east-1", {"CountryCode": "*"})]
        batch = [alias("api", label, region, GeoLocation=place) for label, region, place in geo]
        batch += [alias("api-latency", f"{region}-Latency", region, Region=region) for region in REGIONS]
        self.route53.change_resource_record_sets(HostedZoneId=self.known["zone"], ChangeBatch={"Changes": batch})

    def do(self, step):
        self.known[step] = getattr(self, step)()

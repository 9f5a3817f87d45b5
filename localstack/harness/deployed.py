"""What is deployed, as the local AWS has it: distributions, policies, record sets, health checks, load balancers. Read again and again."""

import threading
import time

import boto3
from botocore.config import Config

MANAGED_CACHE = {
    "658327ea-f89d-4fab-a63d-7e88639e58f6": {"Name": "CachingOptimized", "MinTTL": 1, "DefaultTTL": 86400, "MaxTTL": 31536000},
    "b2884449-e4de-46a7-ac36-70bc7f1ddd6d": {"Name": "CachingOptimizedForUncompressedObjects", "MinTTL": 1, "DefaultTTL": 86400,
                                             "MaxTTL": 31536000},
    "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": {"Name": "CachingDisabled", "MinTTL": 0, "DefaultTTL": 0, "MaxTTL": 0},
}
MANAGED_ORIGIN_REQUEST = {
    "216adef6-5c7f-47e4-b989-5492eafa07d3": ("allViewer", "all", "all"),
    "b689b0a8-53d0-40ab-baf2-68738e2966ac": ("allExcept host", "all", "all"),
    "acba4595-bd28-49b8-b9fe-13317c0390fa": ("user-agent referer", "none", "none"),
    "59781a5b-3903-41f3-afcb-af62929ccde1": ("origin", "none", "none"),
    "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf": ("origin access-control-request-method access-control-request-headers", "none", "none"),
}


class Deployed:
    """The newest look at an account; another one is taken every `every` seconds. What cannot be read leaves the look before."""

    def __init__(self, endpoint, account, regions, every):
        self.endpoint, self.account, self.every = endpoint, account, every
        session = boto3.session.Session(aws_access_key_id=account, aws_secret_access_key="test")
        config = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 2}, proxies={}, max_pool_connections=64)

        def client(service, region="us-east-1"):
            return session.client(service, region_name=region, endpoint_url=endpoint, config=config)

        self.cloudfront, self.route53 = client("cloudfront"), client("route53")
        self.functions = client("lambda")
        self.balancing = {region: client("elbv2", region) for region in regions}
        self.distributions, self.sets, self.checks, self.balancers = [], [], [], {}
        self.cache_policies, self.origin_request_policies, self.headers_policies = {}, {}, {}
        self.error, self.looks, self.seen = None, 0, threading.Condition()

    def start(self):
        threading.Thread(target=self.look_again, daemon=True).start()

    def look_again(self):
        while True:
            try:
                self.look()
                self.error = None
            except Exception as error:  # whatever the account says, the viewers' side goes on with what it knows
                self.error = f"{type(error).__name__}: {error}"
            with self.seen:
                self.looks += 1
                self.seen.notify_all()
            time.sleep(self.every)

    def await_look(self, seconds=10):
        """Returns once a look that began after this call has ended."""
        with self.seen:
            wanted = self.looks + 2
            return self.seen.wait_for(lambda: self.looks >= wanted, seconds)

    def look(self):
        listed = self.cloudfront.list_distributions().get("DistributionList", {}).get("Items", [])
        distributions = []
        for each in listed:
            config = self.cloudfront.get_distribution_config(Id=each["Id"])["DistributionConfig"]
            distributions.append({"id": each["Id"], "domain": each["DomainName"], "config": config})
            self.read_policies(config)
        sets, checks = [], []
        for zone in self.route53.list_hosted_zones()["HostedZones"]:
            for page in self.route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone["Id"]):
                sets += [each for each in page["ResourceRecordSets"] if each["Type"] == "A"]
        for page in self.route53.get_paginator("list_health_checks").paginate():
            checks += page["HealthChecks"]
        balancers = {}
        for region, client in self.balancing.items():
            balancers.update(self.read_balancers(region, client))
        self.distributions, self.sets, self.checks, self.balancers = distributions, sets, checks, balancers

    def read_policies(self, config):
        behaviors = [config["DefaultCacheBehavior"], *config.get("CacheBehaviors", {}).get("Items", [])]
        for behavior in behaviors:
            for field, known, get in (
                ("CachePolicyId", self.cache_policies, self.cache_policy),
                ("OriginRequestPolicyId", self.origin_request_policies, self.origin_request_policy),
                ("ResponseHeadersPolicyId", self.headers_policies, self.headers_policy),
            ):
                if behavior.get(field):
                    known[behavior[field]] = get(behavior[field])

    def cache_policy(self, identifier):
        if identifier in MANAGED_CACHE:
            return MANAGED_CACHE[identifier]
        return self.cloudfront.get_cache_policy(Id=identifier)["CachePolicy"]["CachePolicyConfig"]

    def origin_request_policy(self, identifier):
        if identifier in MANAGED_ORIGIN_REQUEST:
            return MANAGED_ORIGIN_REQUEST[identifier]
        config = self.cloudfront.get_origin_request_policy(Id=identifier)["OriginRequestPolicy"]["OriginRequestPolicyConfig"]
        raise NotImplementedError(f"origin request policy {config['Name']}: the harness knows managed ones alone")

    def headers_policy(self, identifier):
        return self.cloudfront.get_response_headers_policy(Id=identifier)["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]

    def read_balancers(self, region, client):
        """Load balancers by their DNS names, each with the targets of the group that its first listener leads to."""
        found = {}
        for balancer in client.describe_load_balancers()["LoadBalancers"]:
            listeners = client.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
            arns = [action["TargetGroupArn"] for each in listeners for action in each["DefaultActions"] if "TargetGroupArn" in action]
            entry = {"name": balancer["LoadBalancerName"], "region": region, "targets": [], "path": "/", "healthy_after": 5,
                     "unhealthy_after": 2, "codes": "200"}
            if arns:
                group = client.describe_target_groups(TargetGroupArns=arns[:1])["TargetGroups"][0]
                entry.update(path=group.get("HealthCheckPath", "/"), healthy_after=group.get("HealthyThresholdCount", 5),
                             unhealthy_after=group.get("UnhealthyThresholdCount", 2),
                             codes=group.get("Matcher", {}).get("HttpCode", "200"))
                described = client.describe_target_health(TargetGroupArn=arns[0])["TargetHealthDescriptions"]
                entry["targets"] = [(each["Target"]["Id"], each["Target"].get("Port", group.get("Port"))) for each in described]
            found[balancer["DNSName"].lower().rstrip(".")] = entry
        return found

    def distribution_of(self, host):
        """The distribution that answers for a host, by its own name or an alias; none: nobody does."""
        for each in self.distributions:
            if host == each["domain"].lower() or host in [name.lower() for name in each["config"].get("Aliases", {}).get("Items", [])]:
                return each
        return None

"""Create what week 13 takes as given: one REST load balancer in each of three regions. Run by localstack/up.

Run twice it leaves one of each.
"""

import argparse
import concurrent.futures
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGIONS = ["us-east-1", "eu-central-1", "ap-northeast-1"]
TAGS = [{"Key": "akidb:stack", "Value": "akidb"}, {"Key": "akidb:role", "Value": "rest"}]


def found(call, key, *missing, **arguments):
    """The first one of an answer's list, or None."""
    try:
        items = call(**arguments)[key]
    except ClientError as error:
        if error.response["Error"]["Code"] in missing:
            return None
        raise
    return items[0] if items else None


def created(call, key, duplicate, again, **arguments):
    """Create; when another seeding was faster, take what it made."""
    try:
        return call(**arguments)[key][0]
    except ClientError as error:
        if error.response["Error"]["Code"] != duplicate:
            raise
        return again()


def seed(region, elb, ec2):
    name = f"akidb-rest-{region}"
    steps = []

    def balancer():
        return found(elb.describe_load_balancers, "LoadBalancers", "LoadBalancerNotFound", Names=[name])

    def group():
        return found(elb.describe_target_groups, "TargetGroups", "TargetGroupNotFound", Names=[name])

    lb = balancer()
    tg = group()
    if not lb or not tg:
        subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
        if len({subnet["AvailabilityZone"] for subnet in subnets}) < 2:
            raise SystemExit(f"{region} has no default subnets in two zones; an application load balancer needs them")
    if not lb:
        lb = created(elb.create_load_balancer, "LoadBalancers", "DuplicateLoadBalancerName", balancer,
                     Name=name, Subnets=sorted(subnet["SubnetId"] for subnet in subnets), Scheme="internet-facing",
                     Type="application", IpAddressType="ipv4", Tags=TAGS)
        steps.append("load balancer")
    arn = lb["LoadBalancerArn"]
    tags = {tag["Key"]: tag["Value"] for tag in elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]}
    if any(tags.get(tag["Key"]) != tag["Value"] for tag in TAGS):
        elb.add_tags(ResourceArns=[arn], Tags=TAGS)
        steps.append("tags")
    if not tg:
        tg = created(elb.create_target_group, "TargetGroups", "DuplicateTargetGroupName", group,
                     Name=name, Protocol="HTTP", Port=8080, VpcId=subnets[0]["VpcId"], TargetType="ip",
                     HealthCheckPath="/ready", Tags=TAGS)
        steps.append("target group")
    if not found(elb.describe_listeners, "Listeners", "ListenerNotFound", LoadBalancerArn=arn):
        elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, Tags=TAGS,
                            DefaultActions=[{"Type": "forward", "TargetGroupArn": tg["TargetGroupArn"]}])
        steps.append("listener")
    return f"  {name}: {lb['DNSName']} ({'made ' + ', '.join(steps) if steps else 'was there'})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--account", default="000000000000")
    options = parser.parse_args()
    started = time.monotonic()
    session = boto3.session.Session(aws_access_key_id=options.account, aws_secret_access_key="test")
    config = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})
    # Clients are made in one thread: making them is not thread-safe, using them is.
    work = [(region, *(session.client(service, region_name=region, endpoint_url=options.endpoint, config=config)
                       for service in ("elbv2", "ec2"))) for region in REGIONS]
    with concurrent.futures.ThreadPoolExecutor(len(work)) as pool:
        lines = list(pool.map(lambda item: seed(*item), work))
    print(f"account {options.account} has its three load balancers ({time.monotonic() - started:.2f} s)")
    print("\n".join(lines))


if __name__ == "__main__":
    try:
        main()
    except ClientError as error:
        sys.exit(f"seed.py: {error}")

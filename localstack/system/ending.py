"""The end: the report, everything destroyed, and one screen that says what was measured."""

import os
import shutil
import time

import cloud
from demo import BOLD, PLAIN, need


def report(demo, device):
    demo.title("The report")
    figures = demo.path("measured.json")
    demo.write_figures(figures)
    with_devices = ("--devices", *device.flags()) if device else ()
    demo.edge("report", options=("--out", demo.report, "--external-results", figures, *with_devices), stdin=device.password() if device else None)


def destroy(demo, world):
    demo.title("Destroyed: nothing is left")
    need(all(code == 0 for code in world.end()), "a server did not end well")
    _, seconds = demo.edge("destroy", options=("--yes", "--empty-buckets"))
    demo.measured("destroy of the cloud", seconds, "s", "wall time of destroy --yes")
    left = leftovers(demo)
    need(not left, f"something is left: {left}")
    demo.say("  the account has no distribution, policy, function, role, bucket, zone, health check or certificate of the stack")


def tidy(demo):
    """Copies of the model go. Journal, figures and logs stay, for whoever wants to know more."""
    for name in ("model-2", *(f"store-{region}" for region in cloud.REGIONS)):
        shutil.rmtree(demo.path(name), ignore_errors=True)


def leftovers(demo):
    """What the account still has of the stack, by the services' own lists."""
    found = {}
    cdn, names = cloud.client(demo, "cloudfront", "us-east-1"), cloud.client(demo, "route53", "us-east-1")
    found["distributions"] = [each["Id"] for each in cdn.list_distributions().get("DistributionList", {}).get("Items", [])]
    found["access controls"] = [each["Id"] for each in cdn.list_origin_access_controls()["OriginAccessControlList"].get("Items", [])]
    found["cache policies"] = [each["CachePolicy"]["Id"] for each in cdn.list_cache_policies(Type="custom")["CachePolicyList"].get("Items", [])]
    found["zones"] = [each["Name"] for each in names.list_hosted_zones()["HostedZones"]]
    found["health checks"] = [each["Id"] for each in names.list_health_checks()["HealthChecks"]]
    found["functions"] = [each["FunctionName"] for each in cloud.client(demo, "lambda", "us-east-1").list_functions()["Functions"]]
    found["roles"] = [each["RoleName"] for each in cloud.client(demo, "iam", "us-east-1").list_roles()["Roles"]]
    found["buckets"] = [each["Name"] for each in cloud.client(demo, "s3", "us-east-1").list_buckets()["Buckets"]]
    for region in ("us-east-1", "eu-central-1", "ap-northeast-1"):
        listed = cloud.client(demo, "acm", region).list_certificates()["CertificateSummaryList"]
        found[f"certificates in {region}"] = [each["DomainName"] for each in listed]
    return {kind: names for kind, names in found.items() if names}


def summary(demo):
    """One screen."""
    demo.write_figures(demo.path("measured.json"))
    page = os.path.join(demo.report, "report.html")
    print(f"\n{BOLD}Week 13 on this machine, in {time.monotonic() - demo.begun:.0f} s{PLAIN}")
    print("\n".join(columns([(figure["name"], amount(figure)) for figure in demo.figures], shutil.get_terminal_size((110, 24)).columns)))
    for part in demo.skipped:
        print(f"  left out: {part['part']}: {part['why']}")
    print(f"\n  The report, to be opened in a browser: {BOLD}file://{page}{PLAIN}", flush=True)


def amount(figure):
    """A value with its unit; what is counted in requests says so by its name."""
    value, unit = figure["value"], "" if figure["unit"] == "requests" else figure["unit"]
    return f"{value:.1f} {unit}" if isinstance(value, float) else f"{value} {unit}".rstrip()


def columns(rows, width):
    """Lines of names and values, two of them side by side where there is room."""
    name, value = (max(len(row[at]) for row in rows) for at in (0, 1))
    cells = [f"  {row[0]:<{name}}  {row[1]:>{value}}" for row in rows]
    if 2 * len(cells[0]) + 2 > width:
        return cells
    half = (len(cells) + 1) // 2
    return [f"{cell}  {beside}".rstrip() for cell, beside in zip(cells[:half], cells[half:] + [""])]

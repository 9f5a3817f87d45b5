"""Health as AWS finds it, by real requests: targets of load balancers, and Route 53's checks. The intervals are shortened."""

import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor

ATTEMPT_SECONDS = 2.0


class Streak:
    """Healthy or not, after so many equal looks in a row. Nothing is healthy before it was seen."""

    def __init__(self):
        self.healthy, self.run, self.detail = False, 0, "not looked at yet"

    def saw(self, well, detail, healthy_after, unhealthy_after):
        self.detail = detail
        if well == self.healthy:
            self.run = 0
            return
        self.run += 1
        if self.run >= (healthy_after if well else unhealthy_after):
            self.healthy, self.run = well, 0


def asked(address, port, host, path):
    """(status, detail) of a GET; status 0 when there is none."""
    connection = http.client.HTTPConnection(address, port, timeout=ATTEMPT_SECONDS)
    try:
        connection.request("GET", path, headers={"Host": host, "User-Agent": "health-check", "Connection": "close"})
        status = connection.getresponse().status
        return status, f"GET {path}: {status}"
    except (OSError, http.client.HTTPException) as error:
        return 0, f"GET {path}: {type(error).__name__}: {error}"
    finally:
        connection.close()


def matches(status, codes):
    """Whether a status is among those of a target group's matcher: `200`, `200-299`, `200,202`."""
    for part in codes.split(","):
        low, _, high = part.strip().partition("-")
        if low.isdigit() and int(low) <= status <= int(high or low):
            return True
    return False


class Health:
    """Looks at every target and for every health check, each `every` seconds (AWS: 30 s, or 10 s)."""

    def __init__(self, deployed, every):
        self.deployed, self.every = deployed, every
        self.names = None
        self.targets, self.checks = {}, {}
        self.pool = ThreadPoolExecutor(16)

    def start(self, names):
        self.names = names
        threading.Thread(target=self.look_again, daemon=True).start()

    def look_again(self):
        while True:
            begun = time.monotonic()
            work = [(self.look_at_target, (balancer, target)) for balancer in self.deployed.balancers.values() for target in balancer["targets"]]
            work += [(self.look_for_check, (check,)) for check in self.deployed.checks]
            for done in [self.pool.submit(action, *arguments) for action, arguments in work]:
                done.exception()
            time.sleep(max(0.01, self.every - (time.monotonic() - begun)))

    def look_at_target(self, balancer, target):
        status, detail = asked(*target, f"{target[0]}:{target[1]}", balancer["path"])
        streak = self.targets.setdefault(target, Streak())
        # Five good looks of 30 s make a target healthy on AWS; here two of the short ones do.
        streak.saw(matches(status, balancer["codes"]), detail, min(2, balancer["healthy_after"]), balancer["unhealthy_after"])

    def look_for_check(self, check):
        config = check["HealthCheckConfig"]
        host = config.get("FullyQualifiedDomainName", "")
        target, _ = self.names.target_of(host, "NA")
        status, detail = asked(*target, host, config.get("ResourcePath", "/")) if target else (0, f"{host} leads to no target")
        threshold = config.get("FailureThreshold", 3)
        self.checks.setdefault(check["Id"], Streak()).saw(200 <= status < 400, detail, threshold, threshold)

    def target_is_healthy(self, target):
        return target in self.targets and self.targets[target].healthy

    def check_is_healthy(self, identifier):
        return identifier in self.checks and self.checks[identifier].healthy

    def balancer_is_healthy(self, balancer):
        return any(self.target_is_healthy(target) for target in balancer["targets"])

    def state(self):
        """What `/_harness/state` shows."""
        balancers = {}
        for balancer in self.deployed.balancers.values():
            looks = [(target, self.targets.get(target, Streak())) for target in balancer["targets"]]
            balancers[balancer["region"]] = [{"target": f"{address}:{port}", "healthy": look.healthy, "detail": look.detail}
                                             for (address, port), look in looks]
        checks = [{"host": check["HealthCheckConfig"].get("FullyQualifiedDomainName"), "healthy": self.check_is_healthy(check["Id"]),
                   "detail": self.checks.get(check["Id"], Streak()).detail} for check in self.deployed.checks]
        return {"targets": balancers, "health_checks": checks}

"""Names as Route 53 answers them from the deployed record sets: geolocation, latency, failover, aliases that look at their target."""

import itertools

# Which region answers a place first: by distance, as latency records find it in the main. Not measured.
NEAREST = {
    "NA": ["us-east-1", "eu-central-1", "ap-northeast-1"],
    "SA": ["us-east-1", "eu-central-1", "ap-northeast-1"],
    "EU": ["eu-central-1", "us-east-1", "ap-northeast-1"],
    "AF": ["eu-central-1", "us-east-1", "ap-northeast-1"],
    "AS": ["ap-northeast-1", "us-east-1", "eu-central-1"],
    "OC": ["ap-northeast-1", "us-east-1", "eu-central-1"],
}
DEPTH = 8


class Names:
    """Where names lead, from a continent."""

    def __init__(self, deployed, health):
        self.deployed, self.health, self.turn = deployed, health, itertools.count()

    def at(self, name):
        return [each for each in self.deployed.sets if plain(each["Name"]) == name]

    def answer(self, name, place, way, depth=0):
        """What a name leads to at last: the host of a distribution or of a load balancer; none when there is nothing."""
        here = self.at(name)
        if not here or depth > DEPTH:
            return name if depth else None
        chosen = self.choose(here, place)
        if chosen is None:
            return None
        way.append(f"{name} ({chosen.get('SetIdentifier', 'one set')})")
        alias = chosen.get("AliasTarget")
        if not alias:
            return chosen["ResourceRecords"][0]["Value"] if chosen.get("ResourceRecords") else None
        return self.answer(plain(alias["DNSName"]), place, way, depth + 1)

    def choose(self, here, place):
        """The set that answers; when none is healthy, all count."""
        if any("GeoLocation" in each for each in here):
            return self.geolocation(here, place)
        healthy = [each for each in here if self.healthy(each)]
        if any("Failover" in each for each in here):
            role = {each["Failover"]: each for each in here}
            order = [role[name] for name in ("PRIMARY", "SECONDARY") if name in role]
            return next((each for each in order if each in healthy), order[0])
        counting = healthy or here
        if any("Region" in each for each in counting):
            order = NEAREST.get(place, NEAREST["NA"])
            return min(counting, key=lambda each: order.index(each["Region"]) if each.get("Region") in order else len(order))
        return counting[0]

    def geolocation(self, here, place):
        """The place's own set, then the one for everywhere else; a neighbour never."""
        def of(field, value):
            return next((each for each in here if each.get("GeoLocation", {}).get(field) == value), None)
        candidates = [each for each in (of("ContinentCode", place), of("CountryCode", "*")) if each]
        return next((each for each in candidates if self.healthy(each)), candidates[0] if candidates else None)

    def healthy(self, each, depth=0):
        if each.get("HealthCheckId") and not self.health.check_is_healthy(each["HealthCheckId"]):
            return False
        alias = each.get("AliasTarget")
        if not alias or not alias.get("EvaluateTargetHealth"):
            return True
        name = plain(alias["DNSName"])
        below = self.at(name)
        if below:
            return depth > DEPTH or any(self.healthy(one, depth + 1) for one in below)
        balancer = self.deployed.balancers.get(name)
        return balancer is None or self.health.balancer_is_healthy(balancer)

    def target_of(self, name, place):
        """(address, port) of the server that a load balancer chooses for a name, and the way to it."""
        way = []
        host = self.answer(plain(name), place, way)
        return self.behind(host, way), way

    def behind(self, host, way):
        """A target of the load balancer with this DNS name: a healthy one, in turn; when none is, any, as load balancers do."""
        balancer = self.deployed.balancers.get(host or "")
        if not balancer:
            return None
        healthy = [target for target in balancer["targets"] if self.health.target_is_healthy(target)]
        among = healthy or balancer["targets"]
        way.append(f"load balancer {balancer['region']}")
        return among[next(self.turn) % len(among)] if among else None


def plain(name):
    """A name without its last dot and the prefix of both address families."""
    name = name.lower().rstrip(".")
    return name.removeprefix("dualstack.")

"""What a host needs whose pods really run: programs, and cgroups of its own, which go with it."""

import os
import time

CGROUPS = "/sys/fs/cgroup"
PROGRAMS = ("/usr/bin/containerd", "/usr/sbin/runc", "/usr/sbin/nft", "/usr/sbin/xtables-nft-multi", "/usr/lib/cni/bridge")


def missing():
    """What is not there on this machine; none when nothing is."""
    absent = [program for program in PROGRAMS if not os.path.exists(program)]
    if absent:
        return f"{', '.join(absent)}: not there; run tests/lab/install"
    if not os.path.isdir(os.path.join(CGROUPS, "memory")):
        return "this machine has cgroups of version 2 alone, with which the lab's real pods have not been tried"
    return None


def places(name):
    """The folders of a host in each hierarchy of cgroups (version 1)."""
    with open("/proc/self/mountinfo") as file:
        lines = [line.split() for line in file]
    hierarchies = {line[4] for line in lines if line[line.index("-") + 1] == "cgroup"}
    return [os.path.join(hierarchy, name) for hierarchy in sorted(hierarchies)]


def own_cgroups(name):
    """Makes them: they are the roots of those that the host sees."""
    for place in places(name):
        os.makedirs(place, exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if os.path.exists(os.path.join(place, setting)):
                with open(os.path.join(os.path.dirname(place), setting)) as above, open(os.path.join(place, setting), "w") as file:
                    file.write(above.read())


def enter_cgroups(name):
    """What a process does before it starts: it is in the host's cgroups from then on, and so is all that it starts."""
    for place in places(name):
        with open(os.path.join(place, "cgroup.procs"), "w") as file:
            file.write(str(os.getpid()))


def remove_cgroups(name, seconds=5):
    """Removes them, once their processes have ended; what is still in use after that is given back."""
    until, left = time.monotonic() + seconds, []
    for place in places(name):
        for folder, _, _ in os.walk(place, topdown=False):
            if not removed(folder, until):
                left.append(folder)
    return left


def removed(folder, until):
    while True:
        try:
            os.rmdir(folder)
            return True
        except FileNotFoundError:
            return True
        except OSError:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)

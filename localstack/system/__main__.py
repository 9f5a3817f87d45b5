"""Week 13 as one system on this machine, from nothing to nothing: deployed, asked, changed, broken, cut over, taken down.

    localstack/.venv/bin/python localstack/system --binary target/release/akidb-edge --work .akidb-edge-demo/4566

`make demo` shows it, `tests/system` asserts it. The device with a real pod needs root and the laboratory (tests/lab): without them
that part is left out, and named.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import os
import signal

import cloud
import ending
from device import Device, hindrance
from demo import Demo, Wrong


def arguments():
    parser = argparse.ArgumentParser(prog="localstack/system", description=__doc__.splitlines()[0])
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser.add_argument("--binary", required=True)
    parser.add_argument("--work", required=True, metavar="DIR", help="state, stores and logs; made, and empty before")
    parser.add_argument("--report", default="demo-report", metavar="DIR")
    parser.add_argument("--model", default=os.path.join(root, "models/all-MiniLM-L6-v2"), metavar="DIR")
    parser.add_argument("--onnxruntime", required=True, metavar="DIR")
    parser.add_argument("--endpoint", default=os.environ.get("AWS_ENDPOINT_URL"))
    parser.add_argument("--account", default=os.environ.get("AWS_ACCESS_KEY_ID"))
    parser.add_argument("--prefix", default="akidb", help="beginning of all names; names of buckets are global")
    parser.add_argument("--device", choices=["auto", "yes", "no"], default="auto", help="a device with a real pod (auto: where it can be had)")
    parser.add_argument("--keep", action="store_true", help="destroy nothing at the end")
    options = parser.parse_args()
    options.root, options.plan = root, os.path.join(root, "localstack/scaled.yaml")
    for name in ("binary", "work", "report", "model", "onnxruntime"):
        setattr(options, name, os.path.abspath(getattr(options, name)))
    os.makedirs(options.work, exist_ok=True)
    return options


def run(demo, options, parts):
    why = hindrance(options.device)
    device = None if why else Device(demo)
    if why:
        demo.skipped.append({"part": "a device with a real pod", "why": why})
    world = cloud.Cloud(demo)
    parts += [world, *([device] if device else [])]
    cloud.deploy(demo)
    cloud.prove(demo, "proof")
    world.start()
    world.requests()
    if device:
        device.provision()
        device.deploy(world)
    world.rollout(device)
    world.outage()
    world.cutover()
    if device:
        device.drain()
    ending.report(demo, device)
    if options.keep:
        demo.skipped.append({"part": "destroy", "why": "KEEP=1"})
        return
    if device:
        device.uninstall()
    ending.destroy(demo, world)


def main():
    # Whoever ends it wants its programs ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = arguments()
    demo, parts = Demo(options), []
    code = 0
    try:
        run(demo, options, parts)
    except (Wrong, OSError) as error:
        code = 1
        demo.say(f"\nstopped in: {demo.chapter}\n{type(error).__name__}: {error}")
    finally:
        for part in parts:
            try:
                part.end()
            except (Wrong, OSError) as error:
                code = 1
                demo.say(f"{error}")
    if code == 0:
        if not options.keep:
            ending.tidy(demo)
        ending.summary(demo)
    sys.exit(code)


if __name__ == "__main__":
    main()

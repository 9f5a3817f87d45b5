"""The same ten steps for pyinfra."""

from io import StringIO

from pyinfra.operations import files, server

server.group(name="group", group="akidb", system=True)
server.user(name="user", user="akidb", system=True, group="akidb", create_home=False)
files.directory(name="directory", path="/opt/akidb", mode="755")
files.directory(name="data", path="/opt/akidb/data")
files.put(name="config", src=StringIO("a: 1\n"), dest="/opt/akidb/config", mode="640")
files.put(name="env", src=StringIO("AKIDB=1\n"), dest="/opt/akidb/env", mode="644")
files.link(name="current", path="/opt/akidb/current", target="/opt/akidb/data")
files.put(name="marker", src=StringIO("done\n"), dest="/opt/akidb/marker", mode="644")
files.line(name="hosts", path="/etc/hosts", line="10.0.0.1 registry.local")
files.line(name="environment", path="/etc/environment", line="AKIDB=1")

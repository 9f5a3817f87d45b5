# The same ten steps as somebody writes them by hand, for `sudo sh -s`. Quoted text: no line runs before it is needed.
set -eu
changed=0
getent group akidb >/dev/null || { groupadd --system akidb; changed=1; }
getent passwd akidb >/dev/null || { useradd --system --no-create-home --gid akidb akidb; changed=1; }
for d in /opt/akidb /opt/akidb/data; do test -d $d || { mkdir -p $d; changed=1; }; done
put() { if test "$(cat "$1" 2>/dev/null || :)" != "$2"; then printf '%s\n' "$2" >"$1"; changed=1; fi; chmod "$3" "$1"; }
put /opt/akidb/config 'a: 1' 0640
put /opt/akidb/env AKIDB=1 0644
put /opt/akidb/marker done 0644
test "$(readlink /opt/akidb/current || :)" = /opt/akidb/data || { ln -sfn /opt/akidb/data /opt/akidb/current; changed=1; }
grep -qxF '10.0.0.1 registry.local' /etc/hosts || { echo '10.0.0.1 registry.local' >>/etc/hosts; changed=1; }
grep -qxF AKIDB=1 /etc/environment || { echo AKIDB=1 >>/etc/environment; changed=1; }
echo "changed=$changed"

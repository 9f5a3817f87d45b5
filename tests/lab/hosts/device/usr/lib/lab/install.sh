#!/bin/sh
# The lab's k3s installer: takes the variables of get.k3s.io's script and leaves the same files behind.
set -e
. /usr/lib/lab/fail.sh
lab_fail install.sh "$@"
info() { echo "[INFO]  $*"; }
fatal() { echo "[ERROR]  $*" >&2; exit 1; }

SUDO=sudo
[ "$(id -u)" != 0 ] || SUDO=
bin=${INSTALL_K3S_BIN_DIR:-/usr/local/bin} units=${INSTALL_K3S_SYSTEMD_DIR:-/etc/systemd/system}
command -v systemctl > /dev/null || fatal 'Can not find systemd or openrc to use as a process supervisor for k3s'

# The command: first word of INSTALL_K3S_EXEC and the arguments, else by K3S_URL.
eval set -- "$(printf %s "${INSTALL_K3S_EXEC:-}")" '"$@"'
case "${1-}" in
  -*|'')
    if [ -z "${K3S_URL:-}" ]; then command=server
    elif [ -z "${K3S_TOKEN:-}" ] && [ -z "${K3S_TOKEN_FILE:-}" ]; then
      fatal "Defaulted k3s exec command to 'agent' because K3S_URL is defined, but K3S_TOKEN or K3S_TOKEN_FILE is not defined."
    else command=agent; fi ;;
  *) command=$1; shift ;;
esac
case "${K3S_URL:-}" in ''|https://*) ;; *) fatal "Only https:// URLs are supported for K3S_URL (have $K3S_URL)" ;; esac
if [ -n "${INSTALL_K3S_NAME:-}" ]; then name=k3s-$INSTALL_K3S_NAME
elif [ "$command" = server ]; then name=k3s
else name=k3s-$command; fi
unit=$units/$name.service environment=$units/$name.service.env
before=$(sha256sum "$bin/k3s" "$unit" 2>/dev/null || true; $SUDO cat "$environment" 2>/dev/null || true)

if [ "${INSTALL_K3S_SKIP_DOWNLOAD:-}" = true ] || [ "${INSTALL_K3S_SKIP_DOWNLOAD:-}" = binary ]; then
  info 'Skipping k3s download and verify'
  [ -x "$bin/k3s" ] || fatal "Executable k3s binary not found at $bin/k3s"
else
  release=${INSTALL_K3S_VERSION:-}
  [ -n "$release" ] || info "Finding release for channel ${INSTALL_K3S_CHANNEL:-stable}"
  release=${release:-v1.36.3+k3s1}
  info "Using $release as release"
  info "Downloading hash https://github.com/k3s-io/k3s/releases/download/$release/sha256sum-arm64.txt"
  # There is no way out of the lab; a test that wants the download to work makes this file.
  [ -e /var/lib/lab/online ] || fatal 'Download failed'
  info "Downloading binary https://github.com/k3s-io/k3s/releases/download/$release/k3s-arm64"
  info 'Verifying binary download'
  info "Installing k3s to $bin/k3s"
  sed "s/^version=.*/version=$release/" /usr/lib/lab/k3s | $SUDO tee "$bin/k3s" > /dev/null || fatal 'Download failed'
  $SUDO chmod 755 "$bin/k3s"
fi
info 'Skipping installation of SELinux RPM'
if [ "${INSTALL_K3S_SYMLINK:-}" != skip ]; then
  for tool in kubectl crictl ctr; do
    if [ -e "$bin/$tool" ]; then info "Skipping $bin/$tool symlink to k3s, already exists"; continue; fi
    info "Creating $bin/$tool symlink to k3s"
    $SUDO ln -s k3s "$bin/$tool"
  done
fi
info "Creating killall script $bin/k3s-killall.sh"
$SUDO tee "$bin/k3s-killall.sh" > /dev/null <<'TEXT'
#!/bin/sh
[ "$(id -u)" = 0 ] || exec sudo "$0" "$@"
for service in /etc/systemd/system/k3s*.service; do
  [ -s "$service" ] && systemctl stop "$(basename "$service")"
done
# Containers outlive the service, as those of k3s do.
for shim in $(pgrep -f '^/usr/bin/containerd-shim-runc-v2 .*/run/k3s/containerd'); do
  kill -KILL $(pgrep -P "$shim") "$shim" 2>/dev/null
done
for place in $(awk '$2 ~ "^(/run/k3s|/run/netns/cni-|/var/lib/kubelet)" { print $2 }' /proc/self/mounts | sort -r); do umount -l "$place"; done
[ ! -e /sys/class/net/cni0 ] && ! ip link show cni0 > /dev/null 2>&1 || ip link delete cni0
[ ! -x /usr/sbin/nft ] || { /usr/sbin/nft list tables | while read -r table; do case "$table" in *kube-proxy*) /usr/sbin/nft delete $table ;; esac; done; }
rm -rf /var/lib/cni /run/k3s /var/lib/kubelet/pods
TEXT
info "Creating uninstall script $bin/$name-uninstall.sh"
$SUDO tee "$bin/$name-uninstall.sh" > /dev/null <<TEXT
#!/bin/sh
[ "\$(id -u)" = 0 ] || exec sudo "\$0" "\$@"
$bin/k3s-killall.sh
systemctl disable $name
systemctl reset-failed $name
systemctl daemon-reload
rm -f $unit $environment
trap 'rm -f $bin/$name-uninstall.sh' EXIT
if ls $units/k3s*.service > /dev/null 2>&1; then
  echo 'Additional k3s services installed, skipping uninstall of k3s'
  exit
fi
for tool in kubectl crictl ctr; do [ ! -L $bin/\$tool ] || rm -f $bin/\$tool; done
rm -rf /etc/rancher/k3s /run/k3s /run/flannel /var/lib/rancher/k3s /var/lib/kubelet
rm -f $bin/k3s $bin/k3s-killall.sh
TEXT
$SUDO chmod 755 "$bin/k3s-killall.sh" "$bin/$name-uninstall.sh"

$SUDO systemctl disable "$name" > /dev/null 2>&1 || true
info "env: Creating environment file $environment"
$SUDO touch "$environment"
$SUDO chmod 600 "$environment"
# As the real one: every K3S_ variable of the caller, quoted.
sh -c export | sed 's/^export //' | grep -E '^(K3S|CONTAINERD)_' | $SUDO tee "$environment" > /dev/null || true
info "systemd: Creating service file $unit"
arguments=
for argument; do arguments="$arguments \\
	'$(printf %s "$argument" | sed "s/'/'\\\\''/g")'"; done
$SUDO tee "$unit" > /dev/null <<TEXT
[Unit]
Description=Lightweight Kubernetes
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=${INSTALL_K3S_TYPE:-notify}
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-$environment
KillMode=process
Delegate=yes
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStart=$bin/k3s $command$arguments
TEXT
[ "${INSTALL_K3S_SKIP_ENABLE:-}" != true ] || exit 0
info "systemd: Enabling $name unit"
$SUDO systemctl enable "$name"
$SUDO systemctl daemon-reload
[ "${INSTALL_K3S_SKIP_START:-}" != true ] || exit 0
after=$(sha256sum "$bin/k3s" "$unit" 2>/dev/null || true; $SUDO cat "$environment" 2>/dev/null || true)
if [ "$before" = "$after" ] && [ "${INSTALL_K3S_FORCE_RESTART:-}" != true ] && systemctl is-active -q "$name"; then
  info 'No change detected so skipping service start'
  exit 0
fi
info "systemd: Starting $name"
$SUDO systemctl restart "$name"

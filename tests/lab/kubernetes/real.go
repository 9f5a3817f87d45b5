package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// A node whose pods are real: containerd, kubelet and kube-proxy take KWOK's place. They read and write below these folders,
// as those of k3s do.
const (
	containerdState  = "/run/k3s/containerd"
	containerdSocket = containerdState + "/containerd.sock"
	pauseImage       = "docker.io/rancher/mirrored-pause:3.6"
	// The host's own iptables is a stand-in; the plugins of pods' networks use the machine's.
	realPath = "/usr/lib/lab/netfilter:/usr/lib/lab/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// startReal starts the three, and returns when the kubelet has taken the Node over; the channel has the first that ended.
func (n *node) startReal(ctx context.Context) (<-chan error, error) {
	if err := n.writeReal(); err != nil {
		return nil, err
	}
	ended := make(chan error, 3)
	part := func(name string, arguments ...string) error { return n.part(ctx, ended, name, arguments...) }
	if err := part("containerd", "--config", n.file("containerd.toml")); err != nil {
		return nil, err
	}
	if err := n.importPause(ctx); err != nil {
		return nil, err
	}
	kubeconfig := n.file("kubelet.kubeconfig")
	if err := part("kubelet", "--kubeconfig", kubeconfig, "--config", n.file("kubelet.yaml"), "--hostname-override", n.name,
		"--node-ip", n.address, "--root-dir", "/var/lib/kubelet", "--cert-dir", n.file("kubelet-pki")); err != nil {
		return nil, err
	}
	if err := part("kube-proxy", "--config", n.file("kube-proxy.yaml")); err != nil {
		return nil, err
	}
	return ended, n.awaitKubelet(ctx, ended)
}

// file is a path in the folder of the agent.
func (n *node) file(name string) string { return filepath.Join(n.data, name) }

// part starts a program with a log of its own; it ends with this process.
func (n *node) part(ctx context.Context, ended chan<- error, name string, arguments ...string) error {
	program, err := lookIn(name)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(n.file(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	worker := exec.CommandContext(ctx, program, arguments...)
	worker.Cancel = func() error { return worker.Process.Signal(syscall.SIGTERM) }
	worker.WaitDelay = 3 * time.Second
	worker.Env = append(os.Environ(), "HOME=/root", "PATH="+realPath, "LAB_KUBELET_VERSION="+n.kubelet)
	worker.Stdout, worker.Stderr = log, log
	worker.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := worker.Start(); err != nil {
		return err
	}
	n.parts++
	go func() { ended <- fmt.Errorf("%s exited: %v, see %s", name, worker.Wait(), log.Name()) }()
	return nil
}

func lookIn(name string) (string, error) {
	for _, folder := range strings.Split(realPath, ":") {
		path := filepath.Join(folder, name)
		if found, err := os.Stat(path); err == nil && !found.IsDir() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not there: tests/lab/install brings what real pods need", name)
}

// importPause loads the image that holds a pod's namespaces, as k3s does with its archive of images.
func (n *node) importPause(ctx context.Context) error {
	for {
		output, err := exec.CommandContext(ctx, "/usr/bin/ctr", "--address", containerdSocket, "--namespace", "k8s.io",
			"images", "import", "/usr/lib/lab/bin/pause.tar").CombinedOutput()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("importing the pause image: %s", output)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// awaitKubelet returns once the kubelet writes the Node's status.
func (n *node) awaitKubelet(ctx context.Context, ended <-chan error) error {
	for {
		made, err := n.client.CoreV1().Nodes().Get(ctx, n.name, meta.GetOptions{})
		if err == nil && strings.HasPrefix(made.Status.NodeInfo.ContainerRuntimeVersion, "containerd://1") {
			return nil
		}
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (n *node) writeReal() error {
	gateway := strings.Split(n.cidr, "/")[0]
	subnet := gateway[:strings.LastIndex(gateway, ".")] + ".0/24"
	files := map[string]string{
		"containerd.toml":                  n.containerdConfig(),
		"kubelet.yaml":                     fmt.Sprintf(kubeletConfig, containerdSocket, n.address),
		"kube-proxy.yaml":                  fmt.Sprintf(proxyConfig, n.file("kubelet.kubeconfig"), n.name, n.address),
		"etc/cni/net.d/10-bridge.conflist": fmt.Sprintf(networkConfig, subnet),
		"etc/containerd/certs.d/.keep":     "",
	}
	hosts, err := n.registryHosts()
	if err != nil {
		return err
	}
	for name, text := range hosts {
		files[name] = text
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(n.file(name)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(n.file(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// containerdConfig is what k3s writes, with what a machine without CAP_SYS_RESOURCE and AppArmor needs.
func (n *node) containerdConfig() string {
	text := fmt.Sprintf(containerdConfig, n.file("containerd"), containerdState, containerdSocket, pauseImage, n.file("etc/cni/net.d"),
		n.file("etc/containerd/certs.d"))
	if n.nvidia {
		text += `
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia]
  runtime_type = "io.containerd.runc.v2"
`
	}
	return text
}

// registryHosts is what k3s makes of its private registry file: a folder for each registry, with the login as a header.
func (n *node) registryHosts() (map[string]string, error) {
	text, err := os.ReadFile(n.registries)
	if n.registries == "" || os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var given struct {
		Mirrors map[string]struct {
			Endpoint []string `json:"endpoint"`
		} `json:"mirrors"`
		Configs map[string]struct {
			Auth struct{ Username, Password string } `json:"auth"`
			TLS  struct {
				CA string `json:"ca_file"`
			} `json:"tls"`
		} `json:"configs"`
	}
	if err := yaml.Unmarshal(text, &given); err != nil {
		return nil, fmt.Errorf("%s: %w", n.registries, err)
	}
	files := map[string]string{}
	for name, mirror := range given.Mirrors {
		text := ""
		for _, endpoint := range mirror.Endpoint {
			config := given.Configs[name]
			login := base64.StdEncoding.EncodeToString([]byte(config.Auth.Username + ":" + config.Auth.Password))
			text += fmt.Sprintf("[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n  ca = %q\n  [host.%q.header]\n    Authorization = %q\n",
				endpoint, config.TLS.CA, endpoint, "Basic "+login)
		}
		files[filepath.Join("etc/containerd/certs.d", name, "hosts.toml")] = text
	}
	return files, nil
}

// balance says of each Service of type LoadBalancer that this device answers for it, as the service load balancer of k3s does;
// kube-proxy brings requests of that address to its pods.
func (n *node) balance(ctx context.Context) {
	for {
		services, err := n.client.CoreV1().Services("").List(ctx, meta.ListOptions{})
		if err == nil {
			for i := range services.Items {
				n.answerFor(ctx, &services.Items[i])
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (n *node) answerFor(ctx context.Context, service *core.Service) {
	if service.Spec.Type != core.ServiceTypeLoadBalancer || len(service.Status.LoadBalancer.Ingress) > 0 {
		return
	}
	patch := fmt.Sprintf(`{"status":{"loadBalancer":{"ingress":[{"ip":%q}]}}}`, n.address)
	_, err := n.client.CoreV1().Services(service.Namespace).Patch(ctx, service.Name, types.MergePatchType, []byte(patch), meta.PatchOptions{}, "status")
	if err != nil {
		logLine("error", "service %s/%s: %v", service.Namespace, service.Name, err)
	}
}

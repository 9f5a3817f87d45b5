package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// The Secret that hands a joined node its lasting credential, as the k3s supervisor hands out certificates.
const (
	credentialNamespace = "kube-system"
	credentialName      = "lab-node-credential"
	gpu                 = core.ResourceName("nvidia.com/gpu")
)

// node plays what `k3s agent` does on a device: it proves the join token to the real API server, registers the Node,
// keeps KWOK running for it, offers GPUs as a device plugin would, and serves container logs.
type node struct {
	name, address, server, token   string
	labels, taints                 repeated
	kubelet, runtime, image        string
	kernel, architecture           string
	defaultRuntime                 string
	data, etc, stages, kwok, ready string
	memory, cpus, cidr             string
	registries                     string
	nvidia, real                   bool
	parts                          int
	client                         kubernetes.Interface
}

type repeated []string

func (r *repeated) String() string     { return strings.Join(*r, ",") }
func (r *repeated) Set(s string) error { *r = append(*r, strings.Split(s, ",")...); return nil }

func runNode() {
	n := node{}
	flags := flag.NewFlagSet("lab-node", flag.ExitOnError)
	flags.StringVar(&n.name, "name", "", "name of the Node")
	flags.StringVar(&n.address, "address", "", "address of the device")
	flags.StringVar(&n.server, "server", "", "https://ADDRESS:PORT of the API server")
	flags.StringVar(&n.token, "token", "", "join token: K10<hash>::<user>:<secret>, K10<hash>::<id>.<secret>, or the part after ::")
	flags.Var(&n.labels, "label", "KEY=VALUE, given to a new Node; may be repeated")
	flags.Var(&n.taints, "taint", "KEY=VALUE:EFFECT, given to a new Node; may be repeated")
	flags.StringVar(&n.kubelet, "kubelet-version", "", "what the Node says of its kubelet")
	flags.StringVar(&n.runtime, "runtime-version", "containerd://2.1.5-k3s1", "what the Node says of its container runtime")
	flags.StringVar(&n.image, "os-image", "", "what the Node says of its system")
	flags.StringVar(&n.kernel, "kernel-version", "", "what the Node says of its kernel")
	flags.StringVar(&n.architecture, "architecture", runtime.GOARCH, "what the Node says of its processor")
	flags.StringVar(&n.defaultRuntime, "default-runtime", "", "runtime of pods without a runtime class")
	flags.BoolVar(&n.nvidia, "nvidia", false, "the container runtime knows the nvidia runtime")
	flags.StringVar(&n.data, "data", "/var/lib/rancher/k3s/agent", "folder for the kubeconfig and the log server's key")
	flags.StringVar(&n.etc, "node-etc", "/etc/rancher/node", "folder for the node password")
	flags.StringVar(&n.stages, "stages", "", "KWOK stages")
	flags.StringVar(&n.kwok, "kwok", "kwok", "the kwok program")
	flags.StringVar(&n.ready, "ready-file", "", "written once the Node is registered")
	flags.StringVar(&n.memory, "memory", "7619Mi", "memory of the Node")
	flags.StringVar(&n.cpus, "cpus", "6", "processors of the Node")
	flags.StringVar(&n.cidr, "pod-cidr", "10.42.0.1/24", "addresses of the Node's pods")
	flags.BoolVar(&n.real, "real", false, "pods really run: containerd, kubelet and kube-proxy in place of KWOK")
	flags.StringVar(&n.registries, "registries", "", "the private registry file of k3s, for pods that really run")
	_ = flags.Parse(os.Args[1:])

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := n.run(ctx); err != nil && ctx.Err() == nil {
		logLine("fatal", "%v", err)
		os.Exit(1)
	}
}

// logLine writes as k3s does.
func logLine(level, format string, args ...any) {
	fmt.Fprintf(os.Stderr, "time=%q level=%s msg=%q\n", time.Now().UTC().Format(time.RFC3339), level, fmt.Sprintf(format, args...))
}

func (n *node) run(ctx context.Context) error {
	if n.name == "" || n.server == "" || n.token == "" || n.address == "" {
		return errors.New("--name, --address, --server and --token are required")
	}
	if err := os.MkdirAll(n.data, 0o755); err != nil {
		return err
	}
	config, err := n.join(ctx)
	if err != nil {
		return err
	}
	if n.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if err := n.register(ctx); err != nil {
		return err
	}
	ended, err := n.start(ctx)
	if err != nil {
		return err
	}
	if n.ready != "" {
		if err := os.WriteFile(n.ready, []byte("READY=1\n"), 0o644); err != nil {
			return err
		}
	}
	logLine("info", "Started kubelet of node %s", n.name)
	select {
	case err = <-ended:
	case <-ctx.Done():
		// They were asked to end, too.
		for range n.parts {
			<-ended
		}
		return nil
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// start starts what plays the kubelet; the channel says when that ended.
func (n *node) start(ctx context.Context) (<-chan error, error) {
	if n.real {
		go n.balance(ctx)
		return n.startReal(ctx)
	}
	worker, err := n.startKwok(ctx)
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	n.parts = 1
	go func() { ended <- fmt.Errorf("kubelet exited: %v", worker.Wait()) }()
	go serveLogs(ctx, n)
	go n.offerGPU(ctx)
	return ended, nil
}

// join tries until the server is there and takes the token. Like k3s it never gives up: a wrong token and a server that
// is away look alike from outside, and only the log says which.
func (n *node) join(ctx context.Context) (*rest.Config, error) {
	path := filepath.Join(n.data, "kubelet.kubeconfig")
	if config, err := clientcmd.BuildConfigFromFlags(n.server, path); err == nil {
		if n.await(ctx, func() error { return probe(ctx, config) }) == nil {
			return config, nil
		}
	}
	var config *rest.Config
	err := n.await(ctx, func() (err error) { config, err = n.exchange(ctx, path); return err })
	return config, err
}

func (n *node) await(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		logLine("error", "Failed to validate connection to cluster at %s: %v", n.server, err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Second):
		}
		if _, err := os.Stat(filepath.Join(n.data, "kubelet.kubeconfig")); apierrors.IsUnauthorized(err) {
			return err
		}
	}
}

func probe(ctx context.Context, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Namespaces().Get(ctx, "kube-system", meta.GetOptions{})
	return err
}

// exchange proves the token and takes the lasting credential.
func (n *node) exchange(ctx context.Context, path string) (*rest.Config, error) {
	ca, err := serverCA(n.server)
	if err != nil {
		return nil, fmt.Errorf("failed to get CA certs: %w", err)
	}
	bearer := n.token
	if rest, ok := strings.CutPrefix(n.token, "K10"); ok {
		hash, secret, ok := strings.Cut(rest, "::")
		if !ok {
			return nil, errors.New("token must not be empty, and must have the form K10<CA-HASH>::<USERNAME>:<PASSWORD>")
		}
		sum := sha256.Sum256(ca)
		if have := hex.EncodeToString(sum[:]); have != hash {
			return nil, fmt.Errorf("token CA hash does not match the Cluster CA certificate hash: %s != %s", hash, have)
		}
		bearer = secret
	}
	if _, password, ok := strings.Cut(bearer, ":"); ok {
		bearer = password
	}
	joining := &rest.Config{Host: n.server, BearerToken: bearer, Timeout: 10 * time.Second, TLSClientConfig: rest.TLSClientConfig{CAData: ca}}
	client, err := kubernetes.NewForConfig(joining)
	if err != nil {
		return nil, err
	}
	secret, err := client.CoreV1().Secrets(credentialNamespace).Get(ctx, credentialName, meta.GetOptions{})
	if apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err) {
		return nil, fmt.Errorf("failed to get %s/v1-k3s/client-kubelet.crt: not authorized", n.server)
	}
	if err != nil {
		return nil, err
	}
	if err := n.checkPassword(ctx, joining, string(secret.Data["token"])); err != nil {
		return nil, err
	}
	kubeconfig := api.NewConfig()
	kubeconfig.Clusters["local"] = &api.Cluster{Server: n.server, CertificateAuthorityData: ca}
	kubeconfig.AuthInfos["user"] = &api.AuthInfo{Token: string(secret.Data["token"])}
	kubeconfig.Contexts["Default"] = &api.Context{Cluster: "local", AuthInfo: "user"}
	kubeconfig.CurrentContext = "Default"
	if err := clientcmd.WriteToFile(*kubeconfig, path); err != nil {
		return nil, err
	}
	return clientcmd.BuildConfigFromFlags("", path)
}

// checkPassword binds the name to this device: another device may not take the name while its Node is there.
func (n *node) checkPassword(ctx context.Context, base *rest.Config, token string) error {
	file := filepath.Join(n.etc, "password")
	password, err := os.ReadFile(file)
	if err != nil {
		random := make([]byte, 16)
		if _, err := rand.Read(random); err != nil {
			return err
		}
		password = []byte(hex.EncodeToString(random) + "\n")
		if err := os.MkdirAll(n.etc, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, password, 0o600); err != nil {
			return err
		}
	}
	config := rest.CopyConfig(base)
	config.BearerToken = token
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(bytes.TrimSpace(password))
	hash := hex.EncodeToString(sum[:])
	secrets := client.CoreV1().Secrets(credentialNamespace)
	name := n.name + ".node-password.k3s"
	known, err := secrets.Get(ctx, name, meta.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = secrets.Create(ctx, &core.Secret{ObjectMeta: meta.ObjectMeta{Name: name}, StringData: map[string]string{"hash": hash}}, meta.CreateOptions{})
		return err
	}
	if err != nil || string(known.Data["hash"]) == hash {
		return err
	}
	if _, err := client.CoreV1().Nodes().Get(ctx, n.name, meta.GetOptions{}); apierrors.IsNotFound(err) {
		known.Data["hash"] = []byte(hash)
		_, err = secrets.Update(ctx, known, meta.UpdateOptions{})
		return err
	}
	return fmt.Errorf("Node password rejected, duplicate hostname or contents of '%s' may not match server node-passwd entry, try enabling a unique node name with the --with-node-id flag", file)
}

// serverCA is the last certificate that the server shows: the control plane serves its CA with its certificate.
func serverCA(server string) ([]byte, error) {
	at, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	// Nothing is trusted yet: the hash inside the token decides afterwards.
	connection, err := tls.DialWithDialer(dialer, "tcp", at.Host, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	chain := connection.ConnectionState().PeerCertificates
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[len(chain)-1].Raw}), nil
}

func (n *node) register(ctx context.Context) error {
	nodes := n.client.CoreV1().Nodes()
	labels := map[string]string{
		"kubernetes.io/hostname": n.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": n.architecture,
		"beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": n.architecture,
		"node.kubernetes.io/instance-type": "k3s",
	}
	for _, label := range n.labels {
		key, value, _ := strings.Cut(label, "=")
		labels[key] = value
	}
	want := &core.Node{ObjectMeta: meta.ObjectMeta{
		Name: n.name, Labels: labels,
		Annotations: map[string]string{"k3s.io/internal-ip": n.address, "k3s.io/hostname": n.name},
	}}
	if !n.real {
		want.Annotations["kwok.x-k8s.io/node"] = "fake"
	}
	for _, text := range n.taints {
		rule, effect, _ := strings.Cut(text, ":")
		key, value, _ := strings.Cut(rule, "=")
		want.Spec.Taints = append(want.Spec.Taints, core.Taint{Key: key, Value: value, Effect: core.TaintEffect(effect)})
	}
	// As with k3s, labels and taints are given to a new Node only.
	made, err := nodes.Create(ctx, want, meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		made, err = nodes.Get(ctx, n.name, meta.GetOptions{})
	}
	if err != nil {
		return fmt.Errorf("unable to register node %s: %w", n.name, err)
	}
	// The node controllers write to a new Node at once, too.
	for {
		n.describe(made)
		_, err = nodes.UpdateStatus(ctx, made, meta.UpdateOptions{})
		if !apierrors.IsConflict(err) {
			break
		}
		if made, err = nodes.Get(ctx, n.name, meta.GetOptions{}); err != nil {
			break
		}
	}
	if err == nil {
		n.ownPassword(ctx, made)
	}
	return err
}

// describe fills in what a kubelet says of its device.
func (n *node) describe(made *core.Node) {
	capacity := core.ResourceList{
		core.ResourceCPU: resource.MustParse(n.cpus), core.ResourceMemory: resource.MustParse(n.memory),
		core.ResourcePods: resource.MustParse("110"), core.ResourceEphemeralStorage: resource.MustParse("58Gi"),
	}
	made.Status.Capacity, made.Status.Allocatable = capacity, capacity
	made.Status.Addresses = []core.NodeAddress{{Type: core.NodeInternalIP, Address: n.address}, {Type: core.NodeHostName, Address: n.name}}
	made.Status.DaemonEndpoints.KubeletEndpoint.Port = logPort
	made.Status.NodeInfo = core.NodeSystemInfo{
		KubeletVersion: n.kubelet, KubeProxyVersion: n.kubelet, ContainerRuntimeVersion: n.runtime, OSImage: n.image,
		KernelVersion: n.kernel, Architecture: n.architecture, OperatingSystem: "linux",
	}
}

// ownPassword lets the password go with its Node, as the k3s server does.
func (n *node) ownPassword(ctx context.Context, made *core.Node) {
	patch := fmt.Sprintf(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Node","name":%q,"uid":%q}]}}`, n.name, made.UID)
	_, _ = n.client.CoreV1().Secrets(credentialNamespace).Patch(ctx, n.name+".node-password.k3s", types.MergePatchType, []byte(patch), meta.PatchOptions{})
}

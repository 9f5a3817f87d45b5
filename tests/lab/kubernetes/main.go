// One program for the parts of a Kubernetes control plane and its client. The
// name it is called by says which part it is, as with busybox.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/component-base/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
	_ "time/tzdata"
)

func main() {
	var part *cobra.Command
	switch name := filepath.Base(os.Args[0]); name {
	case "etcd":
		etcdmain.Main(os.Args)
		return
	case "kube-apiserver":
		part = apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		part = controllers.NewControllerManagerCommand()
	case "kube-scheduler":
		part = scheduler.NewSchedulerCommand()
	case "kube-proxy":
		part = proxy.NewProxyCommand()
	case "kubelet":
		// k3s calls its kubelet by its own version.
		if said := os.Getenv("LAB_KUBELET_VERSION"); said != "" {
			if err := version.SetDynamicVersion(said); err != nil {
				fmt.Fprintf(os.Stderr, "kubelet: %v\n", err)
			}
		}
		part = kubelet.NewKubeletCommand(context.Background())
	case "lab-node":
		runNode()
		return
	case "kubectl":
		part = kubectl.NewDefaultKubectlCommand()
	default:
		fmt.Fprintf(os.Stderr, "kubelab: no part is called %q; call it as etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubectl or lab-node\n", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(part))
}

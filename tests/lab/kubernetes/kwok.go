package main

import (
	"bytes"
	"context"
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
)

// startKwok runs KWOK on this device and for this Node alone: when the device is cut off, so is its lease.
func (n *node) startKwok(ctx context.Context) (*exec.Cmd, error) {
	stages, err := os.ReadFile(n.stages)
	if err != nil {
		return nil, err
	}
	if !n.nvidia {
		// A pod whose runtime class has no handler here never leaves ContainerCreating.
		stages = bytes.ReplaceAll(stages, []byte("[runc, nvidia]"), []byte("[runc]"))
	}
	config := filepath.Join(n.data, "kwok.yaml")
	if err := os.WriteFile(config, stages, 0o644); err != nil {
		return nil, err
	}
	worker := exec.CommandContext(ctx, n.kwok, "--kubeconfig", filepath.Join(n.data, "kubelet.kubeconfig"), "--config", config,
		"--manage-all-nodes=false", "--manage-single-node", n.name, "--node-ip", n.address, "--cidr", n.cidr,
		"--node-lease-duration-seconds", "4")
	worker.Cancel = func() error { return worker.Process.Signal(syscall.SIGTERM) }
	worker.WaitDelay = 2 * time.Second
	worker.Env = append(os.Environ(), "HOME="+n.data)
	log, err := os.OpenFile(filepath.Join(n.data, "kwok.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	worker.Stdout, worker.Stderr = log, log
	worker.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return worker, worker.Start()
}

// offerGPU says what a device plugin on this device would say: one GPU while a plugin pod runs here under the nvidia
// runtime, none otherwise.
func (n *node) offerGPU(ctx context.Context) {
	said := ""
	for {
		pods, err := n.client.CoreV1().Pods("").List(ctx, meta.ListOptions{FieldSelector: "spec.nodeName=" + n.name})
		if err == nil {
			want := "0"
			for i := range pods.Items {
				if n.isDevicePlugin(&pods.Items[i]) {
					want = "1"
				}
			}
			if want != said && (want == "1" || said != "") && n.patchGPU(ctx, want) == nil {
				logLine("info", "Device plugin offers %s of %s", want, gpu)
				said = want
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (n *node) patchGPU(ctx context.Context, count string) error {
	patch := fmt.Sprintf(`{"status":{"capacity":{%q:"1"},"allocatable":{%q:%q}}}`, gpu, gpu, count)
	_, err := n.client.CoreV1().Nodes().Patch(ctx, n.name, types.StrategicMergePatchType, []byte(patch), meta.PatchOptions{}, "status")
	return err
}

func (n *node) isDevicePlugin(pod *core.Pod) bool {
	if pod.Status.Phase != core.PodRunning || pod.DeletionTimestamp != nil || !n.hasNvidia(pod) {
		return false
	}
	for _, container := range pod.Spec.Containers {
		if strings.Contains(container.Image, "k8s-device-plugin") {
			return true
		}
	}
	return false
}

// hasNvidia: the pod's containers would be started by the nvidia runtime.
func (n *node) hasNvidia(pod *core.Pod) bool {
	class := n.defaultRuntime
	if pod.Spec.RuntimeClassName != nil {
		class = *pod.Spec.RuntimeClassName
	}
	return n.nvidia && strings.HasPrefix(class, "nvidia")
}

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// logPort is where the API server asks a kubelet for logs.
const logPort = 10250

// serveLogs answers `kubectl logs`: pods run nothing here, so the text follows from what the pod may use.
func serveLogs(ctx context.Context, n *node) {
	certificate, err := ownCertificate(n.address)
	if err != nil {
		logLine("error", "log server: %v", err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", n.containerLogs)
	server := &http.Server{
		Addr: net.JoinHostPort(n.address, fmt.Sprint(logPort)), Handler: mux, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
	}
	go func() { <-ctx.Done(); _ = server.Close() }()
	if err := server.ListenAndServeTLS("", ""); err != nil && ctx.Err() == nil {
		logLine("error", "log server: %v", err)
	}
}

func (n *node) containerLogs(w http.ResponseWriter, r *http.Request) {
	pod, err := n.client.CoreV1().Pods(r.PathValue("namespace")).Get(r.Context(), r.PathValue("pod"), meta.GetOptions{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	for _, container := range pod.Spec.Containers {
		if container.Name == r.PathValue("container") {
			fmt.Fprint(w, n.logOf(pod, &container))
			return
		}
	}
	http.Error(w, "container not found", http.StatusNotFound)
}

// logOf says what CUDA's vectorAdd sample says with and without a GPU; stages.yaml ends such pods by the same rule.
func (n *node) logOf(pod *core.Pod, container *core.Container) string {
	if !strings.Contains(container.Image, "cuda") && !strings.Contains(container.Image, "vectoradd") {
		return "this pod runs nothing: it is simulated\n"
	}
	count := container.Resources.Limits[gpu]
	if count.IsZero() || !n.hasNvidia(pod) {
		return "[Vector addition of 50000 elements]\n" +
			"Failed to allocate device vector A (error code no CUDA-capable device is detected)!\n"
	}
	return "[Vector addition of 50000 elements]\n" +
		"Copy input data from the host memory to the CUDA device\n" +
		"CUDA kernel launch with 196 blocks of 256 threads\n" +
		"Copy output data from the CUDA device to the host memory\n" +
		"Test PASSED\nDone\n"
}

func ownCertificate(address string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IPAddresses: []net.IP{net.ParseIP(address)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

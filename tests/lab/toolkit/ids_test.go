// Package toolkit holds the pair of NVIDIA's device plugin and container toolkit that a plan brings to devices: the plugin hands out the id
// of a GPU, and the toolkit makes the container with it. What the toolkit takes is asked of its own code, at the version in go.mod. The
// plugin's module is not served by the Go proxy: its ids stand below, by its source at v0.20.0
// (internal/rm/tegra_devices.go, internal/plugin/server.go).
//
//	cd tests/lab/toolkit && go test ./...
package toolkit

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/NVIDIA/nvidia-container-toolkit/pkg/nvcdi"
)

// The id of a Jetson's GPU by the plugin's DEVICE_ID_STRATEGY. Without the setting it is uuid.
var ids = map[string]string{"index": "0", "uuid": "tegra"}

// strategy is what the shipped DaemonSet sets.
func strategy(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../templates/kubernetes/gpu.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`name: DEVICE_ID_STRATEGY\n\s+value: (\w+)`).FindSubmatch(text)
	if found == nil {
		return "uuid"
	}
	return string(found[1])
}

// made is what the toolkit says of a device id in its csv mode, on the root of a Jetson.
func made(t *testing.T, id string) error {
	t.Helper()
	root := t.TempDir()
	for path, text := range map[string]string{
		"etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n",
		"etc/nvidia-container-runtime/host-files-for-container.d/devices.csv": "dev, /dev/nvmap\n",
		"sys/devices/soc0/family": "Tegra\n",
	} {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lib, err := nvcdi.New(
		nvcdi.WithMode(nvcdi.ModeCSV),
		nvcdi.WithDriverRoot(root),
		nvcdi.WithCSVFiles([]string{filepath.Join(root, "etc/nvidia-container-runtime/host-files-for-container.d/devices.csv")}),
	)
	if err != nil {
		t.Fatal(err)
	}
	_, err = lib.GetDeviceSpecsByID(id)
	return err
}

func TestTheToolkitTakesTheIdThatThePluginHandsOut(t *testing.T) {
	if err := made(t, ids[strategy(t)]); err != nil {
		t.Fatalf("no pod would get a GPU: %v", err)
	}
}

func TestTheDefaultStrategyIsRefused(t *testing.T) {
	// Why the setting is there. When this fails, the toolkit takes both, and the setting may go.
	if err := made(t, ids["uuid"]); err == nil || !strings.Contains(err.Error(), "unsupported device id") {
		t.Fatalf("the toolkit says of %q: %v", ids["uuid"], err)
	}
	if err := made(t, "all"); err != nil {
		t.Fatal(err)
	}
}

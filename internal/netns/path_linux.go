package netns

import (
	"errors"
	"io/fs"
	"net/netip"
	"testing"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/sim"
)

// PathMTU is the MTU of the devices that [Path] makes, in bytes.
const PathMTU = 1500

// Path joins a and b, who are the ends A and B of p, by TUN devices with the
// path between, in real time, and returns the names of the two devices.
// Addresses are given as by [Veth]. The path runs until the end of the test; a
// [sim.Tap] on it tells what has passed.
//
// Where TUN devices are not permitted the test is skipped, or fails when the
// environment says FASTOPEN_CI=1.
func Path(t testing.TB, a, b *Host, p *sim.Path, addrs ...netip.Prefix) (devA, devB string) {
	t.Helper()
	devA, devB = a.nextDevice("tun"), b.nextDevice("tun")
	tunA, tunB := a.openTUN(t, devA), b.openTUN(t, devB)
	bridge, err := sim.NewBridge(tunA, tunB, p)
	if err != nil {
		t.Fatalf("join hosts %s and %s by a path: %v", a, b, err)
	}
	t.Cleanup(func() {
		if err := bridge.Close(); err != nil {
			t.Errorf("path between hosts %s and %s: %v", a, b, err)
		}
	})
	toA, toB := share(addrs)
	a.Up(t, devA, toA...)
	b.Up(t, devB, toB...)
	return devA, devB
}

func (h *Host) openTUN(t testing.TB, name string) (dev *link.TUN) {
	t.Helper()
	var err error
	h.Do(func() { dev, err = link.OpenTUN(link.TUNConfig{Name: name, MTU: PathMTU}) })
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		unavailable(t, "host "+h.name, err, "load the tun module and run as a user who may open /dev/net/tun")
	}
	if err != nil {
		t.Fatalf("host %s: %v", h, err)
	}
	return dev
}

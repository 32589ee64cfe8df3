package wg_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/fastopen-go/fastopen/link/wg"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"
)

// The addresses inside of the tunnel.
var (
	a4, a6 = netip.MustParseAddr("192.168.4.1"), netip.MustParseAddr("fd00:4::1")
	b4, b6 = netip.MustParseAddr("192.168.4.2"), netip.MustParseAddr("fd00:4::2")
)

const mtu = 1420

// newNet makes the end of a tunnel that is ours.
func newNet(t testing.TB, dns []netip.Addr, addrs ...netip.Addr) (tun.Device, *wg.Net) {
	t.Helper()
	dev, n, err := wg.CreateNetTUN(addrs, dns, mtu)
	if err != nil {
		t.Fatal(err)
	}
	return dev, n
}

// newPair makes two stacks that are joined by WireGuard, over UDP on the loopback.
func newPair(t testing.TB) (a, b *wg.Net) {
	t.Helper()
	devA, a := newNet(t, []netip.Addr{b4}, a4, a6)
	devB, b := newNet(t, nil, b4, b6)
	tunnel(t, devA, devB)
	return a, b
}

// tunnel makes a tunnel between two devices until the end of the test: whoever
// is asked at b for what is not b's gets it through a, and the other way round.
func tunnel(t testing.TB, devA, devB tun.Device) {
	t.Helper()
	keys := [2]*ecdh.PrivateKey{newKey(t), newKey(t)}
	var ends [2]*device.Device
	for i, dev := range []tun.Device{devA, devB} {
		log := &device.Logger{Verbosef: device.DiscardLogf, Errorf: t.Logf}
		ends[i] = device.NewDevice(dev, conn.NewDefaultBind(), log)
		t.Cleanup(ends[i].Close)
		set(t, ends[i], "private_key=%x\n", keys[i].Bytes())
		if err := ends[i].Up(); err != nil {
			t.Fatal(err)
		}
	}
	for i, end := range ends {
		set(t, end, "public_key=%x\nendpoint=127.0.0.1:%s\nallowed_ip=0.0.0.0/0\nallowed_ip=::/0\n", keys[1-i].PublicKey().Bytes(), port(t, ends[1-i]))
	}
}

func newKey(t testing.TB) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func set(t testing.TB, d *device.Device, format string, args ...any) {
	t.Helper()
	if err := d.IpcSet(fmt.Sprintf(format, args...)); err != nil {
		t.Fatal(err)
	}
}

// port is the UDP port that a device listens on.
func port(t testing.TB, d *device.Device) string {
	t.Helper()
	state, err := d.IpcGet()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(state) {
		if p, ok := strings.CutPrefix(line, "listen_port="); ok {
			return strings.TrimSpace(p)
		}
	}
	t.Fatal("the device does not say what port it listens on")
	return ""
}

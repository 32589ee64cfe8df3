package kernel

import (
	"net/netip"
	"slices"
	"testing"
)

func TestPendingOf(t *testing.T) {
	at := netip.MustParseAddrPort
	listeners := []Listener{
		{Local: at("0.0.0.0:80")}, {Local: at("10.0.0.1:80")}, {Local: at("[::]:443"), V6Only: true}, {Local: at("[::]:8080")},
		{Local: at("[::]:8080")}, {Local: at("[fe80::1%eth0]:80")},
	}
	got := PendingOf(listeners, map[netip.AddrPort]int{
		at("10.0.0.1:80"): 1, at("10.0.0.2:80"): 2, at("10.0.0.1:443"): 4, at("[fd00::1]:443"): 8,
		at("10.0.0.1:8080"): 16, at("[fd00::1]:8080"): 32, at("[fd00::1]:80"): 64, at("[fe80::1]:80"): 128, at("10.0.0.1:9"): 256,
	})
	if want := []int{2, 1, 8, 48, 0, 128}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

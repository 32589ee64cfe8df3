//go:build darwin || freebsd || linux

package sockopt

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSockaddr(t *testing.T) {
	lo := loopback(t)
	v6 := netip.MustParseAddr("fe80::1")
	for _, c := range []struct {
		from netip.AddrPort
		want unix.Sockaddr
	}{
		{netip.MustParseAddrPort("192.0.2.1:443"), &unix.SockaddrInet4{Port: 443, Addr: [4]byte{192, 0, 2, 1}}},
		{netip.MustParseAddrPort("0.0.0.0:0"), &unix.SockaddrInet4{}},
		{netip.MustParseAddrPort("[2001:db8::1]:65535"), &unix.SockaddrInet6{Port: 65535, Addr: [16]byte{0x20, 1, 0xd, 0xb8, 15: 1}}},
		{netip.AddrPortFrom(v6.WithZone(lo.Name), 80), &unix.SockaddrInet6{Port: 80, ZoneId: uint32(lo.Index), Addr: v6.As16()}},
		{netip.AddrPortFrom(v6.WithZone("77"), 80), &unix.SockaddrInet6{Port: 80, ZoneId: 77, Addr: v6.As16()}},
		{netip.AddrPortFrom(v6.WithZone("no such interface"), 80), &unix.SockaddrInet6{Port: 80, Addr: v6.As16()}},
	} {
		if got := sockaddr(c.from); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: got %+v want %+v", c.from, got, c.want)
		}
	}
}

func loopback(t *testing.T) net.Interface {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return i
		}
	}
	t.Skip("this host has no loopback interface")
	panic("unreachable")
}

func TestBind(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := Bind(uintptr(fd), netip.AddrPort{}); err != nil {
		t.Errorf("to nothing: %v", err)
	}
	want := netip.MustParseAddrPort("127.0.0.1:0")
	if err := Bind(uintptr(fd), want); err != nil {
		t.Fatalf("to %v: %v", want, err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := sa.(*unix.SockaddrInet4); !ok || got.Addr != want.Addr().As4() || got.Port == 0 {
		t.Errorf("bound to %+v, want %v", sa, want)
	}
	again := netip.AddrPortFrom(want.Addr(), uint16(sa.(*unix.SockaddrInet4).Port))
	var call *os.SyscallError
	if err := Bind(uintptr(fd), again); !errors.As(err, &call) || call.Syscall != "bind" || !errors.Is(err, unix.EINVAL) {
		t.Errorf("a second time, to port %s: got %v, want bind's EINVAL", strconv.Itoa(int(again.Port())), err)
	}
}

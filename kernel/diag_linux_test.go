package kernel

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// diagMessage is a struct inet_diag_msg of a listener at [2001:db8::1]:80.
func diagMessage(attrs ...[]byte) []byte {
	b := make([]byte, diagMessageLen)
	b[0], b[1] = unix.AF_INET6, stateListen
	binary.BigEndian.PutUint16(b[4:], 80)
	a := netip.MustParseAddr("2001:db8::1").As16()
	copy(b[8:], a[:])
	for i, v := range map[int]uint32{40: 7, 56: 3, 60: 511, 64: 33, 68: 4242} {
		binary.NativeEndian.PutUint32(b[i:], v)
	}
	return append(b, slices.Concat(attrs...)...)
}

// attr is a netlink attribute.
func attr(kind uint16, value string) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func TestParseDiag(t *testing.T) {
	want := Listener{Local: netip.MustParseAddrPort("[2001:db8::1]:80"), Backlog: 511, Waiting: 3, UID: 33, Inode: 4242}
	check := func(why string, b []byte, want Listener) {
		t.Helper()
		got, device, ok := parseDiag(b)
		if !ok || device != 7 || got.Local != want.Local || got.Backlog != want.Backlog || got.Waiting != want.Waiting ||
			got.UID != want.UID || got.Inode != want.Inode || got.V6Only != want.V6Only || got.MPTCP != want.MPTCP {
			t.Errorf("%s: got %#v on device %d, %t; want %#v on device 7", why, got, device, ok, want)
		}
	}
	check("bare", diagMessage(), want)
	check("an attribute that is cut off", diagMessage(attr(diagV6Only, "\x01")[:4]), want)
	want.V6Only = true
	check("IPv6 only", diagMessage(attr(8, "\x00"), attr(diagV6Only, "\x01")), want)
	want.MPTCP = true
	check("and MPTCP", diagMessage(attr(diagV6Only, "\x01"), attr(diagULP|unix.NLA_F_NESTED, string(attr(diagULPName, "mptcp\x00")))), want)

	whole := diagMessage()
	established := slices.Clone(whole)
	established[1] = 1
	foreign := slices.Clone(whole)
	foreign[0] = unix.AF_UNIX
	for why, b := range map[string][]byte{"nothing": nil, "cut off": whole[:71], "established": established, "no address": foreign} {
		if got, _, ok := parseDiag(b); ok {
			t.Errorf("%s: got %v", why, got)
		}
	}
}

func FuzzParseDiag(f *testing.F) {
	f.Add(diagMessage(attr(diagV6Only, "\x01"), attr(diagULP, string(attr(diagULPName, "mptcp\x00")))))
	f.Add(diagMessage(attr(diagULP, "\xff\xff\xff\xff")))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, _, ok := parseDiag(b)
		if ok != (len(b) >= diagMessageLen && b[1] == stateListen && (b[0] == unix.AF_INET || b[0] == unix.AF_INET6)) {
			t.Errorf("%x: taken %t as %#v", b, ok, l)
		}
		if ok && !l.Local.IsValid() {
			t.Errorf("%x: got no address", b)
		}
	})
}

func TestParseSocketLink(t *testing.T) {
	for link, want := range map[string]uint64{
		"socket:[608457]": 608457, "socket:[0]": 0, "socket:[]": 0, "socket:[1": 0, "socket:[-1]": 0,
		"pipe:[608457]": 0, "/dev/null": 0, "": 0, "anon_inode:[pidfd]": 0,
	} {
		if got := parseSocketLink(link); got != want {
			t.Errorf("%q: got %d, want %d", link, got, want)
		}
	}
}

func FuzzParseSocketLink(f *testing.F) {
	f.Add("socket:[608457]")
	f.Add("socket:[18446744073709551616]")
	f.Fuzz(func(t *testing.T, link string) { parseSocketLink(link) })
}

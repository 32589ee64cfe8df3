package wg_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/link/wg"
)

// echo is an ICMP echo request.
func echo(kind byte, seq uint16, data string) []byte {
	b := []byte{kind, 0, 0, 0, 0xde, 0xad}
	b = binary.BigEndian.AppendUint16(b, seq)
	return append(b, data...)
}

func TestPing(t *testing.T) {
	a, _ := newPair(t)
	for _, c := range []struct {
		to             netip.Addr
		request, reply byte
		network        string
	}{{b4, 8, 0, "ping4"}, {b6, 128, 129, "ping6"}} {
		p, err := a.Dial(c.network, c.to.String())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if p.LocalAddr().Network() != c.network || p.RemoteAddr().String() != c.to.String() {
			t.Errorf("from %v to %v", p.LocalAddr(), p.RemoteAddr())
		}
		p.SetDeadline(time.Now().Add(10 * time.Second))
		buf := make([]byte, 2000)
		for seq := range uint16(3) {
			if n, err := p.Write(echo(c.request, seq, "hello")); n != 13 || err != nil {
				t.Fatalf("Write: %d, %v", n, err)
			}
			n, err := p.Read(buf)
			if err != nil || n != 13 || buf[0] != c.reply || binary.BigEndian.Uint16(buf[6:]) != seq || string(buf[8:n]) != "hello" {
				t.Errorf("%v: read % x, %v", c.to, buf[:n], err)
			}
		}
		p.SetReadDeadline(time.Now())
		if _, err := p.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read after the deadline: %v", err)
		}
		p.SetReadDeadline(time.Time{})
		done := make(chan error)
		go func() { done <- second(p.Read(make([]byte, 10))) }()
		p.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read while closed: %v", err)
		}
		if _, err := p.Write(echo(c.request, 9, "")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after Close: %v", err)
		}
	}
}

// Two sockets do not read each other's replies, and one that listens hears who
// has answered.
func TestPingTwo(t *testing.T) {
	a, _ := newPair(t)
	var conns [2]*wg.PingConn
	for i := range conns {
		var err error
		if conns[i], err = a.ListenPing(wg.PingAddrFromAddr(a4)); err != nil {
			t.Fatal(err)
		}
		defer conns[i].Close()
		conns[i].SetReadDeadline(time.Now().Add(10 * time.Second))
	}
	for i, c := range conns {
		if _, err := c.WriteTo(echo(8, uint16(i), ""), &net.IPAddr{IP: b4.AsSlice()}); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range conns {
		buf := make([]byte, 100)
		n, from, err := c.ReadFrom(buf)
		if err != nil || from.String() != b4.String() || binary.BigEndian.Uint16(buf[6:]) != uint16(i) {
			t.Errorf("socket %d: read % x of %v, %v", i, buf[:n], from, err)
		}
		c.SetReadDeadline(time.Now())
		if n, _, err := c.ReadFrom(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("socket %d: read another % x, %v", i, buf[:n], err)
		}
	}
}

func TestPingErrors(t *testing.T) {
	dev, n := newNet(t, nil, a4)
	defer dev.Close()
	for _, c := range []struct{ local, remote netip.Addr }{{}, {b4, netip.Addr{}}, {a4, b6}, {netip.Addr{}, b6}} {
		if p, err := n.DialPingAddr(c.local, c.remote); err == nil {
			p.Close()
			t.Errorf("from %v to %v: no error", c.local, c.remote)
		}
	}
	p, err := n.DialPing(nil, wg.PingAddrFromAddr(b4))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, b := range [][]byte{nil, make([]byte, 7), echo(0, 1, ""), echo(128, 1, "")} {
		if _, err := p.Write(b); err == nil {
			t.Errorf("wrote % x", b)
		}
	}
	if _, err := p.Write(echo(8, 1, string(make([]byte, 1400)))); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("wrote what is too long: %v", err)
	}
	if _, err := p.WriteTo(echo(8, 1, ""), wg.PingAddrFromAddr(b6)); !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("wrote to another family: %v", err)
	}
}

package main

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/fastopen-go/fastopen/internal/netns"
)

// persist makes a TUN device on h that stays without anybody at its other end,
// with addresses on the kernel's side, as ip tuntap does.
func persist(t *testing.T, h *netns.Host, name string, addrs ...string) {
	t.Helper()
	h.Do(func() {
		d := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: name}, Mode: netlink.TUNTAP_MODE_TUN, Flags: netlink.TUNTAP_NO_PI | netlink.TUNTAP_VNET_HDR}
		if err := netlink.LinkAdd(d); err != nil {
			t.Fatalf("make %s: %v", name, err)
		}
		for _, text := range addrs {
			a, err := netlink.ParseAddr(text)
			if err != nil {
				t.Fatal(err)
			}
			a.Flags = 2 // IFA_F_NODAD
			if err := netlink.AddrAdd(d, a); err != nil {
				t.Fatalf("give %s to %s: %v", text, name, err)
			}
		}
		if err := netlink.LinkSetUp(d); err != nil {
			t.Fatal(err)
		}
		// It takes the kernel up to a second to see that nobody is there
		// any more, during which it does not notice who comes.
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			l, err := netlink.LinkByName(name)
			if err != nil {
				t.Fatal(err)
			}
			if l.Attrs().OperState == netlink.OperDown {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is %v although nobody has opened it", name, l.Attrs().OperState)
			}
		}
	})
}

// TestOwnTCP runs both verbs over the project's own TCP: against the kernel in
// either role, and against each other with the kernel as the router between.
func TestOwnTCP(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	h := netns.Self(t)
	h.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	h.Sysctl(t, "net.ipv4.ip_forward", "1")
	h.Sysctl(t, "net.ipv6.conf.all.forwarding", "1")
	persist(t, h, "ours0", "10.99.0.1/24", "fd99::1/64")
	persist(t, h, "ours1", "10.98.0.1/24", "fd98::1/64")

	s := serve(t, h, "--stack", "ours0", "--addr", "10.99.0.2/24", "--addr", "fd99::2/64", "--self-signed")
	s.next("start", 0).want(t, "start", event{"ready": true, "queue": 4096, "problem": nil})
	if got := s.url(0); got != "http://10.99.0.2:8080/" {
		t.Errorf("offered at %s", got)
	}
	fromKernel := func(url string) {
		t.Helper()
		for _, want := range []event{
			{"outcome": "cookie-requested", "cause": "none", "status": 200},
			{"outcome": "data-accepted", "cause": "none", "status": 200, "saved": true},
		} {
			n := s.count("request")
			one(t, h, "-k", url).want(t, "kernel to "+url, want)
			s.next("request", n).want(t, "served to the kernel", event{"outcome": want["outcome"]})
		}
	}
	fromKernel("http://10.99.0.2:8080/outcome")
	fromKernel("https://[fd99::2]:8443/outcome")

	kernel := serve(t, h, "--listen", ":8081")
	for _, to := range []struct {
		at   *served
		why  string
		urls []string
	}{
		{kernel, "to the kernel", []string{"http://10.98.0.1:8081/", "http://[fd98::1]:8081/"}},
		{s, "to each other", []string{"http://10.99.0.2:8080/", "https://[fd99::2]:8443/"}},
	} {
		for _, url := range to.urls {
			n := to.at.count("request")
			got := fetch(t, h, "-k", "--stack", "ours1", "--addr", "10.98.0.2/24", "--addr", "fd98::2/64", url, url, url)
			if len(got) != 3 {
				t.Fatalf("%s: %d connections", to.why, len(got))
			}
			for i, want := range []string{"cookie-requested", "data-accepted", "data-accepted"} {
				got[i].want(t, to.why+" "+url, event{"outcome": want, "cause": "none", "status": 200, "saved": i > 0})
				to.at.next("request", n+i).want(t, "as "+url+" sees it", event{"outcome": want})
			}
		}
	}
	nameServer(t, h, "10.98.0.1:53", netip.MustParseAddr("10.98.0.1"))
	got := one(t, h, "--stack", "ours1", "--addr", "10.98.0.2/24", "--dns", "10.98.0.1", "http://kernel.example:8081/")
	got.want(t, "by name", event{"status": 200, "remote": "10.98.0.1:8081"})
	if got.number("name_ms") <= 0 {
		t.Errorf("looking the name up took no time: %v", got)
	}
	s.stop()
	kernel.stop()
}

// nameServer answers on h that every name has the address a.
func nameServer(t *testing.T, h *netns.Host, at string, a netip.Addr) {
	t.Helper()
	var c net.PacketConn
	var err error
	h.Do(func() { c, err = net.ListenPacket("udp", at) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) == 0 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
					Body:   &dnsmessage.AResource{A: a.As4()},
				}}
			}
			if reply, err := m.Pack(); err == nil {
				c.WriteTo(reply, from)
			}
		}
	}()
}

// TestOwnTCPTrouble: what keeps the device from working is said in a sentence.
func TestOwnTCPTrouble(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	h := netns.Self(t)
	persist(t, h, "busy0", "10.99.0.1/24")
	s := serve(t, h, "--stack", "busy0", "--addr", "10.99.0.2/24")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--stack", "busy0", "--addr", "10.99.0.3/24", "http://10.99.0.1/"}, "another program does already"},
		{[]string{"--stack", "lo", "--addr", "10.99.0.3/24", "http://10.99.0.1/"}, "it is an interface of another kind"},
		{[]string{"--stack", "new0", "--addr", "10.97.0.2/24", "--connect-timeout", "0.2", "http://10.97.0.1/"}, "ip addr add 10.97.0.1/24 dev new0"},
		{[]string{"--stack", "new0", "--addr", "10.97.0.2/24", "--connect-timeout", "0.2", "http://10.97.0.1/"}, "did not answer within"},
	} {
		r := tfoOn(t, h, append([]string{"get"}, c.args...)...)
		if r.code != exitFailed || !strings.Contains(r.err, c.want) || strings.Contains(r.err, "panic") {
			t.Errorf("%v: exit code %d, %q, want %q", c.args, r.code, r.err, c.want)
		}
	}
	s.stop()
}

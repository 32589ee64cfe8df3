package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A namespace is a host of the kernel's. The zero handle is the process's own,
// which the benchmark has made for it.
type namespace struct {
	ns netns.NsHandle
	nl *netlink.Handle
}

// ownNamespace is the process's own.
func ownNamespace() (*namespace, error) {
	ns, err := netns.Get()
	if err != nil {
		return nil, err
	}
	return namespaceOf(ns)
}

// newNamespace is another, that is gone with the process.
func newNamespace() (*namespace, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := netns.Get()
	if err != nil {
		return nil, err
	}
	ns, err := netns.New()
	if err != nil {
		return nil, err
	}
	if err := netns.Set(own); err != nil {
		return nil, err
	}
	return namespaceOf(ns)
}

func namespaceOf(ns netns.NsHandle) (*namespace, error) {
	nl, err := netlink.NewHandleAt(ns)
	if err != nil {
		return nil, err
	}
	n := &namespace{ns, nl}
	for _, s := range [][2]string{
		{"net/ipv4/tcp_fastopen", "3"}, {"net/ipv4/ip_local_port_range", "1024 65535"},
		{"net/ipv4/tcp_rmem", "4096 1048576 6291456"}, {"net/ipv4/tcp_wmem", "4096 1048576 6291456"},
		{"net/core/somaxconn", "65535"}, {"net/ipv4/tcp_max_syn_backlog", "65535"},
	} {
		if err := n.sysctl(s[0], s[1]); err != nil {
			return nil, err
		}
	}
	lo, err := nl.LinkByName("lo")
	if err != nil {
		return nil, err
	}
	return n, nl.LinkSetUp(lo)
}

// do runs f on a thread in the namespace.
func (n *namespace) do(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err := netns.Set(n.ns); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

func (n *namespace) sysctl(name, value string) error {
	return n.do(func() error { return os.WriteFile("/proc/sys/"+name, []byte(value), 0) })
}

// up gives a device an address and brings it up.
func (n *namespace) up(device string, addr netip.Addr) error {
	l, err := n.nl.LinkByName(device)
	if err != nil {
		return err
	}
	if err := n.sysctl("net/ipv6/conf/"+device+"/disable_ipv6", "1"); err != nil {
		return err
	}
	a, err := netlink.ParseAddr(addr.String() + "/24")
	if err != nil {
		return err
	}
	if err := n.nl.AddrAdd(l, a); err != nil {
		return err
	}
	return n.nl.LinkSetUp(l)
}

// kernelPair is two namespaces joined by veth.
func kernelPair(w wiring) (*pair, error) {
	a, err := ownNamespace()
	if err != nil {
		return nil, err
	}
	b, err := newNamespace()
	if err != nil {
		return nil, err
	}
	if err := joinVeth(a, b, w); err != nil {
		return nil, err
	}
	return kernelPairIn(a, b, w), nil
}

// kernelPairIn is two namespaces that are joined.
func kernelPairIn(a, b *namespace, w wiring) *pair {
	return &pair{
		dial: func(port uint16) (net.Conn, error) {
			return kernelDialer(w, false).Dial("tcp", serverAddress(port))
		},
		dialEarly: func(port uint16, early []byte) (net.Conn, error) { return kernelDialEarly(w, port, early) },
		listen: func(port uint16, fastOpen bool) (l net.Listener, err error) {
			err = b.do(func() error {
				l, err = kernelListen(w, serverAddr, port, fastOpen)
				return err
			})
			return l, err
		},
		segments: func() float64 { return outSegments(a) + outSegments(b) },
		close:    func() {},
	}
}

func address(a netip.Addr, port uint16) string { return netip.AddrPortFrom(a, port).String() }

func joinVeth(a, b *namespace, w wiring) error {
	if err := a.nl.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: "veth0", Index: 1000, TxQLen: -1, MTU: w.mtu},
		PeerName:  "veth1", PeerNamespace: netlink.NsFd(b.ns), PeerMTU: uint32(w.mtu),
	}); err != nil {
		return fmt.Errorf("make a pair of veth: %w", err)
	}
	if err := a.up("veth0", clientAddr); err != nil {
		return err
	}
	if err := b.up("veth1", serverAddr); err != nil {
		return err
	}
	if w.offload {
		return nil
	}
	if err := a.do(func() error { return noOffload("veth0") }); err != nil {
		return err
	}
	return b.do(func() error { return noOffload("veth1") })
}

// noOffload has packets of the MTU cross the device, with checksums.
func noOffload(device string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, command := range []uint32{unix.ETHTOOL_STSO, unix.ETHTOOL_SGSO, unix.ETHTOOL_SGRO, unix.ETHTOOL_STXCSUM, unix.ETHTOOL_SRXCSUM} {
		if err := ethtoolSet(fd, device, command, 0); err != nil {
			return fmt.Errorf("switch offload %#x of %s off: %w", command, device, err)
		}
	}
	return nil
}

// control sets what the benchmark wants of a socket.
func control(w wiring, options ...int) func(_, _ string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) (err error) {
		cerr := c.Control(func(fd uintptr) {
			if err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic"); err != nil {
				err = fmt.Errorf("choose CUBIC: %w", err)
				return
			}
			for i := 0; i < len(options) && err == nil; i += 2 {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, options[i], options[i+1])
			}
		})
		if cerr != nil {
			return cerr
		}
		return err
	}
}

func kernelDialer(w wiring, fastOpen bool) *net.Dialer {
	d := &net.Dialer{Control: control(w)}
	if fastOpen {
		d.Control = control(w, unix.TCP_FASTOPEN_CONNECT, 1)
	}
	d.SetMultipathTCP(false)
	return d
}

// kernelDialEarly lets the kernel put the first write into the SYN.
func kernelDialEarly(w wiring, port uint16, early []byte) (net.Conn, error) {
	c, err := kernelDialer(w, true).Dial("tcp", serverAddress(port))
	if err != nil {
		return nil, err
	}
	_, err = c.Write(early)
	return c, err
}

func kernelListen(w wiring, on netip.Addr, port uint16, fastOpen bool) (net.Listener, error) {
	lc := net.ListenConfig{Control: control(w)}
	if fastOpen {
		lc.Control = control(w, unix.TCP_FASTOPEN, 4096)
	}
	lc.SetMultipathTCP(false)
	return lc.Listen(background, "tcp", address(on, port))
}

// outSegments is how many TCP segments the host has sent.
func outSegments(n *namespace) (sent float64) {
	_ = n.do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		var names []string
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) == 0 || f[0] != "Tcp:" {
				continue
			}
			if names == nil {
				names = f
				continue
			}
			for i, name := range names {
				if name == "OutSegs" {
					sent, err = strconv.ParseFloat(f[i], 64)
				}
			}
		}
		return err
	})
	return sent
}

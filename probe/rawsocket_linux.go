package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/fastopen-go/fastopen/wire"
)

// sourceFor is the address that the kernel would use to speak with target. No
// packet is sent for it.
func sourceFor(target netip.AddrPort) (netip.Addr, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(target))
	if err != nil {
		return netip.Addr{}, errnoOf(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone(""), nil
}

// isUnreachable reports whether the kernel itself knows that there is no way.
func isUnreachable(err error) bool {
	switch errnoOf(err) {
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN, unix.EHOSTDOWN, unix.EACCES, unix.EINVAL:
		// EACCES is a route of the kind "prohibit", EINVAL one of the kind
		// "blackhole".
		return true
	}
	return false
}

// errnoOf is the errno in err, 0 for none.
func errnoOf(err error) unix.Errno {
	var e unix.Errno
	errors.As(err, &e)
	return e
}

// A sender sends whole IP packets.
type sender struct {
	fd int
	to unix.Sockaddr
}

func newSender(target netip.AddrPort) (*sender, error) {
	s := &sender{to: sockaddr(netip.AddrPortFrom(target.Addr(), 0))}
	family := unix.AF_INET6
	if target.Addr().Is4() {
		family = unix.AF_INET
	}
	var err error
	// With this protocol, the packets bring their own IP header: raw(7).
	s.fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	return s, err
}

func (s *sender) send(packet []byte) error { return unix.Sendto(s.fd, packet, 0, s.to) }
func (s *sender) close()                   { unix.Close(s.fd) }

// A receiver reads the IP packets that come to this host from one address,
// and ICMP messages from all.
type receiver struct {
	f   *os.File
	buf []byte
	oob []byte
}

func newReceiver(from netip.Addr) (*receiver, error) {
	// Not bound to any protocol yet, so nothing comes in before the filter.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	protocol := uint16(unix.ETH_P_IPV6)
	if from.Is4() {
		protocol = unix.ETH_P_IP
	}
	if err = attachFilter(fd, filterFrom(from)); err == nil {
		if err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1); err == nil {
			err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol<<8 | protocol>>8})
		}
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &receiver{f: os.NewFile(uintptr(fd), "packets"), buf: make([]byte, 1<<16), oob: make([]byte, 128)}, nil
}

// filterFrom is a program for the kernel that lets a packet, which begins at
// its IP header, pass if it is TCP from an address, or ICMP.
func filterFrom(from netip.Addr) []bpf.Instruction {
	protocol, icmp, source, words := uint32(9), uint32(wire.ProtocolICMP), uint32(12), from.AsSlice()
	if !from.Is4() {
		protocol, icmp, source = 6, wire.ProtocolICMPv6, 8
	}
	n := uint8(len(words) / 4)
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: protocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: icmp, SkipTrue: 2*n + 1},                           // to the end
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: wire.ProtocolTCP, SkipTrue: 0, SkipFalse: 2*n + 1}, // to drop
	}
	for i := range uint32(n) {
		word := uint32(words[4*i])<<24 | uint32(words[4*i+1])<<16 | uint32(words[4*i+2])<<8 | uint32(words[4*i+3])
		program = append(program,
			bpf.LoadAbsolute{Off: source + 4*i, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: word, SkipFalse: 2*(n-uint8(i)-1) + 1})
	}
	return append(program, bpf.RetConstant{Val: 1 << 16}, bpf.RetConstant{Val: 0})
}

// read waits for a packet until the deadline. check says how far its checksum
// can be verified: one from this very machine has none yet.
func (r *receiver) read(ctx context.Context, deadline time.Time) (packet []byte, check wire.Checksumming, err error) {
	if err := r.f.SetReadDeadline(deadline); err != nil {
		return nil, 0, err
	}
	if ctx.Err() != nil { // then the deadline of an interruption may just have been overwritten
		return nil, 0, ctx.Err()
	}
	c, err := r.f.SyscallConn()
	if err != nil {
		return nil, 0, err
	}
	var n, oobn int
	var from unix.Sockaddr
	var failed error
	err = c.Read(func(fd uintptr) bool {
		n, oobn, _, from, failed = unix.Recvmsg(int(fd), r.buf, r.oob, 0)
		return failed != unix.EAGAIN && failed != unix.EINTR
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, 0, err
	}
	if l, ok := from.(*unix.SockaddrLinklayer); ok && l.Pkttype == unix.PACKET_OUTGOING {
		return nil, wire.Full, nil
	}
	return r.buf[:n], r.checksumming(r.oob[:oobn]), nil
}

// checksumming reads what the kernel says of a packet's checksum.
func (r *receiver) checksumming(oob []byte) wire.Checksumming {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return wire.Full
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA && len(m.Data) >= int(unsafe.Sizeof(unix.TpacketAuxdata{})) {
			aux := (*unix.TpacketAuxdata)(unsafe.Pointer(unsafe.SliceData(m.Data)))
			if aux.Status&(unix.TP_STATUS_CSUMNOTREADY|unix.TP_STATUS_CSUM_VALID) != 0 {
				return wire.Unchecked
			}
		}
	}
	return wire.Full
}

// interrupt ends a read that waits, once its context is done.
func (r *receiver) interrupt() { r.f.SetReadDeadline(time.Unix(1, 0)) }

func (r *receiver) close() { r.f.Close() }

// holdPort takes a free port of the local address for as long as the socket it
// returns is open.
//
// The kernel answers a SYN-ACK for a port on which it knows nobody with a RST,
// which would break into a conversation of ours. So somebody is there: a
// listener, whose filter drops all that comes before the kernel's TCP sees it
// (tcp_filter in net/ipv4/tcp_ipv4.c comes before any look at the state), and
// it is dropped without an answer. That takes no right, and no firewall rule
// that someone would have to remove.
func holdPort(local netip.Addr, zone string) (fd int, port uint16, err error) {
	family := unix.AF_INET6
	if local.Is4() {
		family = unix.AF_INET
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, 0, os.NewSyscallError("socket", err)
	}
	err = attachFilter(fd, []bpf.Instruction{bpf.RetConstant{Val: 0}})
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, sockaddr(netip.AddrPortFrom(local.WithZone(zone), 0))))
	}
	if err == nil {
		err = os.NewSyscallError("listen", unix.Listen(fd, 1))
	}
	var name unix.Sockaddr
	if err == nil {
		name, err = unix.Getsockname(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, 0, err
	}
	switch n := name.(type) {
	case *unix.SockaddrInet4:
		port = uint16(n.Port)
	case *unix.SockaddrInet6:
		port = uint16(n.Port)
	}
	return fd, port, nil
}

func attachFilter(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return err
	}
	filters := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filters[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(filters)), Filter: &filters[0]}))
}

// sockaddr is a as the system calls take it.
func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if ip := a.Addr(); !ip.Is4() {
		s := &unix.SockaddrInet6{Port: int(a.Port()), Addr: ip.As16()}
		if i, err := net.InterfaceByName(ip.Zone()); err == nil {
			s.ZoneId = uint32(i.Index)
		}
		return s
	}
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

package link

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/wire"
	"golang.org/x/sys/unix"
)

// Ethernet is a link on an Ethernet interface: frames that come in from the
// wire are received, and sent ones go out onto it. It is a packet socket
// (AF_PACKET), so the kernel sees the received frames as well.
type Ethernet struct {
	file   *os.File
	raw    syscall.RawConn
	name   string // that it was opened by
	index  int
	mac    net.HardwareAddr
	port   port
	down   atomic.Bool // the interface was, when last heard of
	closed atomic.Bool
	lost   atomic.Uint64
}

// Receive waits for frames.
func (e *Ethernet) Receive(batch []wire.Packet) (n int, err error) {
	for {
		n, err = e.port.receive(batch)
		switch {
		case err == nil:
			if e.down.Load() {
				e.down.Store(false)
				e.file.SetReadDeadline(time.Time{})
				if !e.up() { // these have come before
					e.watch(downPoll)
				}
			}
		case e.gone():
		case errors.Is(err, unix.ENETDOWN) || errors.Is(err, os.ErrDeadlineExceeded):
			// The kernel says once that the interface goes down, and does
			// not say that it goes away after that.
			e.watch(downPoll)
			continue
		}
		return n, e.wrap("receive from", err)
	}
}

// Done gives back what the last Receive has lent; see the package's documentation.
func (e *Ethernet) Done() { e.port.done() }

// Poll delivers frames that have come and does not wait; see the package's
// documentation.
func (e *Ethernet) Poll(batch []wire.Packet, deliver func([]wire.Packet)) (n int, err error) {
	n, err = e.port.poll(batch, deliver)
	if errors.Is(err, unix.ENETDOWN) {
		// The kernel says it once. So Receive is told.
		e.watch(0)
	}
	return n, e.wrap("poll", err)
}

// watch has Receive look after the interface, which is down, after some time.
func (e *Ethernet) watch(in time.Duration) {
	e.down.Store(true)
	e.file.SetReadDeadline(time.Now().Add(in))
}

// up reports whether the interface is up.
func (e *Ethernet) up() bool {
	ifr, err := e.ifreq()
	if err == nil {
		err = ioctl(e.file, unix.SIOCGIFFLAGS, ifr)
	}
	return err == nil && ifr.Uint16()&unix.IFF_UP != 0
}

// downPoll is how often an interface that is down is looked for.
const downPoll = 200 * time.Millisecond

// Send hands frames to the interface. While it is down they are dropped.
func (e *Ethernet) Send(batch []wire.Packet) (n int, err error) {
	n, err = e.port.send(batch)
	return n, e.wrap("send to", err)
}

// HardwareAddr returns the address that frames come to. It must not be changed.
func (e *Ethernet) HardwareAddr() net.HardwareAddr { return e.mac }

// MTU returns the length of the longest IP packet, in bytes.
func (e *Ethernet) MTU() (int, error) {
	ifr, err := e.ifreq()
	if err == nil {
		err = ioctl(e.file, unix.SIOCGIFMTU, ifr)
	}
	if err != nil {
		return 0, e.wrap("read MTU of", err)
	}
	return int(ifr.Uint32()), nil
}

// Name returns the name that the interface has now.
func (e *Ethernet) Name() (string, error) {
	ifr, err := e.ifreq()
	if err != nil {
		return "", e.wrap("read name of", err)
	}
	return ifr.Name(), nil
}

// Drops returns how many frames Send could not deliver because the kernel had
// no room or the interface was down.
func (e *Ethernet) Drops() uint64 { return e.port.drops.Load() }

// Lost returns how many frames came when there was no more room for them, for
// Receive had not been called in time.
func (e *Ethernet) Lost() uint64 {
	e.raw.Control(func(fd uintptr) {
		// Reading the statistics sets them to zero.
		if s, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			e.lost.Add(uint64(s.Drops))
		}
	})
	return e.lost.Load()
}

// Close ends the link and unblocks Receive. The interface stays.
func (e *Ethernet) Close() error {
	if e.closed.Swap(true) {
		return e.wrap("close", os.ErrClosed)
	}
	return e.file.Close()
}

func openEthernet(c EthernetConfig) (*Ethernet, error) {
	// With protocol 0 nothing is received before the filter is in place.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	e := &Ethernet{name: c.Interface, file: os.NewFile(uintptr(fd), "packet socket")}
	if e.raw, err = e.file.SyscallConn(); err == nil {
		err = e.setUp(fd, c)
	}
	if err != nil {
		e.file.Close()
		return nil, err
	}
	e.port.init(e.raw, 14, true)
	return e, nil
}

func (e *Ethernet) setUp(fd int, c EthernetConfig) error {
	mac, err := e.find(fd)
	if err != nil {
		return err
	}
	e.mac = mac
	if c.HardwareAddr != nil {
		e.mac = append(net.HardwareAddr(nil), c.HardwareAddr...)
	}
	filter, err := frameFilter(e.mac, c.Addrs)
	if err != nil {
		return err
	}
	attached := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &attached); err != nil {
		return os.NewSyscallError("setsockopt SO_ATTACH_FILTER", err)
	}
	for _, o := range []struct {
		option int
		name   string
	}{{unix.PACKET_VNET_HDR, "PACKET_VNET_HDR"}, {unix.PACKET_IGNORE_OUTGOING, "PACKET_IGNORE_OUTGOING"}} {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, o.option, 1); err != nil {
			return os.NewSyscallError("setsockopt "+o.name, err)
		}
	}
	// A super-segment takes some 90 KiB of either buffer.
	for force, option := range map[int]int{unix.SO_RCVBUFFORCE: unix.SO_RCVBUF, unix.SO_SNDBUFFORCE: unix.SO_SNDBUF} {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, packetBuffer) != nil {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, packetBuffer) // as much as is permitted
		}
	}
	if err := e.join(fd, mac, c.Addrs); err != nil {
		return os.NewSyscallError("setsockopt PACKET_ADD_MEMBERSHIP", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: e.index}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	if c.Fanout != 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, int(c.Fanout)|unix.PACKET_FANOUT_HASH<<16); err != nil {
			return os.NewSyscallError("setsockopt PACKET_FANOUT", err)
		}
	}
	return nil
}

const packetBuffer = 8 << 20 // bytes

// find looks up the interface, which is to be Ethernet, and its own address.
func (e *Ethernet) find(fd int) (net.HardwareAddr, error) {
	ifr, err := unix.NewIfreq(e.name)
	if err != nil || e.name == "" {
		return nil, os.ErrNotExist
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr); errors.Is(err, unix.ENODEV) {
		return nil, os.ErrNotExist
	} else if err != nil {
		return nil, os.NewSyscallError("ioctl SIOCGIFINDEX", err)
	}
	e.index = int(ifr.Uint32())
	// Bound to an interface, though to no protocol yet, the socket knows what
	// that is.
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: e.index}); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	ll, ok := bound.(*unix.SockaddrLinklayer)
	if !ok || ll.Hatype != unix.ARPHRD_ETHER || ll.Halen != 6 {
		return nil, errNotEthernet
	}
	return append(net.HardwareAddr(nil), ll.Addr[:6]...), nil
}

var errNotEthernet = errors.New("not an Ethernet interface: use a TUN device to exchange IP packets with this host itself")

// join makes the interface take frames that it would leave on the wire.
func (e *Ethernet) join(fd int, own net.HardwareAddr, addrs []netip.Addr) error {
	if string(own) != string(e.mac) {
		return e.member(fd, unix.PACKET_MR_PROMISC, nil)
	}
	if len(addrs) == 0 {
		return e.member(fd, unix.PACKET_MR_ALLMULTI, nil)
	}
	for _, a := range addrs {
		if a.Unmap().Is4() {
			continue
		}
		// The solicited-node group, to which a neighbour asks for us.
		// https://www.rfc-editor.org/rfc/rfc4291#section-2.7.1
		// https://www.rfc-editor.org/rfc/rfc2464#section-7
		b := a.As16()
		if err := e.member(fd, unix.PACKET_MR_MULTICAST, []byte{0x33, 0x33, 0xff, b[13], b[14], b[15]}); err != nil {
			return err
		}
	}
	return nil
}

func (e *Ethernet) member(fd int, kind uint16, group []byte) error {
	m := unix.PacketMreq{Ifindex: int32(e.index), Type: kind, Alen: uint16(len(group))}
	copy(m.Address[:], group)
	return unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &m)
}

// ifreq has the name that the interface has now.
func (e *Ethernet) ifreq() (*unix.Ifreq, error) {
	ifr := new(unix.Ifreq)
	ifr.SetUint32(uint32(e.index))
	return ifr, ioctl(e.file, unix.SIOCGIFNAME, ifr)
}

// gone reports whether the interface has been deleted: the kernel then binds
// the socket to none.
func (e *Ethernet) gone() (gone bool) {
	e.raw.Control(func(fd uintptr) {
		a, err := unix.Getsockname(int(fd))
		ll, ok := a.(*unix.SockaddrLinklayer)
		gone = err == nil && ok && ll.Ifindex <= 0
	})
	return gone
}

// wrap names the interface in an error, and makes both ways to lose it the same.
func (e *Ethernet) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if e.closed.Load() || e.gone() {
		err = os.ErrClosed
	}
	return &os.PathError{Op: op, Path: e.name, Err: err}
}

func networkOrder(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}

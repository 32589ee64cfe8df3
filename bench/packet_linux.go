package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/fastopen-go/fastopen/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	gstack "gvisor.dev/gvisor/pkg/tcpip/stack"
)

func packetWorkloads() (all []workload) {
	for _, d := range []struct{ name, title, far string }{{"out", "to the kernel", "sink"}, {"in", "from the kernel", "source"}} {
		for _, streams := range []int{1, 8} {
			all = append(all, workload{
				Name: fmt.Sprintf("packet/%s/%d", d.name, streams), Title: fmt.Sprintf("bulk over AF_PACKET on veth with virtio headers %s, %d stream(s); own CPU", d.title, streams),
				Stacks: []string{ours, gvisor}, Cores: []int{2, 1}, Netns: true,
				Metrics: []metric{
					{Key: "Gbit/s", Higher: true, Digits: 2, Goals: []goal{{ours, gvisor, 1.5, 0}}},
					{Key: "CPU ns/byte", Digits: 3},
					{Key: "allocs/MB", Digits: 2},
				},
				Run: func(stack string) (figures, error) {
					p, err := packetPair(stack, d.far, wiring{mtu: 1500, buffers: 4 << 20})
					if err != nil {
						return nil, err
					}
					return toKernel(p, d.far, streams)
				},
			})
		}
	}
	return all
}

// packetPair is a stack on one end of a veth, by AF_PACKET, and the kernel's end
// in another process on the other.
func packetPair(stack, far string, w wiring) (*pair, error) {
	own, err := ownNamespace()
	if err != nil {
		return nil, err
	}
	if err := own.nl.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: "veth0", TxQLen: -1, MTU: w.mtu}, PeerName: "veth1", PeerMTU: uint32(w.mtu),
	}); err != nil {
		return nil, err
	}
	device, err := own.nl.LinkByName("veth1")
	if err != nil {
		return nil, err
	}
	if err := own.sysctl("net/ipv6/conf/veth1/disable_ipv6", "1"); err != nil {
		return nil, err
	}
	if err := own.nl.LinkSetUp(device); err != nil {
		return nil, err
	}
	if err := own.up("veth0", clientAddr); err != nil {
		return nil, err
	}
	if err := startFarEnd(far); err != nil {
		return nil, err
	}
	if stack == gvisor {
		e, err := gvisorPacket(device, w)
		if err != nil {
			return nil, err
		}
		s, err := gvisorStack(e, serverAddr, w)
		if err != nil {
			return nil, err
		}
		return &pair{dial: func(port uint16) (net.Conn, error) { return gvisorDial(s, clientAddr, port) }}, nil
	}
	l, err := link.OpenEthernet(link.EthernetConfig{Interface: "veth1", Addrs: []netip.Addr{serverAddr}})
	if err != nil {
		return nil, err
	}
	s, err := ourStack(l, serverAddr, w)
	if err != nil {
		return nil, err
	}
	return &pair{dial: func(port uint16) (net.Conn, error) { return s.Dial("tcp", address(clientAddr, port)) }}, nil
}

// gvisorPacket is gVisor's own endpoint on AF_PACKET, with virtio headers and
// super-segments, and recvmmsg.
func gvisorPacket(device netlink.Link, w wiring) (gstack.LinkEndpoint, error) {
	var all [2]byte
	binary.BigEndian.PutUint16(all[:], unix.ETH_P_ALL)
	protocol := binary.NativeEndian.Uint16(all[:])
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(protocol))
	if err != nil {
		return nil, err
	}
	for _, o := range [][3]int{
		{unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1}, {unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
		{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8 << 20}, {unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 8 << 20},
	} {
		if err := unix.SetsockoptInt(fd, o[0], o[1], o[2]); err != nil {
			return nil, fmt.Errorf("AF_PACKET for gVisor: %w", err)
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: device.Attrs().Index}); err != nil {
		return nil, err
	}
	return fdbased.New(&fdbased.Options{
		FDs: []int{fd}, MTU: uint32(w.mtu), EthernetHeader: true, Address: tcpip.LinkAddress(device.Attrs().HardwareAddr),
		PacketDispatchMode: fdbased.RecvMMsg, GSOMaxSize: 65535 - 60, RXChecksumOffload: true,
	})
}

package link

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// A program of the classic BPF that decides which frames a packet socket gets.
//
// https://www.kernel.org/doc/Documentation/networking/filter.rst
type program []unix.SockFilter

const (
	loadWord = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	loadHalf = unix.BPF_LD | unix.BPF_H | unix.BPF_ABS
	loadByte = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS
	ifEqual  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	ifAny    = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	jump     = unix.BPF_JMP | unix.BPF_JA
	answer   = unix.BPF_RET | unix.BPF_K

	// vlanPresent is where a load finds whether the frame had a VLAN tag,
	// which the kernel has taken off: SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT.
	vlanPresent = -0x1000 + 48

	whole   = 0xffffffff // an answer: give all of the frame
	nothing = 0

	maxProgram = 4096 // BPF_MAXINSNS
)

func (p *program) op(code uint16, k uint32) {
	*p = append(*p, unix.SockFilter{Code: code, K: k})
}

// unless skips the next n instructions if the condition does not hold.
func (p *program) unless(code uint16, k uint32, n int) {
	*p = append(*p, unix.SockFilter{Code: code, Jf: uint8(n), K: k})
}

// section runs what is for frames of one type.
func (p *program) section(etherType uint32, s program) {
	p.op(loadHalf, 12)
	p.unless(ifEqual, etherType, 1)
	p.op(jump, 1)
	p.op(jump, uint32(len(s)))
	*p = append(*p, s...)
}

// frameFilter passes untagged frames to mac or to groups, that are IP for addrs,
// or ARP that asks for one of them. No addrs are all.
func frameFilter(mac net.HardwareAddr, addrs []netip.Addr) (program, error) {
	var p program
	p.op(loadWord, uint32(vlanPresent&0xffffffff))
	p.unless(ifEqual, 0, 6) // to "no"
	p.op(loadByte, 0)
	p = append(p, unix.SockFilter{Code: ifAny, Jt: 5, K: 1}) // a group: past "no"
	p.op(loadHalf, 0)
	p.unless(ifEqual, uint32(binary.BigEndian.Uint16(mac)), 2)
	p.op(loadWord, 2)
	p = append(p, unix.SockFilter{Code: ifEqual, Jt: 1, K: binary.BigEndian.Uint32(mac[2:])})
	p.op(answer, nothing) // "no"
	var arp, ip4, ip6 program
	if len(addrs) == 0 {
		for _, s := range []*program{&arp, &ip4, &ip6} {
			s.op(answer, whole)
		}
	} else {
		arp, ip4, ip6 = arpFilter(addrs), ip4Filter(addrs), ip6Filter(addrs)
	}
	p.section(unix.ETH_P_IP, ip4)
	p.section(unix.ETH_P_IPV6, ip6)
	p.section(unix.ETH_P_ARP, arp)
	p.op(answer, nothing)
	if len(p) > maxProgram {
		return nil, fmt.Errorf("%d addresses are too many for a filter: give fewer, or none and a hardware address of your own", len(addrs))
	}
	return p, nil
}

// arpFilter passes what asks for, or answers to, one of addrs.
func arpFilter(addrs []netip.Addr) (p program) {
	p.op(loadWord, 14+24)
	p.anyOf(addrs)
	return p
}

// ip4Filter passes what is for one of addrs, or for all.
func ip4Filter(addrs []netip.Addr) (p program) {
	p.op(loadWord, 14+16)
	p.unless(ifEqual, 0xffffffff, 1)
	p.op(answer, whole)
	p.anyOf(addrs)
	return p
}

// anyOf answers whether the word loaded is an IPv4 address of addrs.
func (p *program) anyOf(addrs []netip.Addr) {
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			b := a.As4()
			p.unless(ifEqual, binary.BigEndian.Uint32(b[:]), 1)
			p.op(answer, whole)
		}
	}
	p.op(answer, nothing)
}

// ip6Filter passes what is for one of addrs, or for a group.
func ip6Filter(addrs []netip.Addr) (p program) {
	p.op(loadByte, 14+24)
	p.unless(ifEqual, 0xff, 1)
	p.op(answer, whole)
	for _, a := range addrs {
		if a = a.Unmap(); a.Is6() {
			b := a.As16()
			for i := range 4 {
				p.op(loadWord, uint32(14+24+4*i))
				p.unless(ifEqual, binary.BigEndian.Uint32(b[4*i:]), 7-2*i)
			}
			p.op(answer, whole)
		}
	}
	p.op(answer, nothing)
	return p
}

package wg

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
	"golang.zx2c4.com/wireguard/tun"
)

// Net is the stack at the end of a tunnel. It is a Network of package fastopen.
type Net struct {
	stack *stack.Stack
	pings *pings
	// addrs are the stack's own, in the order they were given.
	addrs []netip.Addr
}

// CreateNetTUN makes a stack with some addresses, and the device to give to
// WireGuard. Names are looked up at dnsServers, through the tunnel. The MTU is in
// bytes; 1420 fits into WireGuard over a path of 1500.
//
// Closing the device, as WireGuard's own Close does, ends the stack.
func CreateNetTUN(localAddresses, dnsServers []netip.Addr, mtu int) (tun.Device, *Net, error) {
	if err := check(localAddresses, mtu); err != nil {
		return nil, nil, err
	}
	inner, outer, err := link.NewPipe(link.PipeConfig{MTU: mtu, Offload: true})
	if err != nil {
		return nil, nil, fmt.Errorf("create a tunnel's stack: %w", err)
	}
	n := &Net{addrs: localAddresses}
	n.pings = &pings{Pipe: inner}
	c := stack.Config{Links: []stack.Link{n.pings}}
	for _, a := range localAddresses {
		c.Addresses = append(c.Addresses, netip.PrefixFrom(a, a.BitLen()))
	}
	for _, a := range dnsServers {
		c.DNS = append(c.DNS, netip.AddrPortFrom(a, 53))
	}
	if n.stack, err = stack.New(c); err != nil {
		return nil, nil, fmt.Errorf("create a tunnel's stack: %w", err)
	}
	plain, err := link.ToDevice(outer)
	if err != nil {
		return nil, nil, fmt.Errorf("create a tunnel's stack: %w", err)
	}
	dev := &device{LinkDevice: plain, net: n, events: make(chan tun.Event, 10)}
	dev.events <- tun.EventUp
	return dev, n, nil
}

func check(addrs []netip.Addr, mtu int) error {
	least := 576
	for _, a := range addrs {
		if !a.IsValid() {
			return errors.New("create a tunnel's stack: a local address is not valid: leave it out")
		}
		if a.Is6() && !a.Is4In6() {
			least = 1280
		}
	}
	if mtu < least || mtu > 65535 {
		return fmt.Errorf("create a tunnel's stack: MTU %d: choose %d to 65535, 1420 if in doubt", mtu, least)
	}
	return nil
}

// Stack returns the stack itself, for all that Net has no method for.
func (n *Net) Stack() *stack.Stack { return n.stack }

// A device is the tunnel's side of the stack.
type device struct {
	*link.LinkDevice
	net    *Net
	events chan tun.Event
	close  sync.Once
}

var _ tun.Device = (*device)(nil)

// File is nil: there is none.
func (d *device) File() *os.File { return nil }

// Name is "go".
func (d *device) Name() (string, error) { return "go", nil }

// Events has one event, that the device is up, and ends with Close.
func (d *device) Events() <-chan tun.Event { return d.events }

// Close ends the stack.
func (d *device) Close() (err error) {
	err = os.ErrClosed
	d.close.Do(func() {
		err = d.net.stack.Close() // and its link, which is the device's
		d.net.pings.closeAll()
		close(d.events)
	})
	return err
}

package link

import (
	"fmt"
	"net"
	"net/netip"
)

// EthernetConfig says what [OpenEthernet] opens.
type EthernetConfig struct {
	// Interface is the name of an Ethernet device, such as "eth0".
	Interface string
	// HardwareAddr is what frames are to be addressed to, 6 bytes. If nil, it
	// is that of the interface, and the kernel gets the same frames as the
	// link. If it is another, the interface is made promiscuous.
	HardwareAddr net.HardwareAddr
	// Addrs are the IP addresses behind the link: others' packets and address
	// resolution are left out before they are copied. If empty, all are
	// received that come to HardwareAddr or to a group.
	Addrs []netip.Addr
	// Fanout, if not zero, is the number of a group of links, of this network
	// namespace and user, among whom frames are shared out by flow.
	Fanout uint16
}

// OpenEthernet opens a link on an Ethernet interface of the network namespace
// of the calling thread. What it carries are frames; see the package's
// documentation.
//
// The error names the interface. It is [os.ErrPermission] without CAP_NET_RAW,
// [os.ErrNotExist] where there is no such interface, and
// [errors.ErrUnsupported] on other systems than Linux.
func OpenEthernet(c EthernetConfig) (*Ethernet, error) {
	if n := len(c.HardwareAddr); n != 0 && n != 6 || n == 6 && c.HardwareAddr[0]&1 != 0 {
		return nil, fmt.Errorf("open Ethernet interface %q: %v is not the address of one interface: give 6 bytes, the lowest bit of the first 0", c.Interface, c.HardwareAddr)
	}
	for _, a := range c.Addrs {
		if !a.IsValid() {
			return nil, fmt.Errorf("open Ethernet interface %q: an address in Addrs is not valid: leave it out", c.Interface)
		}
	}
	e, err := openEthernet(c)
	if err != nil {
		return nil, fmt.Errorf("open Ethernet interface %q: %w", c.Interface, err)
	}
	return e, nil
}

package kernel

import (
	"fmt"
	"strconv"
	"strings"
)

// Bits is the value of the sysctl net.ipv4.tcp_fastopen. Each network
// namespace has its own, which starts as 1: [ClientBit] alone. Changes hold at
// once, also for sockets that listen already.
//
// https://docs.kernel.org/networking/ip-sysctl.html
type Bits uint32

const (
	ClientBit         Bits = 0x1   // programs may ask for cookies and send data in SYNs
	ServerBit         Bits = 0x2   // listeners that want to may grant cookies and accept data in SYNs
	ClientNoCookieBit Bits = 0x4   // with ClientBit: data goes into SYNs without any cookie
	ServerNoCookieBit Bits = 0x200 // with ServerBit: data in SYNs is accepted without any cookie
	AllListenersBit   Bits = 0x400 // with ServerBit: sockets that begin to listen have Fast Open, wanted or not
)

// Client reports whether dialed connections may use Fast Open.
func (b Bits) Client() bool { return b&ClientBit != 0 }

// Server reports whether listeners may use Fast Open.
func (b Bits) Server() bool { return b&ServerBit != 0 }

// ClientNoCookie reports whether data is sent in SYNs without a cookie.
func (b Bits) ClientNoCookie() bool { return b.Client() && b&ClientNoCookieBit != 0 }

// ServerNoCookie reports whether data in SYNs is accepted without a cookie,
// from anybody. No cookies are granted then.
func (b Bits) ServerNoCookie() bool { return b.Server() && b&ServerNoCookieBit != 0 }

// AllListeners reports whether every socket that begins to listen has Fast
// Open, with a queue as long as its backlog.
func (b Bits) AllListeners() bool { return b.Server() && b&AllListenersBit != 0 }

// String explains the value: "3: on for clients and for servers".
func (b Bits) String() string {
	var s string
	switch {
	case b.Client() && b.Server():
		s = "on for clients and for servers"
	case b.Client():
		s = "on for clients, off for servers"
	case b.Server():
		s = "off for clients, on for servers"
	default:
		s = "off"
	}
	if b.ClientNoCookie() {
		s += "; clients send data without a cookie"
	}
	if b.ServerNoCookie() {
		s += "; servers accept data without a cookie"
	}
	if b.AllListeners() {
		s += "; on for every new listener, wanted or not"
	}
	return strconv.Itoa(int(int32(b))) + ": " + s
}

// TurnOn returns the arguments of the one command that sets the missing bits
// and leaves the others as they are, until the host starts anew. It needs
// root.
func (b Bits) TurnOn(missing Bits) string {
	return fmt.Sprintf("sysctl -w %s=%d", Name, int32(b|missing))
}

// parseBits reads what the kernel shows.
func parseBits(text string) (Bits, error) {
	text = strings.TrimSpace(text)
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("kernel: %s reads %.20q, which is no number", Name, text)
	}
	return Bits(n), nil
}

package kernel

import (
	"net/netip"
	"strconv"
)

// A Listener is a TCP socket that waits for connections.
type Listener struct {
	// Local is where it listens. The unspecified address stands for all
	// addresses, [::] for those of IPv4 as well unless V6Only is set.
	Local  netip.AddrPort
	V6Only bool
	Device string // the network device that it is bound to, "" for any
	MPTCP  bool   // it takes Multipath TCP too, as those of Go programs do

	// Backlog is how many connections may wait to be accepted, and Waiting
	// how many do. With more than that, SYNs are dropped, whatever Queue is.
	Backlog, Waiting int

	// Queue is how many connections that came with a cookie in their SYN may
	// be pending at one time, 0 where Fast Open is off. Nothing comes of it
	// unless the kernel has Fast Open on for servers: see [Bits.Server].
	Queue int

	// Inode identifies the socket among all of this kernel for as long as it
	// exists, in whatever network namespace.
	Inode uint64
	UID   uint32 // the user who made it

	// Owners are the processes that hold it, by pid, as far as they can be
	// seen from here. Several may: a server's master and its workers.
	Owners []Process

	// Hidden says that there are processes whose files the present user may
	// not look at, so that Owners may lack some. Owners can be empty without:
	// the process is then in another pid namespace, or the kernel itself
	// listens.
	Hidden bool
}

// A Process holds a socket.
type Process struct {
	PID     int
	Name    string   // as the kernel shows it, at most 15 bytes: "nginx"
	Command []string // its command line, nil if it cannot be read
	FDs     []int    // the file descriptors by which it holds the socket
}

// String returns "127.0.0.1:80", with the device if it is bound to one.
func (l Listener) String() string {
	if l.Device != "" {
		return l.Local.String() + "%" + l.Device
	}
	return l.Local.String()
}

// String returns "nginx (pid 812)".
func (p Process) String() string { return p.Name + " (pid " + strconv.Itoa(p.PID) + ")" }

// Package probe finds out what a server, and the path to it, do with TCP Fast
// Open (RFC 7413), and says how it knows.
//
// # Usage
//
//	var p probe.Prober
//	report, err := p.Probe(ctx, netip.MustParseAddrPort("192.0.2.1:443"))
//	if err != nil {
//		return err // nothing could be tried
//	}
//	fmt.Println(report)           // what was found, and what to do about it
//	for _, e := range report.Events {
//		fmt.Println(e.At, e)  // SYN by SYN
//	}
//
// Each probe sends SYNs of several kinds, from a port of its own each, and plain
// ones beside them for comparison: only what happens to one kind again and again,
// and not to plain ones at the same time, is laid to Fast Open. Where cookies
// are granted, one is spent on several connections, because many servers may
// stand behind one address, and those that do not share their keys refuse each
// other's cookies.
//
// There are two ways to send them: see [Mode]. Raw packets show exactly what
// comes back. The kernel's own Fast Open needs no right, and shows what the
// programs of this host get.
//
// # Limitations
//
// Linux only. A server without Fast Open, one whose queue for it is full, and a
// path on which something takes the option out before it reaches the server
// answer alike, and are not told apart, unless what erases the option from the
// SYN-ACK leaves blanks in its place.
//
// Several keys behind one address and a client whose own address changes from
// connection to connection (carrier-grade NAT) look alike.
//
// In mode Kernel the cookies of earlier programs are used, and those that are
// granted stay with the kernel; the form of the option is its choice, blanks are
// not seen, and a cookie that comes again unchanged looks like none.
package probe

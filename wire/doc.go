// Package wire turns bytes into values and values into bytes: IPv4 and IPv6
// headers, ICMP errors and echoes, and TCP segments with their options and
// checksums. It holds no state.
//
// # Usage
//
// A packet from a link is read in two steps, neither of which copies:
//
//	ip, payload, ok := wire.ParseIP(packet)
//	if ok && ip.Protocol == wire.ProtocolTCP && !ip.IsFragment() {
//		var s wire.Segment
//		ok = s.Parse(ip.Src, ip.Dst, payload, wire.Full)
//		s.ECN = ip.ECN()
//	}
//
// A segment is written in one, into memory of the caller's:
//
//	packet = s.AppendPacket(packet[:0], wire.Full)
//
// What Append writes, Parse reads back as the same value. What Parse reads and
// Append writes again is the same value too, in canonical order of options.
//
// # Limitations
//
// Options that the machine in package tcp does not use (MD5, TCP-AO, MPTCP,
// user timeout) are skipped and not kept. IPv4 options are kept as bytes but
// not interpreted. Fragments are described, not reassembled.
package wire

// Package tcp is TCP as a pure machine: no goroutine, clock, I/O, randomness or
// lock inside. Data may move from the first SYN on both ends (RFC 7413, TCP Fast
// Open), and one file, fastopen.go, says when.
//
// # Usage
//
// A shell gives the machine what the network and the application do, with the
// time, and takes what it wants to send:
//
//	c := tcp.Dial(now, &config, local, remote, firstBytes)
//	for {
//		for {
//			segment, ok := c.Send(now)
//			if !ok {
//				break
//			}
//			transmit(segment)
//		}
//		if c.Done() {
//			break
//		}
//		// Wait for a segment, the application, or c.Deadline().
//		c.Receive(now, &segment)
//	}
//
// A server gives segments that belong to no connection to a [Listener], keeps
// the connections that Receive returns by their addresses, and takes those that
// are ready from Accept. One that Fast Open has opened is ready at its SYN: it
// may be read and written at once, and [Conn.Confirmed] tells when the handshake
// has shown that the SYN was not a duplicate.
//
// When an application has closed a connection that is in TIME-WAIT, [Conn.Wait]
// gives a record of a few bytes to keep instead.
//
// # What is in it
//
// RFC 9293 with 1122, 5961, 6191, 1337; 7413; 7323, 6298; 2018, 2883, 6675, 8985,
// 6937, 5682, 3522, 4015; 9438, 5681, 6582, 6928, 9406, 7661; 3168; 5482; 1191,
// 8201; 6528, 6056; 4987; 9040. Tests are named for the RFC and the section.
//
// # Limitations
//
// Urgent data is delivered in its place in the stream, as RFC 6093 recommends;
// there is no way to send it. Path MTU discovery goes down, by ICMP and when
// large segments vanish, but does not probe upward again. Segments are not paced.
// There is no MPTCP, TCP-AO or MD5.
package tcp

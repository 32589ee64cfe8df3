// Package fastopen opens and accepts TCP connections whose first bytes ride
// in the SYN (TCP Fast Open, RFC 7413), so that a cold request takes one
// round trip instead of two. It drives the operating system's own Fast Open,
// or that of another TCP.
//
// # Usage
//
// A [Dialer] takes the place of a [net.Dialer], and a [ListenConfig] that of
// a [net.ListenConfig]:
//
//	t := http.DefaultTransport.(*http.Transport).Clone()
//	t.DialContext = new(fastopen.Dialer).DialContext
//
//	l, err := fastopen.Listen("tcp", ":8080")
//
// What may ride in a SYN can reach the server twice. So a [Policy] decides:
// by default a TLS ClientHello and an HTTP request that is safe to repeat,
// and nothing else. Who holds the bytes and knows that they are harmless
// calls [Dialer.DialEarly].
//
// [Conn.Outcome] says afterwards what happened, and [Listener.Stats] counts.
// A server sees with [Conn.Early] whether bytes came in the SYN, and with
// [Conn.Confirmed] when they are known to be no repetition.
//
// # Other TCPs
//
// [Dialer.Network] and [ListenConfig.Network] take a TCP in user space in
// place of the operating system's. A Stack of package stack is one. Policies,
// putting off, falling back, Outcomes, TLS and HTTP work over it unchanged:
//
//	t.DialContext = (&fastopen.Dialer{Network: s}).DialContext
//
// # Falling back
//
// Nothing fails because Fast Open does not work: not where the host, the
// server or something between them lacks it or breaks it. An attempt that
// gets no answer is joined by a plain one after [Dialer.FallbackDelay], and
// what failed is remembered for its destination for a while
// ([Dialer.Cache]).
//
// # Limitations
//
// Data rides in the SYN only from the second connection on: the first one
// asks for the cookie. The kernel keeps cookies, for all programs of a
// network namespace and by pair of addresses.
//
// On macOS, FreeBSD and Windows data rides in SYNs only by
// [Dialer.DialEarly], since their connect calls want the bytes at once;
// connections by [Dialer.DialContext] are plain there, and their Outcome
// says so. Of what they do with the bytes they tell less than Linux does:
//
//   - macOS puts all of the bytes into the SYN or none. Of more than fit into
//     a packet of 1500 bytes, the first ones ride; where packets are smaller
//     than that, none may. By itself it stops using Fast Open on a network on
//     which it seems to fail ([tfo.Paused]).
//   - FreeBSD and Windows do not tell whether the bytes were in the SYN and
//     accepted there: the Outcome stays [tfo.DataSent], with the cause
//     [tfo.Untold].
//   - Windows does not tell either whether a connection was opened at its
//     SYN. [Conn.Early] is true there if the handshake was unfinished when
//     the connection was accepted; one that was finished is no repetition.
//   - A listener's [ListenConfig.Keys] and NoCookie, [Dialer.NoCookie], and
//     a limit on unconfirmed connections, are Linux's alone. The others limit
//     them as they see fit, and [Stats] counts requests for cookies, and
//     cookies that were refused, as plain connections.
//
// Fast Open has to be switched on: on macOS it is, on FreeBSD servers need
// the sysctl net.inet.tcp.fastopen.server_enable, and on Windows "netsh int
// tcp show global" shows it. Every other system has plain connections.
package fastopen

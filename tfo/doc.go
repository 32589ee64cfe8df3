// Package tfo holds TCP Fast Open (RFC 7413) as values. It opens no sockets,
// starts no goroutines, reads no clock and logs nothing, so that stacks, kernels'
// front ends and tools can all be built on it.
//
// # The protocol in short
//
// A client that has talked to a server before may put data into its SYN, which
// saves a round trip. To show that it is where it says it is, it adds a cookie
// that the server gave it in an earlier connection. The server makes the cookie
// from the addresses and a secret key, so it need not remember any client.
//
// # Usage
//
// An [Option] is what a SYN or SYN-ACK carries: a [Cookie], or the request for
// one. [ParseOption] finds it among the options of a segment, [Option.Append]
// writes it.
//
// A server has [Keys], which make cookies ([Keys.Mint]) and verify them
// ([Keys.Check]), bit for bit as the Linux kernel does, so that hosts of either
// sort share the work behind one address. Keys come from [ParseKeys] (the text of
// the sysctl net.ipv4.tcp_fastopen_key), [KeysFromRaw] (the bytes of the socket
// option TCP_FASTOPEN_KEY), [Derive] (a secret that a fleet shares, and the time)
// or [GenerateKeys]. A [Keyring] holds those in use and exchanges them while the
// server runs.
//
// A client has a [Cache] of what it learnt of servers, and of the paths on which
// Fast Open failed and is avoided for a while.
//
// An [Outcome] tells what came of Fast Open on one connection, after the fact:
// its String is one plain sentence.
//
// Keys, cookies and option values never print themselves; methods called Reveal
// return them to whoever asks.
//
// # Limitations
//
//   - Cookies that servers make are 8 bytes long, as with Linux and FreeBSD.
//     Clients keep any legal length, 4 to 16 bytes.
//   - Cookies carry no time of their own. They expire when the keys change, so
//     keys must change: https://www.rfc-editor.org/rfc/rfc7413#section-4.1.2
//     asks that cookies expire.
//   - A client falls back from one form of the option to the other only if its
//     caller does: the Cache keeps the form a cookie came in, and asks in the
//     Standard form.
//   - The Cache is not kept on disk.
//   - Secrets are not wiped from memory after use.
package tfo

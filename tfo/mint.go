package tfo

import (
	"encoding/binary"
	"net/netip"
)

// A Match tells which key of a set made a cookie.
type Match uint8

const (
	// NoMatch: no key of the set made the cookie. It is the zero value.
	NoMatch Match = iota
	// PrimaryMatch: the primary made it.
	PrimaryMatch
	// BackupMatch: a backup made it. The server accepts it and hands out a
	// cookie of the primary in its place (tcp_fastopen_cookie_gen_check in
	// Linux's net/ipv4/tcp_fastopen.c).
	BackupMatch
)

// String returns "no match", "primary" or "backup".
func (m Match) String() string {
	switch m {
	case PrimaryMatch:
		return "primary"
	case BackupMatch:
		return "backup"
	}
	return "no match"
}

// mintedLen is the length of the cookies servers hand out and accept
// (TCP_FASTOPEN_COOKIE_SIZE in Linux's include/net/tcp.h).
const mintedLen = 8

// Mint returns the cookie with which a client at one address opens connections
// to a server at the other, on any port: 8 bytes, bit for bit what the Linux
// kernel computes from the same primary. An IPv4 address written as IPv6
// (::ffff:192.0.2.1) counts as IPv4, zones do not count.
//
// It returns no cookie, the zero Cookie, when k has no key and when one address
// is IPv4 and the other IPv6, or one is missing.
func (k Keys) Mint(client, server netip.Addr) Cookie {
	s := k.set()
	var m message
	if len(s.keys) == 0 || !m.set(client, server, s.clientOnly) {
		return Cookie{}
	}
	return Cookie{lo: siphash(&s.keys[0], &m), n: mintedLen}
}

// Check tells which key of k, if any, made c for a client at one address and a
// server at the other. Every key verifies, in order, and none is skipped for
// the bytes of c: the time Check takes tells which key matched, which the
// server's reply tells as well, and nothing more.
//
// A cookie that is not 8 bytes long matches no key, as in Linux, and so does any
// cookie where Mint would return none.
func (k Keys) Check(client, server netip.Addr, c Cookie) Match {
	s := k.set()
	var m message
	if c.n != mintedLen || !m.set(client, server, s.clientOnly) {
		return NoMatch
	}
	for i := range s.keys {
		if !c.Equal(Cookie{lo: siphash(&s.keys[i], &m), n: mintedLen}) {
			continue
		}
		if i == 0 {
			return PrimaryMatch
		}
		return BackupMatch
	}
	return NoMatch
}

// ClientOnly returns the same keys with FreeBSD's form of cookie, which is made
// from the client's address alone, so that one cookie serves every address of a
// server (tcp_fastopen_make_cookie in FreeBSD's sys/netinet/tcp_fastopen.c).
// Linux hosts do not accept such cookies, even with the same keys.
func (k Keys) ClientOnly() Keys {
	if k.IsZero() {
		return k
	}
	return seal(&keySet{keys: k.set().keys, clientOnly: true})
}

// set makes m the message a cookie is the hash of: the client's address, then,
// unless the cookie is made for the client only, the server's, both in network
// byte order. It reports false if no cookie is made from these addresses.
//
// Linux hashes the addresses of the packet's own family, so a dual-stack
// listener that knows an IPv4 peer as ::ffff:192.0.2.1 still hashes 4 bytes of
// it (__tcp_fastopen_cookie_gen_cipher in net/ipv4/tcp_fastopen.c).
func (m *message) set(client, server netip.Addr, clientOnly bool) bool {
	// Unmap costs more than it takes to see that there is nothing to do.
	if client.Is4In6() {
		client = client.Unmap()
	}
	if server.Is4In6() {
		server = server.Unmap()
	}
	switch {
	case clientOnly && client.Is4():
		m.last = word4(client) | 4<<56
	case clientOnly && client.Is6():
		m.words[0], m.words[1] = words16(client)
		m.n, m.last = 2, 16<<56
	case client.Is4() && server.Is4():
		m.words[0] = word4(client) | word4(server)<<32
		m.n, m.last = 1, 8<<56
	case client.Is6() && server.Is6():
		m.words[0], m.words[1] = words16(client)
		m.words[2], m.words[3] = words16(server)
		m.n, m.last = 4, 32<<56
	default:
		return false
	}
	return true
}

func word4(a netip.Addr) uint64 {
	b := a.As4()
	return uint64(binary.LittleEndian.Uint32(b[:]))
}

func words16(a netip.Addr) (uint64, uint64) {
	b := a.As16()
	return binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])
}

package tcp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Purposes that one secret serves: a hash for one says nothing of another.
const (
	hashISN uint8 = 1 + iota
	hashTimestamp
	hashPort
	hashSYNCookie
)

// isn is the initial sequence number of a connection.
//
// "A TCP implementation MUST use the above type of "clock" for clock-driven
// selection of initial sequence numbers (MUST-8), and SHOULD generate its
// initial sequence numbers with the expression:
// ISN = M + F(localip, localport, remoteip, remoteport, secretkey)"
// https://www.rfc-editor.org/rfc/rfc9293#section-3.4.1
func (c *Config) isn(now time.Time, local, remote netip.AddrPort) uint32 {
	return uint32(now.UnixNano()/int64(isnTick)) + uint32(c.hash(hashISN, local, remote, 0))
}

// isnTick is the period of the clock M, as in Linux: "at least once every
// roughly 4 microseconds" asks for no more, but that is overtaken by every
// connection faster than 2 Mbit/s, whose numbers then lie within the space of
// the next with the same addresses. At 64 nanoseconds it takes 125 Mbit/s, and a
// turn takes 275 seconds, which is longer than a segment lives.
// https://www.rfc-editor.org/rfc/rfc9293#section-3.4.1
const isnTick = 64 * time.Nanosecond

// timestampBase is the value of the timestamp clock at now. The offset depends
// on the addresses, not the ports, so that the clock is monotonic for one pair
// of hosts, which a reused TIME-WAIT relies on, and tells others nothing.
//
// https://www.rfc-editor.org/rfc/rfc7323#section-5.4
func (c *Config) timestampBase(now time.Time, local, remote netip.Addr) uint32 {
	return uint32(now.UnixNano()/int64(c.tick())) +
		uint32(c.hash(hashTimestamp, netip.AddrPortFrom(local, 0), netip.AddrPortFrom(remote, 0), 0))
}

// Ports chooses ephemeral ports. The zero value is ready.
type Ports struct {
	next uint32
}

// Port is the try-th candidate, counted from 0, for a connection from local to
// remote: a port between low and high inclusive. A caller tries until it finds
// one that is free, at most high-low+1 times, and then calls Taken.
//
// Algorithm 3, simple hash-based port selection:
// https://www.rfc-editor.org/rfc/rfc6056#section-3.3.3
func (p *Ports) Port(c *Config, local netip.Addr, remote netip.AddrPort, low, high uint16, try int) uint16 {
	offset := uint32(c.hash(hashPort, netip.AddrPortFrom(local, 0), remote, 0))
	n := uint32(high-low) + 1
	return low + uint16((offset+p.next+uint32(try))%n)
}

// Taken notes that the try-th candidate was used.
func (p *Ports) Taken(try int) { p.next += uint32(try) + 1 }

// hash is SipHash-2-4 under the configuration's secret.
func (c *Config) hash(purpose uint8, local, remote netip.AddrPort, extra uint64) uint64 {
	var m [48]byte
	l, r := local.Addr().As16(), remote.Addr().As16()
	copy(m[:], l[:])
	copy(m[16:], r[:])
	binary.LittleEndian.PutUint16(m[32:], local.Port())
	binary.LittleEndian.PutUint16(m[34:], remote.Port())
	m[36] = purpose
	binary.LittleEndian.PutUint64(m[40:], extra)
	return sipHash(&c.Secret, &m)
}

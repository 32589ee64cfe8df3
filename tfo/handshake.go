package tfo

// These are the words in which a TCP and what uses its Fast Open speak of one
// connection's beginning. They are values: the TCP may be the operating
// system's or one in user space.

// A Stage is how far a connection's handshake is. Stages are ordered, and a
// connection never goes back.
type Stage uint8

const (
	// Unanswered: the SYN was not answered yet, or not sent. It is the zero
	// value.
	Unanswered Stage = iota
	// Unconfirmed: an accepted connection that was opened at its SYN. It can
	// be read and written, and whether its peer exists is not known.
	Unconfirmed
	// Confirmed: the handshake is done. A connection that dies afterwards
	// stays Confirmed.
	Confirmed
	// Closed: its owner has closed the connection.
	Closed
)

// A Handshake is what a TCP tells of a connection's beginning.
type Handshake struct {
	Stage Stage

	// PutOff says that the SYN was not sent, because there is a cookie for
	// the destination and so the first bytes may ride in it.
	PutOff bool

	// Dead says that the connection has ended by itself: refused, reset, timed
	// out. With the Stage Unanswered or Unconfirmed, it never was a connection.
	Dead bool

	// Resent says that a SYN, or something behind it, was sent more than once.
	// A TCP that remembers for itself what such a loss says of a path need not
	// tell.
	Resent bool

	// Outcome is what came of Fast Open, as far as the TCP knows. Wanted may
	// be left out.
	Outcome Outcome
}

// Unopened reports whether the connection has died before it was one.
func (h Handshake) Unopened() bool { return h.Dead && h.Stage == Unanswered }

// A DialConfig is how a connection that is dialed is to use Fast Open. The zero
// value is by cookie, as RFC 7413 has it.
type DialConfig struct {
	// Off sends plain SYNs only.
	Off bool
	// NoCookie puts data into the SYN without any cookie, and asks for none.
	NoCookie bool
	// Partition is as in [Path].
	Partition string
}

// A ListenConfig is how a listener is to use Fast Open. The zero value is not to.
type ListenConfig struct {
	// Queue is how many connections that were opened at their SYN may be
	// unconfirmed at one time; 0 means no Fast Open.
	Queue int
	// Keys make the cookies and follow the Keyring when it changes. Nil, or a
	// Keyring that is empty, means the host's own.
	Keys *Keyring
	// NoCookie accepts data in SYNs from anybody, without a cookie, and grants
	// none.
	NoCookie bool
}

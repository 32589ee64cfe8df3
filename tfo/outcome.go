package tfo

import (
	"fmt"
	"time"
)

// A Status is how far Fast Open got on a connection.
type Status uint8

const (
	Off             Status = iota // Fast Open was not used
	CookieRequested               // no data early, a cookie was asked for
	DataSent                      // the SYN carried a cookie and data; the peer has not answered yet
	DataAccepted                  // the peer acknowledged all of the SYN's data
	FellBack                      // the SYN carried data, but the connection went on without
)

var statusText = [...]string{"off", "cookie-requested", "data-sent", "data-accepted", "fell-back"}

// A Cause says why a connection got no further than its Status says.
type Cause uint8

const (
	NoCause Cause = iota

	// Why Off.
	Unsupported // this operating system or kernel has no such thing
	Disabled    // the host's setting is off
	Paused      // the kernel's own black-hole pause
	Avoided     // the path failed lately
	Refused     // the policy allowed none of the first bytes
	NoData      // opened before anything was written
	NoRoom      // the cookie did not fit into the options

	// Why only CookieRequested.
	NotGranted // earlier requests brought no cookie

	// Why FellBack.
	Unacknowledged // the SYN-ACK acknowledged the SYN but not its data
	Partial        // it acknowledged a part
	Lost           // the SYN with data or option got no answer
	Reset          // it was answered by a reset
	Unreachable    // it was answered by ICMP
	Overtaken      // a plain connection opened beside it answered first
	BlackHole      // after the handshake nothing more came

	// Why FellBack, as a server sees it.
	BadCookie // no key made the cookie
	NoCookie  // there was data but no cookie
	Overload  // too many connections were pending
)

var causeText = [...]string{
	"none", "unsupported", "disabled", "paused", "avoided", "refused", "no-data", "no-room", "not-granted",
	"unacknowledged", "partial", "lost", "reset", "unreachable", "overtaken", "black-hole",
	"bad-cookie", "no-cookie", "overload",
}

// An Outcome tells what Fast Open did for one connection.
type Outcome struct {
	Status  Status
	Cause   Cause
	Passive bool          // told by the server's side
	Sent    int           // bytes of data that went into the SYN (client) or arrived in it (server)
	Wanted  int           // bytes of the first write that were offered for it
	RTT     time.Duration // smoothed round-trip time when read; 0 unknown
	Avoid   Avoid         // set when Cause is Avoided
}

// Saved reports whether a round trip was saved.
func (o Outcome) Saved() bool { return o.Status == DataAccepted && o.Sent >= o.Wanted }

// String tells the outcome in one sentence.
func (o Outcome) String() string {
	return fmt.Sprintf("Fast Open %v (%v), %d of %d bytes in the SYN.", o.Status, o.Cause, o.Sent, o.Wanted)
}

// String returns the words for the status.
func (s Status) String() string { return textOf(statusText[:], "status", uint8(s)) }

// MarshalText returns the name, such as "data-accepted".
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts what MarshalText returns.
func (s *Status) UnmarshalText(b []byte) error {
	n, err := fromText(statusText[:], "status", b)
	if err == nil {
		*s = Status(n)
	}
	return err
}

// String returns the words for the cause.
func (c Cause) String() string { return textOf(causeText[:], "cause", uint8(c)) }

// MarshalText returns the name, such as "not-granted".
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText accepts what MarshalText returns.
func (c *Cause) UnmarshalText(b []byte) error {
	n, err := fromText(causeText[:], "cause", b)
	if err == nil {
		*c = Cause(n)
	}
	return err
}

func textOf(names []string, what string, n uint8) string {
	if int(n) < len(names) {
		return names[n]
	}
	return fmt.Sprintf("%s-%d", what, n)
}

func fromText(names []string, what string, b []byte) (uint8, error) {
	for i, s := range names {
		if s == string(b) {
			return uint8(i), nil
		}
	}
	return 0, fmt.Errorf("tfo: %q is not a %s of a Fast Open outcome", b, what)
}

package tfo

import (
	"fmt"
	"strings"
	"time"
)

// A Status is how far Fast Open got on one connection. Each has a name for
// programs, such as "data-accepted", by MarshalText.
type Status uint8

const (
	// Off: Fast Open was not used. It is the zero value.
	Off Status = iota
	// CookieRequested: the SYN asked for a cookie. No data went early.
	CookieRequested
	// DataSent: the SYN carried a cookie, and what it carried has not been
	// answered yet. With the Cause Untold, the operating system took data for
	// the SYN, and that is all that can be known.
	DataSent
	// DataAccepted: the peer acknowledged all the data in the SYN.
	DataAccepted
	// FellBack: the SYN carried a cookie or asked for one, and the connection
	// went on as if it had not. Nothing was lost but time.
	FellBack
)

// A Cause is why Fast Open got no further than a [Status] says. Each has a name
// for programs, such as "not-granted", by MarshalText.
type Cause uint8

const (
	// NoCause: there is nothing to explain, or nothing is known. It is the zero
	// value.
	NoCause Cause = iota

	// Why Off.

	Unsupported // this operating system or kernel has no Fast Open
	Disabled    // a setting of this host has it off
	Paused      // the kernel suspects a black hole and has paused it for all destinations
	Avoided     // it failed on this path lately; Outcome.Avoid says how
	Refused     // the policy allowed none of the first bytes into a SYN
	NoData      // the connection was opened before anything was written
	NoRoom      // the cookie, or the data with it, did not fit into the SYN

	// Why only CookieRequested.

	NotGranted // earlier requests to this destination brought no cookie

	// Why only DataSent, after the handshake.

	Untold // this operating system does not tell whether data were in the SYN, and accepted

	// Why FellBack, as the client sees it.

	Unacknowledged // the SYN-ACK acknowledged the SYN and none of its data
	Partial        // the SYN-ACK acknowledged a part of the data
	Lost           // the SYN with data or option was never answered
	Reset          // the SYN was answered with a reset
	Unreachable    // the SYN was answered with an ICMP error
	Overtaken      // a plain connection opened beside this one was answered first
	BlackHole      // after the handshake nothing came through

	// Why FellBack, as the server sees it.

	BadCookie // no key of this server made the cookie
	NoCookie  // the SYN carried data and no cookie
	Overload  // too many connections were pending on the listener
)

// An Outcome tells what came of Fast Open on one connection. It is a report made
// after the fact; nothing is called accepted that the peer did not acknowledge.
type Outcome struct {
	Status Status
	Cause  Cause

	// Passive says that this is the server's side of the connection.
	Passive bool

	// Sent is how many bytes of data went into the SYN, or on the server's side
	// arrived in it.
	Sent int

	// Wanted is how many bytes of the first write were offered for the SYN. If
	// there are more than Sent, the rest waited for the handshake. The server's
	// side does not know and leaves it 0.
	Wanted int

	// RTT is the smoothed round-trip time when the outcome was read, 0 if
	// unknown.
	RTT time.Duration

	// Avoid says what failed on the path, if Cause is Avoided.
	Avoid Avoid
}

// Saved reports whether Fast Open saved a round trip: the peer accepted the data
// in the SYN, and nothing of the first write had to wait for the handshake.
func (o Outcome) Saved() bool { return o.Status == DataAccepted && o.Sent >= o.Wanted }

var statusNames = []string{
	Off: "off", CookieRequested: "cookie-requested", DataSent: "data-sent",
	DataAccepted: "data-accepted", FellBack: "fell-back",
}

var causeNames = []string{
	NoCause:     "none",
	Unsupported: "unsupported", Disabled: "disabled", Paused: "paused", Avoided: "avoided",
	Refused: "refused", NoData: "no-data", NoRoom: "no-room",
	NotGranted: "not-granted", Untold: "untold",
	Unacknowledged: "unacknowledged", Partial: "partial", Lost: "lost", Reset: "reset",
	Unreachable: "unreachable", Overtaken: "overtaken", BlackHole: "black-hole",
	BadCookie: "bad-cookie", NoCookie: "no-cookie", Overload: "overload",
}

// String returns the status in words, such as "data accepted".
func (s Status) String() string { return words(statusNames, "status", uint8(s)) }

// MarshalText returns the name of the status, such as "data-accepted".
func (s Status) MarshalText() ([]byte, error) { return name(statusNames, "status", uint8(s)) }

// UnmarshalText takes the names that MarshalText returns.
func (s *Status) UnmarshalText(text []byte) error {
	n, err := number(statusNames, "status", text)
	if err == nil {
		*s = Status(n)
	}
	return err
}

// String returns the cause in words, such as "not granted".
func (c Cause) String() string { return words(causeNames, "cause", uint8(c)) }

// MarshalText returns the name of the cause, such as "not-granted".
func (c Cause) MarshalText() ([]byte, error) { return name(causeNames, "cause", uint8(c)) }

// UnmarshalText takes the names that MarshalText returns.
func (c *Cause) UnmarshalText(text []byte) error {
	n, err := number(causeNames, "cause", text)
	if err == nil {
		*c = Cause(n)
	}
	return err
}

func words(names []string, what string, n uint8) string {
	if int(n) >= len(names) {
		return fmt.Sprintf("unknown %s %d", what, n)
	}
	return strings.ReplaceAll(names[n], "-", " ")
}

func name(names []string, what string, n uint8) ([]byte, error) {
	if int(n) >= len(names) {
		return nil, fmt.Errorf("tfo: there is no %s number %d; use the constants of package tfo", what, n)
	}
	return []byte(names[n]), nil
}

func number(names []string, what string, text []byte) (uint8, error) {
	for i, s := range names {
		if s == string(text) {
			return uint8(i), nil
		}
	}
	return 0, fmt.Errorf("tfo: there is no %s %.40q; choose one of %s", what, text, strings.Join(names, ", "))
}

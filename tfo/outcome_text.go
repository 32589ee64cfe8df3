package tfo

import (
	"fmt"
	"strconv"
	"time"
)

// String tells the outcome to a person, in one sentence that says what happened,
// why, and what it was worth. It reads well for every combination of fields;
// programs should look at the fields.
func (o Outcome) String() string {
	var s string
	if o.Passive {
		s = o.server()
	} else {
		s = o.client()
	}
	if o.RTT > 0 && o.Status != DataAccepted {
		s += "; a round trip takes " + roundTrip(o.RTT) + " here"
	}
	return s + "."
}

// String tells in words what failed and until when Fast Open is avoided, in UTC,
// as a clause without a full stop; "nothing has failed on this path" for the
// zero Avoid.
func (a Avoid) String() string {
	var s string
	switch a.Times {
	case 0:
		return "nothing has failed on this path"
	case 1:
		s = "it failed on this path: "
	case 2:
		s = "it failed twice in a row on this path, last because "
	default:
		s = fmt.Sprintf("it failed %d times in a row on this path, last because ", a.Times)
	}
	s += a.Cause.reason(false)
	if !a.Until.IsZero() {
		s += ", and is avoided until " + a.Until.UTC().Format("2006-01-02 15:04:05 MST")
	}
	return s
}

func (o Outcome) client() string {
	switch o.Status {
	case Off:
		if o.Cause == NoCause {
			return "Fast Open was not used"
		}
		return "Fast Open was not used: " + o.why()
	case CookieRequested:
		const asked = "No data went early: this connection asked the server for a Fast Open cookie"
		switch o.Cause {
		case NoCause:
			return asked + ", with which later ones can send data in the SYN"
		case NotGranted:
			return asked + ", as earlier ones did in vain, so the server or something on the path probably does not support Fast Open"
		}
		return asked + ", but " + o.why()
	case DataSent:
		if o.Cause == Untold {
			return "The operating system took " + o.carried() + " for the SYN, and does not tell what came of that"
		}
		s := "The SYN carried a cookie and " + o.carried() + ", and has not been answered yet"
		if o.Sent < o.Wanted {
			s += "; the rest of the first write waits for the handshake"
		}
		return s
	case DataAccepted:
		return o.clientAccepted()
	case FellBack:
		return "Fast Open fell back: " + o.clientFellBack()
	}
	return "Nothing is known of Fast Open here: " + o.Status.String()
}

func (o Outcome) clientAccepted() string {
	rest := "so little or nothing was saved"
	switch {
	case o.Sent == 0 && o.Wanted == 0:
		return "The server accepted a SYN with a cookie and no data, so it could answer " + o.early()
	case o.Sent == 0:
		return "The server accepted a SYN with a cookie and no data, but the first write waited for the handshake, " + rest
	case o.Sent < o.Wanted:
		return fmt.Sprintf("The server accepted the %s in the SYN, but the other %d of the first write waited for the handshake, %s",
			byteCount(o.Sent), o.Wanted-o.Sent, rest)
	}
	saved := "a round trip"
	if o.RTT > 0 {
		saved += " of " + roundTrip(o.RTT)
	}
	return "Fast Open saved " + saved + ": the server accepted the " + byteCount(o.Sent) + " in the SYN"
}

func (o Outcome) clientFellBack() string {
	syn := "the SYN with " + byteCount(o.Sent)
	if o.Sent == 0 {
		syn = "the SYN with the Fast Open option"
	}
	switch o.Cause {
	case NoCause:
		if o.Sent == 0 {
			return "the connection went on without it"
		}
		return "the " + byteCount(o.Sent) + " in the SYN were sent again after the handshake"
	case Unacknowledged:
		const guess = ", which often means that the cookie has expired or that servers behind one address do not share a key"
		if o.Sent == 0 {
			return "the server did not accept the SYN's cookie" + guess
		}
		return "the server answered the SYN but did not accept the " + byteCount(o.Sent) + " in it" + guess
	case Partial:
		if o.Sent > 0 {
			return "the server accepted only a part of the " + byteCount(o.Sent) + " in the SYN, and the rest was sent again after the handshake"
		}
	case Lost:
		return syn + " got no answer, and a plain SYN followed"
	case Reset:
		return syn + " was answered with a reset, and the connection was tried again without"
	case Unreachable:
		return syn + " was answered with an ICMP error, and the connection was tried again without"
	case Overtaken:
		return "a plain connection opened beside this one was answered first and is the one in use"
	case BlackHole:
		return "the server answered " + syn + ", but nothing came through after the handshake, as if something on the path broke such connections"
	}
	return o.why()
}

func (o Outcome) server() string {
	switch o.Status {
	case Off:
		if o.Cause == NoCause {
			return "The client did not use Fast Open"
		}
		return "Fast Open was not used: " + o.why()
	case CookieRequested:
		s := "The client asked for a Fast Open cookie"
		if o.Sent > 0 {
			s += ", and the " + byteCount(o.Sent) + " that came with the request were left for it to send again"
		}
		if o.Cause != NoCause {
			s += ", but " + o.why()
		}
		return s
	case DataSent:
		return "The client's SYN carried a cookie and " + o.carried() + ", and has not been answered yet"
	case DataAccepted:
		if o.Sent == 0 {
			return "The client's SYN carried no data and was accepted, so this side could write " + o.early()
		}
		return "Fast Open worked: the " + byteCount(o.Sent) + " in the client's SYN were accepted, " + o.early()
	case FellBack:
		return o.serverFellBack()
	}
	return "Nothing is known of Fast Open here: " + o.Status.String()
}

func (o Outcome) serverFellBack() string {
	brought := "Fast Open fell back: the client's SYN carried no data"
	if o.Sent > 0 {
		brought = "Fast Open fell back: the " + byteCount(o.Sent) + " in the client's SYN were not accepted"
	}
	switch o.Cause {
	case NoCause:
		return brought
	case Partial:
		if o.Sent > 0 {
			return "Fast Open fell back: only a part of the " + byteCount(o.Sent) + " in the client's SYN was accepted"
		}
	case Lost, Reset, Unreachable, BlackHole:
		// The SYN was accepted; it is what came after that went wrong.
		accepted := "The client's SYN was accepted without data"
		if o.Sent > 0 {
			accepted = "The " + byteCount(o.Sent) + " in the client's SYN were accepted"
		}
		if o.Cause == BlackHole {
			return accepted + ", but nothing came from the client after the handshake"
		}
		return accepted + ", but the handshake was never completed: " + o.why()
	}
	if o.Sent > 0 {
		return brought + " because " + o.why()
	}
	return brought + ", and " + o.why()
}

// why returns the reason as a clause that can follow a colon or "because".
func (o Outcome) why() string {
	if o.Cause == Avoided && o.Avoid.Times > 0 {
		return o.Avoid.String()
	}
	return o.Cause.reason(o.Passive)
}

// carried tells how much of the first write was in the SYN.
func (o Outcome) carried() string {
	switch {
	case o.Sent == 0:
		return "no data"
	case o.Sent < o.Wanted:
		return strconv.Itoa(o.Sent) + " of " + byteCount(o.Wanted)
	}
	return byteCount(o.Sent)
}

// early tells by how much something was early.
func (o Outcome) early() string {
	if o.RTT > 0 {
		return "a round trip (" + roundTrip(o.RTT) + ") early"
	}
	return "a round trip early"
}

func (c Cause) reason(passive bool) string {
	switch c {
	case NoCause:
		return "the reason is not known"
	case Unsupported:
		return "this system does not support it"
	case Disabled:
		if passive {
			return "a setting of this host has it off for listeners (on Linux, bit 0x2 of net.ipv4.tcp_fastopen is clear)"
		}
		return "a setting of this host has it off (on Linux, bit 0x1 of net.ipv4.tcp_fastopen is clear)"
	case Paused:
		return "the kernel suspects a black hole and has paused it for all destinations (on Linux, see net.ipv4.tcp_fastopen_blackhole_timeout_sec)"
	case Avoided:
		return "it failed on this path lately"
	case Refused:
		return "the policy allowed none of the first bytes into a SYN"
	case NoData:
		return "the connection was opened before anything was written"
	case NoRoom:
		return "the cookie, or the data with it, did not fit into the SYN"
	case NotGranted:
		return "no cookie was granted"
	case Untold:
		return "the operating system does not tell what came of it"
	case Unacknowledged:
		return "the SYN was acknowledged without its data"
	case Partial:
		return "only a part of the SYN's data was acknowledged"
	case Lost:
		if passive {
			return "the SYN-ACK got no answer"
		}
		return "the SYN got no answer"
	case Reset:
		if passive {
			return "the client reset the connection"
		}
		return "the SYN was answered with a reset"
	case Unreachable:
		if passive {
			return "the SYN-ACK was answered with an ICMP error"
		}
		return "the SYN was answered with an ICMP error"
	case Overtaken:
		return "a plain connection opened beside it was answered first"
	case BlackHole:
		return "nothing came through after the handshake"
	case BadCookie:
		return "no key of this server made the SYN's cookie"
	case NoCookie:
		return "the SYN carried no cookie"
	case Overload:
		return "too many connections were pending on the listener, whose limit may be too low"
	}
	return "the reason is the " + c.String()
}

func byteCount(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return strconv.Itoa(n) + " bytes"
}

// roundTrip prints no more digits of a round-trip time than it is worth.
func roundTrip(d time.Duration) string {
	switch {
	case d >= 10*time.Millisecond:
		d = d.Round(time.Millisecond)
	case d >= time.Millisecond:
		d = d.Round(100 * time.Microsecond)
	case d >= time.Microsecond:
		d = d.Round(time.Microsecond)
	}
	return d.String()
}

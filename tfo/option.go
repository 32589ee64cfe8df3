package tfo

import "encoding/binary"

// A Form is one of the two ways in which the option is written.
type Form uint8

const (
	// Standard is option kind 34, which RFC 7413 registered. It is the zero
	// value.
	Standard Form = iota
	// Experimental is option kind 254 with the 16-bit experiment identifier
	// 0xF989 (RFC 6994), which hosts used before kind 34 was assigned. Linux
	// still accepts it and answers in kind.
	Experimental
)

// Numbers of the option on the wire.
//
// "Kind            1 byte: value = 34"
// https://www.rfc-editor.org/rfc/rfc7413#section-4.1.1
const (
	KindStandard     = 34     // option kind of the Standard form
	KindExperimental = 254    // option kind of the Experimental form
	ExperimentID     = 0xF989 // follows kind and length in the Experimental form, big-endian

	// MaxOptionLen is the length in bytes of the longest option there is: the
	// Experimental form with a cookie of 16 bytes.
	MaxOptionLen = experimentalHeader + MaxCookieLen

	standardHeader     = 2 // kind, length
	experimentalHeader = 4 // kind, length, identifier

	kindEnd = 0
	kindNop = 1
)

// String returns "kind 34" or "kind 254".
func (f Form) String() string {
	if f == Experimental {
		return "kind 254"
	}
	return "kind 34"
}

// An Option is the Fast Open option of a SYN or SYN-ACK. One without a cookie
// asks for a cookie. The zero Option is such a request in the Standard form.
//
// An Option is a value, as its [Cookie] is.
type Option struct {
	Form   Form
	Cookie Cookie
}

// IsRequest reports whether the option asks for a cookie, having none.
func (o Option) IsRequest() bool { return o.Cookie.IsZero() }

// Len returns the bytes the option takes on the wire, without padding: from 2,
// for a request in the Standard form, to MaxOptionLen. With a cookie of 8 bytes
// it is 10 in the Standard form and 12 in the Experimental.
func (o Option) Len() int {
	if o.Form == Experimental {
		return experimentalHeader + o.Cookie.Len()
	}
	return standardHeader + o.Cookie.Len()
}

// Append appends the option as it goes on the wire, without padding. It does not
// allocate where dst has room.
//
// "The client sends a SYN packet with a Fast Open option with a Length field of
// 2 (empty cookie field)": https://www.rfc-editor.org/errata/eid4239
func (o Option) Append(dst []byte) []byte {
	if o.Form == Experimental {
		dst = append(dst, KindExperimental, byte(o.Len()), ExperimentID>>8, ExperimentID&0xff)
	} else {
		dst = append(dst, KindStandard, byte(o.Len()))
	}
	return o.Cookie.Append(dst)
}

// ParseOption looks for the Fast Open option among the options of a SYN or
// SYN-ACK, which are all the bytes between the fixed part of the TCP header and
// the payload. It reports false if there is none that counts. It does not
// allocate and keeps nothing of options.
//
// The option means something on segments with SYN only: do not look for it on
// others (https://www.rfc-editor.org/rfc/rfc7413#section-4.1.1).
//
// What counts is what counts for Linux (tcp_parse_fastopen_option in
// net/ipv4/tcp_input.c):
//
//   - An option with an odd number of cookie bytes is passed over as if it were
//     not there.
//   - Of the others the last one counts, whichever form it has.
//   - If that one has an illegal number of cookie bytes, 2 or more than 16, no
//     option counts, not even a good one before it.
//   - An option of length 0 or 1, one that runs beyond the end, and the
//     end-of-options kind end the search. What was found before them counts.
//   - Kind 254 with another experiment identifier is another option.
func ParseOption(options []byte) (o Option, ok bool) {
	for len(options) > 0 {
		kind := options[0]
		if kind == kindNop {
			options = options[1:]
			continue
		}
		if kind == kindEnd || len(options) < 2 {
			break
		}
		length := int(options[1])
		if length < 2 || length > len(options) {
			break
		}
		body := options[2:length]
		options = options[length:]

		form := Standard
		switch {
		case kind == KindStandard:
		case kind == KindExperimental && len(body) >= 2 && binary.BigEndian.Uint16(body) == ExperimentID:
			form = Experimental
			body = body[2:]
		default:
			continue
		}
		// "The number MUST be even."
		// https://www.rfc-editor.org/errata/eid4238
		if len(body)%2 != 0 {
			continue
		}
		c, legal := CookieFrom(body)
		o, ok = Option{form, c}, legal || len(body) == 0
	}
	if !ok {
		return Option{}, false
	}
	return o, true
}

// String tells the option in words without showing the cookie, as in "cookie of
// 8 bytes (kind 34)" and "cookie request (kind 34)".
func (o Option) String() string {
	what := "cookie request"
	if !o.IsRequest() {
		what = o.Cookie.String()
	}
	return what + " (" + o.Form.String() + ")"
}

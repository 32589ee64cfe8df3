package tfo

import "encoding/binary"

// A Form says how the option is written on the wire.
type Form uint8

const (
	// Standard is option kind 34, the form RFC 7413 registered. It is the
	// zero value.
	Standard Form = iota
	// Experimental is option kind 254 with the 16-bit identifier 0xF989 (RFC
	// 6994), which hosts spoke before kind 34 was assigned and some still do.
	Experimental
)

// Numbers of the option. The lengths include the kind and length bytes.
//
// "Kind            1 byte: value = 34"
// https://www.rfc-editor.org/rfc/rfc7413#section-4.1.1
const (
	KindStandard     = 34     // option kind of the Standard form
	KindExperimental = 254    // option kind of the Experimental form
	ExperimentID     = 0xF989 // what follows kind and length in the Experimental form

	// MaxOptionLen is the longest option Append writes: the Experimental
	// form with a cookie of MaxCookieLen bytes.
	MaxOptionLen = experimentalBase + MaxCookieLen

	standardBase     = 2 // kind, length
	experimentalBase = 4 // kind, length, identifier

	kindEOL = 0
	kindNOP = 1
)

// An Option is the Fast Open option of a SYN or SYN-ACK. Without a cookie it
// is the request for one. The zero Option is a request in the Standard form.
//
// An Option is a value: it can be copied and compared with ==, but a cookie
// that proves something is compared with [Cookie.Equal].
type Option struct {
	Form   Form
	Cookie Cookie
}

// IsRequest reports whether the option carries no cookie and so asks for one.
func (o Option) IsRequest() bool { return o.Cookie.IsZero() }

// Len returns the bytes the option takes on the wire, padding not included: 2
// for a request in the Standard form, 12 for an Experimental option with a
// cookie of 8 bytes.
func (o Option) Len() int {
	if o.Form == Experimental {
		return experimentalBase + o.Cookie.Len()
	}
	return standardBase + o.Cookie.Len()
}

// Append appends the option as it goes on the wire, without padding, and
// returns the extended slice. It does not allocate where dst has o.Len()
// bytes to spare.
func (o Option) Append(dst []byte) []byte {
	if o.Form == Experimental {
		dst = append(dst, KindExperimental, byte(o.Len()))
		dst = binary.BigEndian.AppendUint16(dst, ExperimentID)
	} else {
		dst = append(dst, KindStandard, byte(o.Len()))
	}
	return o.Cookie.Append(dst)
}

// ParseOption finds the Fast Open option in the options of a SYN or SYN-ACK:
// everything between the fixed TCP header and the payload. It reports false
// when there is none, or none that counts. It does not allocate and keeps no
// reference to options.
//
// Options mean nothing on segments without SYN: do not call it for them.
//
// Where options repeat or are malformed it decides as Linux does:
//   - an option with an odd cookie length is passed over, as if absent;
//   - of the others the last one counts, whichever form it has;
//   - if that one has an illegal length (2, or more than 16 bytes of cookie),
//     there is no option, even if a good one went before;
//   - a length byte below 2 or beyond the end of options ends the search, as
//     does the end-of-options kind, and what was found so far counts.
func ParseOption(options []byte) (o Option, ok bool) {
	for len(options) > 0 {
		kind := options[0]
		if kind == kindEOL {
			break
		}
		if kind == kindNOP {
			options = options[1:]
			continue
		}
		if len(options) < 2 {
			break
		}
		n := int(options[1])
		if n < 2 || n > len(options) {
			break
		}
		body := options[2:n]
		options = options[n:]
		form := Standard
		switch kind {
		case KindStandard:
		case KindExperimental:
			if len(body) < 2 || binary.BigEndian.Uint16(body) != ExperimentID {
				continue
			}
			form, body = Experimental, body[2:]
		default:
			continue
		}
		if len(body)%2 != 0 {
			continue
		}
		if len(body) == 0 {
			o, ok = Option{Form: form}, true
			continue
		}
		var c Cookie
		if c, ok = CookieFrom(body); ok {
			o = Option{Form: form, Cookie: c}
		} else {
			o = Option{}
		}
	}
	return o, ok
}

// String describes the option in words, without the cookie's bytes.
func (o Option) String() string {
	form := " (kind 34)"
	if o.Form == Experimental {
		form = " (kind 254)"
	}
	if o.IsRequest() {
		return "cookie request" + form
	}
	return o.Cookie.String() + form
}

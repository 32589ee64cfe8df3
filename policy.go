package fastopen

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// A Policy looks at the first bytes written to a connection and says how
// many of them, from the start, may ride in its SYN. What is in a SYN can
// reach the server twice (RFC 7413, section 6.1), and "the browser should not
// use TFO to send requests in SYNs if those requests cannot tolerate replays"
// (section 6.3.1), so a Policy allows what is harmless when repeated, and
// answers 0 when in doubt. It must not keep or change first, nor use the
// connection.
type Policy func(first []byte) int

// Safe is the default: it allows what [TLSClientHello] or [SafeHTTP] allows.
func Safe(first []byte) int {
	if n := TLSClientHello(first); n > 0 {
		return n
	}
	return SafeHTTP(first)
}

// Never allows nothing: connections that were put off open without data.
func Never([]byte) int { return 0 }

// Idempotent allows every byte. Choose it only for protocols in which the
// first request may be carried out twice.
func Idempotent(first []byte) int { return len(first) }

// TLSClientHello allows a TLS ClientHello, which commits to nothing: a
// server that receives it twice answers twice and the second handshake is
// never finished. Records behind the ClientHello, such as TLS 1.3 early
// data, are not allowed.
//
// A ClientHello saves a round trip only if all of it fits into the SYN,
// which has room for 1420 bytes on an IPv4 path with an MTU of 1500, and
// 1400 on IPv6. That of crypto/tls is some 1500 bytes long when it offers a
// post-quantum key exchange, as it does by default, and some 300 bytes with
// [crypto/tls.Config.CurvePreferences] set to X25519 and CurveP256.
func TLSClientHello(first []byte) int {
	const (
		record      = 5 // type, version, length: RFC 8446, section 5.1
		handshake   = 4 // type, length: RFC 8446, section 4
		typeRecord  = 22
		typeHello   = 1
		maxFragment = 1 << 14
	)
	if len(first) < record+handshake || first[record] != typeHello {
		return 0
	}
	hello := handshake + int(binary.BigEndian.Uint32(first[record:])&0xffffff)
	if hello > 1<<17 {
		return 0
	}
	n := 0
	for hello > 0 {
		rest := first[n:]
		if len(rest) < record || rest[0] != typeRecord || rest[1] != 3 {
			return 0
		}
		fragment := int(binary.BigEndian.Uint16(rest[3:]))
		if fragment == 0 || fragment > maxFragment || len(rest) < record+fragment || fragment > hello {
			return 0
		}
		hello -= fragment
		n += record + fragment
	}
	return n
}

// SafeHTTP allows one HTTP/1 request whose method is safe (GET, HEAD or
// OPTIONS; RFC 9110, section 9.2.1) and which has no body, if all of its
// head is there to be looked at. It also allows the preface of an HTTP/2
// connection with the frames that ask for nothing (SETTINGS and
// WINDOW_UPDATE), as clients that speak HTTP/2 without TLS send it.
func SafeHTTP(first []byte) int {
	if rest, ok := bytes.CutPrefix(first, []byte(http2Preface)); ok {
		return len(http2Preface) + harmlessFrames(rest)
	}
	end := bytes.Index(first, []byte("\r\n\r\n"))
	if end < 0 {
		return 0
	}
	line, fields, _ := strings.Cut(string(first[:end]), "\r\n")
	method, target, ok := strings.Cut(line, " ")
	if !ok || method != "GET" && method != "HEAD" && method != "OPTIONS" {
		return 0
	}
	if target, version, ok := strings.Cut(target, " "); !ok || target == "" || version != "HTTP/1.1" && version != "HTTP/1.0" {
		return 0
	}
	for field := range strings.SplitSeq(fields, "\r\n") {
		if field == "" {
			continue // no fields at all
		}
		name, value, ok := strings.Cut(field, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") || hasBody(name, strings.TrimSpace(value)) {
			return 0
		}
	}
	return end + len("\r\n\r\n")
}

const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// harmlessFrames returns the length of the leading SETTINGS and connection
// WINDOW_UPDATE frames (RFC 9113, sections 6.5 and 6.9).
func harmlessFrames(b []byte) (n int) {
	const header, settings, windowUpdate = 9, 4, 8
	for len(b)-n >= header {
		f := b[n:]
		size := header + int(binary.BigEndian.Uint32(f)>>8)
		stream := binary.BigEndian.Uint32(f[5:]) &^ (1 << 31)
		if f[3] != settings && f[3] != windowUpdate || stream != 0 || len(f) < size {
			break
		}
		n += size
	}
	return n
}

// hasBody says whether a field announces a body, or might.
func hasBody(name, value string) bool {
	switch strings.ToLower(name) {
	case "content-length":
		return value != "0"
	case "transfer-encoding", "expect":
		return true
	}
	return false
}

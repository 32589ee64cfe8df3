package probe

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"
)

// Payload returns the data that is put into SYNs to a port: a first message
// that does nothing at the server, and that it answers, as far as there is one
// for what is spoken on that port. It may reach the server any number of times.
//
//   - 443, 853, 8443, 465, 636, 993, 995: a short TLS ClientHello
//   - 53: a DNS query for the name servers of the root
//   - 80, 8000, 8080: HEAD / HTTP/1.1
//   - all others: one empty line
//
// name is the host name to ask for in TLS and HTTP; "" asks for none.
func Payload(port uint16, name string) []byte {
	switch port {
	case 443, 853, 8443, 465, 636, 993, 995:
		return clientHello(name)
	case 53:
		return dnsQuery()
	case 80, 8000, 8080:
		return head(name)
	}
	return []byte("\r\n")
}

// head asks for nothing but a header, and to close the connection.
func head(name string) []byte {
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		name = "" // what is no name does not belong into a header
	}
	return []byte("HEAD / HTTP/1.1\r\nHost: " + name + "\r\nUser-Agent: tfo-probe\r\nConnection: close\r\n\r\n")
}

// dnsQuery asks for the name servers of the root, which every name server
// knows, in the framing of DNS over TCP.
//
// https://www.rfc-editor.org/rfc/rfc1035#section-4.1
func dnsQuery() []byte {
	return []byte{
		0, 17, // length
		0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, // ID 1, recursion desired, one question
		0, 0, 2, 0, 1, // root, NS, IN
	}
}

// clientHello is the first flight of a TLS handshake. It offers no post-quantum
// key exchange, with which it would not fit into a SYN.
func clientHello(name string) []byte {
	var c onlyWrites
	config := &tls.Config{
		ServerName:         name,
		InsecureSkipVerify: true, // nothing is read, so nothing is trusted
		CurvePreferences:   []tls.CurveID{tls.X25519, tls.CurveP256},
		NextProtos:         []string{"http/1.1"},
	}
	tls.Client(&c, config).Handshake() // fails when it wants to read the answer
	return c.Bytes()
}

// onlyWrites keeps what is written, and has nothing to read.
type onlyWrites struct{ bytes.Buffer }

var errOnlyWrites = errors.New("there is nothing to read")

func (*onlyWrites) Read([]byte) (int, error)         { return 0, errOnlyWrites }
func (*onlyWrites) Close() error                     { return nil }
func (*onlyWrites) LocalAddr() net.Addr              { return nil }
func (*onlyWrites) RemoteAddr() net.Addr             { return nil }
func (*onlyWrites) SetDeadline(time.Time) error      { return nil }
func (*onlyWrites) SetReadDeadline(time.Time) error  { return nil }
func (*onlyWrites) SetWriteDeadline(time.Time) error { return nil }

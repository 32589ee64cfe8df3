package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
)

// explain says why fetching u failed, in words that tell a person
// what to do. What it does not know better it leaves as it is.
func (g *getter) explain(err error, u *url.URL) error {
	var whole *url.Error
	if errors.As(err, &whole) {
		err = whole.Err
	}
	var (
		out  *outputError
		dns  *net.DNSError
		dial *net.OpError
	)
	switch {
	case errors.As(err, &out):
		return fmt.Errorf("cannot write the body: %w", reason(out.error))
	case errors.As(err, &dns):
		return explainDNS(dns)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s refused the connection: no program listens there; check the port, or start the server", where(err, u))
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return fmt.Errorf("%s cannot be reached from here: check the address and this host's network%s", where(err, u), g.familyHint())
	case strings.Contains(err.Error(), "no suitable address"):
		return fmt.Errorf("%s has no address of the kind asked for%s", u.Hostname(), g.familyHint())
	case errors.As(err, &dial) && dial.Op == "dial" && dial.Timeout():
		return fmt.Errorf("%s did not answer within %v: the host is down, or a firewall drops what is sent to that port", where(err, u), g.flags.connectTimeout.String())
	}
	if e := explainTLS(err, u); e != nil {
		return e
	}
	if e := explainHTTP(err, u); e != nil {
		return e
	}
	return err
}

// familyHint names the flag that rules addresses out.
func (g *getter) familyHint() string {
	switch g.network {
	case "tcp4":
		return "; -4 rules IPv6 out"
	case "tcp6":
		return "; -6 rules IPv4 out"
	}
	return ""
}

// where is the address that err is about, or else the host of the URL.
func where(err error, u *url.URL) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil {
		return op.Addr.String()
	}
	return u.Host
}

func explainDNS(e *net.DNSError) error {
	switch {
	case e.IsNotFound:
		return fmt.Errorf("there is no host named %s: check the spelling", e.Name)
	case e.IsTimeout:
		return fmt.Errorf("no name server answered for %s in time: check this host's network and its name server (%s)", e.Name, e.Server)
	}
	why := strings.TrimSpace(e.Err[strings.LastIndex(e.Err, ": ")+1:]) // without the calls that failed
	if e.Server != "" {
		why = e.Server + ": " + why
	}
	return fmt.Errorf("the name %s could not be looked up (%s): check this host's network and its name server", e.Name, why)
}

func explainTLS(err error, u *url.URL) error {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		alert   tls.AlertError
		header  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &name):
		return fmt.Errorf("the certificate is not for %s: it is for %s; use one of these names, or -k to accept it all the same",
			name.Host, certificateNames(name.Certificate))
	case errors.As(err, &unknown):
		return fmt.Errorf("the certificate is not signed by anyone whom this host trusts: if it is your own self-signed one, use -k")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("the certificate is only valid from %s to %s: check this host's clock, or renew the certificate",
			invalid.Cert.NotBefore.Format("2006-01-02"), invalid.Cert.NotAfter.Format("2006-01-02"))
	case errors.As(err, &invalid):
		return fmt.Errorf("the certificate is not valid: %w", err)
	case errors.As(err, &header), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("the server does not speak TLS on that port: try http://%s", u.Host)
	case errors.As(err, &alert), strings.Contains(err.Error(), "remote error: tls: handshake failure"):
		return fmt.Errorf("the server refused the TLS handshake (%w): it may want what was not offered; try --post-quantum, or another host name", err)
	case strings.Contains(err.Error(), "TLS handshake timeout"):
		return fmt.Errorf("%s did not finish the TLS handshake in time: try again with a longer --connect-timeout", u.Host)
	}
	return nil
}

// certificateNames lists whom a certificate is for.
func certificateNames(c *x509.Certificate) string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	switch {
	case len(names) == 0:
		return "no name at all"
	case len(names) > 8:
		names = append(names[:8], fmt.Sprintf("%d more", len(names)-8))
	}
	return strings.Join(names, ", ")
}

func explainHTTP(err error, u *url.URL) error {
	text := err.Error()
	switch {
	// A TLS alert: type 21, version 3.
	case strings.Contains(text, `malformed HTTP response "\x15\x03`):
		return fmt.Errorf("the server speaks TLS on that port: try https://%s", u.Host)
	case strings.Contains(text, "malformed HTTP"):
		return fmt.Errorf("what answers on that port does not speak HTTP: check the port")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the connection ended in the middle of the answer: try again")
	case errors.Is(err, io.EOF), strings.Contains(text, "server closed idle connection"):
		return fmt.Errorf("the server closed the connection without an answer: check that it speaks %s on that port", strings.ToUpper(u.Scheme))
	case errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("the connection was reset before the answer was complete: try again, or look into the server's log")
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer in time")
	}
	return nil
}

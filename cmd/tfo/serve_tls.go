package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"time"
)

// tlsConfig returns what the flags say of certificates, nil for no HTTPS.
func (f *serveFlags) tlsConfig(now time.Time) (*tls.Config, error) {
	var cert tls.Certificate
	var err error
	switch {
	case f.selfSigned:
		cert, err = selfSigned(now, f.listenTLS)
	case f.cert != "":
		cert, err = loadCertificate(f.cert, f.key)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{cert},
		// One http.Server does both Serve and ServeTLS. Whichever is first
		// sets HTTP/2 up, for good, and Serve leaves it out unless it stands
		// here; ServeTLS would then offer it all the same, and fail.
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if v, ok := hello.Conn.(*visit); ok {
				v.helloIsHere()
			}
			return nil, nil
		},
	}, nil
}

// loadCertificate reads the files of --cert and --key.
func loadCertificate(certFile, keyFile string) (tls.Certificate, error) {
	certPEM, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot read the certificate in %s: %w", certFile, reason(err))
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot read the private key in %s: %w", keyFile, reason(err))
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	switch {
	case err == nil:
		return cert, nil
	case strings.Contains(err.Error(), "does not match"):
		return cert, fmt.Errorf("the private key in %s does not belong to the certificate in %s: give the two that were made together", keyFile, certFile)
	case strings.Contains(err.Error(), "certificate input"):
		return cert, fmt.Errorf("%s holds no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----", certFile)
	case strings.Contains(err.Error(), "key input"), strings.Contains(err.Error(), "private key"):
		return cert, fmt.Errorf("%s holds no private key in PEM form that can be used (an encrypted one cannot): it begins with -----BEGIN PRIVATE KEY-----", keyFile)
	}
	return cert, fmt.Errorf("cannot use the certificate in %s with the key in %s: %w", certFile, keyFile, err)
}

// selfSigned makes a certificate for localhost, this host's names and
// addresses, and the hosts of the addresses to listen on.
func selfSigned(now time.Time, listen []string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot make a key for --self-signed: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot make a serial number for --self-signed: %w", err)
	}
	c := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "tfo serve --self-signed"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(0, 0, 90),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, a := range hostAddresses() {
		c.IPAddresses = append(c.IPAddresses, a.AsSlice())
	}
	hosts := []string{}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	for _, address := range listen {
		if host, _, err := net.SplitHostPort(address); err == nil {
			hosts = append(hosts, host)
		}
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else if host != "" && host != "localhost" {
			c.DNSNames = append(c.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot make a certificate for --self-signed: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, errors.Join(errors.New("cannot make a certificate for --self-signed"), err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// thumbprint is the SHA-256 of a certificate, by which a visitor can see that
// it is the right one.
func thumbprint(c tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	var b strings.Builder
	for i, x := range sum {
		if i > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%02X", x)
	}
	return b.String()
}

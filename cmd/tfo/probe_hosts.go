package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// A host is what a person asked to have probed.
type host struct {
	text string // as it was written
	name string // or literal address
	port uint16
	err  error // it is none
}

// hosts reads the arguments, and stdin where they say so. Each host is there
// once. A line of stdin that is no host has an error; an argument is one.
func (f *probeFlags) hosts(args []string, stdin io.Reader) (all []host, err error) {
	if len(args) == 0 {
		if isTerminal(stdin) {
			return nil, usagef("no host to probe: name one, such as example.com, or - to read them from stdin")
		}
		args = []string{"-"}
	}
	seen := map[string]bool{}
	add := func(h host) {
		key := h.text
		if h.err == nil {
			key = net.JoinHostPort(h.name, strconv.Itoa(int(h.port)))
		}
		if !seen[key] {
			seen[key] = true
			all = append(all, h)
		}
	}
	for _, arg := range args {
		if arg != "-" {
			h, err := parseHost(arg, f.port)
			if err != nil {
				return nil, usageError{err}
			}
			add(h)
			continue
		}
		if f.dataFile == "-" || seen["-"] {
			return nil, usagef("stdin can be read once only: as HOST - or as --data-file -")
		}
		seen["-"] = true
		if err := readHosts(stdin, f.port, add); err != nil {
			return nil, usagef("cannot read hosts from stdin: %w", reason(err))
		}
	}
	if len(all) == 0 {
		return nil, usagef("there is no host on stdin: write one on each line")
	}
	return all, nil
}

// readHosts reads a list, one host a line.
func readHosts(r io.Reader, port uint16, add func(host)) error {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		h, err := parseHost(line, port)
		if err != nil {
			h = host{text: line, err: fmt.Errorf("line %d: %w", n, err)}
		}
		add(h)
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return errors.New("a line is too long for a host name")
	}
	return lines.Err()
}

// parseHost reads HOST, HOST:PORT, an address of either family, [ADDRESS]:PORT
// or a URL, of which only the host and port count.
func parseHost(text string, port uint16) (host, error) {
	h := host{text: text, name: text, port: port}
	portText := ""
	switch _, err := netip.ParseAddr(text); {
	case err == nil: // its zone may be anything, and is looked at below
	case strings.Contains(text, "://"):
		u, err := url.Parse(text)
		if err != nil {
			return h, fmt.Errorf("%q is no URL and no host: write HOST or HOST:PORT", text)
		}
		h.name, portText = u.Hostname(), u.Port()
		if portText == "" && (u.Scheme == "http" || u.Scheme == "https") {
			portText = u.Scheme
		}
	case strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]"):
		h.name = text[1 : len(text)-1]
		if _, err := netip.ParseAddr(h.name); err != nil {
			return h, fmt.Errorf("%q is no IPv6 address in brackets: write [ADDRESS]:PORT", text)
		}
	case strings.ContainsRune(text, ':'):
		if h.name, portText, err = net.SplitHostPort(text); err != nil || portText == "" {
			return h, fmt.Errorf("%q is no host: write HOST, HOST:PORT, or [ADDRESS]:PORT for IPv6", text)
		}
	}
	if portText != "" {
		n, err := net.LookupPort("tcp", portText)
		if err != nil || n == 0 {
			return h, fmt.Errorf("%q has the port %q: a port is a number from 1 to 65535", text, portText)
		}
		h.port = uint16(n)
	}
	if h.name == "" || len(h.name) > 255 || strings.ContainsFunc(h.name, badInName) {
		return h, fmt.Errorf("%q is no host: write HOST or HOST:PORT", text)
	}
	return h, nil
}

func badInName(r rune) bool {
	return !unicode.IsPrint(r) || unicode.IsSpace(r) || strings.ContainsRune(`/\@"'<>`, r)
}

// addresses looks a host up. family is "ip", "ip4" or "ip6".
func (h host) addresses(ctx context.Context, family string) ([]netip.AddrPort, error) {
	if a, err := netip.ParseAddr(h.name); err == nil {
		a = a.Unmap()
		if family == "ip4" && !a.Is4() || family == "ip6" && a.Is4() {
			return nil, fmt.Errorf("%s is not of the family that -%s asks for", h.name, family[2:])
		}
		return []netip.AddrPort{netip.AddrPortFrom(a, h.port)}, nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, family, h.name)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && family != "ip" && dns.IsNotFound:
		return nil, fmt.Errorf("there is no host named %s with an IPv%s address: check the spelling, or leave -%s out", h.name, family[2:], family[2:])
	case errors.As(err, &dns):
		return nil, explainDNS(dns)
	case err != nil:
		return nil, fmt.Errorf("the name %s could not be looked up: %w", h.name, err)
	}
	var all []netip.AddrPort
	seen := map[netip.Addr]bool{}
	for _, a := range found {
		a = a.Unmap()
		if !seen[a] {
			seen[a] = true
			all = append(all, netip.AddrPortFrom(a, h.port))
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no address of the kind asked for", h.name)
	}
	return all, nil
}

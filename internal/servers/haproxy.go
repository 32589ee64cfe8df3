package servers

import (
	"slices"
	"strings"
)

// scanHAProxy returns the bind lines of a configuration file that are for TCP.
func scanHAProxy(r *reader, name string) []Line {
	text, ok := r.read(name)
	if !ok {
		return nil
	}
	var lines []Line
	number := 0
	for raw := range strings.Lines(text) {
		number++
		words := haproxyWords(raw)
		if len(words) < 2 || words[0] != "bind" {
			continue
		}
		if l, ok := haproxyBind(words); ok {
			l.File, l.Number = name, number
			lines = append(lines, l)
		}
	}
	return lines
}

// haproxyBind reads a bind line, unless it is for something else than TCP.
func haproxyBind(words []string) (Line, bool) {
	address := words[1]
	if !slices.ContainsFunc(strings.Split(address, ","), haproxyTCP) {
		return Line{}, false
	}
	l := Line{Server: "haproxy", Text: strings.Join(words, " "), Address: address}
	for i, w := range words[2:] {
		// What follows these is a name, even if that is tfo.
		if w == "tfo" && !slices.Contains([]string{"crt", "crt-list", "name", "user", "group", "interface", "process", "thread"}, words[i+1]) {
			l.FastOpen = true
		}
	}
	if !l.FastOpen {
		l.Add = "tfo"
	}
	return l, true
}

// haproxyTCP reports whether an address is one of TCP. Others begin with what
// they are, or are the path of a Unix socket.
func haproxyTCP(address string) bool {
	if strings.HasPrefix(address, "/") {
		return false
	}
	kind, _, ok := strings.Cut(address, "@")
	if !ok {
		return address != ""
	}
	switch kind {
	case "ipv4", "ipv6", "ip", "tcp", "tcp4", "tcp6", "stream+ipv4", "stream+ipv6", "mptcp", "mptcp4", "mptcp6":
		return true
	}
	return false
}

// haproxyWords splits a line: words are in quotes, or have backslashes before
// what is to be taken as it is, and end at a #.
func haproxyWords(line string) (words []string) {
	var b strings.Builder
	in, quote := false, byte(0)
	end := func() {
		if in {
			words = append(words, b.String())
			b.Reset()
			in = false
		}
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == '\'':
			b.WriteByte(c)
		case c == '\\' && i+1 < len(line):
			i++
			b.WriteByte(line[i])
			in = true
		case quote != 0:
			b.WriteByte(c)
		case c == '"' || c == '\'':
			quote, in = c, true
		case c == '#':
			end()
			return words
		case strings.IndexByte(" \t\r\n", c) >= 0:
			end()
		default:
			b.WriteByte(c)
			in = true
		}
	}
	end()
	return words
}

package servers

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// scanNginx returns the lines of a main configuration file, and of what it
// includes, that make nginx listen for TCP.
func scanNginx(r *reader, name string) []Line {
	n := &nginxScan{r: r, dir: filepath.Dir(name)}
	n.file(name, "main")
	advise(n.lines)
	lines := make([]Line, len(n.lines))
	for i, l := range n.lines {
		lines[i] = l.Line
	}
	return lines
}

type nginxScan struct {
	r     *reader
	dir   string   // where names of included files begin
	stack []string // the files that are being read
	lines []nginxLine
}

// A nginxLine is a line and what it means for others of the same address.
type nginxLine struct {
	Line
	context string // http or stream
	options bool   // has options of the socket, which only one line of an address may
	initial bool   // is that of the default server
	implied bool   // is not written
}

// nginxQueue is the queue to suggest.
const nginxQueue = "fastopen=256"

// file reads a file in a context, such as "http server", and reports whether
// there is a listen in it.
func (n *nginxScan) file(name, context string) (listens bool) {
	if slices.Contains(n.stack, name) || len(n.stack) >= maxDepth {
		n.r.problem("%s includes itself, by way of %s", name, strings.Join(n.stack, ", "))
		return false
	}
	text, ok := n.r.read(name)
	if !ok {
		return false
	}
	list, bad := parseNginx(text)
	if bad > 0 {
		n.r.problem("%s:%d: nginx would not understand this line; what comes after was not read", name, bad)
	}
	n.stack = append(n.stack, name)
	listens = n.walk(name, context, list)
	n.stack = n.stack[:len(n.stack)-1]
	return listens
}

// walk goes through the directives of a file, or of a block in it, and reports
// whether any of them, or of included ones, is a listen.
func (n *nginxScan) walk(name, context string, list []directive) (listens bool) {
	for _, d := range list {
		switch word := d.words[0]; {
		case word == "include" && len(d.words) == 2:
			listens = n.include(name, context, d) || listens
		case d.open && context == "main" && (word == "http" || word == "stream"):
			n.walk(name, word, d.block)
		case d.open && word == "server" && (context == "http" || context == "stream"):
			if !n.walk(name, context+" server", d.block) && context == "http" {
				n.lines = append(n.lines, nginxLine{context: context, implied: true, Line: Line{
					Server: "nginx", File: name, Number: d.line, Text: "server without listen (which means listen 80)", Address: "*:80",
				}})
			}
		case word == "listen" && len(d.words) > 1 && strings.HasSuffix(context, " server"):
			listens = true
			n.add(name, strings.TrimSuffix(context, " server"), d)
		}
	}
	return listens
}

// include reads the files that a directive names.
func (n *nginxScan) include(from, context string, d directive) (listens bool) {
	pattern := d.words[1]
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(n.dir, pattern)
	}
	found := n.r.glob(pattern)
	if len(found) == 0 && !strings.ContainsAny(pattern, "*?[") {
		n.r.problem("%s:%d: there is no file %s to include", from, d.line, pattern)
	}
	for _, name := range found {
		listens = n.file(name, context) || listens
	}
	return listens
}

// add notes a listen, unless it is for something else than TCP.
func (n *nginxScan) add(name, context string, d directive) {
	address, params := d.words[1], d.words[2:]
	if strings.HasPrefix(address, "unix:") || slices.Contains(params, "udp") || slices.Contains(params, "quic") {
		return
	}
	l := nginxLine{context: context, Line: Line{
		Server: "nginx", File: name, Number: d.line, Text: strings.Join(d.words, " "), Address: nginxAddress(address),
	}}
	for _, p := range params {
		key, value, _ := strings.Cut(p, "=")
		switch key {
		case "fastopen":
			l.Queue, _ = strconv.Atoi(value)
			l.FastOpen = l.Queue > 0
			l.options = true
		case "default_server", "default":
			l.initial = true
		case "backlog", "rcvbuf", "sndbuf", "accept_filter", "deferred", "ipv6only", "reuseport", "so_keepalive", "setfib", "bind":
			l.options = true
		}
	}
	n.lines = append(n.lines, l)
}

// nginxAddress completes an address: of 80 it makes *:80.
func nginxAddress(a string) string {
	if strings.Trim(a, "0123456789-") == "" { // a port, or a range of them
		return "*:" + a
	}
	if strings.LastIndexByte(a, ':') <= strings.LastIndexByte(a, ']') { // no port
		a += ":80"
	}
	if port, ok := strings.CutPrefix(a, "0.0.0.0:"); ok {
		return "*:" + port
	}
	return a
}

// advise says for each address that lacks Fast Open which line to change. One
// line turns it on for all servers at the address; nginx refuses options of
// the socket on a second one ("duplicate listen options").
func advise(lines []nginxLine) {
	type place struct{ context, address string }
	byPlace := map[place][]*nginxLine{}
	var order []place
	for i := range lines {
		l := &lines[i]
		p := place{l.context, l.Address}
		if byPlace[p] == nil {
			order = append(order, p)
		}
		byPlace[p] = append(byPlace[p], l)
	}
	for _, p := range order {
		all := byPlace[p]
		best := all[0]
		for _, l := range all {
			if l.FastOpen {
				best = l
				break
			}
			if rank(l) > rank(best) {
				best = l
			}
		}
		for _, l := range all {
			l.FastOpen, l.Queue = best.FastOpen, best.Queue
		}
		switch {
		case best.FastOpen:
		case best.implied:
			best.Add = "listen 80 " + nginxQueue + ";"
		default:
			best.Add = nginxQueue
		}
	}
}

// rank says how well a line is fit to be the one to change.
func rank(l *nginxLine) int {
	switch {
	case l.options:
		return 3
	case l.initial:
		return 2
	case !l.implied:
		return 1
	}
	return 0
}

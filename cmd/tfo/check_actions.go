package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fastopen-go/fastopen/internal/servers"
	"github.com/fastopen-go/fastopen/kernel"
)

// actions says what to do, the most important first.
func (x *finding) actions(client, server bool) []action {
	if x.settingsErr != nil {
		return nil
	}
	var list []action
	do := func(text, command string) { list = append(list, action{text, x.privileged(command)}) }
	bits := x.settings.FastOpen
	flags := ""
	if client && !bits.Client() {
		flags += " --client"
	}
	if server && !bits.Server() {
		flags += " --server"
	}
	keep, until := "", "."
	if x.boot != nil {
		keep, until = " --persist", ", now and after the next boot."
	}
	switch {
	case flags == " --client":
		do("Let programs here use Fast Open when they connect"+until, "tfo enable"+flags+keep+x.at.flag)
	case flags == " --server":
		do("Let programs here use Fast Open when they listen"+until, "tfo enable"+flags+keep+x.at.flag)
	case flags != "":
		do("Turn Fast Open on for programs that connect and for those that listen"+until, "tfo enable"+keep+x.at.flag)
	}
	if server {
		x.attachActions(do)
		x.queueActions(do)
	}
	if flags == "" {
		x.bootActions(do, client, server)
	}
	if server {
		x.configActions(do)
	}
	// sysctl sets the whole value, so each command keeps what those above it
	// did: who runs all of them, one after the other, is done.
	if client {
		bits |= kernel.ClientBit
	}
	if server {
		bits |= kernel.ServerBit
	}
	without := func(bit kernel.Bits, text string) {
		bits &^= bit
		list = append(list, action{text, x.sysctl(kernel.Name, int(int32(bits)))})
	}
	if server && bits.ServerNoCookie() {
		without(kernel.ServerNoCookieBit, "Ask for cookies again: without them anybody can send data in a SYN under a false address.")
	}
	if client && bits.ClientNoCookie() {
		without(kernel.ClientNoCookieBit, "Ask for cookies again, as servers on the internet expect it.")
	}
	if x.settings.FastOpen.Server() && x.settings.Blackhole > 0 {
		list = append(list, action{"Switch the black-hole timer off on a server: any client can set it off.",
			x.sysctl(kernel.BlackholeName, 0)})
	}
	return list
}

// attachActions turn Fast Open on in programs that listen already.
func (x *finding) attachActions(do func(text, command string)) {
	var off []listenerReport
	for _, r := range x.reportListeners() {
		if r.Off > 0 {
			off = append(off, r)
		}
	}
	// First what is most likely to speak HTTP: with sshd, say, there is
	// nothing to gain, as the server speaks first.
	slices.SortStableFunc(off, func(a, b listenerReport) int { return cmp.Compare(webRank(a.port), webRank(b.port)) })
	switch {
	case len(off) == 0:
	case len(off) == 1:
		do(fmt.Sprintf("Turn Fast Open on in the program that listens on %s already.", off[0].Address), fmt.Sprintf("tfo attach --port %d%s", off[0].port, x.at.attach))
	default:
		do(fmt.Sprintf("Turn Fast Open on in a program that listens already, such as the one on %s, or in all with --all.", off[0].Address),
			fmt.Sprintf("tfo attach --port %d%s", off[0].port, x.at.attach))
	}
}

// queueActions make a Fast Open queue longer, if one was full more than now and
// then. Which one it was is not counted, so it is the shortest whose backlog has
// room for more.
func (x *finding) queueActions(do func(text, command string)) {
	full := x.counters.QueueOverflow
	if full == 0 || full < x.counters.Passive/100 {
		return
	}
	var short *kernel.Listener
	for i, l := range x.listeners {
		if l.Queue > 0 && l.Queue < l.Backlog && (short == nil || l.Queue < short.Queue) {
			short = &x.listeners[i]
		}
	}
	if short != nil {
		do(fmt.Sprintf("Make the Fast Open queue of %s longer, which is the shortest: it holds %s, the backlog %d, and %s found a queue full.",
			short, plural(short.Queue, "connection"), short.Backlog, plural(full, "SYN")),
			fmt.Sprintf("tfo attach --port %d --queue %d%s", short.Local.Port(), short.Backlog, x.at.attach))
	}
}

// configActions let servers turn Fast Open on themselves when they start.
func (x *finding) configActions(do func(text, command string)) {
	for _, server := range []struct{ name, reload string }{
		{"nginx", "nginx -s reload"},
		{"haproxy", "systemctl reload haproxy"},
	} {
		n, first := 0, servers.Line{}
		for _, l := range x.configs {
			if l.Server != server.name || l.Add == "" {
				continue
			}
			if n++; n == 1 {
				first = l
			}
		}
		more := ""
		if n > 1 {
			more = fmt.Sprintf(", and to %s like it, listed below", plural(n-1, "more line"))
		}
		if n > 0 && x.at == (place{}) {
			do(fmt.Sprintf("Let %s turn it on by itself whenever it starts: add %s to the line %q in %s:%d%s. Then let it read that:",
				serverNames[server.name], first.Add, first.Text, first.File, first.Number, more), server.reload)
		}
	}
}

func webRank(port uint16) int {
	switch {
	case port == 443 || port == 80:
		return 0
	case port > 1023:
		return 1
	}
	return 2
}

// bootActions keep over a boot what is on now.
func (x *finding) bootActions(do func(text, command string), client, server bool) {
	if x.boot == nil {
		return
	}
	next, flags := x.boot.Bits(), ""
	if client && !next.Client() {
		flags += " --client"
	}
	if server && !next.Server() {
		flags += " --server"
	}
	if flags != "" {
		do("Keep what is on now over the next boot, which would turn it off.", "tfo enable"+flags+" --persist")
	}
}

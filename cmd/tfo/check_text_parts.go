package main

import (
	"fmt"
	"strings"
)

func (t *checkText) settings(n *namespaceReport) {
	s := n.Settings
	if s == nil {
		return
	}
	t.head("Setting", fmt.Sprintf("net.ipv4.tcp_fastopen = %d", s.FastOpen))
	for _, b := range s.Bits {
		state := t.p.faint("off")
		if b.On {
			state = t.p.green("on ")
		}
		t.hang(fmt.Sprintf("  %-5s  %s  ", b.Bit, state), 14, b.Meaning)
	}
	if s.Meaningless != "" {
		t.hang(fmt.Sprintf("  %-5s  %s  ", s.Meaningless, t.p.yellow("on ")), 14, "Without any meaning to today's Linux: was another bit meant?")
	}
	t.change(s.Bits)
	if s.Blackhole != nil {
		t.head("Black holes", fmt.Sprintf("net.ipv4.tcp_fastopen_blackhole_timeout_sec = %d", *s.Blackhole))
	} else {
		t.head("Black holes", "")
	}
	t.wrap("  ", s.BlackholeText)
	if s.BlackholeCommand != "" {
		t.line(t.p.faint("  off: " + s.BlackholeCommand))
	}
}

// change shows the commands for the two bits that people look for, which also
// show how the others are changed.
func (t *checkText) change(bits []bitReport) {
	for _, b := range bits[:2] {
		verb := "on"
		if b.On {
			verb = "off"
		}
		t.line(t.p.faint(fmt.Sprintf("  %s %-4s %s", b.Bit, verb+":", b.Toggle)))
	}
}

func (t *checkText) keys(n *namespaceReport) {
	k := n.Keys
	if k == nil {
		return
	}
	var names []string
	if k.Primary != "" {
		names = append(names, "primary "+k.Primary)
	}
	if k.Backup != "" {
		names = append(names, "backup "+k.Backup)
	}
	t.head("Keys", strings.Join(names, ", "))
	t.wrap("  ", k.Text)
	t.line(t.p.faint("  set: " + k.Command))
}

func (t *checkText) boot(n *namespaceReport) {
	b := n.Boot
	if b == nil {
		return
	}
	value := ""
	if b.FastOpen != nil {
		value = "net.ipv4.tcp_fastopen = " + b.FastOpen.Value + ", by " + b.FastOpen.By
	}
	t.head("Next boot", value)
	mark := "  "
	if b.Changes {
		mark = t.p.yellow("!") + " "
	}
	t.hang(mark, 2, b.Text)
	for _, s := range []struct {
		name string
		*bootSetting
	}{{"", b.FastOpen}, {"_blackhole_timeout_sec", b.Black}, {"_key", b.Keys}} {
		if s.bootSetting == nil {
			continue
		}
		for _, l := range s.Lines {
			note := "this one counts"
			if !l.Wins {
				note = l.Note
			}
			t.hang("  ", 4, fmt.Sprintf("%s: tcp_fastopen%s = %s (%s)", l.Where, s.name, l.Value, note))
		}
	}
	for _, trouble := range b.Troubles {
		t.hang("  "+t.p.yellow("!")+" ", 4, trouble)
	}
}

func (t *checkText) listeners(n *namespaceReport) {
	if !n.listenersKnown {
		return
	}
	if len(n.Listeners) == 0 {
		t.head("Listeners", "")
		t.line("  No program listens for TCP connections here.")
		return
	}
	addresses := "1 address"
	if len(n.Listeners) > 1 {
		addresses = fmt.Sprintf("%d addresses, by port", len(n.Listeners))
	}
	t.head("Listeners", addresses)
	width := len("address")
	for _, l := range n.Listeners {
		if w := len(l.Address); w <= longAddress {
			width = max(width, w)
		}
	}
	t.line(t.p.faint(fmt.Sprintf("  %-9s %7s %7s  %-*s  %s", "fast open", "waiting", "backlog", width, "address", "owner")))
	hidden := false
	for _, l := range n.Listeners {
		t.listener(l, width)
		hidden = hidden || l.Hidden
	}
	if hidden {
		t.wrap("  ", "The owners that are missing are processes that this user may not look at.")
	}
}

// longAddress is from where on the owner has a line of its own.
const longAddress = 32

// listener is a row of the table, or two.
func (t *checkText) listener(l listenerReport, width int) {
	state := fmt.Sprintf("%-9s", l.state())
	switch {
	case l.Off == 0:
		state = t.p.green(state)
	case l.Queue == 0:
		state = t.p.yellow(state)
	}
	row := fmt.Sprintf("  %s %7d %7d  %-*s", state, l.Waiting, l.Backlog, width, printable(l.Address))
	if len(l.Address) > width {
		t.line(row)
		row = strings.Repeat(" ", 28+width)
	}
	t.line(row + "  " + clip(printable(l.who()), textWidth-30-width))
}

// state is the column "fast open" of a listener: its queue, or off.
func (l listenerReport) state() string {
	switch {
	case l.Queue == 0:
		return "off"
	case l.Off > 0:
		return fmt.Sprintf("%d of %d", l.Sockets-l.Off, l.Sockets)
	}
	return fmt.Sprintf("on, %d", l.Queue)
}

func (t *checkText) configs(n *namespaceReport) {
	if len(n.Configs) == 0 {
		return
	}
	t.head("Configurations", "of nginx and HAProxy")
	for _, c := range n.Configs {
		mark, note := t.p.yellow("off"), ""
		switch {
		case c.On:
			mark = t.p.green("on ")
		case c.Add != "":
			note = " (add " + c.Add + ")"
		default:
			note = " (goes with another line of the same address)"
		}
		t.hang("  "+mark+"  ", 7, c.Where+": "+c.Line+note)
	}
}

func (t *checkText) counters(n *namespaceReport) {
	c := n.Counters
	if c == nil {
		return
	}
	t.head("So far", fmt.Sprintf("%d connections accepted and %d opened, of any kind", c.Values["PassiveOpens"], c.Values["ActiveOpens"]))
	if len(c.Remarks) == 0 {
		t.line("  Fast Open was not used yet.")
	}
	for _, r := range c.Remarks {
		mark := "  "
		if r.Trouble {
			mark = t.p.yellow("!") + " "
		}
		t.hang("  "+mark, 4, r.Text)
	}
}

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fastopen-go/fastopen/kernel"
)

// A keysReport is about the keys that cookies are made from.
type keysReport struct {
	State   string   `json:"state"`             // "set", "none" or "unknown"
	Primary string   `json:"primary,omitempty"` // fingerprints
	Backup  string   `json:"backup,omitempty"`
	Shared  []string `json:"shared_with,omitempty"` // namespaces with the same keys
	Text    string   `json:"text"`
	Command string   `json:"command"` // sets others, from a file or stdin
}

func (x *finding) reportKeys() *keysReport {
	r := x.judgeKeys()
	r.Command = x.privileged("tfo keys set FILE" + x.at.flag)
	return r
}

func (x *finding) judgeKeys() *keysReport {
	k := x.settings.Keys
	switch {
	case x.settings.KeysErr != nil:
		return &keysReport{State: "unknown", Text: "Only root may read them."}
	case k.IsZero():
		return &keysReport{State: "none", Text: "None yet: the kernel makes a random one when the first listener asks for Fast Open. Servers that share an address must be given the same ones."}
	}
	r := &keysReport{State: "set", Primary: k.Primary().Fingerprint(), Shared: x.shared}
	if b := k.Backups(); len(b) > 0 {
		r.Backup = b[0].Fingerprint()
	}
	switch {
	case len(x.shared) > 0:
		r.Text = "The same as in " + strings.Join(x.shared, ", ") + ": their servers accept each other's cookies."
	case r.Backup != "":
		r.Text = "Somebody has set them, since the kernel by itself makes no backup key. Servers behind one address accept each other's cookies only if all have these."
	default:
		r.Text = "Unless somebody has set it, it is random, and another one in each namespace and after each boot. Servers behind one address accept each other's cookies only if all have the same."
	}
	return r
}

// A listenerReport is about one address, which several sockets may share.
type listenerReport struct {
	Address string        `json:"address"`
	Owners  []ownerReport `json:"owners"`
	Hidden  bool          `json:"owners_hidden"` // there may be owners that only root sees
	Sockets int           `json:"sockets"`
	MPTCP   bool          `json:"mptcp"`
	Backlog int           `json:"backlog"`     // connections that may wait to be accepted
	Waiting int           `json:"waiting"`     // connections that do
	Queue   int           `json:"queue"`       // Fast Open connections that may be pending; 0: off
	Off     int           `json:"sockets_off"` // sockets without Fast Open

	port uint16
}

// An ownerReport is a process that holds a listener.
type ownerReport struct {
	PID  int    `json:"pid"`
	Name string `json:"name"`
}

// reportListeners joins the sockets of one address, such as those of each
// thread of a server, into one.
func (x *finding) reportListeners() []listenerReport {
	list := []listenerReport{}
	for _, l := range x.listeners {
		address := l.String()
		i := slices.IndexFunc(list, func(r listenerReport) bool { return r.Address == address })
		if i < 0 {
			i = len(list)
			list = append(list, listenerReport{Address: address, Owners: []ownerReport{}, port: l.Local.Port()})
		}
		r := &list[i]
		r.Sockets++
		r.MPTCP = r.MPTCP || l.MPTCP
		r.Hidden = r.Hidden || l.Hidden && len(l.Owners) == 0
		r.Backlog += l.Backlog
		r.Waiting += l.Waiting
		r.Queue = max(r.Queue, l.Queue)
		if l.Queue == 0 {
			r.Off++
		}
		for _, p := range l.Owners {
			if o := (ownerReport{p.PID, p.Name}); !slices.Contains(r.Owners, o) {
				r.Owners = append(r.Owners, o)
			}
		}
	}
	return list
}

// who names the owner of a listener: "nginx 812", with how many more there are.
func (r listenerReport) who() string {
	switch {
	case len(r.Owners) > 1:
		return fmt.Sprintf("%s %d +%d", r.Owners[0].Name, r.Owners[0].PID, len(r.Owners)-1)
	case len(r.Owners) == 1:
		return fmt.Sprintf("%s %d", r.Owners[0].Name, r.Owners[0].PID)
	case r.Hidden:
		return "(hidden)"
	}
	return "(not in sight)"
}

// A bootReport is about what the next boot will bring.
type bootReport struct {
	Kept     bool         `json:"kept"` // false: this namespace does not outlive a boot
	Reader   string       `json:"reader,omitempty"`
	FastOpen *bootSetting `json:"tcp_fastopen,omitempty"`
	Black    *bootSetting `json:"blackhole_timeout_sec,omitempty"`
	Keys     *bootSetting `json:"keys,omitempty"`
	Troubles []string     `json:"troubles"`
	Text     string       `json:"text"`
	Changes  bool         `json:"changes"` // the value of tcp_fastopen will be another one than now
}

// A bootSetting is one setting after the next boot.
type bootSetting struct {
	Value string         `json:"value"`
	By    string         `json:"by"` // the file and line that wins, or "the kernel's default"
	Lines []bootLineText `json:"lines"`
}

// A bootLineText is one line that sets it.
type bootLineText struct {
	Where string `json:"where"`
	Value string `json:"value"`
	Wins  bool   `json:"wins"`
	Note  string `json:"note,omitempty"`
}

func (x *finding) reportBoot() *bootReport {
	if x.boot == nil && x.name == inContainer {
		return &bootReport{Troubles: []string{}, Text: "Nobody reads files such as those in /etc/sysctl.d in a container. It starts with the kernel's defaults (1: on for clients, off for servers), unless whoever starts it sets them, as in: docker run --sysctl net.ipv4.tcp_fastopen=3. With the host's network it has the host's settings."}
	}
	if x.boot == nil {
		return &bootReport{Troubles: []string{}, Text: "A network namespace other than the host's does not outlive a boot. Whenever it is made it has the kernel's defaults (1: on for clients, off for servers), and whoever makes it has to set it, as in: docker run --sysctl net.ipv4.tcp_fastopen=3"}
	}
	p := x.boot
	r := &bootReport{Kept: true, Reader: p.Reader.String(), Troubles: []string{},
		FastOpen: bootOf(p.FastOpen, p.Reader), Black: bootOf(p.Blackhole, p.Reader), Keys: bootOf(p.Keys, p.Reader)}
	for _, t := range p.Troubles {
		r.Troubles = append(r.Troubles, t.String()+".")
	}
	next := p.Bits()
	switch {
	case x.settingsErr != nil:
		r.Text = fmt.Sprintf("It will be %v.", next)
	case next == x.settings.FastOpen:
		r.Text = "It stays as it is."
	default:
		r.Changes = true
		r.Text = fmt.Sprintf("It will be %v. Now it is %v.", next, x.settings.FastOpen)
	}
	return r
}

func bootOf(s kernel.BootSetting, reader kernel.Reader) *bootSetting {
	o := s.After(reader)
	b := &bootSetting{Value: o.Value, By: "the kernel's default", Lines: []bootLineText{}}
	if o.By != nil {
		b.By = o.By.Where()
	}
	for _, l := range s.Lines {
		t := bootLineText{Where: l.Where(), Value: l.Value, Wins: o.By != nil && l == *o.By}
		switch {
		case l.Refused != "":
			t.Note = "the kernel refuses it: it " + l.Refused + "; correct the line or take it out"
		case l.ProcpsOnly && reader == kernel.Systemd:
			t.Note = "not read by " + reader.String()
		case !t.Wins:
			t.Note = "overridden"
		}
		b.Lines = append(b.Lines, t)
	}
	return b
}

// A configReport is about a listen line in the configuration of a server.
type configReport struct {
	Server string `json:"server"` // "nginx" or "HAProxy"
	Where  string `json:"where"`  // file and line
	Line   string `json:"line"`
	On     bool   `json:"on"`            // this line, or another one of the same address, turns Fast Open on
	Add    string `json:"add,omitempty"` // the words that turn it on; missing if another line is the one to change
}

func (x *finding) reportConfigs() (list []configReport) {
	for _, l := range x.configs {
		list = append(list, configReport{Server: serverNames[l.Server], Where: fmt.Sprintf("%s:%d", l.File, l.Number), Line: l.Text, On: l.FastOpen, Add: l.Add})
	}
	return list
}

// serverNames are the names of servers as people write them.
var serverNames = map[string]string{"nginx": "nginx", "haproxy": "HAProxy"}

package main

import (
	"fmt"
	"strings"

	"github.com/fastopen-go/fastopen/kernel"
)

// A checkReport is what tfo check says: the object that --json prints, and
// that the text is made from. check.schema.json describes it.
type checkReport struct {
	Verdict    verdict           `json:"verdict"` // the worst of all namespaces
	Root       bool              `json:"root"`    // who looked was root
	Hidden     int               `json:"hidden_processes"`
	Namespaces []namespaceReport `json:"namespaces"`
}

// A namespaceReport is about one network namespace.
type namespaceReport struct {
	Name      string           `json:"name"`
	Inode     uint64           `json:"inode"`
	Verdict   verdict          `json:"verdict"`
	Client    *sideReport      `json:"client,omitempty"` // missing if only the other side was asked for
	Server    *sideReport      `json:"server,omitempty"`
	Actions   []action         `json:"actions"` // what to do, the most important first
	Unknown   []string         `json:"unknown"` // what could not be told, and why
	Settings  *settingsReport  `json:"settings,omitempty"`
	Keys      *keysReport      `json:"keys,omitempty"`
	Boot      *bootReport      `json:"boot,omitempty"`
	Listeners []listenerReport `json:"listeners,omitempty"` // missing if they could not be told
	Counters  *countersReport  `json:"counters,omitempty"`
	Configs   []configReport   `json:"configurations,omitempty"`

	listenersKnown bool
}

// An action is something to do, and the command that does it.
type action struct {
	Text    string `json:"text"`
	Command string `json:"command"`
}

// A settingsReport has the settings with their meaning.
type settingsReport struct {
	Release          string      `json:"kernel_release"`
	FastOpen         int32       `json:"tcp_fastopen"`
	Bits             []bitReport `json:"bits"`
	Meaningless      string      `json:"meaningless_bits,omitempty"`      // "0x40": those that are on and mean nothing
	Blackhole        *int        `json:"blackhole_timeout_sec,omitempty"` // missing in kernels before 4.12
	BlackholeText    string      `json:"blackhole_text"`
	BlackholeCommand string      `json:"blackhole_command,omitempty"` // switches it off
	Backlog          int         `json:"somaxconn"`
}

// A bitReport is about one bit of net.ipv4.tcp_fastopen.
type bitReport struct {
	Bit     string `json:"bit"` // "0x400"
	On      bool   `json:"on"`
	Meaning string `json:"meaning"`
	Toggle  string `json:"command"` // turns it the other way
}

// A countersReport has what the kernel counted.
type countersReport struct {
	Values  map[string]uint64 `json:"values"` // by the kernel's names
	Remarks []remarkReport    `json:"remarks"`
}

// A remarkReport is a sentence about a counter.
type remarkReport struct {
	Counter string `json:"counter"`
	Server  bool   `json:"server"`
	Trouble bool   `json:"trouble"`
	Text    string `json:"text"`
}

// report draws the conclusions.
func (f *checkFlags) report(found []finding, hidden int) *checkReport {
	r := &checkReport{Verdict: ready, Hidden: hidden}
	for i := range found {
		r.Root = found[i].root
		n := f.reportOf(&found[i])
		r.Namespaces = append(r.Namespaces, n)
		r.Verdict = worst(r.Verdict, n.Verdict)
	}
	return r
}

func (f *checkFlags) reportOf(x *finding) namespaceReport {
	n := namespaceReport{Name: x.name, Inode: x.id.Inode, Verdict: ready, Actions: []action{}, Unknown: []string{}}
	both := f.client == f.server
	if both || f.client {
		n.Client = x.client()
		n.Verdict = worst(n.Verdict, n.Client.Verdict)
	}
	if both || f.server {
		n.Server = x.server()
		n.Verdict = worst(n.Verdict, n.Server.Verdict)
	}
	for _, err := range []error{x.settingsErr, x.settings.KeysErr, x.listenersErr, x.countersErr} {
		n.unknown(err)
	}
	for _, err := range x.configsFailed {
		n.unknown(err)
	}
	if x.settingsErr == nil {
		n.Settings = x.reportSettings()
		n.Keys = x.reportKeys()
	}
	n.Boot = x.reportBoot()
	if n.listenersKnown = x.listenersErr == nil; n.listenersKnown {
		n.Listeners = x.reportListeners()
	}
	if x.countersErr == nil {
		n.Counters = x.reportCounters()
	}
	n.Configs = x.reportConfigs()
	n.Actions = append(n.Actions, x.actions(n.Client != nil, n.Server != nil)...)
	return n
}

// unknown notes what could not be told, once.
func (n *namespaceReport) unknown(err error) {
	if err == nil {
		return
	}
	text := strings.TrimPrefix(err.Error(), "kernel: ")
	for _, u := range n.Unknown {
		if u == text {
			return
		}
	}
	n.Unknown = append(n.Unknown, text)
}

// bitMeanings are in plain words what kernel.Bits tells programmers.
var bitMeanings = []struct {
	bit     kernel.Bits
	meaning string
}{
	{kernel.ClientBit, "Programs that connect may ask for cookies and send data in SYNs."},
	{kernel.ServerBit, "Programs that listen may grant cookies and accept data in SYNs."},
	{kernel.ClientNoCookieBit, "With 0x1: data goes into SYNs without any cookie."},
	{kernel.ServerNoCookieBit, "With 0x2: data in SYNs is accepted without any cookie, from anybody."},
	{kernel.AllListenersBit, "With 0x2: every socket that begins to listen has Fast Open, wanted or not."},
}

func (x *finding) reportSettings() *settingsReport {
	s := &x.settings
	r := &settingsReport{Release: s.Release, FastOpen: int32(s.FastOpen), Backlog: s.Backlog}
	rest := s.FastOpen
	for _, m := range bitMeanings {
		rest &^= m.bit
		r.Bits = append(r.Bits, bitReport{
			Bit:     fmt.Sprintf("%#x", uint32(m.bit)),
			On:      s.FastOpen&m.bit != 0,
			Meaning: m.meaning,
			Toggle:  x.sysctl(kernel.Name, int(int32(s.FastOpen^m.bit))),
		})
	}
	if rest != 0 {
		r.Meaningless = fmt.Sprintf("%#x", uint32(rest))
	}
	switch {
	case s.Blackhole < 0:
		r.BlackholeText = "This kernel has no such setting: it came with Linux 4.12."
	case s.Blackhole == 0:
		r.BlackholeText = "Off: a path that swallows data in SYNs does not stop Fast Open to other places. This is the kernel's default, and right for servers."
	default:
		r.BlackholeText = fmt.Sprintf("When a path seems to swallow data in SYNs, all Fast Open to everywhere pauses for %s, then for longer each time. On a server any client can bring that about.", plural(s.Blackhole, "second"))
	}
	if s.Blackhole > 0 {
		r.BlackholeCommand = x.sysctl(kernel.BlackholeName, 0)
	}
	if s.Blackhole >= 0 {
		r.Blackhole = &s.Blackhole
	}
	return r
}

func (x *finding) reportCounters() *countersReport {
	r := &countersReport{Values: map[string]uint64{}, Remarks: []remarkReport{}}
	for _, c := range x.counters.All() {
		r.Values[c.Name] = c.Value
	}
	for _, m := range x.counters.Remarks() {
		r.Remarks = append(r.Remarks, remarkReport{m.Counter, m.Server, m.Trouble, m.Text})
	}
	return r
}

// sysctl is the command that sets a setting in the namespace of x.
func (x *finding) sysctl(name string, value int) string {
	return x.privileged(x.at.prefix + fmt.Sprintf("sysctl -w %s=%d", name, value))
}

// privileged is a command as who looked has to type it to run it as root.
func (x *finding) privileged(command string) string {
	if x.root {
		return command
	}
	return "sudo " + command
}

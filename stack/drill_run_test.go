//go:build unix

package stack

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// TestDrill runs the scripts in testdata/drill, and in the folder that
// FASTOPEN_DRILL names. FASTOPEN_DRILL_DEFINE="NAME=text,..." replaces words in
// the scripts, as -D does for packetdrill, and FASTOPEN_DRILL_OPTIONS="name=value ..."
// goes before their own options.
func TestDrill(t *testing.T) {
	files, err := filepath.Glob("testdata/drill/*.pkt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	if dir := os.Getenv("FASTOPEN_DRILL"); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "*.pkt"))
		if err != nil || len(more) == 0 {
			t.Fatalf("no scripts in %s: %v", dir, err)
		}
		files = append(files, more...)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".pkt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			events, options, err := parseDrill(file, drillDefine(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			for option := range strings.FieldsSeq(os.Getenv("FASTOPEN_DRILL_OPTIONS")) {
				if k, v, _ := strings.Cut(option, "="); options[k] == "" {
					options[k] = v
				}
			}
			newDrill(t, file, options).run(events)
		})
	}
}

// drillDefine replaces the words that the scripts of Linux leave to who runs
// them.
func drillDefine(text string) string {
	words := []string{"TFO_COOKIE_ZERO", "b7c12350a90dc8f5", "TFO_COOKIE", "3021b9d889017eeb", "CODE", "host_unreachable"}
	if more := os.Getenv("FASTOPEN_DRILL_DEFINE"); more != "" {
		words = append(strings.FieldsFunc(more, func(c rune) bool { return c == '=' || c == ',' }), words...)
	}
	for i := 0; i+1 < len(words); i += 2 {
		text = regexp.MustCompile(`\b`+words[i]+`\b`).ReplaceAllString(text, words[i+1])
	}
	return text
}

// drill is a script as it runs.
type drill struct {
	*testing.T
	file          string
	line          int
	tolerance     time.Duration
	begin, now    time.Time
	previous      time.Time // when the step before was
	host          *Host
	settings      Settings
	local, remote netip.Addr
	sockets       map[int]*drillSocket
	epolls        map[int]drillEpoll
	sent          []drillSent
	waiting       *drillWait
	conn          drillConn // the one that packets in the script belong to
	listening     netip.AddrPort
	anew          bool // a listener was made: the next SYN is of another connection
	ports         uint16
}

type drillSent struct {
	at time.Time
	drillSegment
}

// drillSocket is a file descriptor.
type drillSocket struct {
	*Socket
	nonblock bool
}

// drillConn is a connection, and what its numbers in the script are on the wire.
type drillConn struct {
	socket        *drillSocket
	local, remote netip.AddrPort
	iss, scriptIS uint32 // our first number on the wire, and in the script
	hasISS        bool
	irs           uint32 // the peer's first number, on the wire and in the script
	last          uint32 // the number of what was sent last
	times         map[uint32]uint32
}

// drillWait is a call that waits.
type drillWait struct {
	line  int
	until time.Time
	try   func() (done bool, err error)
}

func newDrill(t *testing.T, file string, options map[string]string) *drill {
	d := &drill{
		T: t, file: file, tolerance: 4 * time.Millisecond, begin: time.Unix(1_000_000_000, 0),
		local: netip.MustParseAddr("192.168.0.1"), remote: netip.MustParseAddr("192.0.2.1"),
		sockets: map[int]*drillSocket{}, epolls: map[int]drillEpoll{}, ports: 50000,
	}
	for k, v := range options {
		switch k {
		case "local_ip":
			d.local = netip.MustParseAddr(v)
		case "remote_ip":
			d.remote = netip.MustParseAddr(v)
		case "tolerance_usecs":
			n, err := strconv.Atoi(v)
			if err != nil {
				t.Fatal(err)
			}
			d.tolerance = time.Duration(n) * time.Microsecond
		case "ip_version":
			if v == "ipv6" {
				d.local, d.remote = netip.MustParseAddr("fd3d:fa7b:d17d::1"), netip.MustParseAddr("fd3d:fa7b:d17d::2")
			}
		}
	}
	mtu := 1500
	if n, err := strconv.Atoi(options["mtu"]); err == nil {
		mtu = n
	}
	d.now, d.previous = d.begin, d.begin
	d.settings = LinuxSettings()
	// What packetdrill's own tests set before each script.
	d.settings.TCP.MaxReceiveBuffer, d.settings.TCP.ReceiveBuffer = 15<<20, 540000
	d.settings.TCP.SYNLinear, d.settings.TCP.SYNRetries = 0, 5
	d.settings.TCP.AcceptECN = false
	d.settings.FastOpen = 0x403
	d.host = NewHost(d.now, HostConfig{
		Settings: d.settings, Secret: [16]byte{1, 2, 3}, Links: []LinkConfig{{MTU: mtu}},
		Output: func(_ int, batch []wire.Packet) {
			for i := range batch {
				if s, ok := readDrillSegment(batch[i].Append(nil)); ok {
					d.sent = append(d.sent, drillSent{d.now, s})
				}
			}
		},
	})
	bits := d.local.BitLen()
	if err := d.host.AddAddress(0, netip.PrefixFrom(d.local, bits)); err != nil {
		t.Fatal(err)
	}
	if err := d.host.AddRoute(Route{Prefix: netip.PrefixFrom(d.remote, bits)}); err != nil {
		t.Fatal(err)
	}
	d.sysctl("net.ipv4.tcp_fastopen_key", "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4")
	return d
}

func (d *drill) fatal(format string, args ...any) {
	d.Helper()
	d.Fatalf("%s:%d: at %v: %s", d.file, d.line, d.now.Sub(d.begin), fmt.Sprintf(format, args...))
}

func (d *drill) run(events []drillEvent) {
	for i := range events {
		e := &events[i]
		d.line = e.line
		at := d.begin.Add(e.when.at)
		if e.when.relative {
			at = d.previous.Add(e.when.at)
		}
		switch {
		case e.when.any:
		case e.packet != nil && e.packet.out && e.when.spread:
		default:
			d.advance(at)
		}
		if e.call != nil && d.waiting != nil {
			d.fatal("the call of line %d still waits", d.waiting.line)
		}
		d.previous = at
		switch {
		case e.packet != nil && e.packet.out:
			d.previous = d.expect(e, at)
		case e.packet != nil:
			d.inject(e.packet)
		case e.call != nil:
			d.call(e, at)
		case e.shell != "":
			d.shell(e.shell)
		case e.code != "":
			if err := drillAssert(e.code, d.value); err != nil {
				d.fatal("%v", err)
			}
		}
		d.retry()
	}
	if d.waiting != nil {
		d.advance(d.waiting.until)
		if d.waiting != nil {
			d.fatal("the call of line %d never returned", d.waiting.line)
		}
	}
}

// advance lets time go by, and what is due happen.
func (d *drill) advance(to time.Time) {
	for {
		next := d.host.Deadline()
		if w := d.waiting; w != nil && w.until.After(d.now) && (next.IsZero() || w.until.Before(next)) {
			next = w.until
		}
		if next.IsZero() || next.After(to) {
			break
		}
		if next.After(d.now) {
			d.now = next
		}
		d.host.Advance(d.now)
		d.retry()
	}
	if to.After(d.now) {
		d.now = to
	}
	d.retry()
}

// retry gives the call that waits another chance.
func (d *drill) retry() {
	w := d.waiting
	if w == nil {
		return
	}
	done, err := w.try()
	if !done {
		return
	}
	d.waiting = nil
	line := d.line
	d.line = w.line
	if err != nil {
		d.fatal("%v", err)
	}
	if late := d.now.Sub(w.until).Abs(); late > d.tolerance {
		d.fatal("the call returned %v away from when it was to", late)
	}
	d.line = line
}

// begun makes the connection that a call has begun the one that the script is
// about.
func (d *drill) begun(s *drillSocket) {
	if s.conn != nil && d.conn.local != s.Local() {
		d.conn = drillConn{socket: s, local: s.Local(), remote: s.conn.Remote(), times: map[uint32]uint32{}}
	}
}

// expect takes what was sent next and holds it against the script.
func (d *drill) expect(e *drillEvent, at time.Time) time.Time {
	p := e.packet
	earliest, latest := at.Add(-d.tolerance), at.Add(d.tolerance)
	switch {
	case e.when.any:
		earliest, latest = d.begin, d.now.Add(300*time.Second)
	case e.when.spread:
		from := d.previous.Add(-e.when.at)
		latest = from.Add(e.when.until)
	}
	s := d.next(p, latest)
	if s == nil {
		d.fatal("nothing was sent, want %s", p)
	}
	if s.at.Before(earliest) || s.at.After(latest) {
		d.fatal("%s was sent at %v, want it at %v", d.text(s), s.at.Sub(d.begin), at.Sub(d.begin))
	}
	c := &d.conn
	base, from := c.iss, p.from
	if strings.Contains(p.flags, "S") {
		from -= c.scriptIS
	}
	wrong := func(what string, got, want any) {
		d.Helper()
		d.fatal("%s, sent at %v: %s is %v, want %v: script has %s", d.text(s), s.at.Sub(d.begin), what, got, want, p)
	}
	if got := s.seq - base; got != from {
		wrong("sequence number", got, from)
	}
	length := s.length
	// What the script has as one packet that is cut on its way may be
	// several here.
	for length > 0 && uint32(length) < p.length {
		more := d.next(p, latest)
		if more == nil || more.seq != s.seq+uint32(length) || more.flagText() != "." && more.flagText() != "P." {
			wrong("length", length, p.length)
		}
		length += more.length
		s.flags |= more.flags
	}
	if uint32(length) != p.length {
		wrong("length", length, p.length)
	}
	if got := s.flagText(); got != p.flags && strings.Trim(got, "P") != strings.Trim(p.flags, "P") {
		wrong("flags", got, p.flags)
	} else if got != p.flags && strings.Contains(got, "P") {
		wrong("flags", got, p.flags)
	}
	if p.hasAck {
		want := p.ack
		if !strings.Contains(p.flags, "S") {
			want += c.irs
		}
		if s.ack != want {
			wrong("acknowledgment", s.ack-c.irs, p.ack)
		}
	}
	if p.win >= 0 && int(s.win) != p.win {
		wrong("window", s.win, p.win)
	}
	if !p.anyOptions {
		d.compareOptions(p, s, wrong)
	}
	c.last = s.seq
	return s.at
}

// next takes what was sent next on the connection that the script is about.
func (d *drill) next(p *drillPacket, latest time.Time) *drillSent {
	for {
		for len(d.sent) > 0 {
			s := d.sent[0]
			d.sent = d.sent[1:]
			if s.local == d.conn.local && s.remote == d.conn.remote {
				if s.flags&2 != 0 && !d.conn.hasISS {
					d.conn.iss, d.conn.scriptIS, d.conn.hasISS = s.seq, p.from, true
				}
				return &s
			}
		}
		at := d.host.Deadline()
		if at.IsZero() || at.After(latest) {
			return nil
		}
		d.advance(at)
	}
}

func (d *drill) compareOptions(p *drillPacket, s *drillSent, wrong func(string, any, any)) {
	var want []string
	for _, o := range p.options {
		if !strings.HasPrefix(o, "TS ") {
			if word, blocks, ok := strings.Cut(o, " "); ok && word == "sack" {
				o = "sack"
				for block := range strings.FieldsSeq(blocks) {
					from, to, _ := strings.Cut(block, ":")
					o += fmt.Sprintf(" %d:%d", d.live(from), d.live(to))
				}
			}
			want = append(want, o)
			continue
		}
		want = append(want, "TS")
		var val, ecr uint32
		if _, err := fmt.Sscanf(o, "TS val %d ecr %d", &val, &ecr); err != nil {
			d.fatal("%q: %v", o, err)
		}
		if d.conn.times == nil {
			d.conn.times = map[uint32]uint32{}
		}
		d.conn.times[val] = s.tsVal
		if s.hasTS && s.tsEcr != ecr {
			wrong("echoed timestamp", s.tsEcr, ecr)
		}
	}
	if strings.Contains(p.flags, "S") || len(p.options) > 0 {
		if !slices.Equal(s.options, want) {
			wrong("options", s.options, want)
		}
	}
}

// live is the number on the wire of one of the peer's.
func (d *drill) live(script string) uint32 {
	n, err := strconv.ParseUint(script, 10, 32)
	if err != nil {
		d.fatal("%v", err)
	}
	return d.conn.irs + uint32(n)
}

// inject gives the host a packet of the peer's.
func (d *drill) inject(p *drillPacket) {
	c := &d.conn
	if p.flags == "" {
		seq := c.last
		if p.to != p.from || p.from != 0 {
			seq = c.iss + p.from - c.scriptIS
		}
		d.host.Input(d.now, drillICMP(p.icmp, p.mtu, c.local, c.remote, seq))
		return
	}
	syn := strings.Contains(p.flags, "S")
	if syn && !strings.Contains(p.flags, ".") {
		if again := c.irs == p.from && c.local == d.listening && !d.anew; d.anew || !again && (c.socket == nil || c.irs != 0 || c.local == d.listening) || c.local == (netip.AddrPort{}) {
			d.ports++
			d.anew = false
			*c = drillConn{local: d.listening, remote: netip.AddrPortFrom(d.remote, d.ports), times: map[uint32]uint32{}}
		}
	}
	s := drillSegment{local: c.local, remote: c.remote, flags: drillFlagBits(p.flags), length: int(p.length), ecn: map[string]uint8{"ect0": 2, "ect1": 1, "ce": 3}[p.ecn]}
	if p.win >= 0 {
		s.win = uint16(p.win)
	}
	if syn {
		c.irs = p.from
		s.seq = p.from
		if p.hasAck {
			s.ack = c.iss + p.ack - c.scriptIS
		}
	} else {
		s.seq = c.irs + p.from
		if p.hasAck {
			s.ack = c.iss + p.ack
		}
	}
	for _, o := range p.options {
		switch word, rest, _ := strings.Cut(o, " "); word {
		case "TS":
			if _, err := fmt.Sscanf(rest, "val %d ecr %d", &s.tsVal, &s.tsEcr); err != nil {
				d.fatal("%q: %v", o, err)
			}
			if live, ok := c.times[s.tsEcr]; ok {
				s.tsEcr = live
			}
			o = "TS"
		case "sack":
			o = "sack"
			for block := range strings.FieldsSeq(rest) {
				from, to, _ := strings.Cut(block, ":")
				f, _ := strconv.ParseUint(from, 10, 32)
				t, _ := strconv.ParseUint(to, 10, 32)
				o += fmt.Sprintf(" %d:%d", c.iss+uint32(f), c.iss+uint32(t))
			}
		}
		s.options = append(s.options, o)
	}
	// No time at all passes nowhere, and RACK goes by times.
	d.now = d.now.Add(time.Microsecond)
	d.host.Input(d.now, s.packet())
}

var (
	drillArithmetic = regexp.MustCompile(`\$\(\([^)]*\)\)`)
	drillWord       = regexp.MustCompile(`("[^"]*"|[^\s"])+`)
)

// shell understands as much of a shell as sets up a host.
func (d *drill) shell(text string) {
	text = strings.ReplaceAll(text, "\\\n", " ")
	text = drillArithmetic.ReplaceAllStringFunc(text, func(x string) string {
		return fmt.Sprint(newDrillEval(x[3:len(x)-2], nil).or())
	})
	for _, word := range drillWord.FindAllString(text, -1) {
		switch name, value, ok := strings.Cut(strings.ReplaceAll(word, `"`, ""), "="); {
		case ok:
			name = strings.ReplaceAll(strings.TrimPrefix(name, "/proc/sys/"), "/", ".")
			d.sysctl(name, value)
		case name == "./defaults.sh": // Linux's own, in which listeners have to be told
			d.sysctl("net.ipv4.tcp_fastopen", "3")
		case name == "tcp_metrics":
			d.host.ForgetDestinations()
		}
	}
}

func (d *drill) sysctl(name, value string) {
	set := &d.settings
	values := strings.Fields(value)
	n, err := strconv.ParseInt(values[0], 0, 64)
	if err != nil && name != "net.ipv4.tcp_fastopen_key" {
		d.fatal("sysctl %s: %v", name, err)
	}
	switch name {
	case "net.ipv4.tcp_fastopen":
		set.FastOpen = FastOpenBits(n) & 0x607
		if set.FastOpen == 0 {
			set.FastOpen = FastOpenOff
		}
	case "net.ipv4.tcp_fastopen_key":
		keys, err := tfo.ParseKeys(value)
		if err != nil {
			d.fatal("%v", err)
		}
		d.host.Keys().Set(keys)
	case "net.ipv4.tcp_timestamps":
		set.TCP.NoTimestamps = n == 0
	case "net.ipv4.tcp_sack":
		set.TCP.NoSACK = n == 0
	case "net.ipv4.tcp_ecn":
		set.TCP.ECN, set.TCP.AcceptECN = n == 1, n == 2
	case "net.ipv4.tcp_syn_retries":
		set.TCP.SYNRetries = int(n)
	case "net.ipv4.tcp_syn_linear_timeouts":
		set.TCP.SYNLinear = int(n)
	case "net.ipv4.tcp_synack_retries":
		set.TCP.SYNACKRetries = int(n)
	case "net.ipv4.tcp_rmem":
		initial, _ := strconv.Atoi(values[1])
		most, _ := strconv.Atoi(values[2])
		set.TCP.ReceiveBuffer, set.TCP.MaxReceiveBuffer = initial, most
	case "net.ipv4.tcp_fastopen_blackhole_timeout_sec", "net.ipv4.tcp_fastopen_cookies", "net.ipv4.tcp_min_tso_segs", "net.ipv4.tcp_tso_win_divisor", "net.ipv4.tcp_slow_start_after_idle":
	default:
		d.fatal("sysctl %s is not known", name)
	}
	d.host.SetSettings(*set)
}

func (p *drillPacket) String() string {
	text := fmt.Sprintf("%s %d:%d(%d)", p.flags, p.from, p.to, p.length)
	if p.hasAck {
		text += fmt.Sprintf(" ack %d", p.ack)
	}
	return text + " <" + strings.Join(p.options, ",") + ">"
}

func (d *drill) text(s *drillSent) string {
	return fmt.Sprintf("%s %d:%d(%d) ack %d win %d <%s>", s.flagText(), s.seq-d.conn.iss, s.seq-d.conn.iss+uint32(s.length), s.length, s.ack-d.conn.irs, s.win, strings.Join(s.options, ","))
}

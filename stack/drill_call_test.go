//go:build unix

package stack

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
	"golang.org/x/sys/unix"
)

// call makes a system call of the script, or begins to wait for it.
func (d *drill) call(e *drillEvent, at time.Time) {
	c := e.call
	try := d.prepare(c)
	check := func() (bool, error) {
		n, err := try()
		if n < 0 && err == nil {
			return false, nil
		}
		return true, d.compare(c, n, err)
	}
	if e.when.waits {
		until := at.Add(e.when.until - e.when.at)
		d.waiting = &drillWait{e.line, until, check}
		return
	}
	done, err := check()
	if !done {
		d.fatal("%s waits, and was to return at once", c.name)
	}
	if err != nil {
		d.fatal("%v", err)
	}
}

// compare holds what a call returned against the script.
func (d *drill) compare(c *drillCall, n int, err error) error {
	if errors.Is(err, io.EOF) {
		n, err = 0, nil
	}
	var e syscall.Errno
	if err != nil && !errors.As(err, &e) {
		return fmt.Errorf("%s: error %v is no errno", c.name, err)
	}
	want := c.result.number()
	switch {
	case want < 0 && err == nil:
		return fmt.Errorf("%s returned %d, want error %s", c.name, n, c.errno)
	case want < 0 && c.errno != "" && e != drillErrno(c.errno):
		return fmt.Errorf("%s failed with %s, want %s", c.name, unix.ErrnoName(e), c.errno)
	case want >= 0 && err != nil:
		return fmt.Errorf("%s failed with %s, want %d", c.name, unix.ErrnoName(e), want)
	case want >= 0 && n != want && !c.result.any:
		return fmt.Errorf("%s returned %d, want %d", c.name, n, want)
	}
	return nil
}

// drillErrno is the number of a name; two names have the same.
func drillErrno(name string) syscall.Errno {
	if name == "EOPNOTSUPP" {
		return syscall.EOPNOTSUPP
	}
	for e := syscall.Errno(1); e < 140; e++ {
		if unix.ErrnoName(e) == name {
			return e
		}
	}
	return 0
}

// prepare returns what makes the call: -1 without an error says that it waits.
func (d *drill) prepare(c *drillCall) func() (int, error) {
	arg := func(i int) drillArg {
		if i < len(c.args) {
			return c.args[i]
		}
		return drillArg{any: true}
	}
	if c.name == "socket" {
		s := &drillSocket{Socket: d.host.Socket(), nonblock: arg(1).has("SOCK_NONBLOCK")}
		return func() (int, error) {
			d.sockets[c.result.number()] = s
			return c.result.number(), nil
		}
	}
	switch c.name {
	case "poll":
		return d.poll(c)
	case "epoll_create", "epoll_ctl", "epoll_wait":
		return d.epoll(c)
	}
	s := d.sockets[arg(0).number()]
	if s == nil {
		d.fatal("there is no socket %d", arg(0).number())
	}
	none := func(err error) (int, error) { return 0, err }
	again := func(wait bool, n int, err error) (int, error) {
		if wait && errors.Is(err, syscall.EAGAIN) {
			return -1, nil
		}
		return n, err
	}
	switch c.name {
	case "fcntl":
		if arg(1).has("F_GETFL") {
			return func() (int, error) { return 2, nil } // O_RDWR
		}
		return func() (int, error) { s.nonblock = arg(2).has("O_NONBLOCK"); return 0, nil }
	case "ioctl":
		return func() (int, error) {
			if got := s.Unread(); arg(1).has("SIOCINQ") && got != arg(2).number() {
				return 0, fmt.Errorf("%d bytes are unread, want %d", got, arg(2).number())
			}
			return 0, nil
		}
	case "bind":
		return func() (int, error) { return none(s.Bind(netip.AddrPortFrom(d.local, 8080))) }
	case "listen":
		return func() (int, error) {
			d.listening, d.anew = netip.AddrPortFrom(d.local, 8080), true
			return none(s.Listen(d.now, arg(1).number()))
		}
	case "accept", "accept4":
		return func() (int, error) {
			child, err := s.Accept(d.now)
			if err != nil {
				return again(!s.nonblock, 0, err)
			}
			d.sockets[c.result.number()] = &drillSocket{Socket: child, nonblock: arg(3).has("SOCK_NONBLOCK")}
			d.conn.socket = d.sockets[c.result.number()]
			return c.result.number(), nil
		}
	case "connect":
		if arg(1).has("AF_UNSPEC") {
			return func() (int, error) { return none(s.Disconnect(d.now)) }
		}
		begun := false
		return func() (int, error) {
			if begun {
				return d.opened(s, 0)
			}
			begun = true
			err := s.Connect(d.now, d.peer())
			d.begun(s)
			if !s.nonblock && err == syscall.EINPROGRESS {
				return -1, nil
			}
			return none(err)
		}
	case "read", "recv", "recvfrom", "recvmsg":
		size := arg(2).number()
		if c.name == "recvmsg" {
			size = 0
			for _, v := range arg(1).fields["msg_iov"].list {
				size += v.fields[""].number()
			}
		}
		return func() (int, error) {
			b := make([]byte, size)
			if arg(3).has("MSG_PEEK") {
				n, err := s.Peek(b)
				return again(!s.nonblock && !arg(3).has("MSG_DONTWAIT"), n, err)
			}
			n, err := s.Receive(d.now, b)
			return again(!s.nonblock && !arg(3).has("MSG_DONTWAIT"), n, err)
		}
	case "write", "send", "sendto", "sendmsg":
		return d.send(c, s)
	case "shutdown":
		how := map[string]int{"SHUT_RD": ShutRead, "SHUT_WR": ShutWrite, "SHUT_RDWR": ShutRead | ShutWrite}[strings.Join(arg(1).words, "")]
		return func() (int, error) { return none(s.Shutdown(d.now, how)) }
	case "close":
		return func() (int, error) {
			// What TCP_INFO says of a closed socket, the script may still ask.
			return none(s.Close(d.now))
		}
	case "getsockopt":
		return func() (int, error) { return 0, nil }
	case "setsockopt":
		return func() (int, error) { return none(d.setsockopt(s, arg(2), arg(3), arg(4).number())) }
	}
	d.fatal("call %s is not known", c.name)
	return nil
}

func (d *drill) peer() netip.AddrPort { return netip.AddrPortFrom(d.remote, 8080) }

// opened waits for the end of the handshake, and returns n if it went well.
func (d *drill) opened(s *drillSocket, n int) (int, error) {
	if s.Poll()&(PollOut|PollErr|PollHup) == 0 {
		return -1, nil
	}
	if err := s.PendingError(); err != nil {
		return 0, err
	}
	return n, nil
}

// openWhole opens a connection as a send that waits does: all of p is the
// connection's from the start, so that what the SYN has no room for, or does not
// take for want of a cookie, goes with the first ACK.
func (d *drill) openWhole(s *drillSocket, p []byte) (int, error) {
	remote, mode := d.peer(), s.clientMode()
	if s.flags&putOff != 0 {
		s.flags &^= putOff
		remote, mode = s.ext.remote, s.ext.mode
	}
	if err := s.connectable(); err != nil {
		return 0, err
	}
	if err := s.open(d.now, remote, mode, p, len(p)); err != syscall.EINPROGRESS {
		return 0, err
	}
	return len(p), nil
}

// send makes write, send, sendto and sendmsg.
func (d *drill) send(c *drillCall, s *drillSocket) func() (int, error) {
	var flags, to drillArg
	total := 0
	switch c.name {
	case "sendmsg":
		for _, v := range c.args[1].fields["msg_iov"].list {
			total += v.fields[""].number()
		}
		flags = c.args[2]
	default:
		total = c.args[2].number()
		if len(c.args) > 3 {
			flags = c.args[3]
		}
		if len(c.args) > 4 {
			to = c.args[4]
		}
	}
	fast := flags.has("MSG_FASTOPEN") || flags.number()&0x20000000 != 0
	waits := !s.nonblock && !flags.has("MSG_DONTWAIT")
	sent, opening := 0, false
	return func() (int, error) {
		if opening {
			if n, err := d.opened(s, 0); err != nil || n < 0 {
				return n, err
			}
			opening = false
		}
		for {
			p := make([]byte, total-sent)
			var n int
			var err error
			unopened := s.conn == nil
			switch {
			case fast && to.has("AF_UNSPEC"):
				err = syscall.EOPNOTSUPP
			case waits && unopened && total > 0 && (fast && s.host.settings.clientOn() || s.flags&putOff != 0):
				n, err = d.openWhole(s, p)
				fast = false
			case fast && sent == 0 && unopened:
				n, err = s.ConnectWith(d.now, d.peer(), p)
				fast = !waits
			case fast && !waits:
				n, err = s.ConnectWith(d.now, d.peer(), p)
			default:
				n, err = s.Send(d.now, p)
			}
			d.begun(s)
			sent += max(n, 0)
			switch {
			case waits && unopened && (err == nil || err == syscall.EINPROGRESS):
				opening = true
				return -1, nil
			case err == syscall.EAGAIN && waits:
				return -1, nil
			case err != nil && sent > 0 && !unopened:
				return sent, nil
			case err != nil:
				return 0, err
			case sent == total || !waits:
				return sent, nil
			}
		}
	}
}

var drillPoll = map[string]Poll{
	"POLLIN": PollIn, "POLLOUT": PollOut, "POLLERR": PollErr, "POLLHUP": PollHup, "POLLRDHUP": PollRdHup, "POLLPRI": PollPri, "POLLNVAL": PollNVAL,
}

func drillPollBits(a drillArg) (p Poll) {
	for _, w := range a.words {
		p |= drillPoll[w]
	}
	return p
}

func (d *drill) poll(c *drillCall) func() (int, error) {
	f := c.args[0].list[0].fields
	s := d.sockets[f["fd"].number()]
	events, want := drillPollBits(f["events"])|PollErr|PollHup|PollNVAL, drillPollBits(f["revents"])
	end := d.now.Add(time.Duration(c.args[2].number()) * time.Millisecond)
	return func() (int, error) {
		got := s.Poll() & events
		switch {
		case got == 0 && d.now.Before(end):
			return -1, nil
		case got != want:
			d.fatal("poll has %#x, want %#x", got, want)
		case got == 0:
			return 0, nil
		}
		return 1, nil
	}
}

func (d *drill) setsockopt(s *drillSocket, name, value drillArg, size int) error {
	n := value.number()
	switch name.words[0] {
	case "SO_REUSEADDR":
		s.SetReuseAddress(n != 0)
	case "TCP_FASTOPEN":
		return s.SetFastOpen(n)
	case "TCP_FASTOPEN_CONNECT":
		return s.SetFastOpenConnect(n != 0)
	case "TCP_FASTOPEN_NO_COOKIE":
		return s.SetFastOpenNoCookie(n != 0)
	case "TCP_FASTOPEN_KEY":
		var raw []byte
		for x := range strings.SplitSeq(value.text, `\x`) {
			var b byte
			if _, err := fmt.Sscanf(x, "%x", &b); err == nil {
				raw = append(raw, b)
			}
		}
		if len(raw) != size || size != 16 && size != 32 {
			return syscall.EINVAL
		}
		keys := tfo.NewKeys(tfo.Key(raw[:16]))
		if size == 32 {
			keys = tfo.NewKeys(tfo.Key(raw[:16]), tfo.Key(raw[16:]))
		}
		ring := &tfo.Keyring{}
		ring.Set(keys)
		return s.SetFastOpenKeys(ring)
	case "TCP_SYNCNT":
		return s.SetSYNCount(n)
	case "TCP_MAXSEG":
		return s.SetMaxSegment(n)
	case "TCP_NODELAY":
		s.SetNoDelay(d.now, n != 0)
	case "SO_KEEPALIVE":
		s.SetKeepalive(d.now, n != 0)
	case "TCP_KEEPIDLE":
		s.SetKeepaliveConfig(d.now, tcp.Keepalive{Idle: time.Duration(n) * time.Second})
	case "TCP_INQ", "SO_ZEROCOPY": // say how bytes pass between a process and its kernel
	case "TCP_USER_TIMEOUT":
		s.SetUserTimeout(time.Duration(n) * time.Millisecond)
	case "SO_SNDBUF":
		s.SetSendBuffer(2 * n)
	case "SO_RCVBUF":
		s.SetReceiveBuffer(n) // Linux doubles it, and counts half for itself
	case "SO_LINGER":
		s.SetLinger(-1)
		if value.fields["onoff"].number() != 0 {
			s.SetLinger(time.Duration(value.fields["linger"].number()) * time.Second)
		}
	default:
		d.fatal("option %s is not known", name.words[0])
	}
	return nil
}

// value is what TCP_INFO says of the connection that the script is about, and the
// constants that go with it.
func (d *drill) value(name string) (int64, bool) {
	constants := map[string]int64{
		"TCPI_OPT_TIMESTAMPS": 1, "TCPI_OPT_SACK": 2, "TCPI_OPT_WSCALE": 4, "TCPI_OPT_ECN": 8, "TCPI_OPT_SYN_DATA": 32,
		"TCP_ESTABLISHED": 1, "TCP_SYN_SENT": 2, "TCP_SYN_RECV": 3, "TCP_FIN_WAIT1": 4, "TCP_FIN_WAIT2": 5, "TCP_TIME_WAIT": 6,
		"TCP_CLOSE": 7, "TCP_CLOSE_WAIT": 8, "TCP_LAST_ACK": 9, "TCP_LISTEN": 10, "TCP_CLOSING": 11,
		"TCP_CA_Open": 0, "TCP_CA_Recovery": 3, "TCP_CA_Loss": 4,
	}
	if v, ok := constants[name]; ok {
		return v, true
	}
	s := d.conn.socket
	if s == nil {
		d.fatal("no socket to ask for %s", name)
	}
	i := s.Info()
	switch name {
	case "tcpi_state":
		states := map[tcp.State]int64{tcp.Established: 1, tcp.SynSent: 2, tcp.SynReceived: 3, tcp.FinWait1: 4, tcp.FinWait2: 5, tcp.TimeWait: 6, tcp.Closed: 7, tcp.CloseWait: 8, tcp.LastAck: 9, tcp.Closing: 11}
		return states[i.State], true
	case "tcpi_options":
		var bits int64
		for b, on := range map[int64]bool{1: i.Timestamps, 2: i.SACK, 4: i.Scaled, 8: i.ECN, 32: i.SYNData, 128: i.FastOpenChild} {
			if on {
				bits |= b
			}
		}
		return bits, true
	case "tcpi_rtt":
		return i.RTT.Microseconds(), true
	}
	return d.figure(name, &i)
}

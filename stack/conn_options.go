package stack

import (
	"net"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
)

// SetNoDelay is as of [net.TCPConn].
func (c *Conn) SetNoDelay(on bool) error {
	return c.do("set", func(now time.Time, s *Socket) error { s.SetNoDelay(now, on); return nil })
}

// SetLinger says what Close does with what was not sent yet: with 0 it is thrown
// away and the connection reset, otherwise it is delivered in the background.
func (c *Conn) SetLinger(sec int) error {
	return c.do("set", func(_ time.Time, s *Socket) error {
		s.SetLinger(time.Duration(sec) * time.Second)
		return nil
	})
}

// SetKeepAlive is as of [net.TCPConn].
func (c *Conn) SetKeepAlive(on bool) error {
	return c.do("set", func(now time.Time, s *Socket) error { s.SetKeepalive(now, on); return nil })
}

// SetKeepAlivePeriod is as of [net.TCPConn].
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: d, Interval: -1, Count: -1})
}

// SetKeepAliveConfig is as of [net.TCPConn]: what is 0 in it is 15 seconds or 9,
// what is less is as it was.
func (c *Conn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	return c.do("set", func(now time.Time, s *Socket) error {
		k := s.keepaliveConfig()
		set := func(d *time.Duration, v time.Duration) {
			if v == 0 {
				v = 15 * time.Second
			}
			if v > 0 {
				*d = v
			}
		}
		set(&k.Idle, config.Idle)
		set(&k.Interval, config.Interval)
		if config.Count >= 0 {
			k.Count = config.Count
		}
		if k != s.keepaliveConfig() {
			s.SetKeepaliveConfig(now, k)
		}
		s.SetKeepalive(now, config.Enable)
		return nil
	})
}

// keepaliveConfig is when the socket asks now.
func (s *Socket) keepaliveConfig() tcp.Keepalive {
	if s.conn != nil {
		return s.conn.KeepaliveConfig()
	}
	if s.ext != nil && s.ext.tuning.keepaliveSet {
		return s.ext.tuning.keepalive
	}
	return s.host.settings.TCP.Keepalive
}

// SetReadBuffer fixes how many bytes are kept unread; otherwise that follows from
// how fast they are read.
func (c *Conn) SetReadBuffer(bytes int) error {
	return c.do("set", func(_ time.Time, s *Socket) error {
		if bytes <= 0 {
			return syscall.EINVAL
		}
		s.SetReceiveBuffer(bytes)
		return nil
	})
}

// SetWriteBuffer fixes how many bytes are kept unacknowledged; otherwise that
// follows from what the path takes.
func (c *Conn) SetWriteBuffer(bytes int) error {
	return c.do("set", func(_ time.Time, s *Socket) error {
		if bytes <= 0 {
			return syscall.EINVAL
		}
		s.SetSendBuffer(bytes)
		return nil
	})
}

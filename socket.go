package fastopen

import (
	"context"
	"errors"
	"syscall"

	"github.com/fastopen-go/fastopen/tfo"
)

// A socket is what a Conn stands on: a connection of the operating system or
// of another Network.
type socket struct{ NetworkConn }

// answered is the first stage at which the SYN was answered.
const answered = tfo.Unconfirmed

// pending says that s's SYN was not answered yet.
func (s *socket) pending() bool {
	h := s.Handshake()
	return h.Stage == tfo.Unanswered && !h.Dead
}

// unopened says that s is dead, and was before its handshake was done.
func (s *socket) unopened() bool { return s.Handshake().Unopened() }

// death returns what has killed s before its handshake was done.
func (s *socket) death() error { return s.Await(context.Background(), "", answered) }

// abandon closes s for good: of what rode in its SYN nothing more is sent,
// since another socket carries it.
func (s *socket) abandon() {
	if s.Handshake().Stage == tfo.Unanswered {
		s.SetLinger(0)
	}
	s.Close()
}

// SyscallConn and MultipathTCP are what only connections of the operating
// system have.

func (s *socket) SyscallConn() (syscall.RawConn, error) {
	if c, ok := s.NetworkConn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

func (s *socket) MultipathTCP() (bool, error) {
	if c, ok := s.NetworkConn.(interface{ MultipathTCP() (bool, error) }); ok {
		return c.MultipathTCP()
	}
	return false, nil
}

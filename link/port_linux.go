package link

import (
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/fastopen-go/fastopen/wire"
	"golang.org/x/sys/unix"
)

// A port reads and writes packets with virtio-net headers through a file
// descriptor: a queue of a TUN device, or a packet socket.
type port struct {
	raw   syscall.RawConn
	in    receiving
	polls polling
	outs  sync.Pool // of *sending, for each goroutine that sends
	drops atomic.Uint64
}

// init readies a port with lower bytes before the IP header, 14 on Ethernet; a
// socket can be asked for several packets at once.
func (o *port) init(raw syscall.RawConn, lower int, socket bool) {
	o.raw = raw
	o.in.init(lower, socket)
	o.polls.init(lower, socket)
	o.in.ready = o.polls.queued(o.in.ready)
	o.outs.New = func() any {
		s := &sending{lower: lower, drops: &o.drops}
		s.ready = s.write
		return s
	}
}

// receive is Receive.
func (o *port) receive(batch []wire.Packet) (n int, err error) {
	if len(batch) == 0 {
		return 0, nil
	}
	in := &o.in
	in.mu.Lock()
	defer in.mu.Unlock()
	o.polls.used()
	in.begin(batch)
	err = o.raw.Read(in.ready)
	return in.end(err)
}

// done is Done.
func (o *port) done() {
	o.in.mu.Lock()
	defer o.in.mu.Unlock()
	o.polls.used()
}

// poll is Poll.
func (o *port) poll(batch []wire.Packet, deliver func([]wire.Packet)) (n int, err error) {
	return o.polls.poll(o.raw, batch, deliver)
}

// send is Send.
func (o *port) send(batch []wire.Packet) (n int, err error) {
	s := o.outs.Get().(*sending)
	s.batch, s.n, s.err = batch, 0, nil
	// Not raw.Write, which would let only one goroutine in.
	err = o.raw.Control(s.ready)
	if err == nil {
		err = s.err
	}
	n = s.n
	s.batch, s.err, s.iov = nil, nil, [4]unix.Iovec{}
	o.outs.Put(s)
	return n, err
}

// sending is the state of a call of send.
type sending struct {
	ready  func(fd uintptr)
	lower  int
	drops  *atomic.Uint64
	batch  []wire.Packet
	n      int
	err    error
	header [vnetLen]byte
	iov    [4]unix.Iovec
}

func (s *sending) write(fd uintptr) {
	for i := range s.batch {
		p := &s.batch[i]
		if err := putVnet(&s.header, p, s.lower); err != nil {
			s.err = err
			continue
		}
		switch err := s.writev(fd, p); err {
		case 0:
			s.n++
		case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM, unix.EIO, unix.ENETDOWN:
			// EIO is the answer of a TUN device that is down, ENETDOWN that
			// of another.
			s.drops.Add(1)
		case unix.EBADFD, unix.ENXIO, unix.ENODEV:
			s.err = err
			return
		default:
			s.err = errors.Join(s.err, err)
		}
	}
}

// writev hands header and packet to the kernel, from where they lie.
func (s *sending) writev(fd uintptr, p *wire.Packet) unix.Errno {
	s.iov[0].Base = &s.header[0]
	s.iov[0].SetLen(vnetLen)
	k := 1
	for _, b := range [...][]byte{p.Head, p.Payload, p.Rest} {
		if len(b) > 0 {
			s.iov[k].Base = &b[0]
			s.iov[k].SetLen(len(b))
			k++
		}
	}
	for {
		_, _, err := unix.Syscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&s.iov[0])), uintptr(k))
		if err != unix.EINTR {
			return err
		}
	}
}

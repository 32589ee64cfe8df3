package sim

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

func TestTap(t *testing.T) {
	var atA, atB Tap
	p := NewPath(0, &atA, Delay(20*ms), DropSYNData(), &atB)
	p.Send(at(0), AtoB, testSegment{flags: wire.SYN, options: options(mss, request)}.packet())
	p.Send(at(5), BtoA, testSegment{v6: true, flags: wire.SYN | wire.ACK, options: expCookie, data: "abc"}.packet())
	p.Send(at(6), AtoB, testSegment{flags: wire.SYN, data: "dropped"}.packet())
	p.Send(at(7), BtoA, []byte("not IP"))
	p.Receive(at(100))
	const wantA = `    0.000ms A>B 10.77.0.1:40000 > 10.77.0.2:80 SYN seq 4294967294 len 0 cookie request
    6.000ms A>B 10.77.0.1:40000 > 10.77.0.2:80 SYN seq 4294967294 len 7
   25.000ms B>A [fd77::1]:40000 > [fd77::2]:80 SYN seq 4294967294 ack 77 len 3 cookie of 8 bytes
   27.000ms B>A 6 bytes, not TCP
`
	if got := atA.String(); got != wantA {
		t.Errorf("at A:\n%swant:\n%s", got, wantA)
	}
	seen := atB.Seen(func(s Seen) bool { return s.TCP })
	if len(seen) != 2 || seen[0].At != at(5) || seen[1].At != at(20) {
		t.Errorf("at B:\n%v", &atB)
	}
	s := seen[0]
	if s.Src != netip.MustParseAddrPort("[fd77::1]:40000") || s.Dst.Port() != 80 || !s.SYN || !s.ACK || s.FIN || s.RST ||
		s.Ack != clientAck || s.Len != 3 || !s.FastOpen || s.Cookie != 8 {
		t.Errorf("%+v", s)
	}
}

func TestTapAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tap Tap
		p := NewPath(0, &tap)
		go func() {
			for range 3 {
				time.Sleep(time.Second)
				p.Send(time.Now(), AtoB, testSegment{flags: wire.SYN}.packet())
				p.Send(time.Now(), BtoA, testSegment{flags: wire.RST}.packet())
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		isSYN := func(s Seen) bool { return s.SYN }
		seen, err := tap.Await(ctx, 2, isSYN)
		if len(seen) != 2 || err != nil || time.Since(began) != 2*time.Second {
			t.Errorf("Await: %v, %v after %v", seen, err, time.Since(began))
		}
		seen, err = tap.Await(ctx, 4, isSYN)
		if len(seen) != 3 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Await of more than come: %v, %v", seen, err)
		}
	})
}

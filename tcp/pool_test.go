package tcp

import (
	"reflect"
	"testing"

	"github.com/fastopen-go/fastopen/tfo"
)

// pooled is a duo whose connections come from a Pool.
func pooled() *duo {
	return newDuo(Config{Memory: &blocks{}, Cache: &tfo.Cache{}, Pool: &Pool{}},
		FastOpenServer{MaxPending: 10, Keys: tfo.NewKeyring(tfo.NewKeys(tfo.Key{1}))})
}

// TestRecycleNothingLeft: a connection from a Pool has nothing of the one before, and
// opening, using and closing one allocates nothing.
func TestRecycleNothingLeft(t *testing.T) {
	for name, early := range map[string]bool{"plain": false, "fast open": true} {
		d := pooled()
		d.cfg.Client.Off = !early
		var request [64]byte
		once := func() {
			d.live(request[:], early)
			if !d.b.Recycle() || !d.a.Recycle() {
				t.Fatalf("%s: in %v and %v a connection is not recycled", name, d.a.State(), d.b.State())
			}
		}
		once()
		for c, ok := d.cfg.Pool.conns.Take(); ok; c, ok = d.cfg.Pool.conns.Take() {
			if !reflect.DeepEqual(c, &Conn{}) {
				t.Errorf("%s: something is left: %+v", name, c)
			}
		}
		for x, ok := d.cfg.Pool.dials.Take(); ok; x, ok = d.cfg.Pool.dials.Take() {
			if *x != (dialing{}) {
				t.Errorf("%s: something is left: %+v", name, x)
			}
		}
		if n := testing.AllocsPerRun(100, once); n != 0 {
			t.Errorf("%s: %v allocations a connection", name, n)
		}
		if n := d.cfg.Pool.Len(); n != 2 {
			t.Errorf("%s: %d are kept, want 2", name, n)
		}
	}
}

// TestRecycleNotYet: as long as somebody has to do with a connection, it is not
// recycled.
func TestRecycleNotYet(t *testing.T) {
	d := pooled()
	refuse := func(why string, c *Conn) {
		t.Helper()
		if c.Recycle() {
			t.Errorf("%s: recycled", why)
		}
	}
	accept := func(why string, c *Conn) {
		t.Helper()
		if !c.Recycle() {
			t.Errorf("%s: not recycled", why)
		}
	}
	dial := func() *Conn { return Dial(d.now, &d.cfg, clientAddr, serverAddr, nil) }
	open := func() {
		t.Helper()
		if d.connect(nil); d.l.Accept() != d.b {
			t.Fatal("not accepted")
		}
	}

	c := dial()
	refuse("the SYN is due", c)
	c.Send(d.now)
	refuse("the SYN is not answered", c)
	c.Close(d.now)
	accept("the SYN is not wanted any more", c)

	open()
	refuse("established", d.a)
	d.b.Abort(d.now)
	refuse("the reset was not sent", d.b)
	d.exchange()
	accept("it was reset", d.b)
	accept("its peer was", d.a)

	open()
	d.a.Close(d.now)
	d.b.Close(d.now)
	d.exchange()
	if d.a.State() != TimeWait {
		t.Fatal(d.a.State())
	}
	accept("TIME-WAIT, of no use to the owner", d.a)
	accept("closed in order", d.b)
	open()
	d.a.CloseWrite(d.now)
	d.exchange()
	d.b.Close(d.now)
	d.exchange()
	refuse("TIME-WAIT, and not closed", d.a)

	open()
	room, err := d.a.Lend(100)
	if len(room) == 0 || err != nil {
		t.Fatal(err)
	}
	d.b.Abort(d.now)
	d.exchange()
	refuse("its buffer is lent", d.a)
	d.a.Fill(d.now, 0)
	accept("its buffer is back", d.a)

	// Waiting for Accept, and dead.
	for _, early := range []bool{false, true} {
		a := Dial(d.now, &d.cfg, clientAddr, serverAddr, []byte("x"))
		if !early {
			a.Abort(d.now)
			cfg := d.cfg
			cfg.Client.Off = true
			a = Dial(d.now, &cfg, clientAddr, serverAddr, nil)
		}
		d.a, d.b = a, nil
		d.exchange()
		a.Abort(d.now)
		d.exchange()
		if d.b.State() != Closed || !d.l.Holds(d.b) {
			t.Fatalf("in %v, held %v", d.b.State(), d.l.Holds(d.b))
		}
		refuse("it waits for Accept", d.b)
		if d.l.Accept() != d.b {
			t.Fatal("not accepted")
		}
		accept("nobody waits for it", d.b)
	}

	// With its listener.
	d.a, d.b = dial(), nil
	d.exchange()
	for _, c := range d.l.Close(d.now) {
		for {
			if _, ok := c.Send(d.now); !ok {
				break
			}
		}
		accept("its listener was closed", c)
	}
	d.cfg.Pool = nil
	c = dial()
	c.Close(d.now)
	refuse("there is no Pool", c)
}

// TestPoolTrim: what a busy time leaves is given back when it is not used.
func TestPoolTrim(t *testing.T) {
	p := &Pool{}
	fill := func(n int) {
		var all []*Conn
		for range n {
			all = append(all, p.conn())
		}
		for _, c := range all {
			p.putConn(c)
		}
	}
	fill(2 * poolMost)
	if p.Len() != poolMost {
		t.Errorf("%d are kept, want %d", p.Len(), poolMost)
	}
	if p.Trim(); p.Len() != poolMost || !p.KeepsMuch() {
		t.Errorf("%d are left of those that were used just now", p.Len())
	}
	fill(1000)
	if p.Trim(); p.Len() != 1000 || !p.KeepsMuch() {
		t.Errorf("%d are left, want the 1000 that were used since", p.Len())
	}
	if p.Trim(); p.Len() != poolIdle || p.KeepsMuch() {
		t.Errorf("%d are left, want %d", p.Len(), poolIdle)
	}
}

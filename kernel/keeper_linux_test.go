package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/internal/netns"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// says checks what a look sees, as "attached :1000, ...".
func (k *Keeper) says(t *testing.T, why string, now time.Time, want string) []Change {
	t.Helper()
	changes, err := k.Look(now)
	if err != nil {
		t.Fatalf("%s: %v", why, err)
	}
	if got := inWords(changes); got != want {
		t.Errorf("%s: got %q, want %q", why, got, want)
	}
	return changes
}

func inWords(changes []Change) string {
	var words []string
	for _, c := range changes {
		words = append(words, fmt.Sprintf("%v :%d", c.Kind, c.Listener.Local.Port()))
	}
	return strings.Join(words, ", ")
}

// What a server opens anew is turned on again, what somebody turned off is
// left alone, and what was not wanted is not touched.
func TestKeeper(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	self := netns.Self(t)
	now := time.Now()
	s := serve(t, self, nil, "mptcp4/127.0.0.1:1000")
	other := serve(t, self, nil, "tcp4/127.0.0.1:2000")
	k := &Keeper{Selection: Selection{Ports: []uint16{1000}}, Queue: 9}
	defer k.Close()
	k.says(t, "first", now, "attached :1000")
	now = now.Add(compareAgain)
	k.says(t, "nothing new", now, "")
	l := all(t)[0]
	if l.Queue != 9 || all(t)[1].Queue != 0 {
		t.Fatalf("got %+v, want a queue of 9 on the first alone", all(t))
	}
	s.does("reopen")
	k.says(t, "opened anew", now, "closed :1000, attached :1000")

	l = all(t)[0]
	if err := Detach(l); err != nil {
		t.Fatal(err)
	}
	k.says(t, "turned off by somebody, at first unseen", now, "")
	now = now.Add(compareAgain)
	k.says(t, "turned off by somebody", now, "turned off :1000")
	k.says(t, "for good", now.Add(time.Hour), "")
	wantQueues(t, map[uint64]int{l.Inode: 0})
	if _, err := Attach(l, 3); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Hour)
	k.says(t, "turned on by somebody", now, "turned on :1000")
	wantQueues(t, map[uint64]int{l.Inode: 3})
	if err := Detach(l); err != nil {
		t.Fatal(err)
	}
	now = now.Add(compareAgain)
	k.says(t, "and off", now, "turned off :1000")
	s.does("reopen")
	k.says(t, "a new socket", now, "attached :1000")
	s.ends()
	k.says(t, "the end", now, "closed :1000")
	other.does("reopen")
	k.says(t, "not wanted", now, "")
}

// Undo gives back what was there, also where that was something.
func TestKeeperUndo(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	self := netns.Self(t)
	serve(t, self, nil, "tcp4/127.0.0.1:1000", "tcp4/127.0.0.1:2000", "tcp4/127.0.0.1:3000")
	gone := serve(t, self, nil, "tcp4/127.0.0.1:4000")
	ls := all(t)
	if _, err := Attach(ls[1], 5); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	k := &Keeper{Queue: 9}
	k.says(t, "first", now, "attached :1000, attached :2000, attached :3000, attached :4000")
	if err := Detach(ls[2]); err != nil {
		t.Fatal(err)
	}
	gone.ends()
	for _, want := range []string{"restored :1000, restored :2000", ""} {
		changes, err := k.Undo()
		if got := inWords(changes); err != nil || got != want {
			t.Errorf("undone: got %q, %v; want %q", got, err, want)
		}
		wantQueues(t, map[uint64]int{ls[0].Inode: 0, ls[1].Inode: 5, ls[2].Inode: 0})
	}

	// Without a wish, what is on stays as it is.
	k = &Keeper{}
	k.says(t, "without a wish", now, "attached :1000, found on :2000, attached :3000")
	wantQueues(t, map[uint64]int{ls[0].Inode: ls[0].Backlog, ls[1].Inode: 5, ls[2].Inode: ls[2].Backlog})
}

// Choosing by process looks for owners again after a while, since sockets
// pass from one process to another.
func TestKeeperProcess(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	self := netns.Self(t)
	now := time.Now()
	s := serve(t, self, nil, "tcp4/127.0.0.1:1000")
	serve(t, self, nil, "tcp4/127.0.0.1:2000")
	k := &Keeper{Selection: Selection{PID: s.pid}}
	defer k.Close()
	k.says(t, "first", now, "attached :1000")
	name := all(t)[0].Owners[0].Name
	k.Selection = Selection{Process: name}
	k.says(t, "too soon", now.Add(ownersAgain-1), "")
	k.says(t, "again", now.Add(ownersAgain), "attached :2000")
}

// What cannot be done is said once.
func TestKeeperFails(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	if os.Getuid() != 0 || !mayBecome(t) {
		t.Skip("needs root")
	}
	serve(t, netns.Self(t), nil, "tcp4/127.0.0.1:1000")
	now := time.Now()
	k := &Keeper{}
	as(t, 12345, func() {
		c := k.says(t, "first", now, "failed :1000")
		if len(c) == 1 && c[0].Err == nil {
			t.Error("no error says why")
		}
		k.says(t, "again", now, "")
		k.says(t, "later", now.Add(ownersAgain), "")
	})
	k.says(t, "with the right", now.Add(2*ownersAgain), "attached :1000")
}

// Wait ends with the process that listens, long before the interval, and
// after that what takes its place is found soon.
func TestKeeperWait(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	self := netns.Self(t)
	s := serve(t, self, nil, "tcp4/127.0.0.1:1000")
	k := &Keeper{}
	defer k.Close()
	k.says(t, "first", time.Now(), "attached :1000")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s.ends()
	var got []Change
	next := func() {
		if err := k.Wait(ctx, time.Hour); err != nil {
			t.Fatalf("after %q: %v", inWords(got), err)
		}
		c, err := k.Look(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c...)
	}
	for len(got) < 1 {
		next()
	}
	serve(t, self, nil, "tcp4/127.0.0.1:1000")
	for len(got) < 2 {
		next()
	}
	if inWords(got) != "closed :1000, attached :1000" {
		t.Errorf("got %q", inWords(got))
	}
	cancel()
	if err := k.Wait(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

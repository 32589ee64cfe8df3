package kernel

import (
	"context"
	"errors"
	"testing"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/tfo"
)

// A new network namespace starts from the kernel's default, and what is
// written there is what FastOpen reads.
func TestFastOpen(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	self, other := netns.Self(t), netns.New(t, "other")
	if got, err := FastOpen(); err != nil || got != ClientBit {
		t.Errorf("new namespace: got %v, %v; want %v", got, err, ClientBit)
	}
	self.Sysctl(t, Name, "1538")
	if got, err := FastOpen(); err != nil || got != 1538 {
		t.Errorf("after writing 1538: got %v, %v", got, err)
	}
	other.Sysctl(t, Name, "3")
	other.Do(func() {
		if got, err := FastOpen(); err != nil || got != ClientBit|ServerBit {
			t.Errorf("in the other namespace: got %v, %v; want 3", got, err)
		}
	})
}

// What SetFastOpen sets holds in one namespace, and is read back.
func TestSetFastOpen(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	self, other := netns.Self(t), netns.New(t, "other")
	for _, b := range []Bits{3, 0, 0x603, 0xffffffff} {
		if err := SetFastOpen(b); err != nil {
			t.Errorf("set %v: %v", b, err)
		}
		if got, err := FastOpen(); err != nil || got != b {
			t.Errorf("set %v: got %v, %v", b, got, err)
		}
	}
	if got := self.ReadSysctl(t, Name); got != "-1" {
		t.Errorf("the kernel shows %s, want -1", got)
	}
	if got := other.ReadSysctl(t, Name); got != "1" {
		t.Errorf("the other namespace shows %s, want 1", got)
	}
}

// Requirement KEY-5: there is no key until the first listener asks for Fast
// Open.
func TestKeys(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	if got, err := Keys(); err != nil || !got.IsZero() {
		t.Errorf("new namespace: got %v, %v; want no keys", got, err)
	}
	l, err := (&fastopen.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	random, err := Keys()
	if err != nil || random.IsZero() || len(random.Backups()) != 0 {
		t.Errorf("after the first listener: got %v, %v; want a primary", random, err)
	}
	want := tfo.NewKeys(random.Primary(), tfo.GenerateKeys().Primary())
	if err := SetKeys(want); err != nil {
		t.Errorf("set %v: %v", want, err)
	}
	if got, err := Keys(); err != nil || !got.Equal(want) {
		t.Errorf("set %v: got %v, %v", want, got, err)
	}
	for _, bad := range []tfo.Keys{{}, tfo.NewKeys(tfo.Key{}), tfo.NewKeys(want.Primary(), tfo.Key{}), tfo.NewKeys(want.Primary(), want.Primary(), want.Primary())} {
		var setting *SettingError
		if err := SetKeys(bad); !errors.As(err, &setting) || setting.Obstacle != NotTaken {
			t.Errorf("set %v: got error %v", bad, err)
		}
	}
	if got, err := Keys(); err != nil || !got.Equal(want) {
		t.Errorf("after keys that were refused: got %v, %v; want %v", got, err, want)
	}
}

func TestReadSettings(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	self := netns.Self(t)
	self.Sysctl(t, Name, "1027")
	self.Sysctl(t, BlackholeName, "60")
	self.Sysctl(t, BacklogName, "77")
	self.Sysctl(t, KeyName, "a0bf63f7-ed803d81-cd641d30-cebc4a90")
	got, err := ReadSettings()
	if err != nil || got.FastOpen != 1027 || got.Blackhole != 60 || got.Backlog != 77 || got.Release == "" || got.KeysErr != nil ||
		got.Keys.Reveal() != "a0bf63f7-ed803d81-cd641d30-cebc4a90" {
		t.Errorf("got %+v, %v", got, err)
	}
}

package kernel

import (
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
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

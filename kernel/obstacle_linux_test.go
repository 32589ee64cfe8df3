package kernel

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/tfo"
	"golang.org/x/sys/unix"
)

// apart runs f on a thread of its own that ends with it, in a mount namespace
// of its own, so f may mount what it likes and give up its rights.
func apart(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: nothing else runs on it
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			t.Errorf("mount namespace: %v", err)
			return
		}
		mount(t, "", "/", "", unix.MS_REC|unix.MS_PRIVATE)
		f()
	}()
	<-done
}

func mount(t *testing.T, source, target, kind string, flags uintptr) {
	t.Helper()
	if err := unix.Mount(source, target, kind, flags, ""); err != nil {
		t.Errorf("mount %q on %s: %v", source, target, err)
	}
}

// becomeNobody gives up the rights of the calling thread alone. In a user
// namespace with one user there is nobody to become, and it returns false.
func becomeNobody(t *testing.T) bool {
	t.Helper()
	_, _, e := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534)
	if e != 0 && e != unix.EINVAL {
		t.Errorf("become nobody: %v", e)
	}
	return e == 0
}

// Whatever stands in the way is told by its name, and nothing is changed.
func TestObstacles(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	self := netns.Self(t)
	self.Sysctl(t, Name, "3")
	nobody := true
	for _, c := range []struct {
		why         string
		prepare     func()
		read, write Obstacle
		says        string
	}{
		{"no /proc/sys", func() { mount(t, "tmpfs", "/proc", "tmpfs", 0) }, NoProc, NoProc, "run this on the host instead, with --pid"},
		{"a kernel without Fast Open", func() { mount(t, "tmpfs", "/proc/sys/net/ipv4", "tmpfs", 0) }, NoSetting, NoSetting, "Fast Open needs Linux 3.7"},
		{"a read-only container", func() {
			mount(t, "/proc/sys", "/proc/sys", "", unix.MS_BIND)
			mount(t, "", "/proc/sys", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY)
		}, Failed, ReadOnly, "run this on the host instead, with --pid"},
		{"nobody", func() { nobody = becomeNobody(t) }, Failed, NotPermitted, "takes root"},
	} {
		apart(t, func() {
			if c.prepare(); !nobody {
				return
			}
			check := func(op string, err error, want Obstacle) {
				var e *SettingError
				switch {
				case want == Failed && err != nil:
					t.Errorf("%s: %s: %v", c.why, op, err)
				case want == Failed:
				case !errors.As(err, &e) || e.Obstacle != want:
					t.Errorf("%s: %s: got %v, want obstacle %d", c.why, op, err, want)
				case !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n"):
					t.Errorf("%s: %s: got %q, want one line with %q", c.why, op, err, c.says)
				case errors.Is(err, errors.ErrUnsupported) != (want == NoProc || want == NoSetting):
					t.Errorf("%s: %s: %v is unsupported: %t", c.why, op, err, errors.Is(err, errors.ErrUnsupported))
				}
			}
			_, err := FastOpen()
			check("FastOpen", err, c.read)
			check("MaySetFastOpen", MaySetFastOpen(), c.write)
			check("SetFastOpen", SetFastOpen(0), c.write)
			check("SetKeys", SetKeys(tfo.GenerateKeys()), c.write)
			if c.write == NotPermitted {
				_, err := Keys()
				check("Keys", err, NotPermitted)
			}
		})
	}
	if got, err := FastOpen(); err != nil || got != 3 {
		t.Errorf("after all that was refused: got %v, %v; want 3", got, err)
	}
	if got, err := Keys(); err != nil || !got.IsZero() {
		t.Errorf("after all that was refused: got keys %v, %v; want none", got, err)
	}
}

package kernel

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fastopen-go/fastopen/tfo"
)

// The settings of TCP Fast Open, as sysctl(8) names them. Each network
// namespace has its own; a new one starts from the kernel's defaults and not
// from its parent.
//
// https://docs.kernel.org/networking/ip-sysctl.html
const (
	// Name is the sysctl that [Bits] is the value of.
	Name = "net.ipv4.tcp_fastopen"
	// KeyName is the sysctl that holds the keys cookies are made from.
	KeyName = "net.ipv4.tcp_fastopen_key"
	// BlackholeName is the sysctl that says for how many seconds at first all
	// of Fast Open pauses for clients when a path swallowed data; 0 for never.
	BlackholeName = "net.ipv4.tcp_fastopen_blackhole_timeout_sec"
	// BacklogName is the sysctl to which the kernel cuts the backlog and the
	// Fast Open queue of every listening socket.
	BacklogName = "net.core.somaxconn"
)

// Settings is how a network namespace is set up for Fast Open.
type Settings struct {
	Release   string   // of the kernel, such as "6.1.0-13-amd64"
	FastOpen  Bits     // net.ipv4.tcp_fastopen
	Blackhole int      // net.ipv4.tcp_fastopen_blackhole_timeout_sec, in seconds: 0 is off, -1 is not there (before Linux 4.12)
	Backlog   int      // net.core.somaxconn, 0 if it cannot be read
	Keys      tfo.Keys // none if there are none yet, or if KeysErr says why they cannot be read
	KeysErr   error    // mostly a [*SettingError], because only root may read them
}

// An Obstacle is why a setting could not be read or written.
type Obstacle uint8

const (
	// Failed: for a reason that is none of the others. It is the zero value.
	Failed Obstacle = iota
	// NoProc: there is no /proc/sys to be seen, as in some containers.
	NoProc
	// NoSetting: the kernel, or what plays the kernel in a sandbox, does not
	// have the setting.
	NoSetting
	// ReadOnly: /proc/sys is mounted read-only, as in most containers.
	ReadOnly
	// NotPermitted: the user may not.
	NotPermitted
	// NotTaken: the kernel refused the value, or took another than was asked
	// for.
	NotTaken
)

// A SettingError says why a setting could not be read or written, and what to
// do next.
type SettingError struct {
	Name     string // of the sysctl
	Write    bool   // it was to be written
	Obstacle Obstacle
	Err      error // what the system said
}

// Error returns one sentence.
func (e *SettingError) Error() string {
	verb := "read"
	if e.Write {
		verb = "set"
	}
	return fmt.Sprintf("kernel: cannot %s %s: %s", verb, e.Name, e.why())
}

// Unwrap returns what the system said, and [errors.ErrUnsupported] as well
// where there is no such setting at all.
func (e *SettingError) Unwrap() []error {
	if e.Obstacle == NoProc || e.Obstacle == NoSetting {
		return []error{e.Err, errors.ErrUnsupported}
	}
	return []error{e.Err}
}

func (e *SettingError) why() string {
	switch e.Obstacle {
	case NoProc:
		return "there is no /proc/sys/net here, because /proc is not mounted or this container hides it; run this on the host instead, with --pid and the number of a process of the container"
	case NoSetting:
		return fmt.Sprintf("there is no %s, so this kernel, or the sandbox that stands in for it, has no such setting; Fast Open needs Linux 3.7 or later, and network namespaces of containers have had it since 4.15", sysctlFile(e.Name))
	case ReadOnly:
		return "/proc/sys is mounted read-only, as it is in most containers; run this on the host instead, with --pid and the number of a process of the container"
	case NotPermitted:
		return "that takes root, or the capability CAP_NET_ADMIN in the user namespace that the network namespace belongs to"
	}
	return strings.TrimPrefix(e.Err.Error(), "kernel: ")
}

// sysctlFile returns the file of a sysctl. A slash in its name stands for a dot
// within one of its parts, as in sysctl(8).
func sysctlFile(name string) string {
	return "/proc/sys/" + strings.NewReplacer(".", "/", "/", ".").Replace(name)
}

package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// explainAttach says in a sentence what err means for l, and what to do.
func explainAttach(l Listener, p Process, err error) error {
	e := &AttachError{Listener: l, Process: p, Err: err}
	who := "the process"
	if p.PID != 0 {
		who = printable(p.String())
	}
	say := func(format string, args ...any) { e.Reason = fmt.Sprintf(format, args...) }
	switch {
	case errors.Is(err, errNoOwner) && l.Hidden:
		e.Err = fs.ErrPermission
		say("its socket was made by %s, and %s", userName(l.UID), noSight())
	case errors.Is(err, errNoOwner):
		say("no process to be seen from here holds the socket, so it belongs to another container or to the kernel itself: run this outside of the container, where that process is to be seen, or %s", without(p))
	case errors.Is(err, errGone):
		say("%s has ended or closed the socket since it was listed: list again who listens there", who)
	case errors.Is(err, unix.ENOSYS):
		say("there is no %s here, since the kernel is older than Linux 5.6 or a filter of system calls (seccomp) hides it: %s", call(err), without(p))
	case errors.Is(err, fs.ErrPermission):
		say("%s; otherwise %s", noRight(who), without(p))
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOPROTOOPT):
		remedy := "this kernel has no Fast Open for it"
		if l.MPTCP {
			remedy = "it takes Multipath TCP, for which Fast Open came with Linux 6.2: start a Go program with GODEBUG=multipathtcp=0, or take a newer kernel"
		}
		say("%s", remedy)
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		say("too many files are open (%v): close some, or raise the limit with ulimit -n", cause(err))
	default:
		say("%s of %s failed: %v", call(err), who, errors.Unwrap(err))
	}
	return e
}

// noSight says who may see which sockets a process holds.
func noSight() string {
	switch {
	case os.Geteuid() != 0:
		return "this user may not see which process holds it: run this as root"
	case !capable(unix.CAP_SYS_PTRACE):
		return "root may not see which process holds it without the capability CAP_SYS_PTRACE, which containers lack: run this on the host, or add the capability (docker run --cap-add SYS_PTRACE)"
	}
	return "not even root may see here which process holds it: run this on the host, outside of any container"
}

// noRight says who may do what pidfd_getfd(2) does: whoever may trace the
// process, see ptrace(2).
func noRight(who string) string {
	seccomp := ""
	if status("Seccomp") == "2" {
		seccomp = " or a filter of system calls (seccomp)"
	}
	switch {
	case os.Geteuid() != 0:
		return fmt.Sprintf("this user may not reach into %s, which is another user's or protected: run this as root", who)
	case !capable(unix.CAP_SYS_PTRACE):
		return fmt.Sprintf("root may not reach into %s without the capability CAP_SYS_PTRACE, which containers lack: run this on the host, or add the capability (docker run --cap-add SYS_PTRACE)", who)
	case ptraceScope() == "3":
		return fmt.Sprintf("nobody may reach into %s, since kernel.yama.ptrace_scope is 3, which only a restart of the machine undoes", who)
	}
	return fmt.Sprintf("even root may not reach into %s here: a security module%s forbids it, or the process belongs to a container with users of its own", who, seccomp)
}

// without says how to get Fast Open without reaching into p: by its own
// settings or, if it has none that are known, by the kernel's.
func without(p Process) string {
	switch p.Name {
	case "nginx":
		return "add fastopen=256 to one listen line for each address in nginx's configuration and restart nginx"
	case "haproxy":
		return "add tfo to the bind lines of haproxy.cfg and restart haproxy"
	}
	bits, _ := FastOpen()
	return fmt.Sprintf("let the kernel do it for all that begin to listen from now on (%s, as root) and restart the server", bits.TurnOn(ServerBit|AllListenersBit))
}

// call is the name of the system call that failed.
func call(err error) string {
	var s *os.SyscallError
	if errors.As(err, &s) {
		return s.Syscall
	}
	return "the system call"
}

// userName is "user 33 (www-data)", or root.
func userName(uid uint32) string {
	n := strconv.FormatUint(uint64(uid), 10)
	if uid == 0 {
		return "root"
	}
	if u, err := user.LookupId(n); err == nil {
		return "user " + n + " (" + printable(u.Username) + ")"
	}
	return "user " + n
}

// capable reports whether this process has a capability now.
func capable(c int) bool {
	set, err := strconv.ParseUint(status("CapEff"), 16, 64)
	return err != nil || set&(1<<c) != 0
}

// status is a line of /proc/self/status, "" if there is none.
func status(name string) string {
	text, _ := os.ReadFile(procDir + "/self/status")
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func ptraceScope() string {
	text, _ := os.ReadFile(procDir + "/sys/kernel/yama/ptrace_scope")
	return strings.TrimSpace(string(text))
}

package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// Do runs f in n and returns its error: on a goroutine and a thread of its
// own, so that no other goroutine ever finds itself in the wrong namespace. If
// f panics, so does Do.
// Goroutines that f starts are not in n; sockets, open files and processes
// that f makes are, and stay there.
//
// For another namespace than that of the process it takes root (the capability
// CAP_SYS_ADMIN), and the error is [fs.ErrPermission] without it. It is
// [fs.ErrNotExist] if the namespace is gone. In both cases f was not called.
func (n Namespace) Do(f func() error) error {
	if n.path == "" {
		return sentencef(fs.ErrInvalid, "no network namespace was named")
	}
	var v visitor
	onOwnThread(func() {
		defer v.leave()
		v.err = n.visit(f)
		v.done = true
	})
	switch {
	case v.panicked != nil:
		panic(fmt.Sprintf("%v, in %s\n\n%s", v.panicked, n.name, v.stack))
	case !v.done:
		runtime.Goexit() // as f did
	}
	return v.err
}

// A visitor is how the call of a function in another namespace ended.
type visitor struct {
	err      error
	done     bool // it returned
	panicked any
	stack    []byte
}

// leave lets a panic end the goroutine that waits rather than the program, so
// that deferred functions there still run.
func (v *visitor) leave() {
	if v.panicked = recover(); v.panicked != nil {
		v.stack = debug.Stack()
	}
}

// onOwnThread runs f on a goroutine of its own, locked to a thread that is not
// the first one of the process: that one's namespace is what /proc/PID/ns and
// /proc/PID/net show as the process's. f unlocks the goroutine, or leaves the
// thread to end with it.
func onOwnThread(f func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		if unix.Gettid() != os.Getpid() {
			f()
			return
		}
		// While this goroutine holds the first thread, the next is on
		// another.
		defer runtime.UnlockOSThread()
		onOwnThread(f)
	}()
	<-ended
}

// visit takes the calling thread, to which its goroutine is locked, to n and
// back. It unlocks the goroutine only if the thread is where it was: else the
// runtime ends the thread together with the goroutine.
func (n Namespace) visit(f func() error) error {
	home, err := openNet("/proc/thread-self/ns/net")
	if err != nil {
		return sentencef(err, "cannot tell which network namespace this is (%v): check that /proc is mounted", cause(err))
	}
	defer home.Close()
	if id, err := identify(home); err == nil && id == n.id {
		defer runtime.UnlockOSThread()
		return f()
	}
	if err := n.enter(); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer func() {
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return f()
}

// enter takes the calling thread to n. After an error it is where it was.
func (n Namespace) enter() error {
	there, err := openNet(n.path)
	if err == nil {
		defer there.Close()
		var id NamespaceID
		if id, err = identify(there); err == nil && id != n.id {
			err = fs.ErrNotExist // the number or the name is another's now
		}
	}
	if err == nil {
		err = os.NewSyscallError("setns", unix.Setns(int(there.Fd()), unix.CLONE_NEWNET))
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH), errors.Is(err, errNotNamespace):
		return sentencef(fs.ErrNotExist, "%s is gone", n.phrase())
	case errors.Is(err, fs.ErrPermission):
		return sentencef(err, "may not enter %s, which takes the capability CAP_SYS_ADMIN: run this as root, outside of containers", n.phrase())
	}
	return sentencef(err, "cannot enter %s: %v", n.phrase(), cause(err))
}

// phrase is n in the middle of a sentence.
func (n Namespace) phrase() string {
	if strings.HasPrefix(n.name, "pid ") || strings.HasPrefix(n.name, "/") {
		return "the network namespace of " + n.name
	}
	return n.name // "netns web", "this host"
}

package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"golang.org/x/sys/unix"
)

const (
	procDir  = "/proc"
	namedDir = "/run/netns" // where ip netns puts them: ip-netns(8)
)

// CurrentNamespace returns the namespace of the calling thread. It takes no
// right.
func CurrentNamespace() (Namespace, error) {
	// Not /proc/self, which follows the first thread of the process.
	n, err := openNamespace(fmt.Sprintf("%s/%d/task/%d/ns/net", procDir, os.Getpid(), unix.Gettid()))
	if err != nil {
		return Namespace{}, sentencef(err, "cannot tell which network namespace this is (%v): check that /proc is mounted", cause(err))
	}
	n.name = "this namespace"
	if n.ofHost() {
		n.name = "this host" // also where ip netns attach has given it a name
		if contained() {
			n.name = "this container"
		}
	} else if name, ok := namesIn(namedDir)[n.id]; ok {
		n.name = "netns " + name
	}
	return n, nil
}

// NamedNamespace returns the namespace that "ip netns" calls by that name.
func NamedNamespace(name string) (Namespace, error) { return namedIn(namedDir, name) }

// NamespaceAt returns the namespace that a file stands for, such as
// /proc/4711/ns/net or one that a container runtime has mounted.
func NamespaceAt(path string) (Namespace, error) {
	n, err := openNamespace(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Namespace{}, sentencef(err, "there is no file %s: name the file of a network namespace, such as /run/netns/NAME or /proc/PID/ns/net", printable(path))
	case errors.Is(err, fs.ErrPermission):
		return Namespace{}, sentencef(err, "may not open %s: run this as root", printable(path))
	case errors.Is(err, errNotNamespace):
		return Namespace{}, sentencef(err, "%s is no network namespace: name a file such as /run/netns/NAME or /proc/PID/ns/net", printable(path))
	case err != nil:
		return Namespace{}, sentencef(err, "cannot open %s: %v", printable(path), cause(err))
	}
	n.name = printable(path)
	return n, nil
}

// NamespaceOf returns the namespace that a process is in. For processes of
// other users it takes root (the capability CAP_SYS_PTRACE).
func NamespaceOf(pid int) (Namespace, error) { return processIn(procDir, pid) }

// Namespaces returns the namespace of the calling thread, then all that "ip
// netns" knows by name, then all others that some process is in, each once.
// Hidden is the number of processes that the user may not look at: there can
// be more namespaces if it is not 0.
func Namespaces() (list []Namespace, hidden int, err error) {
	here, err := CurrentNamespace()
	if err != nil {
		return nil, 0, err
	}
	list, hidden, err = namespacesIn(procDir, namedDir, here)
	return list, hidden, err
}

func namespacesIn(proc, named string, here Namespace) (list []Namespace, hidden int, err error) {
	list = []Namespace{here}
	seen := map[NamespaceID]bool{here.id: true}
	add := func(n Namespace) {
		if !seen[n.id] {
			seen[n.id] = true
			list = append(list, n)
		}
	}
	for _, name := range directory(named) {
		if n, err := namedIn(named, name); err == nil { // else a leftover
			add(n)
		}
	}
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, 0, sentencef(err, "cannot list the processes (%v): check that /proc is mounted", cause(err))
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids) // of a container the first process, most often
	for _, pid := range pids {
		n, err := processIn(proc, pid)
		switch {
		case err == nil:
			if first(pid) && !contained() {
				n.name = "this host"
			}
			add(n)
		case errors.Is(err, fs.ErrPermission):
			hidden++
		}
	}
	return list, hidden, nil
}

func namedIn(dir, name string) (Namespace, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsRune(name, '/') {
		return Namespace{}, sentencef(fs.ErrInvalid, "%q is no name of a network namespace", name)
	}
	path := filepath.Join(dir, name)
	n, err := openNamespace(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		there := "no namespace here has a name"
		if names := directory(dir); len(names) > 0 {
			there = "there are " + printable(strings.Join(names[:min(len(names), 10)], ", "))
		}
		return Namespace{}, sentencef(err, "there is no network namespace named %s: %s; one without a name is found by the number of a process in it", printable(name), there)
	case errors.Is(err, fs.ErrPermission):
		return Namespace{}, sentencef(err, "may not open the network namespace %s: run this as root", printable(name))
	case errors.Is(err, errNotNamespace):
		return Namespace{}, sentencef(err, "%s is no network namespace, but a leftover of one: remove it with ip netns delete", printable(path))
	case err != nil:
		return Namespace{}, sentencef(err, "cannot open the network namespace %s: %v", printable(name), cause(err))
	}
	n.name = "netns " + printable(name)
	return n, nil
}

func processIn(proc string, pid int) (Namespace, error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	n, err := openNamespace(filepath.Join(dir, "ns/net"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		if _, gone := os.Stat(dir); gone == nil { // a zombie has no namespaces left
			return Namespace{}, sentencef(fs.ErrNotExist, "process %d has ended", pid)
		}
		return Namespace{}, sentencef(fs.ErrNotExist, "there is no process %d: it may have ended", pid)
	}
	if errors.Is(err, fs.ErrPermission) {
		return Namespace{}, sentencef(err, "may not look at the network namespace of process %d, which is another user's or has more rights: run this as root, outside of containers", pid)
	}
	if err != nil {
		return Namespace{}, sentencef(err, "cannot tell the network namespace of process %d: %v", pid, cause(err))
	}
	n.name = fmt.Sprintf("pid %d", pid)
	if comm, err := os.ReadFile(filepath.Join(dir, "comm")); err == nil {
		n.name += " (" + printable(strings.TrimSuffix(string(comm), "\n")) + ")"
	}
	return n, nil
}

// ofHost reports whether n, which this process is in, is that of process 1.
// Where one may not look at that, it is asked whether this process or one
// that it comes from has moved to n, as far as that can be seen.
func (n Namespace) ofHost() bool {
	for _, pid := range []int{1, 2} {
		if host, err := processIn(procDir, pid); err == nil && first(pid) {
			return host.id == n.id
		}
	}
	if m, err := os.ReadFile(procDir + "/self/uid_map"); err == nil && !slices.Equal(strings.Fields(string(m)), wholeMap) {
		return false // of a user namespace, as unshare --user makes them, mostly with one for the network
	}
	for pid := os.Getppid(); pid > 1; pid = parent(pid) {
		if p, err := processIn(procDir, pid); err == nil && p.id != n.id {
			return false
		}
	}
	return true
}

// wholeMap is what user_namespaces(7) says of the first user namespace.
var wholeMap = []string{"0", "0", "4294967295"}

// first reports whether pid is the first process, or the father of the
// kernel's own threads, which is of the same namespaces and has no secrets.
func first(pid int) bool { return pid == 1 || pid == 2 && parent(pid) == 0 }

// contained reports whether this process is in a container without a system of
// its own, such as Docker makes them: there nobody reads files of settings, and
// what is the first process is so in the container alone.
func contained() bool {
	var s unix.Stat_t
	if unix.Stat(procDir+"/self/ns/pid", &s) != nil || s.Ino == firstPIDNamespace {
		return false
	}
	if unix.Stat("/run/systemd/system", &s) == nil { // sd_booted(3)
		return false
	}
	comm, _ := os.ReadFile(procDir + "/1/comm")
	return strings.TrimSpace(string(comm)) != "init" // of OpenRC and others, in an LXC container
}

// firstPIDNamespace is the inode of the PID namespace that a machine starts
// with, since Linux 3.8: PID_NS_INIT_INO in linux/nsfs.h.
const firstPIDNamespace = 0xEFFFFFFC

// parent returns the process that pid comes from, 0 if none is known.
func parent(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("%s/%d/status", procDir, pid))
	for line := range strings.Lines(string(text)) {
		if number, ok := strings.CutPrefix(line, "PPid:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(number))
			return n
		}
	}
	return 0
}

var errNotNamespace = errors.New("no network namespace")

// openNamespace finds out what path stands for. The name is left empty.
func openNamespace(path string) (Namespace, error) {
	f, err := openNet(path)
	if err != nil {
		return Namespace{}, err
	}
	defer f.Close()
	id, err := identify(f)
	return Namespace{id: id, path: path}, err
}

// openNet opens the file of a network namespace, and no other.
func openNet(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // do not wait at a FIFO
	if err != nil {
		return nil, err
	}
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &s); err != nil {
		f.Close()
		return nil, os.NewSyscallError("fstatfs", err)
	}
	// Only nsfs files may be asked for their type: on others the number
	// of the ioctl can mean anything. ioctl_ns(2); Linux 4.11 and later.
	kind := 0
	if int64(s.Type) == unix.NSFS_MAGIC {
		kind, err = unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE)
	}
	if err != nil || kind != unix.CLONE_NEWNET {
		f.Close()
		return nil, errNotNamespace
	}
	return f, nil
}

func identify(f *os.File) (NamespaceID, error) {
	var s unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &s); err != nil {
		return NamespaceID{}, os.NewSyscallError("fstat", err)
	}
	return NamespaceID{uint64(s.Dev), s.Ino}, nil
}

// namesIn returns the names of the namespaces that have one.
func namesIn(dir string) map[NamespaceID]string {
	names := make(map[NamespaceID]string)
	for _, name := range slices.Backward(directory(dir)) { // the first of two wins
		if n, err := namedIn(dir, name); err == nil {
			names[n.id] = printable(name)
		}
	}
	return names
}

// directory lists the names in dir in order; a missing one is empty.
func directory(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.SortFunc(names, cmp.Compare)
	return names
}

// printable replaces what could do something to a terminal: any user chooses
// the names of their processes.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

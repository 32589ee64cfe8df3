package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// findOwners fills in who holds the sockets, by one walk over the files of all
// processes. Threads share those of their process.
func findOwners(listeners []Listener) error {
	byInode := make(map[uint64]*Listener, len(listeners))
	for i := range listeners {
		if l := &listeners[i]; l.Inode != 0 {
			byInode[l.Inode] = l
		}
	}
	if len(byInode) == 0 {
		return nil
	}
	pids, err := processes()
	if err != nil {
		return err
	}
	hidden := false
	for _, pid := range pids {
		held, err := heldBy(pid, byInode)
		if errors.Is(err, fs.ErrPermission) {
			hidden = true
		}
		// Any other error means that the process has ended.
		if len(held) == 0 {
			continue
		}
		p := Process{PID: pid, Name: processName(pid), Command: commandOf(pid)}
		for inode, fds := range held {
			p.FDs = fds
			l := byInode[inode]
			l.Owners = append(l.Owners, p)
		}
	}
	for _, l := range byInode {
		l.Hidden = hidden
	}
	return nil
}

// processes returns the pid of every process that can be seen, in order.
func processes() ([]int, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("kernel: find the processes that listen: %w", err)
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("kernel: find the processes that listen: %w", err)
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// heldBy returns the file descriptors by which a process holds the sockets
// asked for, by inode.
func heldBy[L any](pid int, wanted map[uint64]L) (map[uint64][]int, error) {
	dir, err := os.Open("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var held map[uint64][]int
	for _, name := range names {
		inode, err := socketInode(dir, name)
		if err != nil {
			// The kernel says EACCES of a process that has just ended, too.
			if (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)) && !errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
				return held, fs.ErrPermission
			}
			continue // closed meanwhile, or no socket
		}
		if _, ok := wanted[inode]; !ok {
			continue
		}
		fd, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if held == nil {
			held = map[uint64][]int{}
		}
		held[inode] = append(held[inode], fd)
	}
	for _, fds := range held {
		slices.Sort(fds)
	}
	return held, nil
}

// socketInode returns the inode of the socket that a file in the directory
// /proc/PID/fd stands for, 0 if it is none.
func socketInode(dir *os.File, name string) (uint64, error) {
	var buf [64]byte // "socket:[" and a number; what is longer is no socket
	n, err := unix.Readlinkat(int(dir.Fd()), name, buf[:])
	if err != nil {
		return 0, err
	}
	return parseSocketLink(string(buf[:n])), nil
}

// parseSocketLink reads "socket:[123]", and returns 0 for anything else.
func parseSocketLink(link string) uint64 {
	digits, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return 0
	}
	digits, ok = strings.CutSuffix(digits, "]")
	if !ok {
		return 0
	}
	inode, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0
	}
	return inode
}

// processName returns the name of a process, "?" if it has ended.
func processName(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return "?"
	}
	return strings.TrimSuffix(string(text), "\n")
}

// commandOf returns the arguments of a process. What programs write over
// them, as nginx does, is one argument with spaces.
func commandOf(pid int) []string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
}

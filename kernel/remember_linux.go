package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// rememberDir holds what the running values were before they were changed, a
// file for each network namespace. It is gone with the next boot, as the
// running values are.
const rememberDir = "/run/fastopen"

// Remembered returns what was changed of the running value of
// net.ipv4.tcp_fastopen in the network namespace of the calling thread, as
// [Remember] was told; ok is false if it was told nothing since the last boot.
// root is "" for this host.
func Remembered(root string) (c BitChange, ok bool, err error) {
	name, err := rememberFile()
	if err != nil {
		return BitChange{}, false, err
	}
	text, err := os.ReadFile(filepath.Join(root, name))
	if errors.Is(err, fs.ErrNotExist) {
		return BitChange{}, false, nil
	}
	if err != nil {
		return BitChange{}, false, sentencef(err, "cannot read what the former value was in %s: %v", name, cause(err))
	}
	c, err = ParseBitChange(strings.TrimSpace(string(text)))
	if err != nil {
		return BitChange{}, false, sentencef(err, "%s does not tell what the former value was, as it should: remove the file", name)
	}
	return c, true, nil
}

// Remember remembers a change of the running value until the next boot. The
// zero BitChange is remembered as well: that nothing was changed.
func Remember(root string, c BitChange) error {
	name, err := rememberFile()
	if err != nil {
		return err
	}
	path := filepath.Join(root, name)
	err = os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = replacement{dir: filepath.Dir(path), name: filepath.Base(path), contents: []byte(c.String() + "\n")}.do()
	}
	if err != nil {
		return sentencef(err, "cannot remember the former value in %s: %v", name, cause(err))
	}
	return nil
}

// Forget makes it so that nothing was ever remembered.
func Forget(root string) error {
	name, err := rememberFile()
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(root, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return sentencef(err, "cannot remove %s: %v", name, cause(err))
	}
	return nil
}

// rememberFile names the file for the network namespace of the calling thread:
// by its cookie, a number that none ever had before (since Linux 5.14).
func rememberFile() (string, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", sentencef(err, "cannot tell network namespaces apart: %v", err)
	}
	defer unix.Close(fd)
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err == nil {
		return fmt.Sprintf("%s/netns-%d", rememberDir, cookie), nil
	}
	// The inode will do for namespaces that last until the next boot.
	var s unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()), &s); err != nil {
		return "", sentencef(err, "cannot tell network namespaces apart: %v: check that /proc is mounted", err)
	}
	return fmt.Sprintf("%s/netns-inode-%d", rememberDir, s.Ino), nil
}

package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/fastopen-go/fastopen/tfo"
)

// FastOpen returns the value of net.ipv4.tcp_fastopen in the network
// namespace of the calling thread. The error, a [*SettingError], is
// [errors.ErrUnsupported] where the kernel has no such setting.
func FastOpen() (Bits, error) {
	text, err := readSetting(Name)
	if err != nil {
		return 0, err
	}
	return parseBits(text)
}

// SetFastOpen sets net.ipv4.tcp_fastopen in the network namespace of the
// calling thread, and reads it back. It holds at once, also for sockets that
// listen already. The error is a [*SettingError].
func SetFastOpen(b Bits) error {
	if err := writeSetting(Name, strconv.Itoa(int(int32(b)))); err != nil {
		return err
	}
	got, err := FastOpen()
	if err == nil && got != b {
		err = notTaken(Name, fmt.Sprintf("%d was written and it reads %d, so something else sets it, too; find out what, and set it again", int32(b), int32(got)))
	}
	return err
}

// MaySetFastOpen returns the error, a [*SettingError], that [SetFastOpen] would
// return for want of a right, and changes nothing.
func MaySetFastOpen() error {
	f, err := os.OpenFile(sysctlFile(Name), os.O_WRONLY, 0)
	if err != nil {
		return settingError(Name, true, err)
	}
	return f.Close()
}

// Keys returns the keys of the network namespace of the calling thread. They
// take root to read.
//
// The zero Keys means that there are none yet: the kernel makes random ones
// when the first socket asks for Fast Open as a server, and shows zeros until
// then. A key that somebody set to zeros cannot be told from that.
func Keys() (tfo.Keys, error) {
	text, err := readSetting(KeyName)
	if err != nil {
		return tfo.Keys{}, err
	}
	keys, err := tfo.ParseKeys(text)
	if err != nil {
		return tfo.Keys{}, fmt.Errorf("kernel: %s does not read as keys: %w", KeyName, err)
	}
	if keys.Equal(tfo.NewKeys(tfo.Key{})) {
		return tfo.Keys{}, nil
	}
	return keys, nil
}

// SetKeys sets the keys of the network namespace of the calling thread, and
// reads them back. From then on cookies are made from the primary, and those
// of any other key than these two are refused. Sockets with keys of their own
// keep theirs.
//
// k has a primary and at most one backup. The zero key is refused: it cannot
// be told from no key, and anyone can guess it.
func SetKeys(k tfo.Keys) error {
	switch n := len(k.Backups()); {
	case k.IsZero():
		return notTaken(KeyName, "there is no key to set")
	case n > 1:
		return notTaken(KeyName, fmt.Sprintf("the kernel takes two keys, the primary and a backup, and these are %d; leave the others out", n+1))
	case k.Primary() == tfo.Key{} || n == 1 && k.Backups()[0] == tfo.Key{}:
		return notTaken(KeyName, "a key of zeros is what the kernel shows when it has no key, and anyone can guess it; take a random one")
	}
	if err := writeSetting(KeyName, k.Reveal()); err != nil {
		return err
	}
	// Requirement KEY-2: the kernel takes more than it should, and does not
	// say what it made of it.
	got, err := Keys()
	if err == nil && !got.Equal(k) {
		err = notTaken(KeyName, fmt.Sprintf("%s was written and it reads %s, so something else sets it, too; find out what, and set it again", k, got))
	}
	return err
}

// ReadSettings reads the settings of the network namespace of the calling
// thread. Its error, a [*SettingError], is that of [FastOpen]; without that
// the rest says nothing.
func ReadSettings() (Settings, error) {
	var s Settings
	var err error
	if s.FastOpen, err = FastOpen(); err != nil {
		return Settings{}, err
	}
	s.Release = release()
	if s.Blackhole, err = readNumber(BlackholeName); err != nil {
		s.Blackhole = -1
	}
	s.Backlog, _ = readNumber(BacklogName)
	s.Keys, s.KeysErr = Keys()
	return s, nil
}

func release() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func readNumber(name string) (int, error) {
	text, err := readSetting(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(text))
}

// The files below /proc/sys/net show the settings of the network namespace of
// the thread that opens them.

func readSetting(name string) (string, error) {
	b, err := os.ReadFile(sysctlFile(name))
	if err != nil {
		return "", settingError(name, false, err)
	}
	return string(b), nil
}

// writeSetting writes a value in one piece: the kernel takes what comes with
// one write(2) for the whole value.
func writeSetting(name, value string) error {
	f, err := os.OpenFile(sysctlFile(name), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value + "\n")
		if e := f.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		return settingError(name, true, err)
	}
	return nil
}

func settingError(name string, write bool, err error) *SettingError {
	e := &SettingError{Name: name, Write: write, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Obstacle = NoSetting
		// Where Linux has no TCP Fast Open, or /proc/sys is that of a sandbox
		// with less in it, this directory is still there.
		if _, err := os.Stat("/proc/sys/net"); err != nil {
			e.Obstacle = NoProc
		}
	case errors.Is(err, syscall.EROFS):
		e.Obstacle = ReadOnly
	case errors.Is(err, fs.ErrPermission):
		e.Obstacle = NotPermitted
	case errors.Is(err, syscall.EINVAL):
		e.Obstacle = NotTaken
		e.Err = fmt.Errorf("the kernel refuses the value: %w", syscall.EINVAL)
	}
	return e
}

func notTaken(name, why string) error {
	return &SettingError{Name: name, Write: true, Obstacle: NotTaken, Err: errors.New(why)}
}

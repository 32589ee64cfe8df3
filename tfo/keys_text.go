package tfo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ParseKeys reads keys as the sysctl net.ipv4.tcp_fastopen_key shows and takes
// them: a key is four words of hexadecimal digits joined by dashes, leading
// zeros may be left out, and backups follow the primary, joined by commas. White
// space round the whole, such as the line's end, is passed over.
//
// It is stricter than the kernel, which takes "1-2-3-4xyz", a word of nine
// digits of which it keeps eight, or a third key that it drops, and never says
// so. The errors say which key and word is wrong and repeat nothing of it.
func ParseKeys(text string) (Keys, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Keys{}, errors.New("tfo: there is no key in the text; write one as " + keyShape)
	}
	if strings.Contains(text, "primary:") {
		return Keys{}, errors.New("tfo: the text is the fingerprint of keys and not the keys; take the keys from where they are kept")
	}
	fields := strings.Split(text, ",")
	keys := make([]Key, len(fields))
	for i, f := range fields {
		if err := keys[i].parse(f); err != nil {
			return Keys{}, fmt.Errorf("tfo: %s %w", keyName(i), err)
		}
	}
	return NewKeys(keys[0], keys[1:]...), nil
}

// Reveal returns the keys as [ParseKeys] and the sysctl
// net.ipv4.tcp_fastopen_key take them, leading zeros kept; "" if k has none. The
// kernel ignores all backups but the first. Whoever has this text can make
// cookies for any client.
func (k Keys) Reveal() string {
	keys := k.set().keys
	t := make([]string, len(keys))
	for i, key := range keys {
		t[i] = key.Reveal()
	}
	return strings.Join(t, ",")
}

// Reveal returns the key as the sysctl net.ipv4.tcp_fastopen_key takes it.
func (k Key) Reveal() string {
	return fmt.Sprintf("%08x-%08x-%08x-%08x",
		binary.LittleEndian.Uint32(k[0:]), binary.LittleEndian.Uint32(k[4:]),
		binary.LittleEndian.Uint32(k[8:]), binary.LittleEndian.Uint32(k[12:]))
}

// KeysFromRaw reads keys as getsockopt(TCP_FASTOPEN_KEY) returns them: 16 bytes,
// the primary, or 32, the primary and a backup.
func KeysFromRaw(b []byte) (Keys, error) {
	switch len(b) {
	case KeyLen:
		return NewKeys(Key(b)), nil
	case 2 * KeyLen:
		return NewKeys(Key(b[:KeyLen]), Key(b[KeyLen:])), nil
	case 0:
		return Keys{}, errors.New("tfo: there are no raw keys in 0 bytes; a socket without keys of its own uses those of its network namespace")
	}
	return Keys{}, fmt.Errorf("tfo: raw keys are 16 bytes (the primary) or 32 (primary and backup), not %d; pass exactly what the kernel returned", len(b))
}

// AppendRaw appends what setsockopt(TCP_FASTOPEN_KEY) takes: the primary and, if
// there is one, the first backup; nothing if k has no key. The kernel refuses
// more, so further backups are left out.
func (k Keys) AppendRaw(dst []byte) []byte {
	keys := k.set().keys
	for _, key := range keys[:min(2, len(keys))] {
		dst = append(dst, key[:]...)
	}
	return dst
}

const keyShape = "xxxxxxxx-xxxxxxxx-xxxxxxxx-xxxxxxxx, each x a hexadecimal digit"

// parse reads one key. Its errors continue a sentence that begins with the name
// of the key.
func (k *Key) parse(text string) error {
	if text == "" {
		return errors.New("is empty; write a key there or leave out the comma")
	}
	words := strings.Split(text, "-")
	switch len(words) {
	case 1:
		return errors.New("has no dashes; write it as " + keyShape)
	case 4:
	default:
		return fmt.Errorf("has %d words joined by dashes and not 4; write it as %s", len(words), keyShape)
	}
	for i, w := range words {
		if strings.HasPrefix(w, "0x") || strings.HasPrefix(w, "0X") {
			return fmt.Errorf("has a word, number %d, that begins with 0x; leave the prefix out", i+1)
		}
		if len(w) < 1 || len(w) > 8 {
			return fmt.Errorf("has a word, number %d, of %d characters; a word is 1 to 8 hexadecimal digits", i+1, len(w))
		}
		for _, c := range []byte(w) {
			if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
				return fmt.Errorf("has a character in word %d that is no hexadecimal digit; write the key as %s", i+1, keyShape)
			}
		}
		n, _ := strconv.ParseUint(w, 16, 32) // cannot fail: 1 to 8 digits
		// The kernel stores each of the four words little-endian
		// (proc_tcp_fastopen_key in net/ipv4/sysctl_net_ipv4.c), since Linux 5.3
		// (commit 438ac88009bc) on hosts of either byte order.
		binary.LittleEndian.PutUint32(k[4*i:], uint32(n))
	}
	return nil
}

func keyName(i int) string {
	switch i {
	case 0:
		return "the primary key"
	case 1:
		return "the backup key"
	}
	return "backup key " + strconv.Itoa(i)
}

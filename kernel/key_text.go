package kernel

import (
	"encoding/binary"
	"strings"

	"github.com/fastopen-go/fastopen/tfo"
)

// parseKeysLoosely reads keys as the kernel does when they are written to
// net.ipv4.tcp_fastopen_key (proc_tcp_fastopen_key and sscanf_key in
// net/ipv4/sysctl_net_ipv4.c), which takes more than [tfo.ParseKeys], and some
// of it for other keys than were meant. It is for foretelling only.
func parseKeysLoosely(text string) (keys tfo.Keys, ok bool) {
	const most = 73 // TCP_FASTOPEN_KEY_LENGTH * 2 * TCP_FASTOPEN_KEY_MAX + 10, less the final zero
	if i := strings.IndexAny(text, "\x00\n"); i >= 0 {
		text = text[:i]
	}
	text = text[:min(len(text), most)]
	first, second, two := strings.Cut(text, ",")
	primary, ok := scanKey(first)
	if !ok {
		return tfo.Keys{}, false
	}
	if !two {
		return tfo.NewKeys(primary), true
	}
	backup, ok := scanKey(second) // up to the next word, so a third key is dropped
	return tfo.NewKeys(primary, backup), ok
}

// scanKey is sscanf(text, "%x-%x-%x-%x"): spaces before a word, a prefix 0x and
// whatever follows the last word are passed over, and of a word with too many
// digits the last eight count.
func scanKey(text string) (k tfo.Key, ok bool) {
	for i := range 4 {
		if i > 0 {
			if text, ok = strings.CutPrefix(text, "-"); !ok {
				return tfo.Key{}, false
			}
		}
		for text != "" && isSpace(text[0]) {
			text = text[1:]
		}
		if text == "" || digit(text[0]) >= 16 {
			return tfo.Key{}, false
		}
		if len(text) > 1 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') {
			text = text[2:] // even if no digit follows
		}
		n := uint64(0)
		for text != "" && digit(text[0]) < 16 {
			n = n<<4 | digit(text[0])
			text = text[1:]
		}
		binary.LittleEndian.PutUint32(k[4*i:], uint32(n))
	}
	return k, true
}

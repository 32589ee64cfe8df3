package kernel

import (
	"maps"
	"strings"
	"testing"
)

const (
	procHead   = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	procListen = "   0: 0100007F:96E7 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 608457 2 000000000da7b575 100 0 0 10 33\n"
	procOff    = "   1: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 608459 2 00000000de593bf8 100 0 0 10 0\n"
	procKernel = "   2: 0100007F:96E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 0 2 000000000da7b575 100 0 0 10 7\n"
	procOther  = "   3: 0100007F:A9C9 0100007F:0001 01 00000000:00000000 00:00000000 00000000     0        0 608456 1 0000000023a4972c 100 0 0 10 -1\n"
)

func TestParseQueues(t *testing.T) {
	for _, c := range []struct {
		text string
		want map[uint64]int
	}{
		{"", nil},
		{procHead, nil},
		{procHead + procListen + procOff, map[uint64]int{608457: 33, 608459: 0}},
		{procHead + procKernel + procListen, map[uint64]int{608457: 33}},
		{procHead + procListen + procOther + procOff, map[uint64]int{608457: 33}}, // none comes after another state
		{procHead + procListen[:len(procListen)-4], nil},                          // cut off
	} {
		got := map[uint64]int{}
		if err := parseQueues(strings.NewReader(c.text), got); err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%q: got %v, %v; want %v", c.text, got, err, c.want)
		}
	}
}

func FuzzParseQueues(f *testing.F) {
	f.Add(procHead + procListen + procOff + procOther)
	f.Add(procHead + procKernel)
	f.Fuzz(func(t *testing.T, text string) {
		got := map[uint64]int{}
		if err := parseQueues(strings.NewReader(text), got); err != nil && len(text) < 64<<10 {
			t.Errorf("%q: %v", text, err)
		}
		for inode, n := range got {
			if inode == 0 || n < 0 {
				t.Errorf("%q: inode %d has the queue %d", text, inode, n)
			}
		}
	})
}

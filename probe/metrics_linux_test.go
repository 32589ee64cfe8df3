package probe

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// attr appends a netlink attribute.
func attr(dst []byte, kind uint16, value []byte) []byte {
	dst = binary.NativeEndian.AppendUint16(dst, uint16(unix.SizeofNlAttr+len(value)))
	dst = binary.NativeEndian.AppendUint16(dst, kind)
	dst = append(dst, value...)
	for len(dst)%4 != 0 {
		dst = append(dst, 0)
	}
	return dst
}

func TestParseMetrics(t *testing.T) {
	head := []byte{metricsGet, metricsVersion, 0, 0}
	whole := attr(attr(attr(head, metricsAddr4, []byte{192, 0, 2, 1}), 7, []byte{1, 2}), metricsCookie, []byte("12345678"))
	if c, ok := parseMetrics(whole); !ok || c.Reveal() != "3132333435363738" {
		t.Errorf("got %v, %t", c, ok)
	}
	if c, ok := parseMetrics(attr(head, metricsAddr4, []byte{192, 0, 2, 1})); ok {
		t.Errorf("got %v out of nothing", c)
	}
}

func FuzzParseMetrics(f *testing.F) {
	head := []byte{metricsGet, metricsVersion, 0, 0}
	f.Add(attr(attr(head, 7, []byte{1, 2}), metricsCookie, []byte("12345678")))
	f.Add(attr(head, metricsCookie, nil))
	f.Add(head)
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, ok := parseMetrics(b); ok && c.Len() == 0 {
			t.Fatal("a cookie of no length")
		}
	})
}

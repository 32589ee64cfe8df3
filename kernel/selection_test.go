package kernel

import (
	"net/netip"
	"testing"
)

func TestSelection(t *testing.T) {
	l := Listener{Local: netip.MustParseAddrPort("0.0.0.0:80"), Owners: []Process{
		{PID: 7, Name: "nginx", Command: []string{"nginx: master process /usr/sbin/nginx -g daemon on;"}},
		{PID: 8, Name: "a-very-long-nam", Command: []string{"/opt/bin/a-very-long-name", "-x"}},
		{PID: 9, Name: "MainThread", Command: []string{"/usr/bin/server"}},
		{PID: 10, Name: "silent"},
	}}
	for _, c := range []struct {
		s    Selection
		want bool
	}{
		{Selection{}, true},
		{Selection{Ports: []uint16{443, 80}}, true},
		{Selection{Ports: []uint16{443}}, false},
		{Selection{PID: 7}, true},
		{Selection{PID: 6}, false},
		{Selection{Process: "nginx"}, true},
		{Selection{Process: "nginx", PID: 8}, false},
		{Selection{Process: "ngin"}, false},
		{Selection{Process: "a-very-long-name"}, true},
		{Selection{Process: "server"}, true},
		{Selection{Process: "silent", Ports: []uint16{80}}, true},
		{Selection{Process: "usr"}, false},
	} {
		if got := c.s.Includes(l); got != c.want {
			t.Errorf("%+v: got %t", c.s, got)
		}
	}
}

package kernel

import (
	"net"
	"reflect"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
)

// Owners are remembered, and a new socket makes it look for all of them anew.
func TestListenersAgain(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	listen := func() {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
	}
	listen()
	first, err := ListenersAgain(nil)
	if err != nil || len(first) != 1 || len(first[0].Owners) != 1 {
		t.Fatalf("got %+v, %v", first, err)
	}
	marked := first[0]
	marked.Owners = []Process{{PID: 1, Name: "remembered"}}
	again, err := ListenersAgain([]Listener{marked})
	if err != nil || !reflect.DeepEqual(again, []Listener{marked}) {
		t.Errorf("got %+v, %v, want %+v", again, err, marked)
	}
	listen()
	both, err := ListenersAgain([]Listener{marked})
	if err != nil || len(both) != 2 {
		t.Fatalf("got %+v, %v", both, err)
	}
	for _, l := range both {
		if len(l.Owners) != 1 || l.Owners[0].Name == "remembered" {
			t.Errorf("after a new socket: %+v", l)
		}
	}
}

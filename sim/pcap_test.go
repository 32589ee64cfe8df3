package sim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/wire"
)

// What a tap sees is what the file has, packet by packet; and tcpdump, where
// there is one, finds nothing wrong with it.
func TestPcap(t *testing.T) {
	var file bytes.Buffer
	var tap Tap
	pcap := NewPcap(&file)
	s := newScene(t, 3, tcp.ListenConfig{}, &tap, pcap)
	s.request("first")
	s.request("second")
	if pcap.Err() != nil {
		t.Fatal(pcap.Err())
	}
	b := file.Bytes()
	u32 := func() (v uint32) {
		v = binary.LittleEndian.Uint32(b)
		b = b[4:]
		return v
	}
	if u32() != 0xa1b23c4d || u32() != 4<<16|2 || u32() != 0 || u32() != 0 || u32() < 65535 || u32() != 101 {
		t.Fatalf("header % x", file.Bytes()[:24])
	}
	want := tap.Seen(nil)
	for i, w := range want {
		sec, nsec, kept, length := u32(), u32(), u32(), u32()
		if int64(sec) != w.At.Unix() || int(nsec) != w.At.Nanosecond() || kept != length || int(kept) != len(w.Packet) || !bytes.Equal(b[:kept], w.Packet) {
			t.Fatalf("record %d: %d.%09d %d %d", i, sec, nsec, kept, length)
		}
		h, body, ok := wire.ParseIP(b[:kept])
		var seg wire.Segment
		if !ok || !seg.Parse(h.Src, h.Dst, body, wire.Full) {
			t.Errorf("record %d is no segment", i)
		}
		b = b[kept:]
	}
	if len(b) != 0 || len(want) < 10 {
		t.Errorf("%d bytes left after %d records", len(b), len(want))
	}
	dump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Log("no tcpdump to ask")
		return
	}
	name := filepath.Join(t.TempDir(), "run.pcap")
	if err := os.WriteFile(name, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(dump, "-nn", "-vv", "-r", name).CombinedOutput()
	text := string(out)
	if err != nil || strings.Count(text, "Flags [") != len(want) || strings.Contains(text, "incorrect") || strings.Contains(text, "bad cksum") ||
		!strings.Contains(text, "tfo  cookiereq") || !strings.Contains(text, "tfo  cookie ") {
		t.Errorf("tcpdump: %v\n%s", err, text)
	}
}

type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

func TestPcapError(t *testing.T) {
	pcap := NewPcap(&full{room: 24 + 16 + 100})
	p := NewPath(0, pcap)
	for range 3 {
		p.Send(start, AtoB, make([]byte, 100))
		if _, ok := p.Receive(start); !ok {
			t.Error("a packet was not passed on because it could not be written")
		}
	}
	if pcap.Err() == nil {
		t.Error("no error of a writer that is full")
	}
}

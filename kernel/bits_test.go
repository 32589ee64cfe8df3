package kernel

import "testing"

func TestBits(t *testing.T) {
	for _, c := range []struct {
		value                                        Bits
		client, server, bare, acceptBare, everything bool
		text                                         string
	}{
		{0, false, false, false, false, false, "0: off"},
		{1, true, false, false, false, false, "1: on for clients, off for servers"},
		{2, false, true, false, false, false, "2: off for clients, on for servers"},
		{3, true, true, false, false, false, "3: on for clients and for servers"},
		// Requirement SRV-29: 0x4 needs 0x1, 0x200 and 0x400 need 0x2.
		{4, false, false, false, false, false, "4: off"},
		{0x600, false, false, false, false, false, "1536: off"},
		{5, true, false, true, false, false, "5: on for clients, off for servers; clients send data without a cookie"},
		{0x602, false, true, false, true, true,
			"1538: off for clients, on for servers; servers accept data without a cookie; on for every new listener, wanted or not"},
	} {
		b := c.value
		if b.Client() != c.client || b.Server() != c.server || b.ClientNoCookie() != c.bare ||
			b.ServerNoCookie() != c.acceptBare || b.AllListeners() != c.everything {
			t.Errorf("%#x: client %t, server %t, client without cookie %t, server without %t, all listeners %t",
				uint32(b), b.Client(), b.Server(), b.ClientNoCookie(), b.ServerNoCookie(), b.AllListeners())
		}
		if got := b.String(); got != c.text {
			t.Errorf("%#x: got %q, want %q", uint32(b), got, c.text)
		}
	}
}

func TestTurnOn(t *testing.T) {
	for _, c := range []struct {
		have, missing Bits
		want          string
	}{
		{1, ServerBit, "sysctl -w net.ipv4.tcp_fastopen=3"},
		{0, ClientBit, "sysctl -w net.ipv4.tcp_fastopen=1"},
		{0x401, ServerBit, "sysctl -w net.ipv4.tcp_fastopen=1027"},
		{0, ClientBit | ServerBit, "sysctl -w net.ipv4.tcp_fastopen=3"},
		{0xfffffffd, ServerBit, "sysctl -w net.ipv4.tcp_fastopen=-1"}, // the kernel takes and shows an int
	} {
		if got := c.have.TurnOn(c.missing); got != c.want {
			t.Errorf("%v: got %q, want %q", c.have, got, c.want)
		}
	}
}

func FuzzParseBits(f *testing.F) {
	for _, s := range []string{"3\n", "0", "1027", "-1", "", "0x3", "3 4", "99999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := parseBits(text)
		if err != nil && b != 0 {
			t.Errorf("%q: got %v and error %v", text, b, err)
		}
		_ = b.String()
	})
}

func TestParseBits(t *testing.T) {
	for text, want := range map[string]Bits{"3\n": 3, "1027\n": 0x403, "-1\n": 0xffffffff, " 0 ": 0} {
		if got, err := parseBits(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0x3", "3 4", "99999999999", "on"} {
		if got, err := parseBits(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

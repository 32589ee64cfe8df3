package procnet

import "testing"

func TestTable(t *testing.T) {
	const text = "TcpExt: A B C\nTcpExt: 1 -1 18446744073709551615\nIpExt: X\nIpExt: 7\n"
	c, ok := Table(text, "TcpExt")
	if !ok || c["A"] != 1 || c["B"] != 1<<64-1 || c["C"] != 1<<64-1 || c["X"] != 0 || len(c) != 3 {
		t.Fatalf("%v %v", c, ok)
	}
	if c, ok := Table(text, "IpExt"); !ok || c["X"] != 7 || len(c) != 1 {
		t.Fatalf("%v %v", c, ok)
	}
	for _, bad := range []string{"", "TcpExt:", "TcpExt: A\n", "TcpExt: A\nTcpExt:\n", "TcpExt: A\nTcpExt: x\n", "TcpExt: A\nIpExt: 1\n"} {
		if c, ok := Table(bad, "TcpExt"); ok {
			t.Errorf("%q accepted as %v", bad, c)
		}
	}
}

func FuzzTable(f *testing.F) {
	f.Add("TcpExt: A B\nTcpExt: 1 2\n")
	f.Add("TcpExt: A A\nTcpExt: -1 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, ok := Table(text, "TcpExt")
		if !ok && c != nil {
			t.Fatalf("%q refused with values %v", text, c)
		}
	})
}

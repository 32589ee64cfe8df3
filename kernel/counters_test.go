package kernel

import (
	"reflect"
	"strings"
	"testing"
)

// Every counter has a name, a meaning and a field of its own, and every field
// a counter.
func TestCountersTable(t *testing.T) {
	var c Counters
	seen := map[string]bool{}
	for i, e := range counters {
		*e.field(&c)++
		if seen[e.Name] || !strings.HasSuffix(e.Meaning, ".") || e.Table != "TcpExt" && e.Table != "Tcp" {
			t.Errorf("number %d: %+v", i, e.Counter)
		}
		seen[e.Name] = true
	}
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		if v.Field(i).Uint() != 1 {
			t.Errorf("%d counters are for %s", v.Field(i).Uint(), v.Type().Field(i).Name)
		}
	}
	for i, got := range c.All() {
		if got.Value != 1 || got.Name != counters[i].Name {
			t.Errorf("number %d: %+v", i, got)
		}
	}
}

func TestCountersSub(t *testing.T) {
	before := Counters{Active: 2, Passive: 10, ActiveFail: 5}
	after := Counters{Active: 5, Passive: 10, ActiveFail: 3, Blackhole: 1}
	// ActiveFail went down, so that namespace is a new one.
	want := Counters{Active: 3, ActiveFail: 3, Blackhole: 1}
	if got := after.Sub(before); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRemarks(t *testing.T) {
	if got := (Counters{PassiveOpens: 7, ActiveOpens: 3}).Remarks(); len(got) != 0 {
		t.Errorf("without Fast Open there is nothing to say, and it says %v", got)
	}
	c := Counters{Passive: 17, PassiveAltKey: 1, PassiveFail: 1, CookieReqd: 2, ActiveFail: 1, Blackhole: 3, QueueOverflow: 4, AcceptOverflow: 1, SYNCookies: 6, Active: 1}
	var got []string
	for _, r := range c.Remarks() {
		got = append(got, r.Text)
		if strings.Contains(r.Text, "%") {
			t.Errorf("%q", r.Text)
		}
		trouble := r.Counter != "TCPFastOpenPassive" && r.Counter != "TCPFastOpenActive" && r.Counter != "TCPFastOpenCookieReqd" && r.Counter != "TCPFastOpenPassiveAltKey"
		server := r.Counter != "TCPFastOpenActive" && r.Counter != "TCPFastOpenActiveFail" && r.Counter != "TCPFastOpenBlackhole"
		if r.Trouble != trouble || r.Server != server {
			t.Errorf("%+v", r)
		}
	}
	want := []string{
		"2 SYNs asked for a Fast Open cookie.",
		"17 connections were opened by Fast Open: what came in their SYNs was accepted at once.",
		"1 of them had a cookie of the backup key, and got one of the primary key.",
		"1 SYN had a cookie that no key here made: an old one, another server's, or forged.",
		"4 SYNs found the Fast Open queue of their listener full, and were opened the plain way.",
		"6 SYNs were answered as in a SYN flood, which rules Fast Open out.",
		"1 connection was dropped because the program that listens was too slow to accept it.",
		"1 connection from here sent data in its SYN and had all of it accepted.",
		"Once Fast Open did not work: a server did not accept the data of a SYN, or packets were lost again and again.",
		"3 times a path seemed to swallow Fast Open, and this host stopped using it for a while.",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

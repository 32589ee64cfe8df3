package tfo

import (
	"net/netip"
	"testing"
)

var (
	client4 = netip.MustParseAddr("10.248.0.2")
	server4 = netip.MustParseAddr("192.168.0.2")
	client6 = netip.MustParseAddr("fd77::100")
	server6 = netip.MustParseAddr("fd77::2")
)

func BenchmarkMint(b *testing.B) {
	k := GenerateKeys()
	for _, v := range []struct {
		name           string
		client, server netip.Addr
	}{{"ip4", client4, server4}, {"ip6", client6, server6}} {
		b.Run(v.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				k.Mint(v.client, v.server)
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	k := NewKeys(Key{1}, Key{2})
	for _, v := range []struct {
		name           string
		client, server netip.Addr
		made           Keys
	}{
		{"ip4/primary", client4, server4, k},
		{"ip4/backup", client4, server4, NewKeys(Key{2})},
		{"ip6/primary", client6, server6, k},
		{"ip6/backup", client6, server6, NewKeys(Key{2})},
	} {
		c := v.made.Mint(v.client, v.server)
		b.Run(v.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				k.Check(v.client, v.server, c)
			}
		})
	}
}

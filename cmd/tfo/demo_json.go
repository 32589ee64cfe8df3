package main

import "github.com/fastopen-go/fastopen/tfo"

// A demoRecord tells of an exchange as JSON.
type demoRecord struct {
	Event     string       `json:"event"`
	Name      string       `json:"name"`
	Middlebox string       `json:"middlebox"`
	RTT       float64      `json:"rtt_ms"`
	Answer    *float64     `json:"answer_ms"` // null if none came
	Plain     *float64     `json:"plain_ms"`  // over plain TCP
	Saved     *float64     `json:"saved_ms"`  // negative if it cost time
	Outcome   tfo.Status   `json:"outcome"`
	Cause     tfo.Cause    `json:"cause"`
	Packets   []demoPacket `json:"packets"`
}

type demoPacket struct {
	From    string   `json:"from"` // client, server or middlebox
	To      string   `json:"to"`
	Sent    float64  `json:"sent_ms"`
	Arrived *float64 `json:"arrived_ms"` // null if it did not
	What    string   `json:"what"`
	Bytes   int      `json:"bytes"` // of data
	Fate    string   `json:"fate"`  // arrived, changed, dropped (by the middlebox) or lost
	Change  string   `json:"change,omitempty"`
}

// record is x for --json.
func (x *shown) record() demoRecord {
	r := demoRecord{
		Event: "exchange", Name: x.name, Middlebox: x.box.name, RTT: inMillis(x.rtt),
		Outcome: x.outcome.Status, Cause: x.outcome.Cause, Packets: []demoPacket{},
	}
	if x.answer >= 0 {
		r.Answer = new(inMillis(x.answer))
	}
	if x.plain >= 0 {
		r.Plain = new(inMillis(x.plain))
	}
	if saved, known := x.saved(); known {
		r.Saved = new(inMillis(saved))
	}
	for _, st := range x.visible() {
		p := demoPacket{From: "client", To: "server", Sent: inMillis(st.sent), What: st.label, Bytes: st.bytes, Fate: "arrived", Change: st.changed}
		if !st.toServer {
			p.From, p.To = p.To, p.From
		}
		if st.fromBox {
			p.From = "middlebox"
		}
		switch {
		case st.arrived >= 0:
			p.Arrived = new(inMillis(st.arrived))
			if st.changed != "" {
				p.Fate = "changed"
			}
		case st.eaten:
			p.Fate = "dropped"
		default:
			p.Fate = "lost"
		}
		r.Packets = append(r.Packets, p)
	}
	return r
}

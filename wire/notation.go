package wire

import (
	"fmt"
	"strings"
)

// String is the segment in one line, the notation of traces, failures and
// documents alike:
//
//	S. 100:100(0) ack 8 win 65535 <mss 1460,sackOK,TS 1/2,wscale 7,fo 8 bytes>
//
// Flags first (S, F, R, P, E for ECE, W for CWR, U, and . for ACK), then the
// sequence numbers start:end(length of data), then the rest. Cookies are never
// shown, only their length.
func (s Segment) String() string {
	var b strings.Builder
	b.WriteString(s.Flags.String())
	fmt.Fprintf(&b, " %d:%d(%d)", s.Seq, s.Seq+uint32(s.Len()), s.Len())
	if s.Flags.Has(ACK) {
		fmt.Fprintf(&b, " ack %d", s.Ack)
	}
	fmt.Fprintf(&b, " win %d", s.Window)
	if s.Flags.Has(URG) {
		fmt.Fprintf(&b, " urg %d", s.Urgent)
	}
	if s.ECN != 0 {
		b.WriteString([...]string{"", " ect1", " ect0", " ce"}[s.ECN&3])
	}
	if o := s.Options.String(); o != "" {
		b.WriteString(" <" + o + ">")
	}
	return b.String()
}

// String is the letters of the bits that are set.
func (g Flags) String() string {
	const letters = "FSRP.UEW"
	b := make([]byte, 0, 8)
	for i, order := 0, [...]int{1, 0, 2, 3, 5, 6, 7, 4}; i < 8; i++ {
		if bit := order[i]; g&(1<<bit) != 0 {
			b = append(b, letters[bit])
		}
	}
	if len(b) == 0 {
		return "-"
	}
	return string(b)
}

// String is the options in the order they are sent.
func (o Options) String() string {
	var p []string
	if o.MSS != 0 {
		p = append(p, fmt.Sprintf("mss %d", o.MSS))
	}
	if o.SACKPermitted {
		p = append(p, "sackOK")
	}
	if o.Timestamps {
		p = append(p, fmt.Sprintf("TS %d/%d", o.TSVal, o.TSEcr))
	}
	if o.WindowScale != 0 {
		p = append(p, fmt.Sprintf("wscale %d", o.WindowScale-1))
	}
	if o.HasFastOpen {
		name := "fo"
		if o.FastOpen.Form != 0 {
			name = "foexp"
		}
		if n := o.FastOpen.Cookie.Len(); n > 0 {
			p = append(p, fmt.Sprintf("%s %d bytes", name, n))
		} else {
			p = append(p, name+" request")
		}
	}
	for _, r := range o.Ranges() {
		p = append(p, fmt.Sprintf("sack %d:%d", r.Start, r.End))
	}
	return strings.Join(p, ",")
}

package probe

// A trial is a SYN to send.
type trial struct {
	kind SYN
	// exchange says to await the server's answer to the payload.
	exchange bool
}

// plan says which SYNs to send next, side by side, given what the ones before
// have brought; none when there is nothing more to learn. can says which kinds
// can be sent at all.
//
// A kind that gets no answer is sent again, with a plain SYN beside it each
// time, until the two can be told apart from bad luck: one packet that is lost
// is no verdict.
func plan(events []Event, can func(SYN) bool, tries, repeat int) []trial {
	t := tallyOf(events)
	switch {
	case t.beside == 0:
		return t.planReach(tries)
	case !t.hasCookie():
		return t.planRequest(can, tries)
	}
	return t.planData(can, tries, repeat)
}

// planReach asks whether there is anybody.
func (t *tally) planReach(tries int) []trial {
	p := t.of[Plain]
	if p.reset > 0 || p.hopeless >= 2 || p.sent >= tries {
		return nil
	}
	return t.withPlain(Request)
}

// planRequest asks for a cookie.
func (t *tally) planRequest(can func(SYN) bool, tries int) []trial {
	r, l, b := t.of[Request], t.of[Legacy], t.of[BareData]
	if r.answered == 0 {
		switch {
		case b.sent >= tries: // the kernel is told to do without cookies
			return nil
		case r.reset >= 2, t.dropped(Request, tries), r.sent >= 3*tries:
			return nil
		}
		return t.withPlain(Request)
	}
	// Behind one address there may be servers without Fast Open next to
	// those with it, so no for an answer is not taken once. These go alone: a
	// balancer that hands connections out in turn would else give all that
	// ask for a cookie to every second server.
	switch {
	case r.answered < min(tries, 3) && r.sent < 3*tries:
		return []trial{{kind: Request}}
	case can(Legacy) && l.answered+l.reset == 0 && l.sent < tries:
		return []trial{{kind: Legacy}}
	case can(BareData) && b.answered+b.reset == 0 && b.sent < tries:
		return []trial{{kind: BareData}}
	}
	return nil
}

// planData spends the cookie, on one connection after the other.
func (t *tally) planData(can func(SYN) bool, tries, repeat int) []trial {
	d := t.of[Data]
	switch {
	case d.answered == 0 && d.reset >= 2:
		return nil
	case d.answered+d.reset == 0 && d.lost > 0:
		return t.planLost(can, tries)
	case d.answered+d.reset < repeat && d.sent < 2*repeat+tries:
		if t.of[Plain].spoken < 2 && t.of[Plain].awaited < 3 || d.lost >= tries && t.plainSentAfter < d.lost {
			return t.withPlain(Data)
		}
		// Alone, for the balancer's sake as above.
		return []trial{t.data()}
	case d.accepted > 0 && d.spoken == 0 && d.awaited < 2 && t.of[Plain].spoken >= 1:
		return t.withPlain(Data) // for the answer
	case t.refused > 0 && t.replaced == 0 && d.accepted == 0 && t.requestsAfter.answered == 0 && t.requestsAfter.sent < tries && can(Request):
		// Nobody says why: ask whether cookies are still granted.
		return []trial{{kind: Request}}
	}
	return nil
}

// planLost finds out what it is that gets no answer.
func (t *tally) planLost(can func(SYN) bool, tries int) []trial {
	d, c := t.of[Data], t.of[Cookie]
	switch {
	case t.blocked(tries):
		return nil
	case !t.dropped(Data, tries):
		if d.sent >= 4*tries {
			return nil
		}
		return t.withPlain(Data)
	case can(Cookie) && c.answered+c.reset == 0 && c.sent < 3*tries && !t.dropped(Cookie, tries):
		return t.withPlain(Cookie)
	}
	return nil
}

// withPlain is a trial of a kind next to a plain one.
func (t *tally) withPlain(kind SYN) []trial {
	p := t.of[Plain]
	plain := trial{kind: Plain, exchange: p.spoken < 2 && p.awaited < 3}
	if kind == Data {
		return []trial{plain, t.data()}
	}
	return []trial{plain, {kind: kind}}
}

// data is a trial with cookie and data. The server's answer is awaited as long
// as none has come, if plain connections got one.
func (t *tally) data() trial {
	d := t.of[Data]
	return trial{kind: Data, exchange: t.of[Plain].spoken > 0 && d.spoken == 0 && d.awaited < 3}
}

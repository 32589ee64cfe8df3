package probe

// A count is what became of the SYNs of one kind.
type count struct {
	sent     int
	answered int // by a SYN-ACK
	reset    int
	hopeless int // unreachable
	lost     int // no answer
	granted  int // SYN-ACKs with a cookie
	accepted int // all data acknowledged
	erased   int // SYN-ACKs with blanks
	awaited  int // an answer to the payload was waited for
	spoken   int // and came
}

// A tally sorts the events of a probe.
type tally struct {
	of      [len(synNames)]count
	beside  int // plain SYNs answered, the kernel's own in place of others included
	cookies int // distinct ones that were granted
	// What is known of the time after the first SYN with data.
	dataLostAfter, plainSentAfter, plainAnsweredAfter int
	plainLost                                         int
	requestsAfter                                     count // of Request, after the first SYN with data
	refused                                           int   // answered SYNs with cookie and data, less those accepted whole
	replaced                                          int   // of these, those with another cookie in the answer
	cut                                               int   // of these, those whose data was accepted in part
	renewed                                           int   // accepted, and another cookie came
	kernelRequest                                     int   // the number of the Request that was the first to bring a cookie, from 1
}

func (c *count) add(e Event) {
	c.sent++
	switch e.Answer {
	case SYNACK:
		c.answered++
	case Reset:
		c.reset++
	case Unreachable:
		c.hopeless++
	default:
		c.lost++
	}
	if e.Granted != "" {
		c.granted++
	}
	if e.Data > 0 && e.Acked == e.Data {
		c.accepted++
	}
	if e.Erased {
		c.erased++
	}
	if e.Awaited {
		c.awaited++
	}
	if e.FirstByte > 0 {
		c.spoken++
	}
}

func tallyOf(events []Event) tally {
	var t tally
	letters := map[string]bool{}
	for _, e := range events {
		if e.Sent == Data && e.Answer == SYNACK && e.Acked < e.Data && e.Granted != "" && !letters[e.Used] {
			// The kernel had kept this cookie from before the probe.
			// That a server does not know it any more is no fault, and
			// to get a new one for it is the same as to ask for one.
			e.Sent, e.Data = Request, 0
		}
		afterData := t.of[Data].sent > 0
		t.of[e.Sent].add(e)
		letters[e.Granted] = true
		plainSent, plainAnswered := 0, 0
		if e.Sent == Plain {
			plainSent = 1
		}
		if e.Sent == Plain && e.Answer == SYNACK || e.PlainAnswered {
			plainAnswered = 1
		}
		if e.PlainAnswered {
			plainSent++
		}
		t.beside += plainAnswered
		t.plainLost += plainSent - plainAnswered
		if e.again && e.Sent == Plain {
			t.plainLost++
		}
		if afterData || e.Sent == Data {
			t.plainSentAfter += plainSent
			t.plainAnsweredAfter += plainAnswered
		}
		switch e.Sent {
		case Data:
			if e.Answer == Nothing {
				t.dataLostAfter++
			}
			switch another := e.Granted != "" && e.Granted != e.Used; {
			case e.Answer != SYNACK:
			case e.Acked < e.Data:
				t.refused++
				if another {
					t.replaced++
				}
				if e.Acked > 0 {
					t.cut++
				}
			case another:
				t.renewed++
			}
		case Request:
			if e.Granted != "" && t.kernelRequest == 0 {
				t.kernelRequest = t.of[Request].sent
			}
			if afterData {
				t.requestsAfter.add(e)
			}
		}
	}
	delete(letters, "")
	t.cookies = len(letters)
	return t
}

// need is how many SYNs of a kind have to stay without answer before it says
// something, next to as many plain ones that were answered. A path on which
// plain ones are lost too has to be asked more often: with a loss of one in
// five, three in a row is one time in a hundred, six is one in 15,000.
func (t *tally) need(tries int) int {
	if t.plainLost > 0 {
		return 2 * tries
	}
	return tries
}

// dropped reports whether SYNs of a kind are certain not to get through.
func (t *tally) dropped(kind SYN, tries int) bool {
	c, beside := t.of[kind], t.beside
	if kind == Data || kind == Cookie {
		beside = t.plainAnsweredAfter
	}
	return c.answered+c.reset == 0 && c.lost >= t.need(tries) && beside >= t.need(tries)
}

// blocked reports whether the first SYN with data ended all contact.
func (t *tally) blocked(tries int) bool {
	return t.of[Plain].answered >= 1 && t.of[Data].answered+t.of[Data].reset == 0 &&
		t.dataLostAfter >= tries && t.plainSentAfter >= tries && t.plainAnsweredAfter == 0
}

// hasCookie reports whether a cookie was granted in this probe, or the kernel
// had one from before it.
func (t *tally) hasCookie() bool { return t.cookies > 0 || t.of[Data].sent > 0 }

// judge makes of the events what can be made of them.
func judge(events []Event, mode Mode, tries int) Verdict {
	t := tallyOf(events)
	if t.beside == 0 {
		return t.judgeUnanswered(tries)
	}
	if !t.hasCookie() {
		return t.judgeWithoutCookie(tries)
	}
	if d := t.of[Data]; d.answered+d.reset == 0 {
		switch {
		case t.blocked(tries):
			return Blocked
		case !t.dropped(Data, tries):
			return Unclear
		case t.dropped(Cookie, tries):
			return CookieDropped
		}
		return DataDropped
	}
	return t.judgeData(mode, tries)
}

// judgeUnanswered is for when no plain SYN was answered by a SYN-ACK.
func (t *tally) judgeUnanswered(tries int) Verdict {
	p := t.of[Plain]
	for _, c := range t.of {
		if c.answered > 0 {
			return Unclear
		}
	}
	switch {
	case p.reset > 0:
		return Refused
	case p.hopeless > 0:
		return NotReachable
	case p.lost >= tries:
		return Silent
	}
	return Unclear
}

// judgeWithoutCookie is for when none was granted.
func (t *tally) judgeWithoutCookie(tries int) Verdict {
	r := t.of[Request]
	switch {
	case t.of[BareData].accepted > 0:
		return Cookieless
	case r.erased > 0 || t.of[Legacy].erased > 0:
		return OptionStripped
	case r.answered > 0:
		return NoFastOpen
	case r.reset >= 2:
		return ResetByFastOpen
	case t.dropped(Request, tries):
		return OptionDropped
	}
	return Unclear
}

// judgeData is for when a SYN with cookie and data was answered at least
// once.
func (t *tally) judgeData(mode Mode, tries int) Verdict {
	d, r, p := t.of[Data], t.of[Request], t.of[Plain]
	switch {
	case d.answered == 0 && d.reset < 2:
		return Unclear
	case d.answered == 0:
		return ResetByFastOpen
	case t.refused > 0 && (t.replaced > 0 && t.cookies > 1):
		return KeysDiffer
	case d.accepted == 0:
		return CookieRefused
	case t.refused > 0 || d.reset > 0:
		return Varies
	case d.lost >= tries && d.lost > d.answered/2 && t.plainSentAfter >= tries && t.plainLost == 0:
		return Varies
	case d.awaited >= 2 && d.spoken == 0 && p.spoken >= 2:
		return BlackHole
	case t.of[Legacy].granted > 0 && r.granted == 0:
		return LegacyOnly
	case mode == Kernel && t.kernelRequest == 2:
		// Linux asks again in the old form, once, after a first request
		// that brought nothing, and which of the two forms a cookie came
		// in it does not tell.
		return LegacyOnly
	case mode == Raw && r.answered > r.granted:
		return Varies
	}
	return Works
}

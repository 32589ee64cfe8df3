package main

import "fmt"

// A verdict is an answer, and for a whole report the exit code.
type verdict string

const (
	ready    verdict = "ready"
	notReady verdict = "not ready"
	unknown  verdict = "unknown"
)

// A sideReport is about clients, or about servers.
type sideReport struct {
	Verdict verdict `json:"verdict"`
	Short   string  `json:"short"` // "on", "off", "on, and no listener uses it"
	Text    string  `json:"text"`  // a sentence with what that means
}

func worst(a, b verdict) verdict {
	switch {
	case a == notReady || b == notReady:
		return notReady
	case a == unknown || b == unknown:
		return unknown
	}
	return ready
}

func (r *checkReport) code() int {
	switch r.Verdict {
	case ready:
		return exitOK
	case notReady:
		return checkNotReady
	}
	return checkUnknown
}

// client judges the side that connects.
func (x *finding) client() *sideReport {
	switch {
	case x.settingsErr != nil:
		return &sideReport{unknown, "could not tell", "Whether programs here can use Fast Open when they connect could not be told."}
	case !x.settings.FastOpen.Client():
		return &sideReport{notReady, "off", "No program here can use Fast Open when it connects."}
	case x.settings.FastOpen.ClientNoCookie():
		return &sideReport{ready, "on, without cookies", "Programs here that want to send data in the SYN do so without a cookie, also to servers that do not expect it."}
	}
	return &sideReport{ready, "on", "Programs here that want to may ask for cookies and send data in SYNs."}
}

// server judges the side that listens.
func (x *finding) server() *sideReport {
	fast, all := 0, len(x.listeners)
	for _, l := range x.listeners {
		if l.Queue > 0 {
			fast++
		}
	}
	switch {
	case x.settingsErr != nil:
		return &sideReport{unknown, "could not tell", "Whether programs here can use Fast Open when they listen could not be told."}
	case !x.settings.FastOpen.Server() && fast > 0:
		return &sideReport{notReady, "off", fmt.Sprintf("Of %s here, %d would use Fast Open, but the kernel does not let them.", plural(all, "listener"), fast)}
	case !x.settings.FastOpen.Server():
		return &sideReport{notReady, "off", "No program that listens here can grant cookies or accept data in a SYN."}
	case x.listenersErr != nil:
		return &sideReport{unknown, "on in the kernel", "The kernel lets listeners use Fast Open; whether any does could not be told."}
	case all == 0:
		return &sideReport{ready, "on, and nothing listens", "The kernel lets listeners use Fast Open, and no program listens now."}
	case fast == 0:
		return &sideReport{notReady, "on, and no listener uses it", fmt.Sprintf("The kernel lets listeners use Fast Open, but %s.", noneOf(all))}
	case fast < all:
		return &sideReport{ready, fmt.Sprintf("on in %d of %d listeners", fast, all), "Some listeners grant cookies and accept data in SYNs, the others do not."}
	}
	return &sideReport{ready, "on", "All listeners grant cookies and accept data in SYNs."}
}

func noneOf(n int) string {
	if n == 1 {
		return "the only program that listens has it off"
	}
	return fmt.Sprintf("none of the %d listeners here has it on", n)
}

package tcp

// State is a connection's state.
//
// https://www.rfc-editor.org/rfc/rfc9293#section-3.3.2
type State uint8

const (
	Closed State = iota
	SynSent
	SynReceived
	Established
	FinWait1
	FinWait2
	CloseWait
	Closing
	LastAck
	TimeWait
)

// String is the state's name as the RFC writes it.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "STATE-UNKNOWN"
}

var stateNames = [...]string{
	Closed: "CLOSED", SynSent: "SYN-SENT", SynReceived: "SYN-RECEIVED",
	Established: "ESTABLISHED", FinWait1: "FIN-WAIT-1", FinWait2: "FIN-WAIT-2",
	CloseWait: "CLOSE-WAIT", Closing: "CLOSING", LastAck: "LAST-ACK", TimeWait: "TIME-WAIT",
}

// receives reports whether the peer may still send data.
func (s State) receives() bool { return s == Established || s == FinWait1 || s == FinWait2 }

package stack

// Lent is how many buffers of the host are in use.
func Lent(h *Host) int { return h.memory.lent }

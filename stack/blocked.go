package stack

type blocked struct{}

func (b *blocked) wakeReaders() {}

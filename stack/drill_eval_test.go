//go:build unix

package stack

import (
	"fmt"
	"go/scanner"
	"go/token"
	"strconv"
	"strings"
)

// drillAssert holds the assertions of a piece of code between %{ and }%
// against the values that names have. The code is in as much of Python as
// comparing numbers takes.
func drillAssert(code string, value func(name string) (int64, bool)) (err error) {
	defer func() {
		if e := recover(); e != nil {
			wrong, ok := e.(error)
			if !ok {
				panic(e)
			}
			err = wrong
		}
	}()
	for statement := range strings.FieldsFuncSeq(code, func(r rune) bool { return r == '\n' || r == ';' }) {
		statement, _, _ = strings.Cut(statement, "#")
		statement = strings.TrimSpace(statement)
		rest, ok := strings.CutPrefix(statement, "assert")
		if !ok {
			if statement == "" || strings.HasPrefix(statement, "print") {
				continue
			}
			return fmt.Errorf("%q is not an assertion", statement)
		}
		e := newDrillEval(rest, value)
		if e.or() == 0 {
			return fmt.Errorf("%s: %s", statement, strings.Join(e.seen, ", "))
		}
	}
	return nil
}

// drillEval evaluates an expression as it reads it.
type drillEval struct {
	s     scanner.Scanner
	tok   token.Token
	lit   string
	value func(name string) (int64, bool)
	seen  []string
}

func newDrillEval(text string, value func(string) (int64, bool)) *drillEval {
	e := &drillEval{value: value}
	src := []byte(text)
	f := token.NewFileSet().AddFile("", -1, len(src))
	e.s.Init(f, src, func(token.Position, string) {}, 0)
	e.next()
	return e
}

func (e *drillEval) next() { _, e.tok, e.lit = e.s.Scan() }

// keyword takes a word of Python's.
func (e *drillEval) keyword(word string) bool {
	if e.tok == token.IDENT && e.lit == word {
		e.next()
		return true
	}
	return false
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (e *drillEval) or() int64 {
	x := e.and()
	for e.keyword("or") {
		y := e.and()
		x = truth(x != 0 || y != 0)
	}
	return x
}

func (e *drillEval) and() int64 {
	x := e.not()
	for e.keyword("and") {
		y := e.not()
		x = truth(x != 0 && y != 0)
	}
	return x
}

func (e *drillEval) not() int64 {
	if e.keyword("not") {
		return truth(e.not() == 0)
	}
	return e.comparison()
}

// comparison reads a chain such as 1 < x <= 3.
func (e *drillEval) comparison() int64 {
	x := e.bits()
	holds, compared := true, false
	for {
		op := e.tok
		switch op {
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
		default:
			if compared {
				return truth(holds)
			}
			return x
		}
		e.next()
		y := e.bits()
		compared = true
		switch op {
		case token.EQL:
			holds = holds && x == y
		case token.NEQ:
			holds = holds && x != y
		case token.LSS:
			holds = holds && x < y
		case token.LEQ:
			holds = holds && x <= y
		case token.GTR:
			holds = holds && x > y
		case token.GEQ:
			holds = holds && x >= y
		}
		x = y
	}
}

func (e *drillEval) bits() int64 {
	x := e.sum()
	for e.tok == token.AND || e.tok == token.OR {
		op := e.tok
		e.next()
		y := e.sum()
		if op == token.AND {
			x &= y
		} else {
			x |= y
		}
	}
	return x
}

func (e *drillEval) sum() int64 {
	x := e.operand()
	for {
		op := e.tok
		switch op {
		case token.ADD, token.SUB, token.MUL:
		default:
			return x
		}
		e.next()
		y := e.operand()
		switch op {
		case token.ADD:
			x += y
		case token.SUB:
			x -= y
		case token.MUL:
			x *= y
		}
	}
}

func (e *drillEval) operand() int64 {
	switch e.tok {
	case token.LPAREN:
		e.next()
		x := e.or()
		if e.tok != token.RPAREN {
			panic(fmt.Errorf("a ) expected before %q", e.lit))
		}
		e.next()
		return x
	case token.SUB:
		e.next()
		return -e.operand()
	case token.INT:
		n, err := strconv.ParseInt(e.lit, 0, 64)
		if err != nil {
			panic(err)
		}
		e.next()
		return n
	case token.IDENT:
		name := e.lit
		x, ok := e.value(name)
		if !ok {
			panic(fmt.Errorf("name %q is not known", name))
		}
		e.seen = append(e.seen, fmt.Sprintf("%s is %d", name, x))
		e.next()
		return x
	}
	panic(fmt.Errorf("a value expected before %q", e.lit))
}

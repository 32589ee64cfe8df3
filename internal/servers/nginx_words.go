package servers

import "strings"

// A directive is one of nginx's: words that end with a semicolon, or with a
// block of directives.
type directive struct {
	words []string
	line  int
	block []directive
	open  bool // it has a block, perhaps an empty one
}

// parseNginx reads a configuration file as nginx does (ngx_conf_read_token).
// It returns what could be read up to the first mistake, which is at line bad,
// 0 if there is none.
func parseNginx(text string) (list []directive, bad int) {
	p := &nginxParser{text: text, line: 1}
	list, closed := p.block(0)
	if p.bad == 0 && closed {
		p.bad = p.line // a } too many
	}
	return list, p.bad
}

type nginxParser struct {
	text string
	at   int
	line int
	bad  int
}

// maxNesting is how many blocks may be inside of each other.
const maxNesting = 64

// block reads directives up to the end of a block, and reports whether there
// was a brace that closes it.
func (p *nginxParser) block(depth int) (list []directive, closed bool) {
	for p.bad == 0 {
		d, end := p.directive()
		switch end {
		case '{':
			d.open = true
			if strings.HasSuffix(d.words[0], "_by_lua_block") {
				p.skipLua()
			} else if depth >= maxNesting {
				p.bad = p.line
			} else if d.block, closed = p.block(depth + 1); !closed && p.bad == 0 {
				p.bad = d.line // never closed
			}
			list = append(list, d)
		case ';':
			list = append(list, d)
		case '}':
			return list, true
		default:
			return list, false
		}
	}
	return list, false
}

// directive reads words and what ends them: ; { } or 0 at the end of the text.
func (p *nginxParser) directive() (d directive, end byte) {
	for {
		word, ok := p.word()
		if ok {
			if len(d.words) == 0 {
				d.line = p.line
			}
			d.words = append(d.words, word)
			continue
		}
		if p.bad != 0 {
			return d, 0
		}
		if p.at == len(p.text) {
			if len(d.words) > 0 {
				p.bad = d.line // no semicolon
			}
			return d, 0
		}
		end = p.text[p.at]
		p.at++
		if (len(d.words) == 0) != (end == '}') {
			p.bad = p.line // words before }, or none before ; or {
			return d, 0
		}
		return d, end
	}
}

// word reads the next one, unless what comes next is ; { } or the end.
func (p *nginxParser) word() (string, bool) {
	p.space()
	if p.at == len(p.text) || strings.IndexByte(";{}", p.text[p.at]) >= 0 {
		return "", false
	}
	if quote := p.text[p.at]; quote == '"' || quote == '\'' {
		return p.quoted(quote)
	}
	var b strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			if p.text[p.at] == '\n' {
				p.line++
			}
			b.WriteByte(p.text[p.at])
			p.at++
			continue
		case c == '$' && strings.HasPrefix(p.text[p.at:], "${"):
			b.WriteString("${")
			p.at += 2
			continue
		case strings.IndexByte(" \t\r\n;{", c) >= 0:
			return b.String(), true
		}
		b.WriteByte(c)
		p.at++
	}
	return b.String(), true
}

// quoted reads a word in quotes, with backslashes before what is to be taken
// as it is.
func (p *nginxParser) quoted(quote byte) (string, bool) {
	start := p.line
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		switch {
		case c == quote:
			p.at++
			return b.String(), true
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			c = p.text[p.at]
		}
		if c == '\n' {
			p.line++
		}
		b.WriteByte(c)
	}
	p.bad = start
	return "", false
}

// space skips white space and comments.
func (p *nginxParser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case '\n':
			p.line++
			p.at++
		case ' ', '\t', '\r':
			p.at++
		case '#':
			n := strings.IndexByte(p.text[p.at:], '\n')
			if n < 0 {
				n = len(p.text) - p.at
			}
			p.at += n
		default:
			return
		}
	}
}

// skipLua skips a block of Lua up to the brace that closes it.
func (p *nginxParser) skipLua() {
	start, depth := p.line, 1
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case '\n':
			p.line++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				p.at++
				return
			}
		case '-':
			if strings.HasPrefix(p.text[p.at:], "--") && !strings.HasPrefix(p.text[p.at:], "--[[") {
				if n := strings.IndexByte(p.text[p.at:], '\n'); n >= 0 {
					p.at += n - 1
				}
			}
		case '"', '\'':
			p.skipLuaString(c)
		}
	}
	p.bad = start
}

// skipLuaString skips a string, which ends with its line at the latest.
func (p *nginxParser) skipLuaString(quote byte) {
	for p.at++; p.at < len(p.text) && p.text[p.at] != quote; p.at++ {
		switch p.text[p.at] {
		case '\\':
			p.at++
		case '\n':
			p.at--
			return
		}
	}
}

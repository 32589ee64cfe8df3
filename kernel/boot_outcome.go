package kernel

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/fastopen-go/fastopen/tfo"
)

// A valueOf says how a setting shows a value: as people may see it, and as the
// kernel will show it afterwards. The error says why the kernel refuses it.
type valueOf func(text string) (people, kernel string, err error)

func bitsValue(text string) (string, string, error) {
	n, err := parseInt(text)
	return text, strconv.Itoa(int(n)), err
}

func secondsValue(text string) (string, string, error) {
	n, err := parseInt(text)
	if err == nil && n < 0 {
		err = errors.New("is out of range")
	}
	return text, strconv.Itoa(int(n)), err
}

// keysValue shows keys by their fingerprints only.
func keysValue(text string) (string, string, error) {
	keys, ok := parseKeysLoosely(text)
	if !ok {
		return "(not shown)", "", errors.New("is malformed: " + misspelt(text))
	}
	return keys.Fingerprint(), keys.Fingerprint(), nil
}

// misspelt says what is wrong with keys that the kernel takes, or does not;
// "" if nothing is.
func misspelt(text string) string {
	keys, err := tfo.ParseKeys(text)
	switch {
	case err != nil:
		return strings.TrimPrefix(err.Error(), "tfo: ")
	case len(keys.Backups()) > 1:
		return "there is room for two keys, the primary and a backup; leave the others out"
	}
	return ""
}

// setting gathers what is said about one setting.
func (b *bootReading) setting(name, initial string, value valueOf) BootSetting {
	s := BootSetting{Name: name}
	var all []candidate
	for _, f := range b.found {
		if !f.covers(normalize(name)) {
			continue
		}
		l := BootLine{File: f.file, Target: f.target, Line: f.line, Pattern: f.pattern, ProcpsOnly: f.procps}
		if !f.negative {
			var err error
			if l.Value, l.shown, err = value(f.value); err != nil {
				l.Refused = err.Error()
			}
			s.Lines = append(s.Lines, l)
		}
		all = append(all, candidate{f, l})
	}
	s.after[Systemd] = outcome(initial, systemdOrder(all))
	s.after[Procps] = outcome(initial, procpsOrder(all))
	for r := range s.after {
		o := &s.after[r]
		for _, l := range s.Lines {
			if (o.By == nil || l != *o.By) && !(l.ProcpsOnly && Reader(r) == Systemd) {
				o.Others = append(o.Others, l)
			}
		}
	}
	return s
}

// candidate is an assignment with what people are told of it.
type candidate struct {
	found
	line BootLine
}

// outcome carries out lines one after the other. What the kernel refuses
// changes nothing.
func outcome(initial string, order []candidate) Outcome {
	o := Outcome{Value: initial}
	for _, c := range order {
		if c.line.Refused == "" {
			o.Value, o.By = c.line.shown, &c.line
		}
		o.last = &c.line
	}
	return o
}

// systemdOrder returns what systemd-sysctl sets (parse_file and apply_all in
// src/sysctl/sysctl.c): it keeps one value for each name and each pattern, and
// then sets them, patterns only where there is no name, be it with a minus sign
// and no value.
func systemdOrder(all []candidate) []candidate {
	var order, kept []candidate
	named := false
	for _, c := range all {
		if c.procps {
			continue
		}
		if c.before {
			order = append(order, c)
			continue
		}
		named = named || c.pattern == ""
		i := slices.IndexFunc(kept, func(k candidate) bool { return k.key == c.key })
		if i >= 0 && kept[i].value == c.value && kept[i].negative == c.negative {
			kept[i].line = c.line // the same again stays where it was among the others
			continue
		}
		if i >= 0 {
			kept = slices.Delete(kept, i, i+1)
		}
		kept = append(kept, c)
	}
	for _, c := range kept {
		if !c.negative && (c.pattern == "" || !named) {
			order = append(order, c)
		}
	}
	return order
}

// procpsOrder returns what sysctl --system sets (write_setting_list in
// src/sysctl.c of procps-ng 4): every line in turn, patterns only where there is
// no name, and no other pattern with a minus sign and no value. (Of the latter
// its first versions take no notice, 4.0.2 for one.)
func procpsOrder(all []candidate) []candidate {
	var order []candidate
	spared := slices.ContainsFunc(all, func(c candidate) bool { return !c.before && (c.pattern == "" || c.negative) })
	for _, c := range all {
		if c.before || !c.negative && (c.pattern == "" || !spared) {
			order = append(order, c)
		}
	}
	return order
}

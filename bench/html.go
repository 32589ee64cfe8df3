package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// colors of the stacks in the plots.
var colors = map[string]string{
	ours: "#0b7285", lending: "#22b8cf", fast: "#66d9e8", gvisor: "#e8590c", kernel: "#868e96", fastKern: "#ced4da",
}

const pageHead = `<!doctype html><meta charset="utf-8"><title>fastopen: benchmarks</title>
<meta name="viewport" content="width=device-width">
<style>body{font:15px/1.45 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#212529}
h2{font-size:1.05em;margin:2em 0 .3em}svg{display:block;margin:.2em 0}text{font:12px system-ui,sans-serif}
.ok{color:#2b8a3e}.missed{color:#c92a2a;font-weight:600}p{margin:.2em 0}small{color:#495057}</style>
`

// html is the report as a page that needs nothing else: one bar for each stack
// and figure, with a line from the least to the most.
func (r *report) html() []byte {
	var b bytes.Buffer
	b.WriteString(pageHead)
	fmt.Fprintf(&b, "<h1>TCP stacks side by side</h1><p>%s</p><p>%s, %d rounds, took %s; %s</p>", html.EscapeString(r.Machine),
		r.Began.Format("2006-01-02 15:04 UTC"), r.Rounds, r.Took, r.Load)
	if r.Note != "" {
		fmt.Fprintf(&b, "<p><b>%s</b></p>", html.EscapeString(r.Note))
	}
	b.WriteString("<p>Bars are medians, lines go from the least to the most of all rounds.</p>")
	for i := range r.Results {
		res := &r.Results[i]
		fmt.Fprintf(&b, "<h2>%s <small>%s, %d core(s)</small></h2>", html.EscapeString(res.Title), res.Name, res.Cores)
		for _, m := range res.Metrics {
			res.plot(&b, m)
			for _, g := range m.Goals {
				if v, ok := res.judge(m, g); ok {
					class := "missed"
					if v.ok {
						class = "ok"
					}
					fmt.Fprintf(&b, `<p class="%s">%s</p>`, class, html.EscapeString(v.text))
				}
			}
		}
		for _, s := range res.Stacks {
			if e := res.Errors[s]; e != "" {
				fmt.Fprintf(&b, `<p class="missed">%s failed: %s</p>`, s, html.EscapeString(e))
			}
		}
	}
	return b.Bytes()
}

// plot draws one figure of all stacks.
func (r *result) plot(b *bytes.Buffer, m metric) {
	most := 0.0
	n := 0
	for _, s := range r.Stacks {
		if v, ok := r.spread(s, m.Key); ok {
			most = math.Max(most, v.most)
			n++
		}
	}
	if n == 0 || most == 0 {
		return
	}
	const left, width, row = 100, 620, 18
	fmt.Fprintf(b, `<svg width="860" height="%d" role="img"><text x="0" y="13" font-weight="600">%s</text>`, (n+1)*row+4, html.EscapeString(m.Key))
	y := row
	for _, s := range r.Stacks {
		v, ok := r.spread(s, m.Key)
		if !ok {
			continue
		}
		x := func(f float64) float64 { return left + f/most*width }
		fmt.Fprintf(b, `<text x="0" y="%d">%s</text><rect x="%d" y="%d" width="%.1f" height="12" fill="%s"/>`, y+13, s, left, y+3, x(v.median)-left, colors[s])
		fmt.Fprintf(b, `<path d="M%.1f %dH%.1f" stroke="#212529"/><text x="%.1f" y="%d">%.*f</text>`, x(v.least), y+9, x(v.most), x(v.most)+6, y+13, m.Digits, v.median)
		y += row
	}
	b.WriteString("</svg>")
}

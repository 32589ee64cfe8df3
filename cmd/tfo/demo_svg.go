package main

import (
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// Where things are in the drawing, in pixels.
const (
	svgWidth  = 860.0
	svgClient = 120.0 // the client's line
	svgServer = 740.0 // the server's
	svgMiddle = (svgClient + svgServer) / 2
	svgTrip   = 130.0 // down, for a round trip
	svgGap    = 0.9   // round trips of silence are drawn no longer than this
	svgNudge  = 22.0  // between packets that leave together
)

const svgStyle = `
  svg { color-scheme: light dark; font: 14px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
  .page { fill: #fff } .panel { fill: #f6f8fa; stroke: #d8dee4 }
  text { fill: #1f2328 } .faint { fill: #656d76; font-size: 12px } .time { fill: #656d76; font-size: 12px; font-variant-numeric: tabular-nums }
  .h1 { font-size: 20px; font-weight: 600 } .h2 { font-size: 16px; font-weight: 600 } .end { font-weight: 600 }
  .life { stroke: #afb8c1; stroke-width: 2 } .box { stroke: #bc4c00; stroke-width: 1.5; stroke-dasharray: 3 4 } .boxname { fill: #bc4c00; font-size: 12px }
  .ctl { stroke: #57606a } .data { stroke: #1a7f37 } .bare { stroke: #afb8c1 } .gone { stroke: #cf222e }
  .p { stroke-width: 1.8; fill: none } .head-ctl { fill: #57606a } .head-data { fill: #1a7f37 } .head-bare { fill: #afb8c1 }
  .t-data { fill: #1a7f37 } .t-gone { fill: #cf222e; font-size: 12px; font-weight: 600 } .t-bare { fill: #656d76 } .t-changed { fill: #9a6700; font-size: 12px } .dot { fill: #9a6700 }
  .won { fill: #1a7f37; font-weight: 600 } .lost { fill: #9a6700; font-weight: 600 } .never { fill: #cf222e; font-weight: 600 } .even { font-weight: 600 }
  .plain { stroke: #656d76; stroke-dasharray: 2 3 } .done { fill: #1a7f37 } .halo { paint-order: stroke; stroke: #f6f8fa; stroke-width: 5px; stroke-linejoin: round }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } .panel { fill: #161b22; stroke: #30363d }
    text { fill: #e6edf3 } .faint, .time, .t-bare { fill: #8d96a0 }
    .life { stroke: #484f58 } .box { stroke: #f0883e } .boxname { fill: #f0883e }
    .ctl { stroke: #9ea7b3 } .data { stroke: #3fb950 } .bare { stroke: #484f58 } .gone { stroke: #f85149 }
    .head-ctl { fill: #9ea7b3 } .head-data { fill: #3fb950 } .head-bare { fill: #484f58 }
    .t-data { fill: #3fb950 } .t-gone, .never { fill: #f85149 } .t-changed, .dot, .lost { fill: #d29922 }
    .won, .done { fill: #3fb950 } .plain { stroke: #8d96a0 } .halo { stroke: #161b22 }
  }`

// svg draws the three exchanges.
func (d *demo) svg(w io.Writer) error {
	var body strings.Builder
	y := 84.0
	for i, x := range d.exchanges[:3] {
		y = drawPanel(&body, x, i+1, y) + 24
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="%s">`+"\n<style>%s\n</style>\n",
		svgWidth, y, svgWidth, y, "Three exchanges with TCP Fast Open, packet by packet", svgStyle)
	b.WriteString("<defs>")
	for _, kind := range []string{"ctl", "data", "bare"} {
		fmt.Fprintf(&b, `<marker id="%s" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto" markerUnits="userSpaceOnUse"><path class="head-%s" d="M0 0.5 10 5 0 9.5z"/></marker>`, kind, kind)
	}
	fmt.Fprintf(&b, "</defs>\n<rect class=\"page\" width=\"100%%\" height=\"100%%\"/>\n")
	svgText(&b, 24, 38, "h1", "start", "TCP Fast Open, packet by packet")
	sub := "A client asks a server " + shortMillis(d.rtt) + " away, there and back, for a page."
	if d.loss > 0 {
		sub += " " + percent(d.loss) + " of the packets get lost."
	}
	svgText(&b, 24, 62, "faint", "start", sub)
	b.WriteString(body.String())
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// drawPanel draws an exchange from y on, and returns where it ends.
func drawPanel(b *strings.Builder, x *shown, number int, y float64) float64 {
	steps := x.visible()
	if len(steps) > ladderSteps {
		steps = steps[:ladderSteps]
	}
	top := y + 84
	at, end := heights(x, steps, top)
	bottom := end + 22
	height := bottom + 56 - y
	fmt.Fprintf(b, `<rect class="panel" x="12" y="%.0f" width="%.0f" height="%.0f" rx="10"/>`+"\n", y, svgWidth-24, height)
	svgText(b, 28, y+30, "h2", "start", fmt.Sprintf("%d  %s", number, x.title))
	svgText(b, svgClient, top-18, "end", "middle", "client")
	svgText(b, svgServer, top-18, "end", "middle", "server")
	for _, side := range []float64{svgClient, svgServer} {
		svgLine(b, "life", side, top-8, side, bottom)
	}
	if x.box.name != "none" {
		svgLine(b, "box", svgMiddle, top-8, svgMiddle, bottom)
		svgText(b, svgMiddle, top-18, "boxname", "middle", x.box.name+": "+x.box.what)
	}
	drawTimes(b, x, steps, at)
	last := map[[2]any]int{}
	done := at[x.answer]
	for _, st := range steps {
		together := [2]any{st.sent, st.toServer}
		down := float64(last[together]) * svgNudge
		drawPacket(b, st, at, down)
		last[together]++
		if !st.toServer && st.arrived == x.answer {
			done = at[st.arrived] + down
		}
	}
	if py, ok := at[x.plain]; ok && x.plain > 0 && x.plain != x.answer {
		svgLine(b, "plain", svgClient-14, py, svgClient+14, py)
		svgText(b, svgClient+20, py+4, "faint halo", "start", "plain TCP: "+shortMillis(x.plain))
	}
	if x.answer >= 0 {
		fmt.Fprintf(b, `<circle class="done" cx="%.0f" cy="%.1f" r="5"/>`+"\n", svgClient, done)
	}
	class, words := x.result()
	svgText(b, 28, bottom+32, class, "start", words)
	return y + height
}

// heights says where the moments of an exchange are, from top on, and where the
// last packet ends. Long silences are drawn shorter than they were.
func heights(x *shown, steps []step, top float64) (at map[time.Duration]float64, end float64) {
	moments := []time.Duration{0}
	count := map[[2]any]int{}
	for _, st := range steps {
		moments = append(moments, st.sent)
		if st.arrived >= 0 {
			moments = append(moments, st.arrived)
		} else {
			moments = append(moments, st.sent+x.rtt/4)
		}
		count[[2]any{st.sent, st.toServer}]++
	}
	if x.plain > 0 && x.plain < slices.Max(moments)+2*x.rtt {
		moments = append(moments, x.plain)
	}
	slices.Sort(moments)
	moments = slices.Compact(moments)
	at = map[time.Duration]float64{}
	y, before := top, time.Duration(0)
	for _, m := range moments {
		y += svgTrip * min(float64(m-before)/float64(x.rtt), svgGap)
		at[m], before = y, m
	}
	most := 1
	for _, n := range count {
		most = max(most, n)
	}
	return at, y + float64(most-1)*svgNudge
}

// drawTimes writes the moments beside the lines of those who live them.
func drawTimes(b *strings.Builder, x *shown, steps []step, at map[time.Duration]float64) {
	written := map[[2]any]bool{}
	write := func(client bool, m time.Duration) {
		if written[[2]any{client, m}] {
			return
		}
		written[[2]any{client, m}] = true
		if client {
			svgText(b, svgClient-12, at[m]+4, "time", "end", shortMillis(m))
		} else {
			svgText(b, svgServer+12, at[m]+4, "time", "start", shortMillis(m))
		}
	}
	silent := time.Duration(0)
	for _, st := range steps {
		if st.sent-silent > x.rtt*6/5 {
			svgText(b, svgMiddle, (at[silent]+at[st.sent])/2+18, "faint halo", "middle", shortMillis(st.sent-silent)+" of silence")
		}
		silent = st.sent
		if !st.fromBox {
			write(st.toServer, st.sent)
		}
		if st.arrived >= 0 {
			write(!st.toServer, st.arrived)
		}
	}
}

// drawPacket draws a packet on its way, down steps lower than it would be alone.
func drawPacket(b *strings.Builder, st step, at map[time.Duration]float64, down float64) {
	x1, x2 := svgClient, svgServer
	if !st.toServer {
		x1, x2 = x2, x1
	}
	y1 := at[st.sent] + down
	kind := "ctl"
	switch {
	case st.bytes > 0:
		kind = "data"
	case st.bare:
		kind = "bare"
	}
	if st.fromBox {
		x1 = svgMiddle
	}
	y2, class := at[st.arrived]+down, kind
	if st.arrived < 0 {
		// It gets to the middle, where the box is, and losses are drawn.
		x2, y2, class = svgMiddle, y1+svgTrip/4, "gone"
	}
	inset := math.Copysign(4, x2-x1)
	marker := fmt.Sprintf(` marker-end="url(#%s)"`, kind)
	if st.arrived < 0 {
		marker = ""
	}
	fmt.Fprintf(b, `<path class="p %s" d="M%.1f %.1fL%.1f %.1f"%s/>`+"\n", class, x1+inset, y1, x2-inset, y2, marker)
	// The words stand on the line, in the half where it begins.
	angle := math.Atan2((y2-y1)*math.Copysign(1, x2-x1), math.Abs(x2-x1)) * 180 / math.Pi
	where := 0.5
	if !st.fromBox && st.arrived >= 0 {
		where = 0.27
		if st.changed == "" {
			where = 0.5
		}
	}
	lx, ly := x1+(x2-x1)*where, y1+(y2-y1)*where-6
	text := "halo"
	if kind != "ctl" {
		text += " t-" + kind
	}
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f" text-anchor="middle" transform="rotate(%.2f %.1f %.1f)">%s</text>`+"\n", text, lx, ly, angle, lx, ly, html.EscapeString(st.label))
	switch {
	case st.arrived < 0:
		for _, s := range []float64{1, -1} {
			svgLine(b, "p gone", x2-6, y2-6*s, x2+6, y2+6*s)
		}
		fate, side, anchor := "lost", 14.0, "start"
		if st.eaten {
			fate = "dropped"
		}
		if !st.toServer {
			side, anchor = -14, "end"
		}
		svgText(b, x2+side, y2+4, "t-gone halo", anchor, fate)
	case st.changed != "":
		mx, my := svgMiddle, (y1+y2)/2
		fmt.Fprintf(b, `<path class="dot" d="M%.1f %.1fl6 6-6 6-6-6z"/>`+"\n", mx, my-6)
		svgText(b, mx, my+22, "t-changed halo", "middle", st.changed)
	}
}

// result is the verdict in a few words.
func (x *shown) result() (class, words string) {
	saved, known := x.saved()
	switch {
	case !known:
		return "never", "No answer."
	case saved > 0:
		return "won", fmt.Sprintf("Answer after %s instead of %s: %s saved.", shortMillis(x.answer), shortMillis(x.plain), shortMillis(saved))
	case saved < 0:
		return "lost", fmt.Sprintf("Answer after %s instead of %s: %s lost, this once.", shortMillis(x.answer), shortMillis(x.plain), shortMillis(-saved))
	}
	return "even", fmt.Sprintf("Answer after %s, as over plain TCP.", shortMillis(x.answer))
}

func svgText(b *strings.Builder, x, y float64, class, anchor, text string) {
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, html.EscapeString(text))
}

func svgLine(b *strings.Builder, class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(b, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", class, x1, y1, x2, y2)
}

package test_test

import (
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A curve is a series of a panel: one value for each step, or NaN for none.
type curve struct {
	name   string
	values []float64
}

// A drawing is a panel of the dashboard with what Prometheus answered.
type drawing struct {
	panel

	curves []curve
}

// Sizes in pixels. The grid of Grafana has 24 columns.
const (
	columnWidth = 62
	rowHeight   = 34
	panelGap    = 8
	titleHeight = 46
	axisWidth   = 56
)

func palette(i int) string {
	colors := []string{"#3b6fb6", "#e08e3a", "#5a9e6f", "#b5475d", "#8064a2", "#4bacc6", "#9c8036", "#d16ba5", "#6b7785", "#2f4b7c"}
	return colors[i%len(colors)]
}

// drawDashboard returns the panels as SVG, placed as Grafana places them.
func drawDashboard(title string, drawings []drawing, from, to time.Time) string {
	var s strings.Builder
	bottom := 0
	for _, d := range drawings {
		bottom = max(bottom, d.GridPos.Y+d.GridPos.H)
	}
	width, height := 24*columnWidth+panelGap, titleHeight+bottom*rowHeight+panelGap
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" font-family="sans-serif" font-size="12" fill="#222">`+"\n", width, height)
	fmt.Fprintf(&s, `<rect width="100%%" height="100%%" fill="#eef0f3"/><text x="12" y="30" font-size="18" font-weight="bold">%s</text>`+"\n", escaped(title))
	fmt.Fprintf(&s, `<text x="%d" y="30" text-anchor="end" fill="#666">%s to %s UTC</text>`+"\n", width-12, from.UTC().Format("2006-01-02 15:04:05"), to.UTC().Format("15:04:05"))
	for _, d := range drawings {
		g := d.GridPos
		fmt.Fprintf(&s, `<svg x="%d" y="%d">`, g.X*columnWidth+panelGap, titleHeight+g.Y*rowHeight)
		d.draw(&s, g.W*columnWidth-panelGap, g.H*rowHeight-panelGap, from, to)
		s.WriteString("</svg>\n")
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func (d drawing) draw(s *strings.Builder, width, height int, from, to time.Time) {
	fmt.Fprintf(s, `<rect width="%d" height="%d" rx="3" fill="#fff"/><text x="10" y="20" font-weight="bold">%s</text>`, width, height, escaped(d.Title))
	if d.Type == "stat" {
		text := "no data"
		if len(d.curves) > 0 {
			text = inUnit(last(d.curves[0].values), d.unit())
		}
		fmt.Fprintf(s, `<text x="%d" y="%d" text-anchor="middle" font-size="34" fill="#2f6b46">%s</text>`, width/2, height/2+24, escaped(text))
		return
	}
	legend := d.legend(s, width, height)
	top, right := 32, width-12
	bottom := height - legend - 20
	scale := d.scale()
	y := func(v float64) float64 { return float64(bottom) - v/scale*float64(bottom-top) }
	for i := range 5 {
		v := scale * float64(i) / 4
		fmt.Fprintf(s, `<path d="M%d %.1fH%d" stroke="#e3e6ea"/><text x="%d" y="%.1f" text-anchor="end" font-size="10" fill="#666">%s</text>`,
			axisWidth, y(v), right, axisWidth-6, y(v)+4, escaped(inUnit(v, d.unit())))
	}
	const marks = 4
	for i := range marks + 1 {
		at := from.Add(to.Sub(from) * time.Duration(i) / marks)
		fmt.Fprintf(s, `<text x="%d" y="%d" text-anchor="middle" font-size="10" fill="#666">%s</text>`,
			axisWidth+(right-axisWidth-14)*i/marks+7, bottom+14, at.UTC().Format("15:04:05"))
	}
	below := map[int]float64{}
	for i, c := range d.curves {
		color := palette(i)
		x := func(step int) float64 {
			return float64(axisWidth) + float64(right-axisWidth)*float64(step)/float64(max(1, len(c.values)-1))
		}
		if !d.stacked() {
			fmt.Fprintf(s, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/>`, line(c.values, x, y), color)
			continue
		}
		fmt.Fprintf(s, `<path d="%s" fill="%s" fill-opacity="0.55" stroke="%[2]s"/>`, area(c.values, below, x, y), color)
	}
	if len(d.curves) == 0 {
		fmt.Fprintf(s, `<text x="%d" y="%d" text-anchor="middle" fill="#888">nothing in this time</text>`, width/2, height/2)
	}
}

// legend draws the names of the curves at the bottom and returns its height.
func (d drawing) legend(s *strings.Builder, width, height int) int {
	const charWidth, lineHeight = 6, 15
	type entry struct{ x, row int }
	entries, x, row := []entry{}, 12, 0
	for _, c := range d.curves {
		w := 22 + charWidth*len(c.name)
		if x+w > width-8 && x > 12 {
			x, row = 12, row+1
		}
		entries = append(entries, entry{x, row})
		x += w
	}
	for i, e := range entries {
		y := height - 8 - (row-e.row)*lineHeight
		fmt.Fprintf(s, `<rect x="%d" y="%d" width="9" height="9" fill="%s"/><text x="%d" y="%d" font-size="10.5">%s</text>`,
			e.x, y-8, palette(i), e.x+13, y, escaped(d.curves[i].name))
	}
	return (row + 1) * lineHeight
}

// scale returns the upper end of the axis: a round number.
func (d drawing) scale() float64 {
	top := 0.0
	sums := map[int]float64{}
	for _, c := range d.curves {
		for i, v := range c.values {
			if math.IsNaN(v) {
				continue
			}
			sums[i] += v
			if !d.stacked() {
				sums[i] = v
			}
			top = max(top, sums[i])
		}
	}
	if top == 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(top)))
	for _, f := range []float64{1, 2, 4, 5, 8} {
		if top <= f*unit {
			return f * unit
		}
	}
	return 10 * unit
}

// line returns the path of a curve, with gaps where it has no value.
func line(values []float64, x func(int) float64, y func(float64) float64) string {
	var s strings.Builder
	move := byte('M')
	for i, v := range values {
		if math.IsNaN(v) {
			move = 'M'
			continue
		}
		fmt.Fprintf(&s, "%c%.1f %.1f", move, x(i), y(v))
		move = 'L'
	}
	return s.String()
}

// area returns the path around what a curve adds to those below it.
func area(values []float64, below map[int]float64, x func(int) float64, y func(float64) float64) string {
	var up, down strings.Builder
	for i, v := range values {
		if math.IsNaN(v) {
			v = 0
		}
		fmt.Fprintf(&up, "%c%.1f %.1f", "ML"[min(i, 1)], x(i), y(below[i]+v))
		below[i] += v
	}
	for i, v := range slices.Backward(values) {
		if math.IsNaN(v) {
			v = 0
		}
		fmt.Fprintf(&down, "L%.1f %.1f", x(i), y(below[i]-v))
	}
	return up.String() + down.String() + "Z"
}

// last returns the last number of the values.
func last(values []float64) float64 {
	for _, v := range slices.Backward(values) {
		if !math.IsNaN(v) {
			return v
		}
	}
	return math.NaN()
}

// inUnit writes a value as Grafana does with its units.
func inUnit(v float64, unit string) string {
	short := func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
	switch unit {
	case "percentunit":
		return short(100*v) + " %"
	case "reqps":
		return short(v) + "/s"
	case "bytes":
		return short(v/(1<<20)) + " MiB"
	case "s":
		switch {
		case v == 0:
			return "0 s"
		case v < 0.001:
			return short(1e6*v) + " µs"
		case v < 1:
			return short(1000*v) + " ms"
		case v < 600:
			return short(v) + " s"
		case v < 2*86400:
			return short(v/60) + " min"
		}
		return fmt.Sprintf("%.0f days", v/86400)
	}
	if v == math.Trunc(v) && v < 1e6 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return short(v)
}

func escaped(text string) string {
	var s strings.Builder
	if err := xml.EscapeText(&s, []byte(text)); err != nil {
		return ""
	}
	return s.String()
}

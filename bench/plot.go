package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// A chart has a horizontal bar for each value, which may consist of parts.
type chart struct {
	title string
	unit  string
	parts []string // their names; one part needs no name
	bars  []bar
}

type bar struct {
	label string
	parts []float64
}

func (b bar) sum() (sum float64) {
	for _, v := range b.parts {
		sum += v
	}
	return sum
}

// Sizes in pixels.
const (
	chartWidth  = 760
	labelWidth  = 210
	valueWidth  = 80 // behind the longest bar
	barHeight   = 16
	barDistance = 24
	topHeight   = 52 // title and legend
)

// svg returns the chart as SVG. It has its own background, since a page may be dark.
func (c chart) svg() string {
	colors := []string{"#3b6fb6", "#e08e3a", "#5a9e6f"}
	height := topHeight + barDistance*len(c.bars) + 8
	longest := math.SmallestNonzeroFloat64
	for _, b := range c.bars {
		longest = max(longest, b.sum())
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" font-family="sans-serif" font-size="13" fill="#222">`+"\n",
		chartWidth, height)
	fmt.Fprintf(&s, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	fmt.Fprintf(&s, `<text x="8" y="20" font-size="15" font-weight="bold">%s</text>`+"\n", escape(c.title+", "+c.unit))
	x := labelWidth
	for i, name := range c.parts {
		fmt.Fprintf(&s, `<rect x="%d" y="32" width="12" height="12" fill="%s"/><text x="%d" y="43">%s</text>`+"\n", x, colors[i], x+18, escape(name))
		x += 120
	}
	for i, b := range c.bars {
		top := topHeight + barDistance*i
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelWidth-8, top+13, escape(b.label))
		left := float64(labelWidth)
		for j, v := range b.parts {
			width := v / longest * (chartWidth - labelWidth - valueWidth)
			fmt.Fprintf(&s, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`, left, top, width, barHeight, colors[j])
			left += width
		}
		fmt.Fprintf(&s, `<text x="%.1f" y="%d">%s</text>`+"\n", left+6, top+13, number(b.sum()))
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder does not fail
	return b.String()
}

package main

import (
	"errors"
	"strconv"
	"strings"
)

// percentage is the value of a flag that takes a percentage: "5" or "0.5%".
type percentage float64

func (p *percentage) Set(text string) error {
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(n >= 0 && n <= 50) {
		return errors.New("write a percentage from 0 to 50, such as 2.5")
	}
	*p = percentage(n)
	return nil
}

func (p *percentage) String() string { return strconv.FormatFloat(float64(*p), 'f', -1, 64) }

func (p *percentage) Type() string { return "percent" }

package main

import (
	"encoding/json"
	"io"
	"time"
)

// view is what an admin command found. Its fields are the JSON that --json prints; write
// shows it to people.
type view interface {
	// write draws for a terminal of the given width; 0 means any width.
	write(out io.Writer, width int) error
}

// show prints a view in the form that was asked for.
func show(c *console, v view, asJSON bool) error {
	if !asJSON {
		return v.write(c.out, c.width)
	}
	encoder := json.NewEncoder(c.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// moment is a point of calendar time. It is shown as RocketMQ's tools do, in JSON as
// milliseconds since 1970; 0 is no time.
type moment int64

// momentLayout is that of RocketMQ's logs and tools.
const momentLayout = "2006-01-02 15:04:05,000"

// String is empty for no time.
func (m moment) String() string {
	if m == 0 {
		return ""
	}
	return time.UnixMilli(int64(m)).Format(momentLayout)
}

// orDash shows that there is no value.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/gantrymq/gantry/cmd/gantry/table"
)

// doctorView is the answer of doctor.
type doctorView struct {
	Errors   int            `json:"errors"`
	Warnings int            `json:"warnings"`
	Findings []findingEntry `json:"findings"`
}

type findingEntry struct {
	Level level  `json:"level"` // ok, skipped, warning or error
	Check string `json:"check"`
	What  string `json:"what"`
	Fix   string `json:"fix,omitempty"`
}

func newDoctorView(found []finding) *doctorView {
	v := &doctorView{Findings: []findingEntry{}}
	for _, f := range found {
		switch f.level {
		case broken:
			v.Errors++
		case warning:
			v.Warnings++
		}
		v.Findings = append(v.Findings, findingEntry{f.level, f.check, f.what, f.fix})
	}
	return v
}

func (v *doctorView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Result", "Check", "Finding")}
	for _, f := range v.Findings {
		t.Add(string(f.Level), f.Check, f.What)
		if f.Fix != "" {
			t.Add("", "", "to fix it: "+f.Fix)
		}
	}
	if err := t.Write(out, width); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%s\n", v.summary())
	return err
}

func (v *doctorView) summary() string {
	if v.Errors+v.Warnings == 0 {
		return "nothing is wrong"
	}
	return count(v.Errors, "error") + ", " + count(v.Warnings, "warning")
}

// count is a number of things.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return number(n) + " " + thing
}

// errUnwell: the doctor has found something.
var errUnwell = errors.New("the cluster is not well")

// verdict is the exit code.
func (v *doctorView) verdict() error {
	cause := fmt.Errorf("%w: %s", errUnwell, v.summary())
	switch {
	case v.Errors > 0:
		return &failure{cause: cause, code: exitFailed}
	case v.Warnings > 0:
		return &failure{cause: cause, code: exitPartly}
	}
	return nil
}

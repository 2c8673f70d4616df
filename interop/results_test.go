//go:build interop

package interop_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// row is a capability, a line of the table in README.md.
type row string

// verdict is what the tests of one row found for one column.
type verdict struct {
	Column string `json:"column"`
	Row    row    `json:"row"`
	Result string `json:"result"` // "yes", "no", or "skipped"
	Test   string `json:"test"`   // one that gave the result
}

// results are those of this run.
var results struct {
	mutex    sync.Mutex
	verdicts []verdict
}

// covers notes, when the test ends, whether a capability works. If several tests show it, each must pass.
func covers(t *testing.T, column string, rows ...row) {
	t.Helper()
	t.Cleanup(func() {
		result := "yes"
		switch {
		case t.Failed():
			result = "no"
		case t.Skipped():
			result = "skipped"
		}
		results.mutex.Lock()
		defer results.mutex.Unlock()
		for _, r := range rows {
			results.verdicts = append(results.verdicts, verdict{column, r, result, t.Name()})
		}
	})
}

// resultsFile has one verdict a line. A run replaces those that it has new ones for.
const resultsFile = "results/results.jsonl"

// saveResults is called once, after all tests.
func saveResults() error {
	if len(results.verdicts) == 0 {
		return nil
	}
	all, err := loadResults()
	if err != nil {
		return err
	}
	fresh := merged(results.verdicts)
	for key, v := range fresh {
		all[key] = v
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, v := range slices.SortedFunc(valuesOf(all), compareVerdicts) {
		if err := encoder.Encode(v); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(resultsFile), 0o755); err != nil {
		return err
	}
	// A run that is killed leaves either file, not half of one.
	if err := os.WriteFile(resultsFile+".new", text.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(resultsFile+".new", resultsFile)
}

type cell struct {
	column string
	row    row
}

// merged takes the worst of several verdicts on the same: "no" before "yes" before "skipped".
func merged(verdicts []verdict) map[cell]verdict {
	weight := map[string]int{"skipped": 0, "yes": 1, "no": 2}
	all := map[cell]verdict{}
	for _, v := range verdicts {
		key := cell{v.Column, v.Row}
		if before, found := all[key]; !found || weight[v.Result] > weight[before.Result] {
			all[key] = v
		}
	}
	return all
}

func valuesOf(all map[cell]verdict) func(func(verdict) bool) {
	return func(yield func(verdict) bool) {
		for _, v := range all {
			if !yield(v) {
				return
			}
		}
	}
}

func compareVerdicts(a, b verdict) int {
	return cmp.Or(cmp.Compare(a.Column, b.Column), cmp.Compare(a.Row, b.Row))
}

func loadResults() (map[cell]verdict, error) {
	text, err := os.ReadFile(resultsFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all := map[cell]verdict{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var v verdict
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return nil, fmt.Errorf("%s: %w", resultsFile, err)
		}
		all[cell{v.Column, v.Row}] = v
	}
	return all, nil
}

var rewriteTable = flag.Bool("table", false, "write the results of the last run into README.md")

const (
	tableBegin = "<!-- table: written by `make interop-table` from the results of a run; do not edit -->\n"
	tableEnd   = "<!-- end of the table -->"
)

// TestTheTableIsWrittenFromTheResults does nothing without -table.
func TestTheTableIsWrittenFromTheResults(t *testing.T) {
	if !*rewriteTable {
		t.Skip("-table is not given")
	}
	all, err := loadResults()
	require.NoError(t, err)
	require.NotEmpty(t, all, "run the tests first")
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), tableBegin)
	require.True(t, found, "README.md has no line %s", tableBegin)
	_, after, found := strings.Cut(rest, tableEnd)
	require.True(t, found, "README.md has no line %s", tableEnd)
	require.NoError(t, os.WriteFile("README.md", []byte(before+tableBegin+table(all)+tableEnd+after), 0o644))
}

// table is in Markdown. A dash is what no test looks at.
func table(all map[cell]verdict) string {
	var text strings.Builder
	text.WriteString("| Capability |")
	for _, c := range columns {
		text.WriteString(" " + c.title + " |")
	}
	text.WriteString("\n| --- |" + strings.Repeat(" --- |", len(columns)) + "\n")
	for _, r := range rowsInOrder(all) {
		fmt.Fprintf(&text, "| %s |", r)
		for _, c := range columns {
			text.WriteString(" " + cmp.Or(all[cell{c.name, r}].Result, "–") + " |")
		}
		text.WriteString("\n")
	}
	return text.String()
}

// rowsInOrder are the known rows in the order of the list, and after them any others.
func rowsInOrder(all map[cell]verdict) []row {
	rows := slices.Clone(allRows)
	for _, v := range slices.SortedFunc(valuesOf(all), compareVerdicts) {
		if !slices.Contains(rows, v.Row) {
			rows = append(rows, v.Row)
		}
	}
	return rows
}

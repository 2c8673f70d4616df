package chaos_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/cmd/gantry/table"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// figures are all outcomes of a run, by fault.
type figures struct {
	rows []*row
	bar  *progressbar.ProgressBar // nil where there is no terminal
}

// row is what one fault did, as scripts get it. Times are in milliseconds.
type row struct {
	Fault   string   `json:"fault"`
	Brokers int      `json:"brokers"`
	Runs    int      `json:"runs"`
	Median  int64    `json:"medianMillis"`
	Worst   int64    `json:"worstMillis"`
	Pause   int64    `json:"worstPauseMillis"`
	Failed  int      `json:"sendsFailedWithoutRetries"`
	GaveUp  int      `json:"sendsFailedWithRetries"`
	Lost    int      `json:"acknowledgedLost"`
	Twice   int      `json:"duplicated"`
	All     []int64  `json:"allMillis"`
	Loads   []string `json:"loads"`   // of the machine, before each
	Load    float64  `json:"topLoad"` // the highest of them
}

func newFigures(rounds int) *figures {
	f := &figures{}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		f.bar = progressbar.NewOptions(rounds, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowCount(), progressbar.OptionSetDescription("faults"))
	}
	return f
}

// add counts an outcome and shows that there is progress.
func (f *figures) add(o outcome, out io.Writer) {
	i := slices.IndexFunc(f.rows, func(r *row) bool { return r.Fault == o.fault && r.Brokers == o.copies })
	if i < 0 {
		i = len(f.rows)
		f.rows = append(f.rows, &row{Fault: o.fault, Brokers: o.copies})
	}
	f.rows[i].add(o)
	if f.bar != nil {
		f.bar.Describe(o.fault)
		// The bar is for show.
		_ = f.bar.Add(1)
		return
	}
	fmt.Fprintf(out, "%s %v\n", time.Now().Format(time.TimeOnly), o)
}

func (r *row) add(o outcome) {
	r.Runs++
	r.All = append(r.All, o.failOver.Milliseconds())
	sorted := slices.Sorted(slices.Values(r.All))
	r.Median, r.Worst = (sorted[(len(sorted)-1)/2]+sorted[len(sorted)/2])/2, sorted[len(sorted)-1]
	r.Pause = max(r.Pause, o.pause.Milliseconds())
	r.Failed, r.GaveUp, r.Lost, r.Twice = r.Failed+o.failed, r.GaveUp+o.gaveUp, r.Lost+o.lost, r.Twice+o.twice
	r.Loads = append(r.Loads, o.load)
	if load, err := strconv.ParseFloat(o.load, 64); err == nil {
		r.Load = max(r.Load, load)
	}
}

// write draws the table.
func (f *figures) write(out *os.File) error {
	if f.bar != nil {
		_ = f.bar.Finish()
		fmt.Fprintln(os.Stderr)
	}
	t := table.Table{Columns: table.Columns("fault", ">brokers", ">runs", ">median ms", ">worst ms", ">pause ms", ">failed", ">gave up", ">lost", ">twice", ">top load")}
	for _, r := range f.rows {
		t.Add(r.Fault, fmt.Sprint(r.Brokers), fmt.Sprint(r.Runs), fmt.Sprint(r.Median), fmt.Sprint(r.Worst), fmt.Sprint(r.Pause),
			fmt.Sprint(r.Failed), fmt.Sprint(r.GaveUp), fmt.Sprint(r.Lost), fmt.Sprint(r.Twice), fmt.Sprintf("%.1f", r.Load))
	}
	width, _, err := term.GetSize(int(out.Fd()))
	if err != nil {
		width = 0 // it is no terminal: rows are as long as they need
	}
	return t.Write(out, width)
}

// save writes the figures for scripts.
func (f *figures) save(path string) error {
	text, err := json.MarshalIndent(f.rows, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

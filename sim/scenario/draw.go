package scenario

import (
	"fmt"
	"time"

	"github.com/gantrymq/gantry/sim"
)

// Setting is one option of a run, as it was drawn.
type Setting struct{ Name, Value string }

// draw makes options from the seed and remembers them. Each option has a stream of its own, so a new
// one does not change the others.
type draw struct {
	random   *sim.Stream
	settings []Setting
}

func (d *draw) note(name string, value any) {
	d.settings = append(d.settings, Setting{name, fmt.Sprint(value)})
}

func (d *draw) number(name string, low, high int64) int64 {
	n := d.random.Derive(name).Between(low, high)
	d.note(name, n)
	return n
}

func (d *draw) duration(name string, low, high time.Duration) time.Duration {
	n := time.Duration(d.random.Derive(name).Between(int64(low), int64(high))).Round(time.Microsecond)
	d.note(name, n)
	return n
}

func (d *draw) chance(name string, probability float64) bool {
	b := d.random.Derive(name).Chance(probability)
	d.note(name, b)
	return b
}

// share draws how often something happens: never in half of the runs, otherwise up to most.
func (d *draw) share(name string, most float64) float64 {
	own := d.random.Derive(name)
	value := 0.0
	if own.Chance(0.5) {
		value = float64(own.Between(1, 100)) / 100 * most
	}
	d.settings = append(d.settings, Setting{name, fmt.Sprintf("%.3f", value)})
	return value
}

package chaos_test

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// plan is which faults are made, in groups of so many brokers.
type plan struct {
	copies int
	faults []fault
}

// How often faults are repeated in each group. Each of the others comes between two kills, so that the state they leave is met, too.
const (
	killsShort  = 15
	killsWhole  = 20
	othersWhole = 2
)

func plans(scale string) []plan {
	if scale == "short" {
		return []plan{{2, repeat(killMaster, killsShort)}, {3, repeat(killMaster, killsShort)}}
	}
	var list []plan
	for _, copies := range []int{2, 3} {
		var others []fault
		for range othersWhole {
			others = append(others, otherFaults...)
		}
		list = append(list, plan{copies, alternate(repeat(killMaster, killsWhole), others)})
	}
	return list
}

func repeat(f fault, times int) (list []fault) {
	for range times {
		list = append(list, f)
	}
	return list
}

func alternate(a, b []fault) (list []fault) {
	for i := range max(len(a), len(b)) {
		list = append(list, a[min(i, len(a)):min(i+1, len(a))]...)
		list = append(list, b[min(i, len(b)):min(i+1, len(b))]...)
	}
	return list
}

func TestChaos(t *testing.T) {
	if scale() == "" {
		t.Skip("breaks processes in network namespaces, as root: make chaos runs it")
	}
	require.Contains(t, []string{"short", "whole"}, scale(), "GANTRY_CHAOS")
	rounds := 0
	for _, p := range plans(scale()) {
		rounds += len(p.faults)
	}
	f := newFigures(rounds)
	var err error
	for _, p := range plans(scale()) {
		err = errors.Join(err, p.run(f))
	}
	require.NoError(t, f.write(os.Stdout))
	if *resultsFile != "" {
		require.NoError(t, f.save(*resultsFile))
	}
	require.NoError(t, err)
}

// run starts a group, makes all faults of the plan, and judges the whole.
func (p plan) run(f *figures) (err error) {
	n, directory := surroundings()
	g, err := startGroup(n, directory, p.copies)
	if g != nil {
		defer func() { err = errors.Join(err, g.close()) }()
		defer func() {
			if err != nil {
				g.tell(os.Stdout)
			}
		}()
	}
	if err != nil {
		return err
	}
	c, err := connect(g)
	if err != nil {
		return err
	}
	j, err := newJudge()
	if err != nil {
		return err
	}
	c.run()
	err = p.playAll(f, g, c, j)
	return errors.Join(err, c.close(), j.close())
}

// playAll ends with the first broken promise. A fail-over that took too long is told at the end: what comes after it counts, too.
func (p plan) playAll(f *figures, g *group, c *clients, j *judge) (slow error) {
	for _, fault := range p.faults {
		o, err := play(g, c, j, fault)
		f.add(o, os.Stdout)
		if err != nil {
			return err
		}
		slow = errors.Join(slow, fault.tooSlow(o))
		if err := o.broken(); err != nil {
			return errors.Join(slow, err)
		}
	}
	c.work.Lock()
	defer c.work.Unlock()
	return errors.Join(slow, j.last(c))
}

package broker

import "github.com/gantrymq/gantry/node/measure"

// repeatReading is what monitoring is told of repeats.
type repeatReading struct {
	known, below, refused, pushed int64
	producers, sends              int
}

func (p *repeats) read() repeatReading {
	return repeatReading{p.known, p.below, p.refused, p.table.Pushed(), p.table.Producers(), p.table.Sends()}
}

func (r repeatReading) show(s *measure.Snapshot) {
	s.Add(metricRepeatsKnown, float64(r.known))
	s.Add(metricRepeatsBelow, float64(r.below))
	s.Add(metricRepeatsRefuse, float64(r.refused))
	s.Add(metricRepeatsPushed, float64(r.pushed))
	s.Add(metricRepeatsOf, float64(r.producers))
	s.Add(metricRepeatsSends, float64(r.sends))
}

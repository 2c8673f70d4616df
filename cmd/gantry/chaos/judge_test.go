package chaos_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env/osenv"
	"github.com/gantrymq/gantry/sim/oracle"
)

// judge reads the queues when nothing is broken and nobody works, and compares them with what was recorded.
type judge struct {
	consumer *client.PullConsumer
	world    *osenv.World
	logs     map[string]linearizability.Log
	times    map[linearizability.Hash]int // how often a message is there
	whole    linearizability.History      // of all rounds
	open     linearizability.History      // sends of the last round without an answer
}

func newJudge() (*judge, error) {
	world, err := osenv.New(osenv.Options{Node: "judge"})
	if err != nil {
		return nil, err
	}
	consumer, err := client.NewPullConsumer(world.Env, client.WithNameServers(addresses(namePort)), client.WithGroup("judge"), client.WithHold(0))
	return &judge{consumer: consumer, world: world, logs: map[string]linearizability.Log{}, times: map[linearizability.Hash]int{}}, err
}

func (j *judge) close() error {
	err := j.consumer.Close(context.Background())
	j.world.Wait()
	return err
}

// round reads what came since the last round, and judges what clients saw meanwhile.
func (j *judge) round(c *clients) (lost, twice int, err error) {
	history := c.recorder.History()
	c.recorder = linearizability.Recorder{}
	j.whole = append(j.whole, history...)
	for _, queue := range c.queues {
		log := j.logs[queue.String()]
		log.Start = int64(len(log.Entries))
		if err := j.read(queue, &log); err != nil {
			return 0, 0, err
		}
		j.logs[queue.String()] = log
		for _, entry := range log.Entries[log.Start:] {
			if j.times[entry.Hash]++; j.times[entry.Hash] == 2 {
				twice++
			}
		}
	}
	// What was sent in the last round and not answered may have come late.
	messages := append(j.open, onlyMessages(history)...)
	j.open = unanswered(history)
	if c.broken != nil {
		return j.lost(history), twice, c.broken
	}
	err = oracle.History(messages, j.logs)
	if err != nil {
		err = fmt.Errorf("%w%s", err, j.unexplained(messages, c))
	}
	clear(c.refusals)
	return j.lost(history), twice, err
}

// unexplained tells, of entries that no send can have made, what their senders were told.
func (j *judge) unexplained(history linearizability.History, c *clients) string {
	var text strings.Builder
	for _, queue := range c.queues {
		log := j.logs[queue.String()]
		for _, entry := range log.Entries[log.Start:] {
			told := slices.DeleteFunc(slices.Clone(history), func(o linearizability.Operation) bool {
				return o.Kind != linearizability.KindSend || o.Hash != entry.Hash || o.Queue != queue.String()
			})
			if len(told) == 0 || told[0].Outcome == linearizability.OutcomeRefused {
				fmt.Fprintf(&text, "; offset %d of %v: %v, whose sender was told: %v", entry.Offset, queue, told, c.refusals[entry.Hash])
			}
		}
	}
	return text.String()
}

// lost counts what was acknowledged and is not there.
func (j *judge) lost(history linearizability.History) (lost int) {
	for _, o := range history {
		if o.Kind == linearizability.KindSend && o.Outcome == linearizability.OutcomeDone && j.times[o.Hash] == 0 {
			lost++
		}
	}
	return lost
}

// onlyMessages leaves out offsets, which began before the round.
func onlyMessages(history linearizability.History) (kept linearizability.History) {
	for _, o := range history {
		if o.Kind == linearizability.KindSend || o.Kind == linearizability.KindRead {
			kept = append(kept, o)
		}
	}
	return kept
}

func unanswered(history linearizability.History) (kept linearizability.History) {
	for _, o := range history {
		if o.Kind == linearizability.KindSend && o.Outcome == linearizability.OutcomeUnknown {
			kept = append(kept, o)
		}
	}
	return kept
}

// last reads everything once more, and judges the whole history.
func (j *judge) last(c *clients) error {
	// Clients were at work since the last round.
	j.whole = append(j.whole, c.recorder.History()...)
	logs := map[string]linearizability.Log{}
	for _, queue := range c.queues {
		var log linearizability.Log
		if err := j.read(queue, &log); err != nil {
			return err
		}
		logs[queue.String()] = log
	}
	// Of so many operations a search does not end in time. Each round had its own.
	return oracle.CrowdedHistory(j.whole, logs)
}

// read reads a queue from where a log ends to where the master says that it ends.
func (j *judge) read(queue client.Queue, log *linearizability.Log) error {
	for until := time.Now().Add(wholeWithin); ; time.Sleep(50 * time.Millisecond) {
		err := j.readOn(queue, log)
		if err == nil || time.Now().After(until) {
			return err
		}
	}
}

func (j *judge) readOn(queue client.Queue, log *linearizability.Log) error {
	ctx := context.Background()
	end, err := j.consumer.MaxOffset(ctx, queue)
	if err != nil {
		return fmt.Errorf("%v: nothing is broken, and nobody says where it ends: %w", queue, err)
	}
	for next := client.QueueOffset(len(log.Entries)); next < end; {
		result, err := j.consumer.Pull(ctx, queue, next, 32)
		if err != nil {
			return fmt.Errorf("%v: nothing is broken, and it cannot be read at %d: %w", queue, next, err)
		}
		if len(result.Messages) == 0 {
			return fmt.Errorf("%v: it ends at %d, and a pull from %d brings nothing: %v", queue, end, next, result)
		}
		for _, m := range result.Messages {
			if err := oracle.Intact(&m.Message); err != nil {
				return fmt.Errorf("%v at %d: %w", queue, m.Offset, err)
			}
			log.Entries = append(log.Entries, linearizability.Entry{Offset: int64(m.Offset), Hash: linearizability.HashOf(m.Body)})
		}
		next = result.Next
	}
	return nil
}

package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/sim/cluster"
	"github.com/gantrymq/gantry/transport/message"
)

// storedRecord is a record of a broker's log.
type storedRecord struct {
	identity string // "": it has none, so it is a copy, or was sent without
	log      message.LogOffset
	place    string // as answers tell it
	hash     linearizability.Hash
}

// scan reads the whole log of a broker, whatever queues show of it.
func (d *dedupRun) scan(n *cluster.Node) (found []*storedRecord) {
	b, done := n.Broker(), false
	if b == nil {
		d.failLiveness("nothing is broken, and %s does not run", n)
		return nil
	}
	n.Machine.Node("scan", ".").Tasks.Go("scan", func() {
		defer func() { done = true }()
		follower := b.Store().Follow("the oracle", b.Store().Start())
		defer follower.Close()
		for follower.Behind() > 0 {
			records, err := follower.Next()
			if err != nil {
				d.failSafety("the log of %s cannot be read: %v", n, err)
				return
			}
			for i := range records {
				found = append(found, storedAs(&records[i].Record))
			}
		}
	})
	if !d.await(serveWithin, func() bool { return done }) {
		d.failLiveness("the log of %s cannot be read within %s", n, serveWithin)
	}
	return found
}

func storedAs(r *message.Record) *storedRecord {
	return &storedRecord{
		identity: message.PropertyString(r.Properties, message.PropertySent), log: r.LogOffset, hash: linearizability.HashOf(r.Body),
		place: fmt.Sprintf("%s queue %d at %d", r.OffsetID(), r.QueueID, r.QueueOffset),
	}
}

// judgeIdentities: no message of a producer is stored twice, at whatever broker, and no copy counts as one.
func (d *dedupRun) judgeIdentities(logs map[string][]*storedRecord) {
	first := map[string]string{}
	for _, n := range d.cluster.Brokers {
		for _, r := range logs[n.String()] {
			if r.identity == "" {
				continue
			}
			place := fmt.Sprintf("%s %s", n, r.place)
			if known, twice := first[r.identity]; twice {
				d.failSafety("message %s is stored twice: %s, and %s", r.identity, known, place)
			}
			first[r.identity] = place
		}
	}
}

// judgeMessage: what was acknowledged is where the answer says, and what the library has sent, however often, is stored once.
func (d *dedupRun) judgeMessage(o *onceMessage, logs map[string][]*storedRecord) {
	hash := linearizability.HashOf(o.m.Body)
	var originals []*storedRecord
	for _, n := range d.cluster.Brokers {
		for _, r := range logs[n.String()] {
			if r.hash == hash && r.identity != "" {
				originals = append(originals, r)
			}
		}
	}
	if len(originals) > 1 {
		d.failSafety("%v is stored as %s and as %s", o.m, originals[0].identity, originals[1].identity)
	}
	for _, result := range o.answered {
		d.judgeAnswer(o, result, originals)
	}
}

func (d *dedupRun) judgeAnswer(o *onceMessage, result client.SendResult, originals []*storedRecord) {
	id, err := message.ParseOffsetID(result.OffsetID)
	switch {
	case err != nil:
		d.failSafety("%v was acknowledged as %v: %v", o.m, result, err)
	case len(originals) == 0:
		d.failSafety("%v was acknowledged as %v, and is not there", o.m, result)
	case originals[0].log != id.LogOffset:
		d.failSafety("%v was acknowledged as %v, and stands at %d", o.m, result, originals[0].log)
	}
}

// judge: all messages of a send that was answered stand where all its answers say.
func (m *repeater) judge(logs map[string][]*storedRecord) {
	stored := map[string]string{}
	for _, r := range logs[m.to.String()] {
		if sequence, own := strings.CutPrefix(r.identity, m.id+"-"); own {
			stored[sequence] = r.place
		}
	}
	for _, h := range m.sends {
		if h.place == "" {
			continue
		}
		ids, rest, _ := strings.Cut(h.place, " ")
		if place := stored[fmt.Sprint(h.sequence)]; place != strings.Split(ids, ",")[0]+" "+rest {
			m.d.failSafety("sequence %d of %s was answered with %s, and is at %q", h.sequence, m.id, h.place, place)
		}
		for n, id := range strings.Split(ids, ",") {
			if place := stored[fmt.Sprint(h.sequence+n)]; !strings.HasPrefix(place, id+" ") {
				m.d.failSafety("sequence %d of %s was answered with %s, and message %d is at %q", h.sequence, m.id, h.place, n, place)
			}
		}
	}
}

// markParted notices a batch that does not stand in one piece: a crash had left the first messages of it, and the repeat has brought the others.
func (d *dedupRun) markParted(list []*onceMessage, logs map[string][]*storedRecord) {
	own := map[linearizability.Hash]bool{}
	for _, o := range list {
		own[linearizability.HashOf(o.m.Body)] = true
	}
	// order does not matter: the batch is in one of the logs
	for _, records := range logs {
		first := slices.IndexFunc(records, func(r *storedRecord) bool { return own[r.hash] })
		if first >= 0 && first+len(list) <= len(records) && slices.ContainsFunc(records[first:first+len(list)], func(r *storedRecord) bool { return !own[r.hash] }) {
			d.kernel.Mark("a batch that a crash has parted was completed")
		}
	}
}

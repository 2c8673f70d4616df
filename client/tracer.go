package client

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/transport/proto"
	"go.uber.org/zap"
)

// tracer sends message traces in the background (class AsyncTraceDispatcher). It never holds up what it tells of: if it cannot keep
// up, records are lost, and counted.
type tracer struct {
	env     env.Env
	options TraceOptions
	space   namespace     // of what it tells of
	inner   *Producer     // sends the records; it is not traced itself
	records []traceRecord // len <= traceRecordsMax
	oldest  env.Instant   // when the first of them came
	lost    int           // since the last complaint
	sending int           // messages under way; <= tracesUnderWayMax
	closing bool
	changed env.Cond
	tasks   *env.Group
}

const (
	traceRecordsMax   = 2048
	traceAgeMax       = 5 * time.Second // then few records go as well
	traceSendTimeout  = 5 * time.Second
	tracesUnderWayMax = 16
)

// startTracer makes the tracer of a new producer or consumer.
func startTracer(e env.Env, outer *config, kind traceOf) (*tracer, error) {
	inner, err := newProducer(e, traceConfig(outer, kind))
	if err != nil {
		return nil, err
	}
	call, err := e.Door.Enter(context.Background())
	if err != nil {
		return nil, err
	}
	defer call.Leave()
	t := &tracer{env: e, options: outer.trace.withDefaults(), space: outer.space, inner: inner, changed: e.Tasks.NewCond(), tasks: env.NewGroup(e.Tasks)}
	t.tasks.Go("send traces", t.run)
	return t, nil
}

// traceOf says what a tracer tells of (enum TraceDispatcher.Type).
type traceOf string

const (
	traceOfProducer traceOf = "PRODUCE"
	traceOfConsumer traceOf = "CONSUME"
)

// traceConfig is the configuration of the inner producer: that of the outer client where it is about the way to brokers.
func traceConfig(outer *config, kind traceOf) *config {
	c := defaultConfig()
	c.resolver, c.encryption, c.address, c.unit, c.process = outer.resolver, outer.encryption, outer.address, outer.unit, outer.process
	c.credentials = outer.credentials
	// Traces are of no namespace, but servers may keep clients apart.
	c.spaceV2 = outer.spaceV2
	c.requestTimeout, c.dialTimeout = outer.requestTimeout, outer.dialTimeout
	c.routeRefreshEvery, c.nameServerRefreshEvery, c.heartbeatEvery = outer.routeRefreshEvery, outer.nameServerRefreshEvery, outer.heartbeatEvery
	if outer.instance != "" {
		c.instance = traceInstance + outer.instance
	}
	c.group = traceGroup(outer.group, kind)
	c.sendTimeout, c.bodyMax, c.sequencesOff = traceSendTimeout, traceBodyMax, true
	return c
}

// traceInstance begins the instance name of an inner producer whose outer one has a name of its own. Otherwise it is made up:
// two clients with the same name would be one to brokers.
const traceInstance = "PID_CLIENT_INNER_TRACE_PRODUCER_"

// traceGroup is the group of the inner producer. The name of a long outer group is cut.
func traceGroup(outer string, kind traceOf) string {
	const before = "_INNER_TRACE_PRODUCER-"
	behind := "-" + string(kind) + "-1"
	return before + outer[:min(len(outer), proto.MaxGroupLength-len(before)-len(behind))] + behind
}

// published notes a message or batch that was stored, unless the broker wants no traces of it.
func (t *tracer) published(s *sending, address string, at env.WallMillis, cost time.Duration, result *SendResult) {
	if result.TraceOff || strings.HasPrefix(s.header.Topic, t.options.Topic) {
		return
	}
	r := publication{
		at: at, region: result.Region, group: t.space.bare(s.header.ProducerGroup), topic: t.space.bare(s.header.Topic), storeHost: address,
		cost: cost, safe: result.Status == SendOK,
	}
	if len(s.batch) == 0 {
		t.add(&r, s.message, result.UniqueID, result.OffsetID)
		return
	}
	// As in Java, each message bears its share of the time.
	r.cost = cost / time.Duration(len(s.batch))
	for i, each := range perMessage(*result, s.batchIDs) {
		t.add(&r, s.batch[i], each.UniqueID, each.OffsetID)
	}
}

func (t *tracer) add(about *publication, m *Message, uniqueID, offsetID string) {
	r := *about
	r.uniqueID, r.offsetID = uniqueID, offsetID
	r.tags, r.keys, r.bodyLength, r.kind = m.Tags(), strings.Join(m.Keys(), " "), len(m.Body), traceKindOf(m)
	t.note(&r)
}

// note takes a record, if there is room.
func (t *tracer) note(r traceRecord) {
	if len(t.records) >= traceRecordsMax || t.closing {
		t.lost++
		return
	}
	if len(t.records) == 0 {
		t.oldest = t.env.Clock.Now()
	}
	t.records = append(t.records, r)
	if len(t.records) == 1 || len(t.records) == t.options.Records {
		t.changed.Broadcast()
	}
}

// run is the task that sends.
func (t *tracer) run() {
	for t.await() {
		count := min(len(t.records), t.options.Records)
		for _, m := range traceMessages(t.options.Topic, t.records[:count]) {
			for t.sending >= tracesUnderWayMax {
				t.changed.Wait()
			}
			t.sending++
			t.tasks.Go("send a trace", func() { t.send(m) })
		}
		t.records = slices.Delete(t.records, 0, count)
		t.oldest = t.env.Clock.Now()
	}
}

// await waits until records should go. It reports false once there will be none any more.
func (t *tracer) await() bool {
	for !t.closing && len(t.records) < t.options.Records {
		until := env.Never
		if len(t.records) > 0 {
			until = t.oldest.Add(traceAgeMax)
		}
		if until.Reached(t.env.Clock.Now()) || !t.changed.WaitUntil(until) {
			break
		}
	}
	return len(t.records) > 0
}

func (t *tracer) send(m *Message) {
	_, err := t.inner.transmit(m)
	if t.sending--; err != nil {
		t.env.Log.Warn("a message trace was lost", zap.Error(err))
	}
	if t.lost > 0 {
		t.env.Log.Warn("message traces came faster than they could be sent", zap.Int("lost", t.lost))
		t.lost = 0
	}
	t.changed.Broadcast()
}

// transmit is Send for a task.
func (p *Producer) transmit(m *Message) (SendResult, error) {
	s := p.take()
	defer p.give(s)
	if err := p.prepare(s, m); err != nil {
		return SendResult{}, err
	}
	return p.deliver(nil, s, p.order(nil, p.config.retries, p.config.retryCodes))
}

// close sends what is left, for as long as the caller has patience, and ends the inner producer.
func (t *tracer) close(call *env.Call, patience env.Instant) {
	t.closing = true
	t.changed.Broadcast()
	patience = patience.Sooner(t.env.Clock.Now().Add(traceSendTimeout))
	for (len(t.records) > 0 || t.sending > 0) && call.Wait(t.changed, patience) {
	}
	t.inner.core.state = max(t.inner.core.state, draining)
	t.inner.core.close(call, patience)
	t.tasks.Wait()
}

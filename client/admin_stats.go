package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// What brokers count.
type (
	// ConsumeStats tells how far a group is.
	ConsumeStats = proto.ConsumeStats
	// ConsumeStatsList tells how far all groups of a broker are.
	ConsumeStatsList = proto.ConsumeStatsList
	// StatsData is one statistic of a broker.
	StatsData = proto.BrokerStatsData
)

// ConsumeStats tells how far a group is at one broker: in one topic, or in all that it has offsets of if topic is "".
func (a *Admin) ConsumeStats(ctx context.Context, address, group, topic string) (*ConsumeStats, error) {
	header := &proto.GetConsumeStats{ConsumerGroup: a.full(group), Topic: a.full(topic)}
	return bodyOf(ctx, a, address, proto.ReqGetConsumeStats, header, proto.UnmarshalConsumeStats)
}

// AllConsumeStats tells how far all groups of a broker are: in all topics, or in those that are ordered.
func (a *Admin) AllConsumeStats(ctx context.Context, address string, ordered bool) (*ConsumeStatsList, error) {
	header := &proto.GetBrokerConsumeStats{Ordered: ordered}
	request := &transport.Request{Code: proto.ReqGetBrokerConsumeStats, Header: header}
	response, err := a.askBrokerLong(ctx, address, request)
	return readBody(address, request.Code, response, err, proto.UnmarshalConsumeStatsList)
}

// Stats reads a statistic of a broker, such as "TOPIC_PUT_NUMS" of a topic, or "GROUP_GET_NUMS" of topic@group. What was never
// counted is zero.
func (a *Admin) Stats(ctx context.Context, address, name, key string) (*StatsData, error) {
	header := &proto.ViewBrokerStatsData{Name: name, Key: key}
	data, err := bodyOf(ctx, a, address, proto.ReqViewBrokerStatsData, header, proto.UnmarshalBrokerStatsData)
	if hasCode(err, proto.RespSystemError) {
		return &StatsData{}, nil
	}
	return data, err
}

// ClockReading compares a broker's calendar with this machine's.
type ClockReading struct {
	// Ahead is how far the broker's calendar is ahead; negative if it is behind.
	Ahead time.Duration
	// Doubt is how far off Ahead may be.
	Doubt time.Duration
}

// String shows both.
func (r ClockReading) String() string { return fmt.Sprintf("%v ahead, within %v", r.Ahead, r.Doubt) }

// clockGroup is the producer group under which Clock introduces itself.
const clockGroup = "GANTRY_CLOCK"

// Clock compares the calendar of a broker with this machine's. There is no request for that, so this introduces itself as a
// producer, looks at when the broker has noted it, and leaves again. Brokers before 5.0 do not show that, and are
// asked when they started and how long ago that is, to the second.
func (a *Admin) Clock(ctx context.Context, address string) (ClockReading, error) {
	id, before, err := a.introduce(ctx, address)
	if err != nil {
		return ClockReading{}, err
	}
	table, err := a.AllProducers(ctx, address)
	after := int64(a.core.env.Clock.Wall())
	// The broker forgets it with the connection in any case.
	_, _ = a.askBroker(ctx, address, &transport.Request{
		Code: proto.ReqUnregisterClient, Header: &proto.UnregisterClient{ClientID: id, ProducerGroup: clockGroup},
	})
	if err == nil {
		if seen, found := seenAt(table, id); found {
			return clockReading(seen, before, after), nil
		}
	}
	return a.clockByAge(ctx, address)
}

// introduce sends a heartbeat, and tells when.
func (a *Admin) introduce(ctx context.Context, address string) (id string, at int64, err error) {
	call, err := a.core.enter(ctx)
	if err != nil {
		return "", 0, err
	}
	defer call.Leave()
	deadline := a.core.deadline(call, a.core.config.requestTimeout)
	// The time to connect would be doubt.
	if _, err := a.core.net.Conn(call, address, deadline); err != nil {
		return "", 0, a.core.explain(call, err)
	}
	id, at = a.core.ids.clientID(), int64(a.core.env.Clock.Wall())
	data := &proto.HeartbeatData{ClientID: id, Producers: []proto.ProducerData{{Group: clockGroup}}}
	_, err = a.core.ask(call, address, &transport.Request{Code: proto.ReqHeartbeat, Body: data.Marshal()}, deadline)
	return id, at, err
}

func seenAt(table *ProducerTable, id string) (at int64, found bool) {
	for _, group := range table.Groups {
		for _, member := range group.Members {
			if group.Group == clockGroup && member.ClientID == id && member.SeenAt > 0 {
				return member.SeenAt, true
			}
		}
	}
	return 0, false
}

// clockReading is of a broker's time that was read between two of this machine's, all in wall milliseconds.
func clockReading(seen, before, after int64) ClockReading {
	half := (after - before) / 2
	return ClockReading{
		Ahead: time.Duration(seen-before-half) * time.Millisecond,
		Doubt: time.Duration(half+1) * time.Millisecond,
	}
}

// errNoClock: the broker does not tell when it started.
var errNoClock = errors.New("the broker does not tell its time")

func (a *Admin) clockByAge(ctx context.Context, address string) (ClockReading, error) {
	before := int64(a.core.env.Clock.Wall())
	info, err := a.RuntimeInfo(ctx, address)
	if err != nil {
		return ClockReading{}, err
	}
	after := int64(a.core.env.Clock.Wall())
	started, err := strconv.ParseInt(info["bootTimestamp"], 10, 64)
	age, ok := parseAge(info["runtime"])
	if err != nil || !ok {
		return ClockReading{}, fmt.Errorf("%w: %s", errNoClock, address)
	}
	r := clockReading(started+age.Milliseconds()+500, before, after)
	r.Doubt += 500 * time.Millisecond
	return r, nil
}

// ageUnits are the parts of an age as brokers tell it.
var ageUnits = [...]time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second}

// parseAge reads "[ 0 days, 1 hours, 2 minutes, 3 seconds ]".
func parseAge(text string) (age time.Duration, ok bool) {
	parts := strings.Split(strings.Trim(text, "[] "), ",")
	if len(parts) != len(ageUnits) {
		return 0, false
	}
	for i, part := range parts {
		count, _, _ := strings.Cut(strings.TrimSpace(part), " ")
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/int64(ageUnits[0])/int64(len(ageUnits)) {
			return 0, false
		}
		age += time.Duration(n) * ageUnits[i]
	}
	return age, true
}

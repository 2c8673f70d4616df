package broker

import (
	"math"
	"strconv"
	"time"

	"github.com/gantrymq/gantry/transport/message"
	"github.com/gantrymq/gantry/transport/proto"
)

// timersOff is the answer to whom wants a timer of a broker that keeps none (WHEEL_TIMER_NOT_ENABLE).
var timersOff = refusal{code: proto.RespSystemError, remark: "timed messages are switched off here (timerWheelEnable): send with a delay level, or to another broker"}

// dueAt is the time for which properties ask, in wall milliseconds; 0 without one, or if it has come already (HookUtils.handleScheduleMessage). A message
// that was delivered when it was due, and is sent on, asks for nothing.
func (b *Broker) dueAt(properties []byte) (due int64, r refusal) {
	for _, name := range timerProperties {
		value, found := message.PropertyBytes(properties, name)
		if !found {
			continue
		}
		if _, timed := message.PropertyBytes(properties, message.PropertyTimerDueAtMillis); timed {
			return 0, refusal{}
		}
		now := int64(b.env.Clock.Wall())
		due, unit := int64(0), map[string]int64{message.PropertyDelaySeconds: 1000, message.PropertyDelayMillis: 1}[name]
		n, err := strconv.ParseInt(string(value), 10, 64)
		switch {
		case err != nil:
			return 0, refused(proto.RespMessageIllegal, "property %s: %q is no number of %s", name, value, unitOf(name))
		case unit == 0:
			due = n
		case n > (math.MaxInt64-now)/unit:
			due = math.MaxInt64
		default:
			due = now + n*unit
		}
		switch most := b.options.TimerMax.Milliseconds(); {
		case due <= now:
			return 0, refusal{}
		case b.options.TimersOff:
			return 0, timersOff
		case due-now > most:
			return 0, refused(proto.RespMessageIllegal, "property %s: a message may wait for %s at most (timerMaxDelaySec), not until %d, which is %s from now",
				name, b.options.TimerMax, due, (time.Duration(min(due-now, math.MaxInt64/1_000_000)) * time.Millisecond).Round(time.Second))
		case b.timers.calendar != nil && b.timers.calendar.Waiting() >= b.options.TimersMax:
			return 0, refused(proto.RespSystemError, "%d messages wait for their time, more are not taken (WHEEL_TIMER_FLOW_CONTROL): send again later", b.options.TimersMax)
		}
		return due, refusal{}
	}
	return 0, refusal{}
}

func unitOf(property string) string {
	if property == message.PropertyDelaySeconds {
		return "seconds"
	}
	return "milliseconds"
}

// retarget lets a record wait until it is due.
func (t *timers) retarget(r *message.Record, properties message.Properties, due int64) {
	properties.Set(message.PropertyTimerDueAtMillis, strconv.FormatInt(due, 10))
	properties.Set(message.PropertyRealTopic, string(r.Topic))
	properties.Set(message.PropertyRealQueueID, strconv.Itoa(int(r.QueueID)))
	r.Topic, r.QueueID = []byte(timerQueue.Topic), timerQueue.ID
	r.Properties = encodeProperties(properties)
}

// recallHandleOf is the handle by which a record that waits can be withdrawn, appended to dst; nothing for other records.
func (b *Broker) recallHandleOf(dst []byte, r *message.Record) []byte {
	if string(r.Topic) != proto.TimerTopic {
		return dst
	}
	properties := message.ParseProperties(r.Properties)
	due, err := strconv.ParseInt(properties.Get(message.PropertyTimerDueAtMillis), 10, 64)
	if err != nil {
		return dst
	}
	h := recallHandle{properties.Get(message.PropertyRealTopic), b.options.Name, due, properties.Get(message.PropertyUniqueID)}
	return append(dst, h.String()...)
}

package broker

import (
	"strconv"

	"github.com/gantrymq/gantry/node/env"
)

// show adds the totals and rates that tools show of a running broker.
func (s *statistics) show(table map[string]string, now env.Instant) {
	sent, pulled := &s.all.sent.total, &s.all.pulled.total
	table["putMessageTimesTotal"] = number(sent.messages)
	table["putMessageFailedTimes"], table["sendFailedTotal"] = number(s.sendFailed), number(s.sendFailed)
	table["sendOnewayFailedTotal"] = number(s.onewayFailed)
	table["putMessageSizeTotal"] = number(sent.bytes)
	table["putMessageAverageSize"] = decimal(float64(sent.bytes) / float64(max(sent.messages, 1)))
	table["putMessageDistributeTime"] = s.sendTimes.String()
	table["putMessageEntireTimeMax"] = number(s.sendTimes.longest.Milliseconds())
	table["getMessageEntireTimeMax"] = number(s.pullTimes.longest.Milliseconds())
	table["putLatency99"] = decimal(s.sendTimes.percentile(now, 0.99))
	table["putLatency999"] = decimal(s.sendTimes.percentile(now, 0.999))
	table["getTransferedBytesTotal"] = number(pulled.bytes)
	table["uncountedStatistics"] = number(s.uncounted)

	calls := func(r recently) float64 { return r.perSecond(r.calls) }
	messages := func(r recently) float64 { return r.perSecond(r.messages) }
	put, found, missed, transferred := s.all.sent.rates(now, messages), s.all.pulled.rates(now, calls), s.missed.rates(now, calls), s.all.pulled.rates(now, messages)
	table["putTps"], table["getFoundTps"], table["getMissTps"], table["getTransferredTps"] = put.String(), found.String(), missed.String(), transferred.String()
	table["getTotalTps"] = rates{found[0] + missed[0], found[1] + missed[1], found[2] + missed[2]}.String()
	s.showDays(table)
}

// showDays tells what ordinary topics had seen this morning and the morning before.
func (s *statistics) showDays(table map[string]string) {
	table["msgPutTotalTodayNow"] = number(s.ordinary.sent.total.messages)
	table["msgGetTotalTodayNow"] = number(s.ordinary.pulled.total.messages)
	table["msgPutTotalYesterdayMorning"], table["msgPutTotalTodayMorning"] = number(s.mornings[0].sent), number(s.mornings[1].sent)
	table["msgGetTotalYesterdayMorning"], table["msgGetTotalTodayMorning"] = number(s.mornings[0].pulled), number(s.mornings[1].pulled)
}

// rates are per second of about the last 10 seconds, minute, and 10 minutes.
type rates [3]float64

func (f *flow) rates(now env.Instant, of func(recently) float64) rates {
	return rates{of(f.recent(now, minuteOf, 1)), of(f.lastMinute(now)), of(f.recent(now, hourOf, 1))}
}

// String is what tools split at the blanks.
func (r rates) String() string { return decimal(r[0]) + " " + decimal(r[1]) + " " + decimal(r[2]) }

// decimal has a point and two digits behind it, as tools parse it.
func decimal(n float64) string { return strconv.FormatFloat(n, 'f', 2, 64) }

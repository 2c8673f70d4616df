package proto

import (
	"encoding/json"
	"fmt"
)

// BrokerStatsData is one statistic of a broker (class BrokerStatsData): the body of the answer to
// ReqViewBrokerStatsData.
type BrokerStatsData struct {
	Minute BrokerStatsItem // statsMinute: the last minute
	Hour   BrokerStatsItem // statsHour: the last hour
	Day    BrokerStatsItem // statsDay: the last day
}

// BrokerStatsItem is a statistic over some time (class BrokerStatsItem). What is counted, messages
// or bytes or milliseconds, depends on its name.
type BrokerStatsItem struct {
	Sum       int64   // sum
	PerSecond float64 // tps: Sum by the seconds
	PerCall   float64 // avgpt: Sum by the number of calls that added to it
}

// String shows the sums.
func (d *BrokerStatsData) String() string {
	return fmt.Sprintf("%d in a minute, %d in an hour, %d in a day", d.Minute.Sum, d.Hour.Sum, d.Day.Sum)
}

// Marshal writes the body.
func (d *BrokerStatsData) Marshal() []byte {
	var w writer
	w.open('{')
	w.statsItem("statsDay", d.Day)
	w.statsItem("statsHour", d.Hour)
	w.statsItem("statsMinute", d.Minute)
	w.close('}')
	return w.text
}

func (w *writer) statsItem(name string, item BrokerStatsItem) {
	w.key(name)
	w.open('{')
	w.decimalMember("avgpt", item.PerCall)
	w.integerMember("sum", item.Sum)
	w.decimalMember("tps", item.PerSecond)
	w.close('}')
}

// UnmarshalBrokerStatsData reads the body. What is absent is zero. The error is ErrBody.
func UnmarshalBrokerStatsData(body []byte) (*BrokerStatsData, error) {
	var in struct {
		StatsMinute BrokerStatsItem `json:"statsMinute"`
		StatsHour   BrokerStatsItem `json:"statsHour"`
		StatsDay    BrokerStatsItem `json:"statsDay"`
	}
	if err := unmarshal("BrokerStatsData", body, &in); err != nil {
		return nil, err
	}
	return &BrokerStatsData{Minute: in.StatsMinute, Hour: in.StatsHour, Day: in.StatsDay}, nil
}

// UnmarshalJSON reads strict JSON.
func (i *BrokerStatsItem) UnmarshalJSON(text []byte) error {
	var in struct {
		Sum   looseInt64 `json:"sum"`
		Tps   looseFloat `json:"tps"`
		Avgpt looseFloat `json:"avgpt"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*i = BrokerStatsItem{Sum: int64(in.Sum), PerSecond: float64(in.Tps), PerCall: float64(in.Avgpt)}
	return nil
}

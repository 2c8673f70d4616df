package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/gantrymq/gantry/cmd/gantry/table"
)

// probeView is the answer of sendMsgStatus and checkMsgSendRT.
type probeView struct {
	Topic   string       `json:"topic"`
	Average float64      `json:"averageMillis"` // of the sends that did not fail, without the first, which connects
	Sends   []probeEntry `json:"sends"`
}

type probeEntry struct {
	Broker    string  `json:"broker"`
	Queue     int32   `json:"queue"`
	Millis    float64 `json:"millis"`
	Result    string  `json:"result,omitempty"`
	MessageID string  `json:"msgId,omitempty"`
	Error     string  `json:"error,omitempty"`
}

// average leaves out the first send if there are others.
func (v *probeView) average() {
	sum, count := 0.0, 0
	for i, s := range v.Sends {
		if s.Error == "" && (i > 0 || len(v.Sends) == 1) {
			sum, count = sum+s.Millis, count+1
		}
	}
	if count > 0 {
		v.Average = sum / float64(count)
	}
}

func (v *probeView) write(out io.Writer, width int) error {
	t := table.Table{Columns: table.Columns("Broker", ">Queue", "Result", ">RT ms", "Message id")}
	for _, s := range v.Sends {
		result := s.Result
		if s.Error != "" {
			result = s.Error
		}
		t.Add(s.Broker, number(s.Queue), result, strconv.FormatFloat(s.Millis, 'f', 2, 64), orDash(s.MessageID))
	}
	if err := t.Write(out, width); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "Avg RT: %.2f\n", v.Average)
	return err
}

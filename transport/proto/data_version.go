package proto

import (
	"encoding/json"
	"fmt"
)

// DataVersion tells whether a table of a broker has changed (class DataVersion). Two
// versions are equal if all three numbers are; there is no order among brokers.
type DataVersion struct {
	StateVersion int64 // stateVersion, since 5.0: epoch of the master that wrote it
	Timestamp    int64 // timestamp: wall milliseconds of the last change
	Counter      int64 // counter: changes so far
}

// Next is the version after one more change at the given wall milliseconds.
func (v DataVersion) Next(now int64) DataVersion {
	return DataVersion{StateVersion: v.StateVersion, Timestamp: now, Counter: v.Counter + 1}
}

// String shows state version, time and counter.
func (v DataVersion) String() string {
	return fmt.Sprintf("version %d/%d/%d", v.StateVersion, v.Timestamp, v.Counter)
}

// Marshal writes the body form.
func (v DataVersion) Marshal() []byte {
	var w writer
	w.dataVersion(v)
	return w.text
}

// UnmarshalDataVersion reads the body form. The error is ErrBody.
func UnmarshalDataVersion(body []byte) (DataVersion, error) {
	var v DataVersion
	err := unmarshal("DataVersion", body, &v)
	return v, err
}

// UnmarshalJSON reads strict JSON.
func (v *DataVersion) UnmarshalJSON(text []byte) error {
	var in struct {
		StateVersion looseInt64 `json:"stateVersion"`
		Timestamp    looseInt64 `json:"timestamp"`
		Counter      looseInt64 `json:"counter"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*v = DataVersion{StateVersion: int64(in.StateVersion), Timestamp: int64(in.Timestamp), Counter: int64(in.Counter)}
	return nil
}

func (w *writer) dataVersion(v DataVersion) {
	w.open('{')
	w.integerMember("counter", v.Counter)
	w.integerMember("stateVersion", v.StateVersion)
	w.integerMember("timestamp", v.Timestamp)
	w.close('}')
}

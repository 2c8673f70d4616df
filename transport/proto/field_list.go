package proto

import (
	"strings"

	"github.com/gantrymq/gantry/transport/wire"
)

// The readers and writers below are for the few fields that hold more than one value.

// needFlag reads a required boolean.
func (r *fieldReader) needFlag(key string) bool {
	value, ok := r.fields.Get(key)
	if !ok {
		r.fail(&FieldError{Field: key, Missing: true})
	}
	return parseFlag(value)
}

// list reads texts that are joined by a separator, nil if absent. Empty texts are left out, as Java peers do.
func (r *fieldReader) list(key, separator string) []string {
	var values []string
	for value := range strings.SplitSeq(r.fields.String(key), separator) {
		if value != "" {
			values = append(values, value)
		}
	}
	return values
}

func encodeList(e *wire.Encoder, key string, values []string, separator string) {
	encodeText(e, key, strings.Join(values, separator))
}

// maybeVersion reads a DataVersion that is JSON text.
func (r *fieldReader) maybeVersion(key string) Maybe[DataVersion] {
	value, _ := r.fields.Get(key)
	version, err := UnmarshalDataVersion(value)
	if err != nil {
		return Maybe[DataVersion]{}
	}
	return Some(version)
}

func encodeVersion(e *wire.Encoder, key string, version Maybe[DataVersion]) {
	if version.Set {
		e.Bytes(key, version.Value.Marshal())
	}
}

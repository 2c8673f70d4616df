package oracle

import (
	"fmt"

	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/transport/message"
)

// checkProperty is a property of the application that repeats the key.
const checkProperty = "check"

// Mark gives a message the key and the property that belong to its body.
func Mark(m *message.Message) {
	key := keyOf(m.Body)
	m.SetKeys(key)
	m.Properties.Set(checkProperty, key)
}

// Intact says what is wrong with a message that Mark has marked, or nil: body, keys and properties must still
// belong together.
func Intact(m *message.Message) error {
	want := keyOf(m.Body)
	if keys := m.Keys(); len(keys) != 1 || keys[0] != want {
		return fmt.Errorf("a body of %d bytes has the keys %q, its own is %q", len(m.Body), keys, want)
	}
	if got := m.Properties.Get(checkProperty); got != want {
		return fmt.Errorf("a body of %d bytes has the property %s=%q, want %q; all properties: %q", len(m.Body), checkProperty, got, want, m.Properties)
	}
	return nil
}

func keyOf(body []byte) string { return fmt.Sprintf("key%016x", uint64(linearizability.HashOf(body))) }

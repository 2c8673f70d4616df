package controller

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/transport/proto"
)

// Errors of what is kept and sent between controllers.
var (
	// errDamaged: bytes are not what was written.
	errDamaged = errors.New("damaged data")
	// errNewer: a later version has written what this one cannot understand.
	errNewer = errors.New("written by a newer version of Gantry: upgrade this controller")
)

// kind is what a command changes.
type kind string

// The kinds of commands, with the protocol's words for them (class EventType).
const (
	kindApplyID  kind = "id"       // APPLY_BROKER_ID_EVENT
	kindRegister kind = "register" // UPDATE_BROKER_ADDRESS
	kindElect    kind = "elect"    // ELECT_MASTER_EVENT
	kindAlterSet kind = "set"      // ALTER_SYNC_STATE_SET_EVENT
	kindClean    kind = "clean"    // CLEAN_BROKER_DATA_EVENT
	kindTimeout  kind = "timeout"  // Gantry's own: a longer lease
)

// why is the cause of an election.
type why string

// The causes of elections.
const (
	whyFirst      why = "first"      // the group has had none yet
	whyDead       why = "dead"       // the master is dead, or has started again
	whyDesignated why = "designated" // a tool wants it
	whyHandover   why = "handover"   // the master wants it
	whyUnclean    why = "unclean"    // nobody of the set is left: messages may be lost
)

// causes lists them all.
var causes = []why{whyFirst, whyDead, whyDesignated, whyHandover, whyUnclean}

// commandVersion is that of the text of commands.
const commandVersion = 1

// command is one change, as it stands in the log of the controllers. Which fields count depends on Kind.
type command struct {
	Version int    `json:"v"`
	Kind    kind   `json:"kind"`
	Name    string `json:"name"` // broker name
	// Proposal tells who has proposed it which of its waiting requests to answer. It has no other meaning.
	Proposal uint64 `json:"proposal,omitempty"`

	Cluster   string `json:"cluster,omitempty"`
	ID        int64  `json:"id,omitempty"` // who applies, registers, is to be elected, asks for a set as the master, or wants a longer lease
	CheckCode string `json:"checkCode,omitempty"`

	Address   string `json:"address,omitempty"`
	HAAddress string `json:"haAddress,omitempty"`
	// Incarnation is whose registration or lease it is, or who was chosen for an election; -1 in a registration is the next one.
	Incarnation   int64 `json:"incarnation,omitempty"`
	TimeoutMillis int64 `json:"timeoutMillis,omitempty"`
	Whole         bool  `json:"whole,omitempty"` // all that it ever acknowledged is in its log
	LastEpoch     int32 `json:"lastEpoch,omitempty"`
	LogEnd        int64 `json:"logEnd,omitempty"` // of the registration, or of the candidate of an unclean election

	Why why `json:"why,omitempty"`
	// MasterEpoch and SetEpoch are those that the command is based on. It is refused if they have changed.
	MasterEpoch int32 `json:"masterEpoch,omitempty"`
	SetEpoch    int32 `json:"setEpoch,omitempty"`

	NewSet       []int64                   `json:"newSet,omitempty"` // sorted
	Confirmed    int64                     `json:"confirmed,omitempty"`
	Incarnations []proto.MemberIncarnation `json:"incarnations,omitempty"` // of members that have caught up

	IDs []int64 `json:"ids,omitempty"` // who is to be forgotten; none: all
}

// nextIncarnation in a registration is one after the last: brokers that are not Gantry's do not count their starts.
const nextIncarnation = -1

// marshal writes the command.
func (c *command) marshal() []byte {
	c.Version = commandVersion
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // there are only numbers and texts
	}
	return text
}

// unmarshalCommand reads what marshal has written. The error is errDamaged or errNewer. Who cannot understand a command must stop: to pass
// over it would make its state another one than that of the other controllers.
func unmarshalCommand(text []byte) (*command, error) {
	var version struct {
		V int `json:"v"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return nil, fmt.Errorf("%w: command: %w", errDamaged, err)
	}
	if version.V != commandVersion {
		return nil, fmt.Errorf("%w: command of version %d", errNewer, version.V)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	c := new(command)
	if err := decoder.Decode(c); err != nil {
		return nil, fmt.Errorf("%w: command: %w", errDamaged, err)
	}
	if appliers[c.Kind] == nil {
		return nil, fmt.Errorf("%w: command of kind %q", errNewer, c.Kind)
	}
	return c, nil
}

// String is one line about the command.
func (c *command) String() string {
	text := fmt.Sprintf("%s %s", c.Kind, c.Name)
	switch c.Kind {
	case kindApplyID:
		return fmt.Sprintf("%s id %d", text, c.ID)
	case kindRegister:
		return fmt.Sprintf("%s id %d incarnation %d at %s, whole %v, epoch %d, log end %d", text, c.ID, c.Incarnation, c.Address, c.Whole, c.LastEpoch, c.LogEnd)
	case kindElect:
		return fmt.Sprintf("%s id %d (%s) after epoch %d", text, c.ID, c.Why, c.MasterEpoch)
	case kindAlterSet:
		return fmt.Sprintf("%s to %v by %d of epoch %d, based on set epoch %d, confirmed %d", text, c.NewSet, c.ID, c.MasterEpoch, c.SetEpoch, c.Confirmed)
	case kindClean:
		return fmt.Sprintf("%s %v", text, c.IDs)
	case kindTimeout:
		return fmt.Sprintf("%s id %d incarnation %d to %d ms", text, c.ID, c.Incarnation, c.TimeoutMillis)
	}
	return text
}

// refusal is why a request or command changes nothing, as the asker is told.
type refusal struct {
	code int32 // a response code of the protocol
	text string
}

// refused makes a refusal.
func refused(code int32, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// Error is the remark of the answer.
func (r *refusal) Error() string { return r.text }

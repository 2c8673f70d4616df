package proto

import (
	"errors"
	"fmt"
	"strings"
)

// Longest names, in characters. All legal characters are single bytes.
const (
	MaxTopicLength      = 127
	MaxGroupTopicLength = 255 // of topics that begin with RetryPrefix or DeadLetterPrefix
	MaxGroupLength      = 120
)

// What may be wrong with a name. The errors of ValidateTopic and ValidateGroup are under
// one of these.
var (
	ErrNameBlank     = errors.New("name is blank: it needs one character at least")
	ErrNameTooLong   = errors.New("name is too long")
	ErrNameCharacter = errors.New("name has an illegal character: letters, digits and % | - _ are legal")
)

// NameError says what is wrong with the name of a topic or group. Its text is fit for the remark
// of RespInvalidParameter.
type NameError struct {
	Kind   string // "topic" or "group"
	Name   string
	Limit  int   // characters allowed
	Reason error // ErrNameBlank, ErrNameTooLong or ErrNameCharacter
}

// Error names the rule that was broken.
func (e *NameError) Error() string {
	switch e.Reason {
	case ErrNameBlank:
		return e.Kind + " " + e.Reason.Error()
	case ErrNameTooLong:
		return fmt.Sprintf("%s %v: %d characters, at most %d are allowed", e.Kind, e.Reason, len(e.Name), e.Limit)
	}
	return fmt.Sprintf("%s %v: %q", e.Kind, e.Reason, shorten([]byte(e.Name)))
}

// Unwrap returns the reason.
func (e *NameError) Unwrap() error { return e.Reason }

// ValidateTopic returns nil or a *NameError. Retry and dead-letter topics may be longer than
// others, because they hold a group's name.
func ValidateTopic(topic string) error {
	limit := MaxTopicLength
	if IsRetryTopic(topic) || IsDeadLetterTopic(topic) {
		limit = MaxGroupTopicLength
	}
	return validate("topic", topic, limit)
}

// ValidateGroup returns nil or a *NameError.
func ValidateGroup(group string) error { return validate("group", group, MaxGroupLength) }

func validate(kind, name string, limit int) error {
	var reason error
	switch {
	case strings.TrimSpace(name) == "":
		reason = ErrNameBlank
	case !legalName(name):
		reason = ErrNameCharacter
	case len(name) > limit:
		reason = ErrNameTooLong
	default:
		return nil
	}
	return &NameError{Kind: kind, Name: name, Limit: limit, Reason: reason}
}

func legalName(name string) bool {
	for i := range len(name) {
		c := name[i]
		legal := c|0x20 >= 'a' && c|0x20 <= 'z' || isDigit(c) || strings.IndexByte("%|-_", c) >= 0
		if !legal {
			return false
		}
	}
	return true
}

package controller

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gantrymq/gantry/transport/proto"
)

// What is wrong with single fields of requests. Each refusal names the field by the protocol's key.

// checkText wants a text that is not empty, not too long and can be shown in a line.
func (s *Server) checkText(field, value string) *refusal {
	if value == "" {
		return refused(proto.RespControllerInvalidRequest, "%s: it is empty", field)
	}
	return s.checkOptional(field, value)
}

func (s *Server) checkOptional(field, value string) *refusal {
	switch limit := s.options.Limits.NameBytes; {
	case len(value) > limit:
		return refused(proto.RespControllerInvalidRequest, "%s: it has %d bytes, the limit is %d", field, len(value), limit)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return refused(proto.RespControllerInvalidRequest, "%s: %q has characters that cannot be shown", field, value)
	}
	return nil
}

func checkID(field string, id int64) *refusal {
	if id < 1 {
		return refused(proto.RespControllerInvalidRequest, "%s: %d: ids begin at 1", field, id)
	}
	return nil
}

func checkNotNegative(field string, value int64) *refusal {
	if value < 0 {
		return refused(proto.RespControllerInvalidRequest, "%s: %d is negative", field, value)
	}
	return nil
}

// firstOf returns the first refusal that there is.
func firstOf(refusals ...*refusal) *refusal {
	for _, r := range refusals {
		if r != nil {
			return r
		}
	}
	return nil
}

// timeout is what a broker says of how long it may be silent, if that is within the limits, and the default if it is not.
func (s *Server) timeout(millis int64) time.Duration {
	least, most := s.options.Limits.TimeoutMin, s.options.Limits.TimeoutMax
	if millis < least.Milliseconds() || millis > most.Milliseconds() {
		return s.options.BrokerTimeout
	}
	return time.Duration(millis) * time.Millisecond
}

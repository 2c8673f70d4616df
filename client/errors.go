package client

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// Errors of this package. They come wrapped with what was tried, where, and what to do;
// compare with errors.Is. The error of a context that ended a call is in the chain too.
var (
	// ErrClosed: Close was called before or during the call.
	ErrClosed = errors.New("this client is closed")
	// ErrOption is under every *OptionError.
	ErrOption = errors.New("option cannot be used")
	// ErrMessage: the message breaks a limit and was not sent (code 13 of Java clients).
	ErrMessage = errors.New("message cannot be sent")
	// ErrNoNameServer: no name server is known, or none of them answered (code 10004).
	ErrNoNameServer = errors.New("no name server")
	// ErrTopicNotFound: no name server knows the topic, nor may it be created by sending (code
	// 10005). The text is the one that scripts look for.
	ErrTopicNotFound = errors.New("No route info of this topic")
	// ErrNoBroker: the topic or broker name is known, but no broker that could serve the call
	// (code 10003).
	ErrNoBroker = errors.New("no broker for this")
	// ErrWindow: as many asynchronous sends as allowed are under way, see WithWindow. It is an ErrBusy.
	ErrWindow error = windowFull{}
	// ErrForbidden: a check of the application refused the send, see WithForbiddenCheck.
	ErrForbidden = errors.New("send is forbidden")
	// ErrSendForgotten: the broker has been sent so much since the first try that it does not know whether that was stored. It does not store the message
	// now. Look for it by its unique id (Admin), or send it again if it may be stored twice.
	ErrSendForgotten = errors.New("broker does not remember so old a send")
	// ErrNoReply: a request was stored, but no reply came, or none that can be read (code 10006).
	ErrNoReply = errors.New("no reply")
	// ErrNoRequest: a message does not want a reply, or does not say whereto (code 10007).
	ErrNoRequest = errors.New("message is no request")
	// ErrBusy: a limit of this process is reached, and the message was not sent. Sending it later is safe.
	ErrBusy = transport.ErrBusy

	// ErrTimeout: a request was sent and no answer came in time. The peer may have carried it out.
	ErrTimeout = transport.ErrTimeout
	// ErrNotSent: a request did not leave this process.
	ErrNotSent = transport.ErrNotSent
)

// windowFull is ErrWindow.
type windowFull struct{}

// Error says what is full.
func (windowFull) Error() string { return "too many sends under way" }

// Is makes it an ErrBusy.
func (windowFull) Is(target error) bool { return target == ErrBusy }

// ResponseError is an answer with an error code. Its Code is one of the proto.Resp constants.
type ResponseError = transport.ResponseError

// Attempt is one try to send a message. Tries that only found the one broker away are one, however many there were.
type Attempt struct {
	Queue   Queue
	Address string        // of the broker; "" if none was known
	Took    time.Duration // how long the try lasted
	Err     error
	// MaybeStored is true if the broker may have stored the message in this try.
	MaybeStored bool
}

// String tells where the try went, how long it took, and how it ended.
func (a Attempt) String() string {
	where := fmt.Sprintf("queue %d of %s", a.Queue.QueueID, a.Queue.BrokerName)
	if a.Address != "" {
		where += " (" + a.Address + ")"
	}
	return fmt.Sprintf("%s, %s: %v", where, a.Took.Round(time.Millisecond), a.Err)
}

// SendError says that a message was not acknowledged.
type SendError struct {
	Topic    string
	UniqueID string        // of the message; of the first one of a batch
	Took     time.Duration // all tries together
	Attempts []Attempt     // in order; none if no broker was found to try
	// MaybeStored is true if a broker may have stored the message, although it did not say so:
	// sending it again may store it twice. If it is false, sending again is safe.
	MaybeStored bool
	Err         error // why no further try was made
}

// Error lists the tries and says whether sending again is safe.
func (e *SendError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "send to %s failed after %d tries in %s, ", e.Topic, len(e.Attempts), e.Took.Round(time.Millisecond))
	if e.MaybeStored {
		text.WriteString("the message may have been stored: sending it again may store it twice")
	} else {
		text.WriteString("the message was not stored: it is safe to send it again")
	}
	for i, attempt := range e.Attempts {
		fmt.Fprintf(&text, "; try %d: %s", i+1, attempt)
	}
	if n := len(e.Attempts); n == 0 || e.Err != e.Attempts[n-1].Err {
		fmt.Fprintf(&text, "; %v", e.Err)
	}
	return text.String()
}

// Unwrap returns the reason and the errors of all tries.
func (e *SendError) Unwrap() []error {
	all := []error{e.Err}
	for _, attempt := range e.Attempts {
		all = append(all, attempt.Err)
	}
	return all
}

// several is more than one error in one line.
type several []error

// Error joins the texts.
func (s several) Error() string {
	texts := make([]string, len(s))
	for i, err := range s {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns all of them.
func (s several) Unwrap() []error { return s }

// join makes one error of several, nil of none.
func join(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return several(errs)
}

// hasCode reports whether err is an answer with that code.
func hasCode(err error, code int32) bool {
	var answer *ResponseError
	return errors.As(err, &answer) && answer.Code == code
}

// verdict is what the outcome of one try to send means for the next.
type verdict struct {
	again       bool // another try may go better
	maybeStored bool
}

// judge decides what a failed try means. retryCodes are the answers after which another
// broker may do better.
func judge(err error, retryCodes map[int32]bool) verdict {
	var answer *ResponseError
	switch {
	case errors.Is(err, ErrForbidden):
		return verdict{}
	case errors.As(err, &answer):
		return verdict{again: retryCodes[answer.Code], maybeStored: !refusedBeforeStoring(answer.Code)}
	case errors.Is(err, transport.ErrCancelled):
		return verdict{maybeStored: true}
	case errors.Is(err, transport.ErrBusy):
		// This process is the bottleneck; another try would make it worse.
		return verdict{}
	case errors.Is(err, transport.ErrNotSent), errors.Is(err, ErrNoBroker):
		return verdict{again: true}
	case transport.MaybeCarriedOut(err):
		return verdict{again: true, maybeStored: true}
	}
	// A successful answer that cannot be read.
	return verdict{maybeStored: true}
}

// refusedBeforeStoring reports whether a code means that the broker looked at the request
// and refused it before its store saw the message. Codes 1 and 14 are not among them: a
// store that fails halfway answers so, and its bytes may survive.
func refusedBeforeStoring(code int32) bool {
	switch code {
	case proto.RespSystemBusy, proto.RespRequestCodeNotSupported, proto.RespMessageIllegal,
		proto.RespNoPermission, proto.RespTopicNotExist, proto.RespSubscriptionGroupNotExist,
		proto.RespInvalidParameter, proto.RespNoBuyerID, proto.RespNotInCurrentUnit,
		proto.RespNotLeaderForQueue, proto.RespIllegalOperation, proto.RespGoAway:
		return true
	}
	return false
}

// defaultRetryCodes are the answers to a send after which another broker is tried.
func defaultRetryCodes() map[int32]bool {
	return map[int32]bool{
		proto.RespTopicNotExist: true, proto.RespServiceNotAvailable: true, proto.RespSystemError: true,
		proto.RespSystemBusy: true, proto.RespNoPermission: true, proto.RespNoBuyerID: true,
		proto.RespNotInCurrentUnit: true, proto.RespGoAway: true,
	}
}

// hasNoAnswer reports whether err is anything but an answer with an error code.
func hasNoAnswer(err error) bool {
	var answer *ResponseError
	return !errors.As(err, &answer)
}

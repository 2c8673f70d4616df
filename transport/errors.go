package transport

import (
	"errors"
	"fmt"

	"github.com/gantrymq/gantry/transport/proto"
)

// Errors of calls. They are wrapped with the request's name and the address.
var (
	// ErrTimeout: no response came before the deadline. The peer may have carried out the request.
	ErrTimeout = errors.New("no response in time")
	// ErrClosed: the connection ended before the response. The peer may have carried out the request.
	ErrClosed = errors.New("connection ended before the response")
	// ErrNotSent: the request did not leave this process, so the peer did not see it.
	ErrNotSent = errors.New("request was not sent")
	// ErrBusy: a limit of this process is reached. The request was not sent.
	ErrBusy = errors.New("too many calls under way")
	// ErrCancelled: the caller gave up waiting. The peer may have carried out the request.
	ErrCancelled = errors.New("call was cancelled")
)

// ResponseError is a response whose code is not success.
type ResponseError struct {
	Request int32  // request code
	Code    int32  // response code
	Remark  string // the peer's explanation
	Address string // the peer
}

// Error names the request, the peer, the code and its explanation.
func (e *ResponseError) Error() string {
	return fmt.Sprintf("%s to %s: %s (%d): %s", proto.RequestName(e.Request), e.Address, proto.ResponseName(e.Code), e.Code, e.Remark)
}

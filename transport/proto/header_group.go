package proto

import "github.com/gantrymq/gantry/transport/wire"

// GetAllSubscriptionGroupConfig is the header of ReqGetAllSubscriptionGroupConfig (class
// GetAllSubscriptionGroupRequestHeader, after 5.3.3; peers before send no header). With it a slave
// asks for the table in pages; a broker may give all of it all the same. The answer's body
// is a SubscriptionGroupTable.
type GetAllSubscriptionGroupConfig struct {
	First   Maybe[int32]       // groupSeq: number of the first wanted group in the order of names, from 0; absent: give all
	Version Maybe[DataVersion] // dataVersion, as JSON text, optional: the version that the pages before had
	Max     Maybe[int32]       // maxGroupNum, optional: groups in a page
}

// EncodeFields writes the header.
func (h *GetAllSubscriptionGroupConfig) EncodeFields(e *wire.Encoder) {
	encodeMaybe(e, "groupSeq", h.First)
	encodeVersion(e, "dataVersion", h.Version)
	encodeMaybe(e, "maxGroupNum", h.Max)
}

// DecodeFields reads the header.
func (h *GetAllSubscriptionGroupConfig) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetAllSubscriptionGroupConfig{
		First:   r.maybeInt32("groupSeq"),
		Version: r.maybeVersion("dataVersion"),
		Max:     r.maybeInt32("maxGroupNum"),
	}
	return r.err
}

// GetAllSubscriptionGroupConfigResponse is the header of its answer (class
// GetAllSubscriptionGroupResponseHeader, after 5.3.3).
type GetAllSubscriptionGroupConfigResponse struct {
	Total Maybe[int32] // totalGroupNum: groups on all pages; absent: the body has all
}

// EncodeFields writes the header.
func (h *GetAllSubscriptionGroupConfigResponse) EncodeFields(e *wire.Encoder) {
	encodeMaybe(e, "totalGroupNum", h.Total)
}

// DecodeFields reads the header.
func (h *GetAllSubscriptionGroupConfigResponse) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetAllSubscriptionGroupConfigResponse{Total: r.maybeInt32("totalGroupNum")}
	return r.err
}

// GetSubscriptionGroupConfig is the header of ReqGetSubscriptionGroupConfig (class
// GetSubscriptionGroupConfigRequestHeader, since 5.0). The answer's body is a
// SubscriptionGroupConfig.
type GetSubscriptionGroupConfig struct {
	Group string // group
}

// EncodeFields writes the header.
func (h *GetSubscriptionGroupConfig) EncodeFields(e *wire.Encoder) { e.String("group", h.Group) }

// DecodeFields reads the header.
func (h *GetSubscriptionGroupConfig) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = GetSubscriptionGroupConfig{Group: r.needText("group")}
	return r.err
}

// DeleteSubscriptionGroup is the header of ReqDeleteSubscriptionGroup (class
// DeleteSubscriptionGroupRequestHeader).
type DeleteSubscriptionGroup struct {
	Group string // groupName
	// CleanOffsets (cleanOffset; removeOffset from tools of 4.9): forget the group's
	// offsets as well. Absent reads as false.
	CleanOffsets bool
}

// EncodeFields writes the header, for brokers of 4.9 as well.
func (h *DeleteSubscriptionGroup) EncodeFields(e *wire.Encoder) {
	e.String("groupName", h.Group)
	e.Bool("cleanOffset", h.CleanOffsets)
	e.Bool("removeOffset", h.CleanOffsets)
}

// DecodeFields reads the header.
func (h *DeleteSubscriptionGroup) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = DeleteSubscriptionGroup{
		Group:        r.needText("groupName"),
		CleanOffsets: r.flag("cleanOffset", r.flag("removeOffset", false)),
	}
	return r.err
}

// UpdateAndGetGroupForbidden is the header of ReqUpdateAndGetGroupForbidden (class
// UpdateGroupForbiddenRequestHeader, since 5.0): whether a group may read a topic. The answer's body is
// a GroupForbidden.
type UpdateAndGetGroupForbidden struct {
	Group    string      // group
	Topic    string      // topic
	Readable Maybe[bool] // readable: what is to be from now on; absent: only tell
}

// EncodeFields writes the header.
func (h *UpdateAndGetGroupForbidden) EncodeFields(e *wire.Encoder) {
	e.String("group", h.Group)
	e.String("topic", h.Topic)
	encodeMaybeFlag(e, "readable", h.Readable)
}

// DecodeFields reads the header.
func (h *UpdateAndGetGroupForbidden) DecodeFields(f wire.Fields) error {
	r := fieldReader{fields: f}
	*h = UpdateAndGetGroupForbidden{Group: r.needText("group"), Topic: r.needText("topic"), Readable: r.maybeFlag("readable")}
	return r.err
}

package broker

import (
	"errors"
	"fmt"
	"hash/crc32"
	"path"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// javaTables are the requests by which slaves of Apache's get tables (class SlaveSynchronize), and the files in which these end.
var javaTables = []struct {
	code int32
	file string
	make func(b *Broker, body []byte) ([]byte, error)
}{
	{proto.ReqGetAllTopicConfig, topicsFile, javaTopics},
	{proto.ReqGetAllSubscriptionGroupConfig, groupsFile, nil},
	{proto.ReqGetAllConsumerOffset, offsetsFile, javaOffsets},
	{proto.ReqGetAllDelayOffset, delaysFile, nil},
	{proto.ReqGetAllMessageRequestMode, requestModesFile, nil},
	{proto.ReqGetTimerCheckPoint, path.Base(javaTimerCheckpoint), javaTimers},
}

// fetchJava gets the tables of a master of Apache's. These speak of messages before the end that its log has afterwards.
func (s *slave) fetchJava() error {
	b := s.broker
	files := map[string]tableCopyFile{}
	for _, t := range javaTables {
		response, err := s.ask(&transport.Request{Code: t.code})
		var refused *transport.ResponseError
		if errors.As(err, &refused) {
			continue // it has no such table
		}
		if err != nil {
			return err
		}
		content := response.Body
		if t.make != nil {
			if content, err = t.make(b, content); err != nil {
				return fmt.Errorf("%s of the master: %w", proto.RequestName(t.code), err)
			}
		}
		file := tableCopyFile{sum: crc32.ChecksumIEEE(content)}
		if have, ok := s.copied.in[t.file]; (!ok || have != file.sum) && len(content) > 0 {
			file.content = content
		}
		files[t.file] = file
	}
	end, ok := s.masterEnd("commitLogMaxOffset")
	if !ok {
		return errors.New("the master does not tell how long its log is")
	}
	s.copied.log, s.copied.files = end, files
	return nil
}

// javaTopics keeps what belongs into the file of topics.
func javaTopics(_ *Broker, body []byte) ([]byte, error) {
	table, err := proto.UnmarshalTopicTable(body)
	if err != nil {
		return nil, err
	}
	return table.Marshal(), nil
}

// javaOffsets writes offsets as this broker does.
func javaOffsets(b *Broker, body []byte) ([]byte, error) {
	t := &offsetTable{broker: b, byKey: map[string]map[int32]int64{}}
	if err := t.decode(body); err != nil {
		return nil, err
	}
	return t.encode(t.version), nil
}

// javaTimers takes the times of a timer wheel's checkpoint as they are.
func javaTimers(_ *Broker, body []byte) ([]byte, error) {
	if len(body) > 0 && len(body) < 8 {
		return nil, fmt.Errorf("it has %d bytes, want 56", len(body))
	}
	return body, nil
}

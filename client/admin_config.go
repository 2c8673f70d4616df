package client

import (
	"context"
	"fmt"

	"github.com/gantrymq/gantry/transport/proto"
)

// PutConfig sets a value of the name servers' key-value configuration, at every name server. Namespace
// proto.OrderTopicNamespace holds the order configurations of topics: "broker-a:8;broker-b:4".
func (a *Admin) PutConfig(ctx context.Context, namespace, key, value string) error {
	_, err := a.tellNameServers(ctx, proto.ReqPutKVConfig, &proto.PutKVConfig{Namespace: namespace, Key: key, Value: value})
	return err
}

// GetConfig reads a value of the name servers' key-value configuration; found is false if there is none.
func (a *Admin) GetConfig(ctx context.Context, namespace, key string) (value string, found bool, err error) {
	response, err := a.askNameServer(ctx, proto.ReqGetKVConfig, &proto.GetKVConfig{Namespace: namespace, Key: key})
	if hasCode(err, proto.RespQueryNotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	var h proto.GetKVConfigResponse
	if err := h.DecodeFields(response.Fields); err != nil {
		return "", false, fmt.Errorf("configuration %s of %s: the answer cannot be read: %w", key, namespace, err)
	}
	return h.Value, true, nil
}

// DeleteConfig removes a value of the name servers' key-value configuration, at every name server.
func (a *Admin) DeleteConfig(ctx context.Context, namespace, key string) error {
	_, err := a.tellNameServers(ctx, proto.ReqDeleteKVConfig, &proto.DeleteKVConfig{Namespace: namespace, Key: key})
	return err
}

// ListConfig reads a whole namespace of the name servers' key-value configuration; it is empty if there is none.
func (a *Admin) ListConfig(ctx context.Context, namespace string) (map[string]string, error) {
	response, err := a.askNameServer(ctx, proto.ReqGetKVListByNamespace, &proto.GetKVListByNamespace{Namespace: namespace})
	if hasCode(err, proto.RespQueryNotFound) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	table, err := proto.UnmarshalKVTable(response.Body)
	if err != nil {
		return nil, err
	}
	return table.Table, nil
}

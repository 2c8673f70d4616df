package client

import (
	"context"
	"fmt"

	"github.com/gantrymq/gantry/transport"
	"github.com/gantrymq/gantry/transport/proto"
)

// Name servers do not know of each other. These calls speak with one of them; NameServers lists the addresses.

// ClusterAt lists all clusters and brokers that one name server knows.
func (a *Admin) ClusterAt(ctx context.Context, nameServer string) (*ClusterInfo, error) {
	return bodyOf(ctx, a, nameServer, proto.ReqGetBrokerClusterInfo, nil, proto.UnmarshalClusterInfo)
}

// NameServerConfig is the configuration of one name server.
func (a *Admin) NameServerConfig(ctx context.Context, nameServer string) (proto.ConfigText, error) {
	return bodyOf(ctx, a, nameServer, proto.ReqGetNameServerConfig, nil, proto.ParseConfigText)
}

// UpdateNameServerConfig changes settings of one name server while it runs. Not all can be.
func (a *Admin) UpdateNameServerConfig(ctx context.Context, nameServer string, changes proto.ConfigText) error {
	_, err := a.askBroker(ctx, nameServer, &transport.Request{Code: proto.ReqUpdateNameServerConfig, Body: changes.Marshal()})
	return err
}

// WipeWritePermissionAt is WipeWritePermission at one name server.
func (a *Admin) WipeWritePermissionAt(ctx context.Context, nameServer, brokerName string) (topics int, err error) {
	var h proto.WipeWritePermOfBrokerResponse
	err = a.changePermission(ctx, nameServer, proto.ReqWipeWritePermOfBroker, &proto.WipeWritePermOfBroker{BrokerName: brokerName}, &h)
	return int(h.Topics), err
}

// AddWritePermissionAt is AddWritePermission at one name server.
func (a *Admin) AddWritePermissionAt(ctx context.Context, nameServer, brokerName string) (topics int, err error) {
	var h proto.AddWritePermOfBrokerResponse
	err = a.changePermission(ctx, nameServer, proto.ReqAddWritePermOfBroker, &proto.AddWritePermOfBroker{BrokerName: brokerName}, &h)
	return int(h.Topics), err
}

func (a *Admin) changePermission(ctx context.Context, nameServer string, code int32, header proto.HeaderEncoder, answer proto.HeaderDecoder) error {
	response, err := a.askBroker(ctx, nameServer, &transport.Request{Code: code, Header: header})
	if err != nil {
		return err
	}
	if err := answer.DecodeFields(response.Fields); err != nil {
		return fmt.Errorf("%s: the answer of %s cannot be read: %w", proto.RequestName(code), nameServer, err)
	}
	return nil
}

// PutConfigAt is PutConfig at one name server.
func (a *Admin) PutConfigAt(ctx context.Context, nameServer, namespace, key, value string) error {
	header := &proto.PutKVConfig{Namespace: namespace, Key: key, Value: value}
	_, err := a.askBroker(ctx, nameServer, &transport.Request{Code: proto.ReqPutKVConfig, Header: header})
	return err
}

// DeleteConfigAt is DeleteConfig at one name server.
func (a *Admin) DeleteConfigAt(ctx context.Context, nameServer, namespace, key string) error {
	header := &proto.DeleteKVConfig{Namespace: namespace, Key: key}
	_, err := a.askBroker(ctx, nameServer, &transport.Request{Code: proto.ReqDeleteKVConfig, Header: header})
	return err
}

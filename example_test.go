package gantry_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/gantrymq/gantry"
	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
)

func Example() {
	ctx := context.Background()
	p, err := gantry.NewProducer(client.WithGroup("checkout"), client.WithNameServers("127.0.0.1:9876"))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close(ctx)
	result, err := p.Send(ctx, gantry.NewMessage("orders", []byte("3 apples"), client.Tag("paid")))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Status, result.Queue, result.QueueOffset)
}

func ExampleNewMessage() {
	m := gantry.NewMessage("orders", []byte("3 apples"),
		client.Tag("paid"), client.Keys("order-17", "customer-4"), client.Property("colour", "red"))
	fmt.Println(m)
	fmt.Println(m.Tags(), m.Keys(), m.Properties.Get("colour"))
	// Output:
	// message for orders: 8 body bytes, 3 properties
	// paid [order-17 customer-4] red
}

func ExampleNewAdmin() {
	ctx := context.Background()
	a, err := gantry.NewAdmin(client.WithNameServers("127.0.0.1:9876"))
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close(ctx)
	topic := client.TopicConfig{Name: "orders", ReadQueues: 8, WriteQueues: 8, Perm: proto.PermReadWrite}
	brokers, err := a.UpdateTopicInCluster(ctx, "DefaultCluster", topic)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("created at", brokers)
}

func ExampleHTTPResolver() {
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "10.0.0.1:9876;10.0.0.2:9876")
	}))
	defer endpoint.Close()
	list, err := gantry.HTTPResolver{URL: endpoint.URL}.Resolve()
	fmt.Println(list, err)
	// Output: [10.0.0.1:9876;10.0.0.2:9876] <nil>
}

func ExampleEndpointURL() {
	fmt.Println(gantry.EndpointURL("names.example", "nsaddr", ""))
	fmt.Println(gantry.EndpointURL("names.example:80", "nsaddr", "blue"))
	// Output:
	// http://names.example:8080/rocketmq/nsaddr
	// http://names.example:80/rocketmq/nsaddr-blue?nofix=1
}

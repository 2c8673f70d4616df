package client_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/transport/proto"
	"github.com/stretchr/testify/require"
)

// twoNameServers is a cluster whose second name server knows the same.
func twoNameServers(t *testing.T, seed uint64) (*cluster, *nameServer) {
	t.Helper()
	c := newCluster(t, seed)
	second := c.nameServer("names2")
	second.routes = c.names.routes
	return c, second
}

func TestTheNameServerThatAnswersStaysInUse(t *testing.T) {
	c, second := twoNameServers(t, 1)
	c.run(10*time.Minute, func() {
		p := c.producer(client.WithNameServers(c.names.address + ";" + second.address))
		_, err := p.Send(background, hello())
		must(err)
		c.app.Tasks.Sleep(5 * time.Minute)
	})
	asked := []int{len(c.names.codes), len(second.codes)}
	require.Contains(t, asked, 0)
	require.InDelta(t, 10, asked[0]+asked[1], 1, "the route is refreshed every 30 s")
}

func TestTheNextNameServerIsAskedWithinTheSameCall(t *testing.T) {
	for name, broken := range map[string]func(*nameServer){
		"nobody listens":      func(n *nameServer) { n.env.Tasks.Go("stop", n.server.Close) },
		"it does not answer":  func(n *nameServer) { n.intercept = silent },
		"it fails":            func(n *nameServer) { n.intercept = refusing(proto.ReqGetRouteInfoByTopic, proto.RespSystemError) },
		"it has just started": func(n *nameServer) { n.routes = nil },
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(4) {
				c, second := twoNameServers(t, seed)
				var took time.Duration
				c.run(time.Minute, func() {
					broken(c.names)
					p := c.producer(client.WithNameServers(c.names.address, second.address))
					c.app.Tasks.Sleep(10 * time.Millisecond)
					began := c.app.Clock.Now()
					_, err := p.Send(background, hello())
					must(err)
					took = c.app.Clock.Now().Sub(began)
				})
				require.Less(t, took, 2*time.Second, "a name server gets no more than its share of the time")
			}
		})
	}
}

func TestAfterAFailureTheOtherNameServerIsPreferred(t *testing.T) {
	c, second := twoNameServers(t, 1)
	c.names.intercept, second.intercept = silent, silent
	var first error
	c.run(10*time.Minute, func() {
		p := c.producer(client.WithNameServers(c.names.address, second.address))
		_, first = p.Send(background, hello())
		asked := len(c.names.codes)
		if asked != 1 || len(second.codes) != 1 {
			panic("both should have been asked")
		}
		second.intercept = nil
		_, err := p.Send(background, hello())
		must(err)
		c.app.Tasks.Sleep(5 * time.Minute)
	})
	require.ErrorIs(t, first, client.ErrNoNameServer)
	require.ErrorIs(t, first, client.ErrTimeout)
	var failed *client.SendError
	require.ErrorAs(t, first, &failed)
	require.False(t, failed.MaybeStored)
	require.LessOrEqual(t, len(c.names.codes), 2)
	require.Greater(t, len(second.codes), 8)
}

// changing is a resolver whose answer the test changes.
type changing struct {
	list  []string
	err   error
	asked int
}

// Resolve is part of client.Resolver.
func (r *changing) Resolve() ([]string, error) {
	r.asked++
	return r.list, r.err
}

func TestAResolverIsAskedAtFirstUseAndEveryTwoMinutes(t *testing.T) {
	c, second := twoNameServers(t, 1)
	r := &changing{list: []string{c.names.address}}
	c.run(time.Hour, func() {
		p := c.producer(client.WithResolver(r))
		if r.asked != 0 {
			panic("asked before the first use")
		}
		_, err := p.Send(background, hello())
		must(err)
		c.app.Tasks.Sleep(11 * time.Second)
		if r.asked != 2 {
			panic("not asked again after 10 s")
		}
		r.list = []string{second.address}
		c.app.Tasks.Sleep(2 * time.Minute)
		if r.asked != 3 {
			panic("not asked again after 2 min")
		}
		if len(c.names.server.Conns()) != 0 {
			panic("the connection to a name server that left the list is still open")
		}
		before := len(c.names.codes)
		r.list, r.err = nil, errors.New("down")
		c.app.Tasks.Sleep(10 * time.Minute)
		if len(c.names.codes) != before {
			panic("a name server that left the list is still asked")
		}
		must(p.Close(background))
	})
	require.Equal(t, 8, r.asked)
	require.Greater(t, len(second.codes), 15, "the last list stays in use while the resolver fails")
	require.Empty(t, c.machine.TaskNames())
}

func TestWithoutANameServerTheErrorSaysSo(t *testing.T) {
	for name, r := range map[string]*changing{
		"the resolver fails":     {err: errors.New("down")},
		"the list has no member": {list: []string{" ; "}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			var err error
			c.run(time.Minute, func() { _, err = c.producer(client.WithResolver(r)).Send(background, hello()) })
			require.ErrorIs(t, err, client.ErrNoNameServer)
			require.ErrorIs(t, err, cmpErr(r.err, err))
		})
	}
}

func cmpErr(err, fallback error) error {
	if err == nil {
		return fallback
	}
	return err
}

func TestAddressesOfCloudEndpointsLoseTheirScheme(t *testing.T) {
	c := newCluster(t, 1)
	c.run(time.Minute, func() {
		p := c.producer(client.WithNameServers("http://instance.example/" + c.names.address + " ; "))
		_, err := p.Send(background, hello())
		must(err)
	})
	require.Len(t, c.sends(), 1)
}

package scenario

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/linearizability"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
	"github.com/gantrymq/gantry/transport/proto"
)

// tool is an operator, or a program of one, who looks and interferes.
type tool struct {
	c      *controllersRun
	number int
	env    env.Env
	random *sim.Stream
	line   *rawClient
}

func (c *controllersRun) addTools() {
	for number := range int(c.draw.number("tools", 0, 2)) {
		_, e := c.cluster.AddClient()
		t := &tool{c: c, number: number, env: e, random: c.kernel.Stream(fmt.Sprint("tool ", number)), line: newRawClient(e)}
		e.Tasks.Go("tool", t.run)
	}
}

func (t *tool) run() {
	every := t.c.draw.random.Derive(fmt.Sprint("pause of tool ", t.number)).Between(int64(50*time.Millisecond), int64(2*time.Second))
	for !t.c.stopped {
		t.env.Tasks.Sleep(time.Duration(t.random.Between(0, every)))
		g := t.c.groups[t.random.IntN(len(t.c.groups))]
		switch chance := t.random.IntN(100); {
		case t.c.stopped:
		case chance < 20:
			t.elect(g)
		case chance < 26 && t.c.unclean:
			t.electUnclean(g)
		case chance < 36 && t.c.cleaning:
			t.clean(g)
		case chance < 50:
			t.list(g)
		default:
			t.look(g)
		}
	}
}

// ask asks any controller.
func (t *tool) ask(code int32, fields map[string]string, body []byte) *rawAnswer {
	peers := t.c.cluster.Peers()
	for range 3 {
		answer := t.line.call(peers[t.random.IntN(len(peers))].Address, code, fields, body)
		if answer != nil && answer.Code == proto.RespGoAway {
			t.line.close()
		} else if answer != nil && answer.Code != proto.RespControllerNotLeader {
			return answer
		}
	}
	return nil
}

// saw records an answer.
func (t *tool) saw(g *replicaGroup, view linearizability.GroupView, call env.Instant, deed string) {
	g.saw(linearizability.GroupOperation{Client: t.number, Call: int64(call), Return: int64(t.c.kernel.Now()), View: view, Deed: deed})
}

// pick is the id of some broker of the group; 0 if it has none.
func (t *tool) pick(g *replicaGroup) int64 { return g.members[t.random.IntN(len(g.members))].id }

func (t *tool) elect(g *replicaGroup) {
	id, designated := t.pick(g), t.random.Chance(0.8)
	if id == 0 {
		return
	}
	if !designated && t.random.Chance(0.5) {
		id = proto.NoBroker
	}
	call := t.c.kernel.Now()
	answer := t.ask(proto.ReqControllerElectMaster, map[string]string{
		"clusterName": "c", "brokerName": g.name, "brokerId": fmt.Sprint(id), "designateElect": fmt.Sprint(designated), "invokeTime": "0",
	}, nil)
	if answer != nil && (answer.Code == proto.RespSuccess || answer.Code == proto.RespControllerMasterStillExist && len(answer.body) > 0) {
		t.saw(g, answer.view(), call, fmt.Sprint("elect ", id))
	}
}

func (t *tool) electUnclean(g *replicaGroup) {
	call := t.c.kernel.Now()
	answer := t.ask(proto.ReqControllerElectMaster, map[string]string{
		"clusterName": "c", "brokerName": g.name, "brokerId": fmt.Sprint(proto.NoBroker), "designateElect": "true", "invokeTime": "0", "gantryUnclean": "true",
	}, nil)
	if answer != nil && answer.Code == proto.RespSuccess {
		t.saw(g, answer.view(), call, "elect, unclean")
	}
}

// clean forgets one broker, or all of a group.
func (t *tool) clean(g *replicaGroup) {
	fields := map[string]string{"brokerName": g.name, "isCleanLivingBroker": "true", "invokeTime": "0"}
	if t.random.Chance(0.7) {
		if fields["brokerControllerIdsToClean"] = fmt.Sprint(t.pick(g)); fields["brokerControllerIdsToClean"] == "0" {
			return
		}
	}
	answer := t.ask(proto.ReqCleanBrokerData, fields, nil)
	if answer != nil && answer.Code == proto.RespSuccess && fields["brokerControllerIdsToClean"] != "" {
		t.c.kernel.Mark("a member was cleaned")
	}
}

// look asks for one group.
func (t *tool) look(g *replicaGroup) {
	call := t.c.kernel.Now()
	answer := t.ask(proto.ReqControllerGetReplicaInfo, map[string]string{"brokerName": g.name}, nil)
	if answer != nil && answer.Code == proto.RespSuccess {
		t.saw(g, answer.view(), call, "look")
	}
}

// list asks for all of it.
func (t *tool) list(g *replicaGroup) {
	call := t.c.kernel.Now()
	answer := t.ask(proto.ReqControllerGetSyncStateData, map[string]string{}, []byte(`["`+g.name+`","nobody"]`))
	if answer == nil || answer.Code != proto.RespSuccess {
		return
	}
	var info struct {
		Table map[string]struct {
			MasterBrokerID int64
			MasterEpoch    int32
			SyncEpoch      int32 `json:"syncStateSetEpoch"`
			InSyncReplicas []struct{ BrokerID int64 }
		} `json:"replicasInfoTable"`
	}
	if err := json.Unmarshal(answer.strictBody(), &info); err != nil {
		t.c.failSafety("the list %q cannot be read: %v", answer.body, err)
		return
	}
	if one, ok := info.Table[g.name]; ok {
		view := linearizability.GroupView{Master: one.MasterBrokerID, Epoch: one.MasterEpoch, SetEpoch: one.SyncEpoch}
		for _, r := range one.InSyncReplicas {
			view.InSync = append(view.InSync, r.BrokerID)
		}
		t.saw(g, view, call, "list")
	}
}

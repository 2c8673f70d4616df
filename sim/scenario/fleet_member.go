package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/gantrymq/gantry/client"
	"github.com/gantrymq/gantry/node/env"
	"github.com/gantrymq/gantry/sim"
)

// fleetConsumer is a consumer of any sort.
type fleetConsumer interface {
	Start(ctx context.Context) error
	Assigned(ctx context.Context) ([]client.Queue, error)
	Close(ctx context.Context) error
}

// fleetMember is a machine on which one consumer after the other lives.
type fleetMember struct {
	f       *fleet
	number  int
	machine *sim.Machine
	env     env.Env // of the present boot
	random  *sim.Stream
	boots   int
	life    int // counts consumers, so that handlers of former ones are known
	// options are those of the next consumer, which is a push consumer unless make makes another one.
	options func(m *fleetMember) []client.PushOption
	make    func(m *fleetMember) (fleetConsumer, error)
	// instead, if not nil, is the task of a machine that has no consumer.
	instead func(m *fleetMember, e env.Env)

	// ticking is called at each tick, or nil.
	ticking   func(m *fleetMember)
	consumer  fleetConsumer // of the present life, or nil
	consuming bool
	leave     bool          // the consumer is to close in order
	rest      time.Duration // how long the machine then is without one, at least
	closed    bool          // the last one has
	ticks     int           // time that the machine has lived through, in units of tickEvery, without pauses
	ticked    env.Instant
	gapEnded  env.Instant // when the last pause was noticed
}

// String names the member and its consumer.
func (m *fleetMember) String() string { return fmt.Sprintf("member %d life %d", m.number, m.life) }

// tickEvery is how exactly pauses of a member are noticed.
const tickEvery = 100 * time.Millisecond

// boot starts a machine that is down, and the consumer on it.
func (m *fleetMember) boot() {
	if m.boots > 0 && m.machine.Up() {
		return
	}
	if m.boots > 0 {
		m.env = m.machine.Boot(m.machine.Name())
	}
	m.boots++
	m.leave, m.consumer = false, nil
	e := m.env
	m.ticked = e.Clock.Now()
	e.Tasks.Go("tick", func() { m.tick(e) })
	if m.instead != nil {
		e.Tasks.Go("member", func() { m.instead(m, e) })
		return
	}
	e.Tasks.Go("member", func() {
		for {
			m.live(e)
		}
	})
}

func (m *fleetMember) tick(e env.Env) {
	for {
		e.Tasks.Sleep(tickEvery)
		now := e.Clock.Now()
		if now.Sub(m.ticked) > 3*tickEvery {
			m.gapEnded = now
			m.f.kernel.Mark("a member was paused")
		}
		m.ticked = now
		m.ticks++
		if m.ticking != nil {
			m.ticking(m)
		}
	}
}

// pausedLately reports whether the machine made no step for a while, just now or a second ago.
func (m *fleetMember) pausedLately(now env.Instant) bool {
	return now.Sub(m.ticked) > 3*tickEvery || m.gapEnded > 0 && now.Sub(m.gapEnded) < time.Second
}

// live is the life of one consumer, until it is told to leave. Then the machine rests a while.
func (m *fleetMember) live(e env.Env) {
	m.life++
	consumer, err := m.newConsumer(e)
	if err != nil {
		m.f.failSafety("%s could not be made: %v", m, err)
		return
	}
	m.closed, m.consumer = false, consumer
	for consumer.Start(context.Background()) != nil {
		e.Tasks.Sleep(200 * time.Millisecond)
	}
	m.consuming = true
	m.f.kernel.Mark("a member joined")
	for !m.leave {
		e.Tasks.Sleep(tickEvery)
	}
	if m.ticking != nil {
		// What happened since the last tick: a consumer that closes tells nothing more.
		m.ticking(m)
	}
	if err := consumer.Close(context.Background()); err != nil {
		m.f.failSafety("%s does not close: %v", m, err)
	}
	m.consuming, m.leave, m.closed = false, false, true
	m.f.kernel.Mark("a member left")
	e.Tasks.Sleep(m.rest + time.Duration(m.random.Between(0, int64(5*time.Second))))
}

func (m *fleetMember) newConsumer(e env.Env) (fleetConsumer, error) {
	if m.make != nil {
		return m.make(m)
	}
	return client.NewPushConsumer(e, m.options(m)...)
}

// listen makes all members one group that shows what comes of a topic.
func (f *fleet) listen(group, topic string, received func(r *client.Received)) {
	handler := func(_ context.Context, messages []*client.Received) error {
		for _, r := range messages {
			received(r)
		}
		return nil
	}
	for _, m := range f.members {
		m.options = func(*fleetMember) []client.PushOption {
			return []client.PushOption{
				client.WithNameServers(f.cluster.NameServerAddresses()...), client.WithGroup(group), client.WithConsumeFrom(client.FromFirst), client.WithHandler(handler),
				client.WithSubscription(topic, client.Tags("*")), client.WithHold(f.work.hold), client.WithPullTimeout(f.work.hold + 2*time.Second),
				client.WithRequestTimeout(2 * time.Second), client.WithRouteRefresh(5 * time.Second),
			}
		}
	}
}

// alive reports whether a consumer of this member runs still.
func (m *fleetMember) alive(life int) bool { return m.machine.Up() && m.life == life }

// churnOptions say how members come and go.
type churnOptions struct {
	every                 time.Duration
	crash, pause, leaving float64
	pauseMax              time.Duration
}

func (o *churnOptions) draw(d *draw) {
	o.every = d.duration("time between changes of members", 2*time.Second, 30*time.Second)
	o.crash = d.share("crashes of members", 0.5)
	o.pause = d.share("pauses of members", 0.5)
	o.leaving = d.share("members that leave", 0.5)
	o.pauseMax = d.duration("longest pause of a member", time.Second, 100*time.Second)
}

// disturb is the task that lets members come and go.
func (f *fleet) disturb() {
	random, o := f.kernel.Stream("churn"), &f.churn
	end := f.observer.Clock.Now().Add(f.work.for_)
	for {
		f.observer.Tasks.Sleep(time.Duration(random.Between(0, 2*int64(o.every))))
		if f.stopped {
			return
		}
		m := f.members[random.IntN(len(f.members))]
		if random.Chance(o.crash) {
			f.observer.Tasks.Go("crash member", func() { f.crashMember(m, random) })
		}
		if random.Chance(o.pause) {
			// A pause does not outlast the safety phase.
			m.machine.Pause(min(time.Duration(random.Between(0, int64(o.pauseMax))), end.Sub(f.observer.Clock.Now())))
		}
		if random.Chance(o.leaving) && m.consuming {
			m.leave = true
		}
	}
}

func (f *fleet) crashMember(m *fleetMember, random *sim.Stream) {
	if !m.machine.Up() {
		return
	}
	style := sim.CrashStyle(random.IntN(2))
	f.kernel.Mark("a member crashed: " + style.String())
	f.kernel.Note("%s: %s", m, style)
	m.consuming = false
	m.machine.Crash(style)
	f.observer.Tasks.Sleep(time.Duration(random.Between(0, int64(20*time.Second))))
	// Heal has started it, if the safety phase is over.
	m.boot()
}

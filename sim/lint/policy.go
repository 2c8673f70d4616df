package lint

// policy says which packages of this module a package may import.
//
// Read `a < b` as "b may import a". In a chain a < b < c, c may import b and a.
// Nothing follows from two separate lines: what is not written is not allowed. Names are
// directories below the module's root, "." is the root itself, NONE is nothing,
// TESTS are the test files inside any package.
//
// Read `a !< b` as "b must not import a, not even through others". There,
// "x/..." is x and all below it, and a name in quotes is a package outside this module.
//
// Transport and store do not know each other: node/broker is the only place where they
// meet. Only commands, the root package and tests may name a world.
const policy = `
	NONE < node/env, transport/wire, transport/message, linearizability, sim/lint, sim/planted, interop/..., cmd/gantry/acceptance, cmd/gantry/chaos,
		node/filter/filtertest, internal/processtest, internal/promtest, node/measure;

	node/env       < store/segment, node/replica, node/env/osenv, node/env/envtest, sim;
	transport/wire < transport/proto < transport/assign;
	transport/wire < transport/signature;

	node/env, transport/wire, transport/proto      < transport;
	node/env, transport/message, store/segment     < store/index;
	node/env, transport/message, store/segment     < store/timer;
	node/env, transport/message, store/segment, store/index < store;

	# Who may do what: decided by pure code, kept and recorded by a guard that name servers and brokers have.
	transport/wire, transport/proto, transport/signature < node/access;
	node/env, transport, transport/wire, transport/proto, transport/signature, node/access < node/guard;
	node/access, node/guard, transport/signature < node/namesrv, node/broker, node/controller, cmd/gantry;
	transport/signature < client, .;

	node/env, node/measure, transport, transport/wire, transport/proto
		< node/namesrv;
	node/env, node/measure, transport, transport/wire, transport/proto
		< node/controller;
	transport/message < node/filter;
	node/env, transport/message < node/inflight;
	node/env, transport/message < node/replica;
	transport/message < node/repeat < node/broker;
	node/env, transport, transport/wire, transport/proto, transport/assign, node/replica, node/filter, node/measure, node/inflight, transport/message, store, store/segment, store/timer
		< node/broker;
	node/env, transport, transport/wire, transport/proto, transport/message, transport/assign
		< client;

	# The two worlds are chosen here and nowhere else.
	node/env, node/env/osenv, client, transport/assign, transport/proto, transport/message
		< .;
	node/env, node/env/osenv, node/measure, node/namesrv, node/broker, node/controller, client, store,
	transport/wire, transport/proto, transport/message, store/segment, store/index,
	cmd/gantry/commandline, cmd/gantry/config, cmd/gantry/monitor, cmd/gantry/table
		< cmd/gantry;
	# Tests of the binary know it from outside.
	NONE < cmd/gantry/commandline, cmd/gantry/table, cmd/gantry/acceptance, cmd/gantry/chaos, cmd/gantry/speed;
	cmd/gantry/commandline < cmd/gantry/config;
	node/env, node/measure < cmd/gantry/monitor;
	sim, node/env, node/namesrv, node/broker, node/controller, node/replica, client, store, store/index
		< sim/cluster < sim/fault, sim/oracle < sim/scenario < cmd/gantrysim;
	transport/proto, transport/message, linearizability
		< sim/oracle < sim/scenario < cmd/gantrysim;
	# What filters mean is told twice. The node knows nothing of the second telling.
	node/filter/filtertest < sim/oracle, sim/scenario;
	transport/assign < sim/scenario;
	# Of access control the simulator knows the options only. What rights mean is told twice as well.
	node/access, node/guard, transport/signature < sim/scenario;

	# Neither the simulator nor the operating system is an obstacle for a test of any package.
	sim, node/env/envtest, node/env/osenv < TESTS;
	# Tests of the binary run it as a process.
	internal/processtest < TESTS;
	# What people write for Prometheus is read with a parser of our own.
	internal/promtest < TESTS;

	node/env/osenv !< node/env, node/env/envtest, node/namesrv, node/broker, node/replica, node/controller, node/filter/..., node/repeat, node/access, node/guard,
		transport/..., store/..., client/..., sim/..., linearizability, cmd/gantrysim;
	sim/...        !< ., cmd/gantry, node/..., transport/..., store/..., client/..., linearizability;
	client/...     !< node/..., store/...;
	node/namesrv, node/broker, node/controller, node/replica, node/access, node/guard, node/inflight, store/... !< client/...;
	transport, transport/wire, transport/proto !< store/...;
	store/...      !< transport/...;
	node/filter/filtertest !< ., cmd/gantry, node/namesrv, node/broker, node/controller, node/filter;
	"testing"      !< ., cmd/..., node/namesrv, node/broker, node/replica, node/controller, node/filter/..., node/repeat, node/access, node/guard, node/inflight, node/env, node/env/osenv,
		transport/..., store/..., client/..., sim/..., linearizability;
`

// testPolicy binds the external tests (package x_test), which may otherwise
// import what they like: a test of the simulator that used the real machine would not
// repeat, and the tests of the shipped binary see it from outside.
const testPolicy = `
	node/env/osenv !< sim/..., linearizability;
	sim/...        !< cmd/gantry, interop/..., node/env/osenv;
`

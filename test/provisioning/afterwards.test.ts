// What comes after the first identity: one that is refused, one that is to be forgotten, a claim that is to be erased,
// a connection that does not last.

import t from "tap";
import { SimulatedDevice } from "../../hosts/node/device.js";
import { MemoryFlash } from "../../hosts/node/flash.js";
import type { ApplicationContext } from "../../src/contract/application.js";
import { templateBody } from "../support/virtual-cloud.js";
import { VirtualTime } from "../support/virtual-time.js";
import { hello, SERIAL_NUMBER, World, type WorldOptions } from "../support/world.js";

const HOUR = 3_600_000;

/** Makes a thing whose certificate is INACTIVE. */
const INACTIVE: WorldOptions = { templateBody: templateBody("INACTIVE") };

t.test(
	"given identities that are always refused, then the device asks for new ones more and more rarely",
	async (test) => {
		const world = await World.make(INACTIVE);
		world.machine.powerOn();
		const issuedBy: number[] = [];
		for (let day = 1; day <= 3; day++) {
			await world.play(() => false, day * 24 * HOUR);
			issuedBy.push(world.cloud.issued);
		}
		test.comment(`certificates issued by the end of each day: ${issuedBy.join(", ")}`);
		test.ok(issuedBy[0]! <= 12, "at most twelve in the first day");
		test.ok(issuedBy[2]! - issuedBy[1]! <= 5, "at most five in the third");
		const asides = world.events.flatMap((event) => (event.event === "set-aside" ? [event.times] : []));
		test.same(
			asides,
			asides.map((_, i) => i + 1),
			"each is on record",
		);
		world.machine.powerOff();
	},
);

t.test(
	"given an identity that was put aside, when somebody activates it, then the device takes it up, and claims no other",
	async (test) => {
		const world = await World.make(INACTIVE);
		world.machine.powerOn();
		await world.play(() => world.events.some(({ event }) => event === "set-aside"), 24 * HOUR);
		const { issued } = world.cloud;
		for (const { certificateId } of world.cloud.registry.state.certificates.values())
			if (certificateId !== world.cloud.claimCertificateId)
				world.cloud.registry.certificates.updateCertificate({ certificateId, newStatus: "ACTIVE" });
		test.ok(await world.play(), "it runs");
		test.equal(world.cloud.issued, issued);
		world.machine.powerOff();
	},
);

t.test(
	"given a proved identity that is revoked, then the device tries it again, and never goes back to the claim",
	async (test) => {
		const world = await World.make();
		world.machine.powerOn();
		await world.play();
		world.machine.powerOff();
		for (const { certificateId } of world.cloud.registry.state.certificates.values())
			if (certificateId !== world.cloud.claimCertificateId)
				world.cloud.registry.certificates.updateCertificate({ certificateId, newStatus: "REVOKED" });
		world.events.length = 0;
		world.machine.powerOn();
		await world.play(() => false, world.time.ticks() + 6 * HOUR);
		test.same([...new Set(world.failures)], ["IDENTITY_REFUSED"]);
		test.same(
			[...new Set(world.events.flatMap((event) => (event.event === "connecting" ? [event.role] : [])))],
			["identity"],
		);
		test.equal(world.cloud.issued, 1);
		world.machine.powerOff();
	},
);

t.test(
	"given a connection that is lost, then the application is stopped, and called again with a new one",
	async (test) => {
		const calls: string[] = [];
		let dropped = false;
		const world = await World.make({
			application: ({ connection, identity }) => {
				calls.push("start");
				connection.publish(`devices/${identity.thingName}/hello`, "hello").catch(() => calls.push("failed"));
				return () => void calls.push("stop");
			},
			fate: ({ direction, packet }) => {
				if (direction === "up" && packet.cmd === "publish" && packet.topic.endsWith("hello") && !dropped) {
					dropped = true;
					return "close";
				}
				return "pass";
			},
		});
		world.machine.powerOn();
		test.ok(await world.play());
		test.same(calls, ["start", "stop", "failed", "start"]);
		test.same(world.failures, ["CONNECTION_LOST"]);
		test.ok(world.events.some((event) => event.event === "disconnected" && event.role === "identity"));
		world.machine.powerOff();
	},
);

t.test("given a broker that falls silent, then the keep-alive finds out", async (test) => {
	const world = await World.make({
		configuration: { keepAlive: 60 },
		fate: ({ packet }) => (packet.cmd === "pingresp" ? "drop" : "pass"),
	});
	world.machine.powerOn();
	await world.play(() => world.failures.length > 0, HOUR);
	test.same(world.failures, ["KEEP_ALIVE_TIMEOUT"]);
	world.machine.powerOff();
});

t.test("given an application that throws, then the failure is reported, and it is called again", async (test) => {
	let calls = 0;
	const world = await World.make({
		application: ({ connection }) => {
			calls += 1;
			if (calls === 1) throw new Error("the application's own");
			connection.publish("devices/a/hello", "").catch(() => {});
			return undefined;
		},
	});
	world.machine.powerOn();
	test.ok(await world.play());
	test.same(world.failures, ["APPLICATION_FAILED"]);
	world.machine.powerOff();
});

/** Plays until the application runs, and gives its context. */
async function running(options: WorldOptions = {}): Promise<{ world: World; context: () => ApplicationContext }> {
	let context: ApplicationContext | undefined;
	const world = await World.make({
		...options,
		application: (given) => {
			context = given;
			given.connection.publish(`devices/${given.identity.thingName}/hello`, "hello").catch(() => {});
			return undefined;
		},
	});
	world.machine.powerOn();
	await world.play();
	return { world, context: () => context! };
}

t.test(
	"given a factory reset that forgets, then credentials are erased and the device claims a new identity",
	async (test) => {
		const { world, context } = await running();
		const before = context().identity.certificateId;
		const key = Buffer.from(world.flash.values.get("cred.a")!).subarray(-200).toString("hex");
		world.cloud.messages.length = 0;
		context().factoryReset("forget");
		await world.play(() => world.events.some(({ event }) => event === "identity.forgotten"));
		for (const value of world.flash.values.values()) test.notMatch(Buffer.from(value).toString("hex"), key);
		test.ok(await world.play());
		test.not(context().identity.certificateId, before);
		test.equal(world.cloud.issued, 2);
		world.machine.powerOff();
	},
);

t.test(
	"given a factory reset that forgets, when the power fails at any of its writes, then it is carried out at the next power-on",
	async (test) => {
		const plain = await running();
		const before = plain.world.flash.writes;
		plain.context().factoryReset("forget");
		await plain.world.play(() => plain.world.events.some(({ event }) => event === "identity.forgotten"));
		const writes = plain.world.flash.writes - before;
		plain.world.machine.powerOff();
		for (let write = 1; write <= writes; write++)
			for (const bytes of [0, 1, Number.POSITIVE_INFINITY]) {
				const { world, context } = await running({ cuts: [{ write: before + write, bytes }] });
				const first = context().identity.certificateId;
				world.cloud.messages.length = 0;
				context().factoryReset("forget");
				test.ok(await world.play(), `write ${write}, ${bytes} bytes`);
				// Before the record says so, nothing was forgotten: then the device is still who it was.
				const same = context().identity.certificateId === first;
				test.equal(same, world.cloud.issued === 1);
				if (write > 2) test.notOk(same);
				world.machine.powerOff();
			}
	},
);

t.test("given a factory reset that keeps, then the device restarts as who it was", async (test) => {
	const { world, context } = await running();
	const { certificateId } = context().identity;
	const { writes } = world.flash;
	world.cloud.messages.length = 0;
	context().factoryReset("keep");
	test.ok(await world.play());
	test.equal(context().identity.certificateId, certificateId);
	test.equal(world.flash.writes, writes);
	test.ok(world.events.some((event) => event.event === "restart" && event.reason === "reset"));
	const [first, second] = world.cloud.connects.get(SERIAL_NUMBER)!;
	test.ok(second! - first! >= 1000, "and does not send CONNECT twice within a second");
	world.machine.powerOff();
});

t.test("given a claim that is to be erased, then it is once the identity is proved, and not before", async (test) => {
	const { world, context } = await running({ configuration: { claimAfterwards: "erase" } });
	const order = world.events
		.map(({ event }) => event)
		.filter((event) => event === "proved" || event === "claim.erased");
	test.same(order, ["proved", "claim.erased"]);
	context().factoryReset("forget");
	await world.play(() => world.failures.length > 0);
	test.same(world.failures, ["CLAIM_MISSING"]);
	world.machine.powerOff();
});

t.test(
	"given device configuration in the template, then the application has it, also after the next power-on",
	async (test) => {
		const { world, context } = await running();
		test.same(context().identity.deviceConfiguration, { color: "blue" });
		test.equal(context().identity.thingName, SERIAL_NUMBER);
		world.machine.powerOff();
		world.cloud.messages.length = 0;
		world.machine.powerOn();
		await world.play();
		test.same(context().identity.deviceConfiguration, { color: "blue" });
		world.machine.powerOff();
	},
);

t.test("given what is no topic, then publishing it is refused and the connection lives", async (test) => {
	const { world, context } = await running();
	for (const topic of ["", "a/+", "#", "x".repeat(257)])
		await test.rejects(context().connection.publish(topic, ""), { message: "not a topic" });
	test.equal(context().connection.ended, false);
	await test.rejects(context().connection.publish("big", "x".repeat(20_000)), { code: "SEND_QUEUE_FULL" });
	world.machine.powerOff();
});

t.test(
	"given a time server that once lied about the future, then the device comes back when another tells the truth",
	async (test) => {
		const lied = await World.make({ clock: "unset", timeServer: Date.UTC(2027, 6, 1) });
		lied.machine.powerOn();
		test.ok(await lied.play());
		lied.machine.powerOff();
		// The same flash and the same cloud's certificates, months earlier by a right clock.
		const world = await World.make({ clock: "unset", flash: lied.flash });
		world.machine.powerOn();
		await world.play(() => world.events.some(({ event }) => event === "connecting"), 600_000);
		test.same(
			world.events.map(({ event }) => event).filter((event) => event.startsWith("clock") || event === "connecting"),
			["clock.synchronizing", "clock.set", "connecting"],
		);
		world.machine.powerOff();
	},
);

t.test(
	"given a clock chip that lags behind the last good time, then a time server is asked before anything is attempted",
	async (test) => {
		const first = await World.make();
		first.machine.powerOn();
		await first.play();
		first.machine.powerOff();
		const world = await World.make({ clock: Date.UTC(2026, 0, 1), flash: first.flash, timeServer: "silent" });
		world.machine.powerOn();
		await world.play(() => world.failures.length > 0);
		test.same(world.failures, ["CLOCK_UNSET"]);
		test.notOk(world.events.some(({ event }) => event === "connecting"));
		world.machine.powerOff();
	},
);

t.test(
	"given certificate dates that do not fit, then time servers are asked again before each attempt",
	async (test) => {
		const time = new VirtualTime();
		const events: string[] = [];
		const device = new SimulatedDevice({
			configuration: { endpoint: "iot.test", template: "fleet" },
			device: { serialNumber: SERIAL_NUMBER, firmwareVersion: "1.0.0" },
			claim: { certificate: new Uint8Array(1), key: new Uint8Array(1) },
			roots: [],
			storage: new MemoryFlash(),
			application: hello,
			time,
			clock: "unset",
			timeServer: Date.UTC(2040, 0, 1),
			network: ({ onError }) => {
				time.set(() => onError({ reason: "tls-dates", message: "not valid then" }), 10);
				return { read: () => undefined, write: () => {}, close: () => {} };
			},
			onEvent: ({ event }) => events.push(event),
		});
		device.powerOn();
		while (time.ticks() < HOUR) {
			await new Promise(setImmediate);
			time.advance();
		}
		device.powerOff();
		const asked = events.filter((event) => event === "clock.synchronizing").length;
		test.ok(asked > 3);
		test.equal(asked, events.filter((event) => event === "connecting").length);
	},
);

/** How often the device connected from one time to another, in ms of virtual time. */
const connects = ({ cloud }: World, from: number, to: number): number =>
	[...cloud.connects.values()].flat().filter((at) => at >= from && at < to).length;

t.test("given a token whose hour passes while nobody answers, then the pauses stay long", async (test) => {
	let lost = false;
	const world = await World.make({
		fate: ({ direction, packet }) => {
			if (direction === "down" && packet.cmd === "publish" && packet.topic.includes("/provision/")) lost = true;
			return lost && direction === "down" ? "drop" : "pass";
		},
	});
	world.machine.powerOn();
	await world.play(() => false, 3 * HOUR);
	test.ok(connects(world, 1.1 * HOUR, 2.1 * HOUR) < 20, `${connects(world, 1.1 * HOUR, 2.1 * HOUR)} in the hour after`);
	world.machine.powerOff();
});

t.test("given a template that makes no thing, then certificates are asked for more and more rarely", async (test) => {
	const certificate = {
		Type: "AWS::IoT::Certificate",
		Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" } },
	};
	const world = await World.make({ templateBody: { Parameters: {}, Resources: { certificate } } });
	world.machine.powerOn();
	await world.play(() => false, 48 * HOUR);
	test.ok(world.failures.includes("THING_NAME_MISSING"));
	test.ok(world.cloud.issued <= 18, `${world.cloud.issued} in two days`);
	test.ok(world.events.some(({ event }) => event === "set-aside"));
	world.machine.powerOff();
});

t.test(
	"given a broker that hangs up on what the application publishes, then the device comes back more and more rarely",
	async (test) => {
		const world = await World.make({
			fate: ({ direction, packet }) =>
				direction === "up" && packet.cmd === "publish" && packet.topic.startsWith("devices/") ? "close" : "pass",
		});
		world.machine.powerOn();
		await world.play(() => false, 2 * HOUR);
		test.ok(connects(world, HOUR, 2 * HOUR) < 30, `${connects(world, HOUR, 2 * HOUR)} in the second hour`);
		world.machine.powerOff();
	},
);

t.test("given a factory reset that is asked for while offline, then it is carried out at once", async (test) => {
	let offline = false;
	const { world, context } = await running({
		configuration: { keepAlive: 30 },
		fate: () => (offline ? "drop" : "pass"),
	});
	offline = true;
	await world.play(() => world.events.some(({ event }) => event === "pause"), HOUR);
	context().factoryReset("forget");
	await world.play(() => world.events.some(({ event }) => event === "identity.forgotten"), world.time.ticks() + 5000);
	test.ok(world.events.some(({ event }) => event === "identity.forgotten"));
	world.machine.powerOff();
});

t.test(
	"given an application that throws when it is stopped, then the factory reset is carried out all the same",
	async (test) => {
		const world = await World.make({
			application: ({ connection, factoryReset, identity }) => {
				connection.publish(`devices/${identity.thingName}/hello`, "").catch(() => {});
				factoryReset("forget");
				return () => {
					throw new Error("the application's own");
				};
			},
		});
		world.machine.powerOn();
		await world.play(() => world.events.filter(({ event }) => event === "boot").length === 3, HOUR);
		test.ok(world.events.some(({ event }) => event === "identity.forgotten"));
		test.ok(world.events.some((event) => event.event === "restart" && event.reason === "reset"));
		world.machine.powerOff();
	},
);

t.test(
	"given a revoked device whose button is held at power-on, then it forgets and claims a new identity",
	async (test) => {
		const first = await running();
		const flash = first.world.flash;
		first.world.machine.powerOff();
		// A cloud that does not know the identity any more.
		const world = await World.make({ flash, forget: true });
		world.machine.powerOn();
		test.ok(await world.play());
		test.same(
			world.events.map(({ event }) => event).filter((event) => event === "boot" || event === "identity.forgotten"),
			["boot", "identity.forgotten", "boot"],
		);
		test.same(world.failures, []);
		world.machine.powerOff();
	},
);

t.test(
	"given an application that closes each connection a thousand times, then the pauses stay long, and nothing grows",
	async (test) => {
		let closes = 0;
		const kept: ApplicationContext[] = [];
		const world = await World.make({
			application: (context) => {
				closes += 1;
				kept.push(context);
				if (closes <= 1000) context.connection.close();
				else context.connection.publish(`devices/${context.identity.thingName}/hello`, "");
				return undefined;
			},
		});
		world.machine.powerOn();
		test.ok(await world.play(undefined, 1000 * HOUR));
		test.equal(closes, 1001);
		test.same([...new Set(world.failures)], ["APPLICATION_CLOSED"]);
		const closed = world.events.flatMap((event) =>
			event.event === "disconnected" && event.role === "identity" ? [event.code] : [],
		);
		test.equal(closed.filter((code) => code === "APPLICATION_CLOSED").length, 1000, "each is told");
		const times = world.cloud.connects.get(SERIAL_NUMBER)!;
		const pauses = times.slice(1).map((at, i) => at - times[i]!);
		test.ok(Math.min(...pauses) >= 1100, "never two CONNECTs within a second");
		test.ok(Math.max(...pauses) <= 16 * 60_000, "never away for long");
		const late = pauses.slice(-500).reduce((sum, pause) => sum + pause, 0) / 500;
		test.ok(late > 5 * 60_000, `${Math.round(late / 1000)} s between the last five hundred`);
		test.ok(
			kept.slice(0, -1).every(({ connection }) => connection.ended),
			"every old one has ended",
		);
		// Beside the timer of its keep-alive nothing waits.
		let timers = 0;
		world.machine.powerOff();
		while (world.time.advance()) timers += 1;
		test.ok(timers <= 5, `${timers} timers are left`);
	},
);

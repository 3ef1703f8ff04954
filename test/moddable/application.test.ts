// Given an application on the firmware, then messages reach its handlers, retained messages and the will work, and invalid
// calls are rejected.

import t from "tap";
import type { ApplicationConnection } from "../../src/contract/application.js";
import { Bench } from "./sdk/world.js";

const MINUTE = 60_000;

/** Runs the firmware until its application has a connection, and returns that connection. */
async function connected(bench: Bench): Promise<ApplicationConnection> {
	let connection: ApplicationConnection | undefined;
	bench.application = (context) => {
		connection = context.connection;
		return undefined;
	};
	bench.powerOn();
	await bench.play(() => connection !== undefined);
	return connection!;
}

/** How a promise ends: "kept", or the error's code or class. */
async function outcome(bench: Bench, promise: Promise<unknown>): Promise<string> {
	let how: string | undefined;
	promise.then(
		() => {
			how = "kept";
		},
		(error) => {
			how = error.code ?? error.constructor.name;
		},
	);
	await bench.play(() => how !== undefined);
	return how!;
}

t.test("given handlers for filters, each message goes to those that match, and the rest to onMessage", async (t) => {
	const bench = await Bench.make();
	const connection = await connected(bench);
	const heard: string[] = [];
	const note = (name: string) => (topic: string, payload: Uint8Array) =>
		void heard.push(`${name} ${topic} ${payload.length}`);
	connection.onMessage = note("rest");
	t.equal(await outcome(bench, connection.subscribe(["jobs/+", "alarm"], note("one"))), "kept");
	t.equal(await outcome(bench, connection.subscribe(["jobs/urgent"], note("two"))), "kept");
	// The cloud of these tests does not support wildcards, so every topic is subscribed to by its full name.
	t.equal(await outcome(bench, connection.subscribe(["other", "jobs/late"])), "kept");
	for (const topic of ["jobs/urgent", "jobs/late", "alarm", "other"]) {
		t.equal(await outcome(bench, connection.publish(topic, "1234")), "kept");
	}
	await bench.chip.pass(1_000);
	t.same(heard, ["one jobs/urgent 4", "two jobs/urgent 4", "one jobs/late 4", "one alarm 4", "rest other 4"]);
	heard.length = 0;
	t.equal(await outcome(bench, connection.unsubscribe(["jobs/+"])), "kept");
	connection.publish("jobs/late", "");
	connection.publish("jobs/urgent", "");
	await bench.chip.pass(1_000);
	t.same(heard, ["rest jobs/late 0", "two jobs/urgent 0"]);
	t.same(bench.failures, []);
	t.same(bench.chip.aborts, []);
});

t.test("given a handler that throws, the next one is called all the same, and the failure is reported", async (t) => {
	const bench = await Bench.make();
	const connection = await connected(bench);
	let heard = 0;
	await outcome(
		bench,
		connection.subscribe(["a/+"], () => {
			throw new Error("in the first");
		}),
	);
	await outcome(
		bench,
		connection.subscribe(["a/#"], () => {
			heard += 1;
		}),
	);
	await outcome(bench, connection.subscribe(["a/b"]));
	await outcome(bench, connection.publish("a/b", ""));
	await bench.chip.pass(1_000);
	t.equal(heard, 1);
	t.same(bench.failures, ["APPLICATION_FAILED"]);
	t.notOk(connection.ended);
});

t.test("given what cannot be a handler, a retained message or so many handlers, it is refused", async (t) => {
	const bench = await Bench.make();
	const connection = await connected(bench);
	t.equal(await outcome(bench, connection.subscribe(["a"], 5 as never)), "TypeError");
	t.equal(await outcome(bench, connection.publish("a", "", 1, "yes" as never)), "TypeError");
	for (let i = 0; i < 50; i += 5) {
		const filters = [0, 1, 2, 3, 4].map((k) => `many/${i + k}`);
		t.equal(
			await outcome(
				bench,
				connection.subscribe(filters, () => {}),
			),
			"kept",
		);
	}
	t.equal(
		await outcome(
			bench,
			connection.subscribe(["one/more"], () => {}),
		),
		"TypeError",
	);
	t.equal(await outcome(bench, connection.unsubscribe(["many/0"])), "kept");
	t.equal(
		await outcome(
			bench,
			connection.subscribe(["one/more"], () => {}),
		),
		"kept",
		"but for one taken back",
	);
	t.same(bench.failures, []);
});

t.test("given retain, the message is sent with it, and without otherwise", async (t) => {
	const bench = await Bench.make();
	const connection = await connected(bench);
	await outcome(bench, connection.publish("state", "on", 1, true));
	await outcome(bench, connection.publish("state", "off", 0));
	await bench.chip.pass(1_000);
	t.match(
		bench.sent.filter((packet) => packet.cmd === "publish" && packet.topic === "state"),
		[
			{ qos: 1, retain: true },
			{ qos: 0, retain: false },
		],
	);
});

t.test(
	"given a will, the application's connections have it, and neither the claim's nor the one that proves",
	async (t) => {
		const bench = await Bench.make();
		bench.will = ({ thingName }) => ({ topic: `devices/${thingName}/gone`, payload: Uint8Array.of(1), retain: true });
		bench.powerOn();
		t.ok(await bench.play(() => bench.running));
		const connects = bench.sent.flatMap((packet) => (packet.cmd === "connect" ? [packet] : []));
		t.match(connects, [
			{ clientId: "claim-a4cf12000001", will: undefined },
			{ clientId: "a4cf12000001", will: undefined },
			{ clientId: "a4cf12000001", will: { topic: "devices/a4cf12000001/gone", qos: 1, retain: true } },
		]);
		t.same([...(connects[2]!.will!.payload as Uint8Array)], [1]);
		const [proving, running] = bench.cloud.connects.get("a4cf12000001")!;
		t.ok(running! - proving! >= 1_000, "no two CONNECTs with one client id within a second");
		t.same(bench.failures, []);
		t.same(bench.chip.aborts, []);
	},
);

t.test("given what cannot be a will, that is the application's failure, and the identity stays", async (t) => {
	const wrong = [
		() => ({ topic: "a/#", payload: "" }),
		() => ({ topic: "a", payload: new Uint8Array(5_000) }),
		() => ({ topic: "a", payload: 5 }),
		() => {
			throw new Error("no will");
		},
	];
	for (const will of wrong) {
		const bench = await Bench.make();
		bench.will = will as never;
		bench.powerOn();
		await bench.chip.pass(10 * MINUTE);
		await bench.play(() => bench.failures.length > 1);
		t.same([...new Set(bench.failures)], ["APPLICATION_FAILED"]);
		t.match(bench.details[0], /^its will: /);
		t.ok(bench.events.some(({ event }) => event === "proved"));
		t.same(bench.chip.aborts, []);
	}
	const bench = await Bench.make();
	bench.will = () => undefined;
	bench.powerOn();
	t.ok(await bench.play(() => bench.running), "no will is fine");
});

// What sessions hold, without a broker.

import t from "tap";
import type { CloudEventBody } from "../../../hosts/cloud/base/events.js";
import { defaultSettings } from "../../../hosts/cloud/base/settings.js";
import { Sessions } from "../../../hosts/cloud/mqtt/sessions.js";
import { openState } from "../../../hosts/cloud/state/state.js";

async function start(state?: Awaited<ReturnType<typeof openState>>) {
	const settings = defaultSettings();
	const events: CloudEventBody[] = [];
	const clock = { now: 0 };
	const kept = state ?? (await openState());
	const sessions = new Sessions({
		settings,
		state: kept,
		now: () => clock.now,
		report: (event) => events.push(event),
	});
	return { settings, events, clock, state: kept, sessions };
}

const message = (topic: string, payload = "x") => ({ topic, payload, qos: 1 });

async function subscribe(sessions: Sessions, id: string, ...topics: string[]) {
	const subscriptions = topics.map((topic) => ({ topic, qos: 1 }));
	for (const subscription of subscriptions) sessions.grant(subscription);
	await sessions.addSubscriptions({ id }, subscriptions);
	return subscriptions;
}

const waiting = async (sessions: Sessions, id: string) => {
	const topics: string[] = [];
	for await (const { topic } of sessions.outgoingStream({ id })) topics.push(topic);
	return topics;
};

t.test("Messages count with all that they take, not only their payload", async (t) => {
	const { settings, sessions } = await start();
	settings.limits.storedBytes = 1_000;
	for (let index = 0; index < 10; index++) await sessions.storeRetained(message(`t/${index}`));
	t.ok(sessions.held <= 1_000);
	t.ok(sessions.held > 600, "some of them are held");
	for (let index = 0; index < 10; index++) await sessions.storeRetained(message(`t/${index}`, ""));
	t.equal(sessions.held, 0);
});

t.test("A session may stay longer than a timer can run", async (t) => {
	const { sessions } = await start();
	t.teardown(() => sessions.close());
	sessions.connected("c", 2 ** 32);
	const subscriptions = await subscribe(sessions, "c", "a");
	sessions.disconnected("c");
	await new Promise((resolve) => setTimeout(resolve, 20));
	t.same(await sessions.subscriptionsByClient({ id: "c" }), subscriptions);
});

t.test("Another process takes up sessions, what waits for them in order, and retained messages", async (t) => {
	const before = await start();
	const { state } = before;
	before.sessions.connected("c", 1_000_000);
	const subscriptions = await subscribe(before.sessions, "c", "a/+", "b");
	await subscribe(before.sessions, "gone", "b");
	for (let index = 0; index < 12; index++) {
		await before.sessions.outgoingEnqueue({ clientId: "c" }, { ...message(`a/${index}`), retain: true });
	}
	await before.sessions.storeRetained(message("kept"));
	await before.sessions.storeRetained(message("cleared"));
	await before.sessions.storeRetained(message("cleared", ""));
	await before.sessions.outgoingUpdate({ id: "c" }, { ...message("a/0"), messageId: 9 });
	await before.sessions.outgoingClearMessageId({ id: "c" }, { ...message(""), messageId: 9 });
	await before.sessions.cleanSubscriptions({ id: "gone" });
	await before.sessions.stored();
	before.sessions.close();
	const { sessions } = await start(state);
	t.teardown(() => sessions.close());
	t.equal(sessions.held, before.sessions.held);
	t.same(await sessions.subscriptionsByClient({ id: "c" }), subscriptions);
	t.same(await sessions.subscriptionsByClient({ id: "gone" }), []);
	t.same(
		await waiting(sessions, "c"),
		Array.from({ length: 11 }, (_, index) => `a/${index + 1}`),
	);
	t.same(
		(await sessions.subscriptionsByTopic("a/x")).map(({ clientId }) => clientId),
		["c"],
	);
	const retained = await sessions.createRetainedStreamCombi(["kept", "cleared"]).toArray();
	t.match(retained, [{ topic: "kept", payload: Buffer.from("x"), qos: 1 }]);
	t.equal(retained.length, 1);
	await sessions.outgoingEnqueue({ clientId: "c" }, message("a/last"));
	t.equal((await waiting(sessions, "c")).at(-1), "a/last", "and new ones come after them");
});

t.test(
	"The time of a session runs on while no cloud does; of one that was connected it begins with the next",
	async (t) => {
		const before = await start();
		before.sessions.connected("away", 10_000);
		before.sessions.connected("there", 10_000);
		await subscribe(before.sessions, "away", "a");
		await subscribe(before.sessions, "there", "a");
		before.sessions.disconnected("away");
		before.sessions.close();
		const after = await start(before.state);
		after.sessions.close();
		const rows = [...before.state.sessions.values()].map(({ clientId, endsAt }) => [clientId, endsAt]);
		t.same(rows.sort(), [
			["away", 10_000],
			["there", 10_000],
		]);
		const late = new Sessions({
			settings: after.settings,
			state: before.state,
			now: () => 10_000,
			report: (event) => after.events.push(event),
		});
		t.teardown(() => late.close());
		while (after.events.length < 2) await new Promise((resolve) => setImmediate(resolve));
		t.match(after.events, [{ event: "session.expired" }, { event: "session.expired" }]);
		t.equal(before.state.sessions.size, 0);
	},
);

t.test("Nobody is left to end the session of a client that has gone while it subscribed", async (t) => {
	const { sessions, state } = await start();
	const subscription = { topic: "a", qos: 1 };
	sessions.grant(subscription);
	await sessions.addSubscriptions({ id: "c", closed: true }, [subscription]);
	t.equal(state.sessions.size, 0);
});

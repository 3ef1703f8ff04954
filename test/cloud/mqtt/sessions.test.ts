// What sessions hold, without a broker.

import t from "tap";
import type { CloudEventBody } from "../../../hosts/cloud/base/events.js";
import { defaultSettings } from "../../../hosts/cloud/base/settings.js";
import { type Message, Room } from "../../../hosts/cloud/mqtt/message.js";
import { Retained } from "../../../hosts/cloud/mqtt/retained.js";
import type { Entry, Outlet, Session } from "../../../hosts/cloud/mqtt/session.js";
import { Sessions } from "../../../hosts/cloud/mqtt/sessions.js";
import { parseFilter } from "../../../hosts/cloud/mqtt/topics.js";
import { openState } from "../../../hosts/cloud/state/state.js";

async function start(state?: Awaited<ReturnType<typeof openState>>, at = 0) {
	const settings = defaultSettings();
	const events: CloudEventBody[] = [];
	const clock = { now: at };
	const kept = state ?? (await openState());
	const room = new Room(() => settings.limits.storedBytes);
	const now = () => clock.now;
	const failed = (where: string, error: unknown) => t.fail(where, { error: String(error) });
	const retained = new Retained({ settings, state: kept, room, now, failed });
	const report = (event: CloudEventBody) => events.push(event);
	const sessions = new Sessions({ settings, state: kept, room, now, report });
	return { settings, events, clock, state: kept, sessions, room, retained };
}

const message = (topic: string, payload = "x"): Message => ({
	...{ topic, payload: Buffer.from(payload), qos: 1, retain: false },
});

function open(sessions: Sessions, clientId: string, keep: number, ...filters: string[]) {
	const session = sessions.open(clientId, { clean: false, persistent: true, keep })!;
	for (const text of filters)
		sessions.subscribe(session, { ...parseFilter(text)!, text, qos: 1, noLocal: false, retainAsPublished: false });
	return session;
}

const waiting = (session: Session) => Array.from(session.entries(), ({ message: { topic } }) => topic);

/** A connection that says what it gets, and takes so much at a time. */
function outlet(window = 100) {
	const got: string[] = [];
	const ids: number[] = [];
	const takes: Outlet = {
		...{ window, congested: false, leftOut: () => got.push("(left out)") },
		deliver: ({ message: { topic } }: Entry, _qos: number, packetId = 0) => {
			got.push(topic);
			ids.push(packetId);
			return true;
		},
	};
	return { ...takes, got, ids };
}

t.test("Messages count with all that they take, not only their payload", async (t) => {
	const { settings, retained, room } = await start();
	settings.limits.storedBytes = 1_000;
	for (let index = 0; index < 10; index++) retained.set(message(`t/${index}`));
	t.ok(room.held <= 1_000);
	t.ok(room.held > 600, "some of them are held");
	for (let index = 0; index < 10; index++) retained.set(message(`t/${index}`, ""));
	t.equal(room.held, 0);
});

t.test("A session may stay longer than a timer can run", async (t) => {
	const { sessions } = await start();
	t.teardown(() => sessions.close());
	const session = open(sessions, "c", 2 ** 32, "a");
	sessions.disconnected(session, 2 ** 32);
	await new Promise((resolve) => setTimeout(resolve, 20));
	t.equal(sessions.get("c"), session);
	t.same([...session.subscriptions.keys()], ["a"]);
});

t.test("Another process takes up sessions, what waits for them in order, and retained messages", async (t) => {
	const before = await start();
	const { state } = before;
	const session = open(before.sessions, "c", 1_000_000, "a/+", "b", "$share/g/s");
	const gone = open(before.sessions, "gone", 1_000_000, "b");
	for (let index = 0; index < 12; index++) session.push({ message: message(`a/${index}`), retain: index === 3 });
	const properties = Buffer.from([3, 0, 1, 0x74]);
	session.push({ message: { ...message("a/rich"), properties, expiresAt: 5_000 }, retain: false });
	session.push({ message: message("s"), retain: false, shared: session.subscriptions.get("$share/g/s")! });
	before.retained.set({ ...message("kept"), properties, expiresAt: 6_000 });
	before.retained.set(message("cleared"));
	before.retained.set(message("cleared", ""));
	const taker = outlet(1);
	session.attach(taker);
	session.pump();
	session.acknowledge(taker.ids[0]!);
	t.same(taker.got, ["a/0", "a/1"], "one at a time, as the window has it");
	before.sessions.remove(gone);
	await before.sessions.stored();
	before.sessions.close();
	const { sessions, room, retained, clock } = await start(state);
	t.teardown(() => sessions.close());
	t.equal(room.held, before.room.held);
	const taken = sessions.get("c")!;
	t.same([...taken.subscriptions.keys()], ["a/+", "b", "$share/g/s"]);
	t.equal(sessions.get("gone"), undefined);
	t.same(waiting(taken), [...Array.from({ length: 11 }, (_, index) => `a/${index + 1}`), "a/rich", "s"]);
	const entries = [...taken.entries()];
	t.same(
		entries.filter(({ retain }) => retain).map(({ message: { topic } }) => topic),
		["a/3"],
	);
	t.match(entries.at(-2), { message: { properties, expiresAt: 5_000 } });
	t.match(entries.at(-1), { shared: { group: "g", filter: "s" } });
	t.same(
		sessions.tree.match("a/x").flatMap(({ own }) => Array.from(own.keys(), ({ clientId }) => clientId)),
		["c"],
	);
	t.match(retained.get("kept"), { topic: "kept", payload: Buffer.from("x"), qos: 1, properties });
	t.equal(retained.get("cleared"), undefined);
	clock.now = 6_000;
	t.equal(retained.get("kept"), undefined, "it has expired");
	taken.push({ message: message("a/last"), retain: false });
	t.equal(waiting(taken).at(-1), "a/last", "and new ones come after them");
	const late = outlet();
	taken.attach(late);
	taken.pump();
	t.notOk(late.got.includes("a/rich"), "what has expired is not sent");
	t.equal(late.got.length, 13);
});

t.test(
	"The time of a session runs on while no cloud does; of one that was connected it begins with the next",
	async (t) => {
		const before = await start();
		const away = open(before.sessions, "away", 10_000, "a");
		open(before.sessions, "there", 10_000, "a");
		before.sessions.disconnected(away, 10_000);
		before.sessions.close();
		const after = await start(before.state);
		after.sessions.close();
		const rows = [...before.state.sessions.values()].map(({ clientId, endsAt }) => [clientId, endsAt]);
		t.same(rows.sort(), [
			["away", 10_000],
			["there", 10_000],
		]);
		const late = await start(before.state, 10_000);
		t.teardown(() => late.sessions.close());
		while (late.events.length < 2) await new Promise((resolve) => setImmediate(resolve));
		t.match(late.events, [{ event: "session.expired" }, { event: "session.expired" }]);
		t.equal(before.state.sessions.size, 0);
	},
);

t.test("A session that does not outlive its connection leaves nothing behind", async (t) => {
	const { sessions, state, room } = await start();
	const session = sessions.open("c", { clean: true, persistent: false, keep: 0 })!;
	sessions.subscribe(session, { ...parseFilter("a")!, text: "a", qos: 1, noLocal: false, retainAsPublished: false });
	const slow = outlet(1);
	session.attach(slow);
	for (const topic of ["1", "2", "3"]) session.push({ message: message(topic), retain: false });
	t.same(slow.got, ["1"]);
	t.ok(room.held > 0, "the others wait");
	sessions.disconnected(session, 0);
	t.equal(room.held, 0);
	t.equal(state.sessions.size + state.queued.size, 0);
	t.equal(sessions.tree.match("a").length, 0);
});

t.test(
	"Given a window of two, when PUBACKs come in any order, then packet ids in flight are not used again",
	async (t) => {
		const { sessions } = await start();
		t.teardown(() => sessions.close());
		const session = open(sessions, "c", 1_000, "a");
		const taker = outlet(2);
		session.attach(taker);
		for (let index = 0; index < 70_000; index++) {
			session.push({ message: message("a"), retain: false });
			if (index > 0) session.acknowledge(taker.ids.at(-1)!);
		}
		t.equal(taker.ids.length, 70_000);
		t.equal(taker.ids.filter((id) => id === taker.ids[0]).length, 1, "the first one still waits for its PUBACK");
		t.ok(taker.ids.every((id) => id >= 1 && id <= 0xffff));
	},
);

t.test("Given more than may wait, then what has expired makes room, and the rest is left out", async (t) => {
	const { sessions, settings, clock } = await start();
	t.teardown(() => sessions.close());
	settings.limits.queued = 3;
	const session = open(sessions, "c", 1_000, "a");
	session.push({ message: { ...message("old"), expiresAt: 10 }, retain: false });
	for (const topic of ["1", "2", "3"]) session.push({ message: message(topic), retain: false });
	t.same(waiting(session), ["old", "1", "2"]);
	clock.now = 10;
	session.push({ message: message("4"), retain: false });
	t.same(waiting(session), ["1", "2", "4"]);
});

t.test("What waits for a group goes to the member that comes, and what a member leaves to another", async (t) => {
	const { sessions, state } = await start();
	t.teardown(() => sessions.close());
	const [a, b] = [open(sessions, "a", 1_000, "$share/g/t"), open(sessions, "b", 1_000, "$share/g/t")];
	a.push({ message: message("t"), retain: false, shared: a.subscriptions.get("$share/g/t")! });
	const first = outlet();
	b.attach(first);
	sessions.takeOver(b);
	t.same([waiting(a), first.got], [[], ["t"]]);
	const second = outlet();
	a.attach(second);
	sessions.takeOver(a);
	sessions.disconnected(b, 1_000);
	t.same([waiting(b), second.got], [[], ["t"]], "it had no PUBACK");
	sessions.disconnected(a, 1_000);
	t.same(waiting(a), ["t"], "nobody else is there");
	t.equal(state.queued.size, 1);
});

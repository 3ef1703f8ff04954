// The shadow document as values: what an update may look like, how it is merged, what the delta and the metadata are.

import t from "tap";
import type { JsonObject } from "../../../hosts/cloud/base/object.js";
import {
	applyUpdate,
	differenceOf,
	readClientToken,
	readPayload,
	readUpdate,
	type ShadowError,
} from "../../../hosts/cloud/shadow/document.js";

const empty = { state: {}, metadata: {} };
const read = (text: string) => readUpdate(readPayload(Buffer.from(text)), 6);
const update = (before: Parameters<typeof applyUpdate>[0], state: unknown, at: number) =>
	applyUpdate(before, readUpdate({ state } as JsonObject, 6), at);
const refused = (text: string) => {
	try {
		const members = readPayload(Buffer.from(text));
		readClientToken(members);
		readUpdate(members, 6);
	} catch (error) {
		const { code, message } = error as ShadowError;
		return `${code} ${message}`;
	}
	return "accepted";
};

t.test("A request is rejected with the text that AWS documents", async (t) => {
	t.equal(refused("{"), "400 Invalid JSON");
	t.equal(refused("[]"), "400 Invalid JSON");
	t.equal(refused("{}"), "400 Missing required node: state");
	t.equal(refused('{"state":1}'), "400 State node must be an object");
	t.equal(refused('{"state":{"desired":1}}'), "400 Desired node must be an object");
	t.equal(refused('{"state":{"reported":[]}}'), "400 Reported node must be an object");
	t.equal(refused('{"state":{"other":{}}}'), "400 State contains an invalid node: 'other'");
	t.equal(refused('{"state":{"desired":{"a":[null]}}}'), "400 State contains an invalid node");
	t.equal(refused('{"state":{},"version":"1"}'), "400 Invalid version");
	t.equal(refused('{"state":{},"version":-1}'), "400 Invalid version");
	t.equal(refused(`{"state":{},"clientToken":"${"x".repeat(65)}"}`), "400 Invalid clientToken");
	t.equal(refused('{"state":{},"clientToken":1}'), "400 Invalid clientToken");
	t.throws(() => readPayload(Uint8Array.of(0x22, 0xff, 0x22)), { code: 415 });
});

t.test("A section may have six levels, and a list counts as one", async (t) => {
	const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
	const deep = "400 JSON contains too many levels of nesting; maximum is 6";
	t.equal(refused(`{"state":{"desired":${nested(6)}}}`), "accepted");
	t.equal(refused(`{"state":{"desired":${nested(7)}}}`), deep);
	t.equal(refused(`{"state":{"desired":${nested(5).replace("1", "[1]")}}}`), "accepted");
	t.equal(refused(`{"state":{"desired":${nested(6).replace("1", "[1]")}}}`), deep);
	t.equal(
		refused(`{"state":{"desired":${"[".repeat(60_000)}${"]".repeat(60_000)}}}`),
		"400 Desired node must be an object",
	);
	t.equal(refused(`{"state":{"desired":{"a":${"[".repeat(60_000)}${"]".repeat(60_000)}}}}`), deep);
});

t.test("Updates merge, and each value keeps the time at which it was set", async (t) => {
	const first = update(empty, { desired: { color: { r: 1, g: 2 }, on: true } }, 10);
	const second = update(first, { desired: { color: { g: 3 } }, reported: { on: true } }, 20);
	t.same(second.state, { desired: { color: { r: 1, g: 3 }, on: true }, reported: { on: true } });
	t.same(second.metadata, {
		desired: { color: { r: { timestamp: 10 }, g: { timestamp: 20 } }, on: { timestamp: 10 } },
		reported: { on: { timestamp: 20 } },
	});
});

t.test("null removes a value, a section, or all", async (t) => {
	const before = update(empty, { desired: { a: 1, b: { c: 1 } }, reported: { a: 1 } }, 1);
	t.same(update(before, { desired: { a: null } }, 2).state, { desired: { b: { c: 1 } }, reported: { a: 1 } });
	t.same(update(before, { desired: { b: { c: null } } }, 2).state, { desired: { a: 1 }, reported: { a: 1 } });
	t.same(update(before, { desired: null }, 2), {
		state: { reported: { a: 1 } },
		metadata: { reported: { a: { timestamp: 1 } } },
	});
	t.same(update(before, { reported: { a: null } }, 2).state, { desired: { a: 1, b: { c: 1 } } });
	t.same(update(before, null, 2), empty);
	t.same(update(before, {}, 2), before);
});

t.test("A list is replaced whole, and each of its items has a time", async (t) => {
	const before = update(empty, { desired: { a: [1, 2, { b: 1 }] } }, 1);
	t.same(before.metadata, { desired: { a: [{ timestamp: 1 }, { timestamp: 1 }, { b: { timestamp: 1 } }] } });
	const after = update(before, { desired: { a: [3] } }, 2);
	t.same(after, { state: { desired: { a: [3] } }, metadata: { desired: { a: [{ timestamp: 2 }] } } });
});

t.test("A value may become an object, and an object a value", async (t) => {
	const value = update(empty, { desired: { a: 1 } }, 1);
	const object = update(value, { desired: { a: { b: 1 } } }, 2);
	t.same(object, { state: { desired: { a: { b: 1 } } }, metadata: { desired: { a: { b: { timestamp: 2 } } } } });
	t.same(update(object, { desired: { a: 1 } }, 3), {
		state: { desired: { a: 1 } },
		metadata: { desired: { a: { timestamp: 3 } } },
	});
});

t.test("The delta is what is desired and not reported, with the path and the times of what is desired", async (t) => {
	const { state, metadata } = update(
		empty,
		{
			desired: { lights: { r: 255, g: 255 }, list: [1, 2], same: [1], only: { x: 1 } },
			reported: { lights: { r: 255, g: 0 }, list: [1], same: [1], extra: 1 },
		},
		7,
	);
	t.same(differenceOf(state, metadata), {
		state: { lights: { g: 255 }, list: [1, 2], only: { x: 1 } },
		metadata: {
			lights: { g: { timestamp: 7 } },
			list: [{ timestamp: 7 }, { timestamp: 7 }],
			only: { x: { timestamp: 7 } },
		},
	});
	t.equal(differenceOf({ reported: { a: 1 } }, { reported: { a: { timestamp: 1 } } }), undefined);
});

t.test("A member may be named like a part of every object", async (t) => {
	const { state } = applyUpdate(empty, read('{"state":{"desired":{"__proto__":{"x":1},"constructor":1}}}'), 1);
	t.equal(JSON.stringify(state), '{"desired":{"__proto__":{"x":1},"constructor":1}}');
	t.equal(({} as { x?: number }).x, undefined);
	const reported = applyUpdate(
		{
			state,
			metadata: applyUpdate(empty, read('{"state":{"desired":{"__proto__":{"x":1},"constructor":1}}}'), 1).metadata,
		},
		read('{"state":{"reported":{"a":1}}}'),
		2,
	);
	t.match(
		JSON.stringify(differenceOf(reported.state, reported.metadata)),
		'{"state":{"__proto__":{"x":1},"constructor":1}',
	);
});

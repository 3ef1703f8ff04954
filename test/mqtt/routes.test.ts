// Given topic filters with handlers, then a message finds those whose filters match it (MQTT 3.1.1, 4.7).

import t from "tap";
import { matches, Routes } from "../../src/mqtt/routes.js";

const table: readonly (readonly [filter: string, matched: readonly string[], not: readonly string[]])[] = [
	["a/b", ["a/b"], ["a", "a/b/c", "a/B", "/a/b", "a/b/"]],
	["a/+", ["a/b", "a/"], ["a", "a/b/c"]],
	["+/b", ["a/b", "/b"], ["b", "a/b/c"]],
	["a/+/c", ["a/b/c", "a//c"], ["a/c", "a/b/b/c"]],
	["a/#", ["a", "a/", "a/b", "a/b/c"], ["b", "ab"]],
	["#", ["a", "a/b", "/"], ["$aws/things/a"]],
	["+", ["a"], ["a/b", "/a", "$aws"]],
	["+/things/#", ["a/things/b"], ["$aws/things/b"]],
	["$aws/things/+/jobs/notify", ["$aws/things/a/jobs/notify"], ["$aws/things/a/jobs"]],
	["$share/workers/a/+", ["a/b"], ["$share/workers/a/b", "a"]],
	["+/+", ["/a", "a/", "/"], ["a", "a/b/c"]],
];

t.test("a filter matches whole levels", async (t) => {
	for (const [filter, matched, not] of table) {
		for (const topic of matched) t.ok(matches(filter, topic), `${filter} matches ${topic}`);
		for (const topic of not) t.notOk(matches(filter, topic), `${filter} does not match ${topic}`);
	}
});

t.test("a message finds every handler whose filter matches, and no other", async (t) => {
	const routes = new Routes<string>();
	routes.set(["a/#", "b"], "first");
	routes.set(["a/b"], "second");
	t.same(routes.find("a/b"), ["first", "second"]);
	t.same(routes.find("b"), ["first"]);
	t.same(routes.find("c"), []);
	routes.set(["a/b"], "third");
	t.same(routes.find("a/b"), ["first", "third"], "a filter has one handler, the last one set");
	t.equal(routes.size, 3);
	routes.delete(["a/#", "never set"]);
	t.same(routes.find("a/b"), ["third"]);
	routes.clear();
	t.same(routes.find("a/b"), []);
});

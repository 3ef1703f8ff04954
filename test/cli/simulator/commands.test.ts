// Given a line on standard input of `npm run simulator -- --watch`, then it is a command, or one line says what is wrong with it.

import t from "tap";
import { commandHelp, readCommand } from "../../../hosts/cli/simulator/commands.js";

t.test("a word is a command, whatever stands around it", async (t) => {
	t.same(readCommand("  cut \t"), { name: "cut" });
	t.same(readCommand("Forget"), { name: "forget" });
	t.equal(readCommand("   "), undefined);
});

t.test("the clock is behind, ahead or right", async (t) => {
	t.same(readCommand("clock ahead"), { name: "clock", clock: "ahead" });
	t.match(readCommand("clock"), "clock takes behind|ahead|right, not nothing");
	t.match(readCommand("clock aheat"), "did you mean ahead?");
	t.match(readCommand("clock ahead 5"), "not 5");
});

t.test("one reply is refused or lost, or as many as are named, to one request or the other", async (t) => {
	t.same(readCommand("refuse"), { name: "refuse", reply: "create", times: 1 });
	t.same(readCommand("refuse 3"), { name: "refuse", reply: "create", times: 3 });
	t.same(readCommand("lose register 2"), { name: "lose", reply: "register", times: 2 });
	t.match(readCommand("refuse 0"), "not 0");
	t.match(readCommand("refuse registr"), "did you mean register?");
});

t.test("what is no command is told with the one that was probably meant", async (t) => {
	t.equal(readCommand("forgt"), "there is no command forgt; did you mean forget?");
	t.equal(readCommand("xyzzy"), "there is no command xyzzy; see help");
	t.equal(readCommand("cut twice"), "cut takes nothing more, not twice");
});

t.test("help lists every command that is understood", async (t) => {
	const listed = [...commandHelp().matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name!);
	t.ok(listed.length > 10);
	for (const name of listed) t.type(readCommand(name === "clock" ? "clock right" : name), "object", name);
});

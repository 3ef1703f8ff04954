// Given a program that speaks to its debugger as XS does (xs/sources/xsDebug.c of the SDK), then its lines and measurements come
// through, it is never left waiting, and it is asked to collect.

import { connect, type Socket } from "node:net";
import t, { type Test } from "tap";
import { Debugger, type Sample } from "../../../hosts/cli/simulator/xsbug.js";

const message = (xml: string) => `<?xml version="1.0" encoding="UTF-8"?><xsbug>${xml}</xsbug>`;
const instruments =
	'<instruments><instrument name="Slot used" value=" bytes"/><instrument name="Timers" value=""/></instruments>';

async function open(test: Test, exceptions = false) {
	const lines: string[] = [];
	const samples: Sample[] = [];
	let heard = () => {};
	const xsbug = new Debugger({
		exceptions,
		onLine: (line) => {
			lines.push(line);
			heard();
		},
		onSample: (sample) => {
			samples.push(sample);
			heard();
		},
	});
	const port = await xsbug.listen();
	test.teardown(() => xsbug.close());
	/** A machine that logs in. */
	const machine = async (name: string) => {
		const socket: Socket = connect(port, "127.0.0.1");
		test.teardown(() => socket.destroy());
		let told = "";
		socket.setEncoding("utf8").on("data", (text) => {
			told += text;
			heard();
		});
		socket.write(message(`<login name="${name}" value="XS"/>`));
		await until(() => told.includes("<go/>"));
		return { socket, told: () => told };
	};
	const until = (check: () => boolean) =>
		new Promise<void>((resolve) => {
			heard = () => check() && resolve();
			heard();
		});
	return { xsbug, lines, samples, machine, until };
}

t.test("what is traced comes as lines, whole and as it was written", async (t) => {
	const { machine, lines, until } = await open(t);
	const { socket } = await machine("fleet-provisioning");
	const text = message("<log>a &lt;b&gt; &amp; &quot;c&quot;\nsec</log>") + message("<log>ond\n</log>");
	// Cut anywhere, for TCP knows no messages.
	socket.write(text.slice(0, 40));
	socket.write(text.slice(40));
	await until(() => lines.length === 2);
	t.same(lines, ['a <b> & "c"', "second"]);
});

t.test("the window's own machine is let go on, and what it says is not the program's", async (t) => {
	const { machine, lines, until } = await open(t);
	const window = await machine("mcsim");
	window.socket.write(
		message("<log>of the window\n</log>") + message('<break path="main.js" line="1"># Break: throw!</break>'),
	);
	await until(() => window.told().split("<go/>").length === 3);
	t.same(lines, []);
});

t.test("measurements have the names that XS gave them", async (t) => {
	const { machine, samples, until } = await open(t);
	const { socket } = await machine("fleet-provisioning");
	socket.write(message(instruments) + message("<samples>62208,2</samples>"));
	await until(() => samples.length === 1);
	t.same(samples, [{ "Slot used": 62208, Timers: 2 }]);
});

t.test(
	"given a request for what is alive, the program is stopped, measured and let go on, and not stopped again",
	async (t) => {
		const { xsbug, machine, lines, until } = await open(t);
		const { socket, told } = await machine("fleet-provisioning");
		// Asked before the program has measured for the first time: it is stopped once it has.
		const alive = xsbug.collect();
		socket.write(message(instruments) + message("<samples>900,1</samples>"));
		await until(() => told().includes("<step/>"));
		const before = told().length;
		socket.write(message("<samples>100,1</samples>") + message("<break># Break: C: xsDebugger!\n</break>"));
		t.same(await alive, { "Slot used": 100, Timers: 1 });
		await until(() => told().slice(before).includes("<go/>"));
		t.match(told().slice(before), '<clear-breakpoint path="start" line="0"/>');
		t.same(lines, []);
	},
);

t.test("exceptions are told with their place, or not at all; the program goes on", async (t) => {
	const broken =
		message("<log># Exception: throw!\n</log>") + message('<break path="/a/main.ts" line="7"># Break: no!</break>');
	const told = await open(t, true);
	const one = await told.machine("fleet-provisioning");
	t.notMatch(one.told(), "clear-breakpoint");
	one.socket.write(broken);
	await told.until(() => told.lines.length === 2);
	t.same(told.lines, ["# Exception: throw!", "/a/main.ts:7 # Break: no!"]);
	const quiet = await open(t);
	const two = await quiet.machine("fleet-provisioning");
	t.match(two.told(), '<clear-breakpoint path="exceptions" line="0"/>');
	two.socket.write(message("<log># Exception: throw!\n</log>") + message("<log>on\n</log>"));
	await quiet.until(() => quiet.lines.length > 0);
	t.same(quiet.lines, ["on"]);
});

// Given a relay between a device and a server, then it passes everything on, nothing, or is not there, and is whole again afterwards.

import { connect, createServer, type Server, type Socket } from "node:net";
import t, { type Test } from "tap";
import { addressOf, Relay } from "../../../hosts/cli/simulator/relay.js";

/** A server that answers each chunk with itself, and a relay to it. */
async function open(test: Test): Promise<{ relay: Relay; accepted: () => number }> {
	let accepted = 0;
	const server: Server = createServer((socket) => {
		accepted += 1;
		socket.on("error", () => {});
		socket.pipe(socket);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const relay = await Relay.open({ host: "127.0.0.1", port: addressOf(server).port });
	test.teardown(() => {
		relay.close();
		server.close();
	});
	return { relay, accepted: () => accepted };
}

/** A connection that collects what it gets. */
function client(test: Test, relay: Relay) {
	const socket: Socket = connect(relay.port, "127.0.0.1");
	test.teardown(() => socket.destroy());
	let got = "";
	let changed = () => {};
	const hear = (event: string) => {
		socket.on(event, (data?: Buffer) => {
			if (event === "data") got += String(data);
			changed();
		});
	};
	for (const event of ["data", "close", "connect"]) hear(event);
	socket.on("error", () => {});
	return {
		socket,
		got: () => got,
		until: (check: () => boolean) =>
			new Promise<void>((resolve) => {
				changed = () => check() && resolve();
				changed();
			}),
	};
}

t.test("while the network is up, bytes go both ways, and an end is passed on", async (t) => {
	const { relay } = await open(t);
	const { socket, got, until } = client(t, relay);
	socket.write("hello");
	await until(() => got() === "hello");
	socket.end("bye");
	await until(() => socket.destroyed);
	t.equal(got(), "hellobye");
});

t.test("given a network that goes, what was connected is cut, and nobody answers until it is back", async (t) => {
	const { relay, accepted } = await open(t);
	const first = client(t, relay);
	first.socket.write("hello");
	await first.until(() => first.got() === "hello");
	await relay.change("down");
	await first.until(() => first.socket.destroyed);
	const second = client(t, relay);
	await second.until(() => second.socket.destroyed);
	t.equal(accepted(), 1);
	t.equal(relay.network, "down");
	await relay.change("up");
	const third = client(t, relay);
	third.socket.write("again");
	await third.until(() => third.got() === "again");
	t.equal(accepted(), 2);
});

t.test(
	"given a network that swallows everything, connections stand, and what was held back comes afterwards",
	async (t) => {
		const { relay, accepted } = await open(t);
		const old = client(t, relay);
		old.socket.write("1");
		await old.until(() => old.got() === "1");
		await relay.change("hang");
		const fresh = client(t, relay);
		await fresh.until(() => !fresh.socket.connecting);
		old.socket.write("2");
		fresh.socket.write("3");
		// What could have come would have come with this: a connection of its own to the same server, by another relay.
		const around = await open(t);
		const other = client(t, around.relay);
		other.socket.write("4");
		await other.until(() => other.got() === "4");
		t.equal(old.got(), "1");
		t.equal(fresh.got(), "");
		t.equal(accepted(), 1, "nothing has reached the server");
		await relay.change("up");
		await old.until(() => old.got() === "12");
		await fresh.until(() => fresh.got() === "3");
		t.equal(accepted(), 2);
	},
);

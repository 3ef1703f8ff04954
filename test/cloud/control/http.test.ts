// The control plane as bad and unlucky clients see it: broken HTTP and JSON, slowness, floods. Raw sockets, no client library.

import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateThingCommand, DescribeEndpointCommand, ListThingsCommand } from "@aws-sdk/client-iot";
import t, { type Test } from "tap";
import { started } from "./started.js";

/** Opens a connection that ends with the test. */
async function open(t: Test, port: number): Promise<Socket> {
	const socket = connect(port, "127.0.0.1");
	socket.on("error", () => {});
	t.teardown(() => socket.destroy());
	await new Promise((resolve) => socket.once("connect", resolve));
	return socket;
}

/** All that comes until the other side hangs up. */
async function rest(socket: Socket): Promise<string> {
	let text = "";
	socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
	if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
	return text;
}

/** Sends bytes and reads until the other side hangs up. */
async function exchange(t: Test, port: number, bytes: string | Uint8Array): Promise<string> {
	const socket = await open(t, port);
	socket.write(bytes);
	return rest(socket);
}

/** A request in development mode, which then hangs up. */
async function post(url: string, path: string, body: string | Uint8Array<ArrayBuffer>, method = "POST") {
	const response = await fetch(`${url}${path}`, { method, body, headers: { connection: "close" } });
	const text = await response.text();
	const { message } = JSON.parse(text) as { message?: string };
	return { status: response.status, type: response.headers.get("x-amzn-errortype"), message };
}

const unsigned = { accessKeys: [] };

t.test("answers carry what AWS's carry", async (t) => {
	const { url } = await started(t, unsigned);
	const good = await fetch(`${url}/things`);
	t.equal(good.headers.get("content-type"), "application/json");
	t.match(good.headers.get("x-amzn-requestid"), /^[0-9a-f-]{36}$/);
	t.ok(good.headers.get("date"), "from which a client can set its clock");
	t.same(await good.json(), { things: [] });
	const bad = await fetch(`${url}/things/none`);
	t.same([bad.status, bad.headers.get("x-amzn-errortype")], [404, "ResourceNotFoundException"]);
	t.same(Object.keys((await bad.json()) as object), ["message"]);
});

t.test("a target may have scheme and host before its path, as for a proxy", async (t) => {
	const { port } = await started(t, unsigned);
	for (const path of ["/things", "/_local/health"]) {
		const target = `http://127.0.0.1:${port}${path}`;
		const head = `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`;
		t.match(await exchange(t, port, head), /^HTTP\/1\.1 200 /, path);
	}
});

t.test("the path is split before it is decoded", async (t) => {
	const { url } = await started(t, unsigned);
	t.match(await post(url, "/things/a%2Fprincipals", "{}"), { status: 400, message: /'a\/principals' at 'thingName'/ });
	t.match(await post(url, "/things/%zz", "{}"), { status: 400, type: "InvalidRequestException" });
	t.match(await post(url, "/things/%ff", "{}"), { status: 400, type: "InvalidRequestException" });
	t.match(await post(url, "/things/..%2fpolicies", "{}"), { status: 400 });
	t.match(await post(url, "/%74hings/a", "{}"), { status: 404, type: "UnknownOperationException" });
	for (const path of ["/", "//", "/things/", "/things/a/b/c", "/nothing", "/things/a/principals/"]) {
		t.match(await post(url, path, "{}"), { status: 404, type: "UnknownOperationException" }, path);
	}
	t.match(await post(url, "/things/a", "{}", "PUT"), { status: 404, type: "UnknownOperationException" }, "method");
});

t.test("a body that is no JSON object in UTF-8 is a serialization error, and is not repeated", async (t) => {
	const { url } = await started(t, unsigned);
	const bodies = {
		"cut off": '{"thingTypeName": "secret',
		"not JSON": "secret",
		array: "[]",
		text: '"secret"',
		number: "1",
		null: "null",
		"bad UTF-8": new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
		deep: "[".repeat(500_000),
		"deep object": '{"a":'.repeat(100_000),
	};
	for (const [name, body] of Object.entries(bodies)) {
		const answer = await post(url, "/things/a", body);
		t.match(answer, { status: 400, type: "SerializationException" }, name);
		t.notMatch(answer.message, /secret/);
	}
});

t.test(
	"a member of another type is a serialization error, one that is null is absent, a strange one is ignored",
	async (t) => {
		const { url, registry } = await started(t, unsigned);
		const wrong = { status: 400, type: "SerializationException" };
		for (const body of [
			{ thingTypeName: 1 },
			{ thingTypeName: {} },
			{ attributePayload: "x" },
			{ attributePayload: [] },
			{ attributePayload: { attributes: [] } },
			{ attributePayload: { attributes: { a: 1 } } },
			{ attributePayload: { merge: "true" } },
		]) {
			t.match(await post(url, "/things/a", JSON.stringify(body)), wrong, JSON.stringify(body));
		}
		t.match(await post(url, "/things?maxResults=x", "", "PATCH"), { status: 404 });
		t.match(await post(url, "/keys-and-certificate?setAsActive=yes", ""), wrong);
		t.match(await post(url, "/keys-and-certificate?setAsActive=", ""), wrong);
		t.equal(registry.things.get("a"), undefined);
		const strange =
			'{"thingTypeName": null, "__proto__": {"attributePayload": 1}, "constructor": 1, "thingName": "b", "x": [1]}';
		t.match(await post(url, "/things/a", strange), { status: 200 });
		t.equal(registry.things.get("b"), undefined, "a path member is not taken from the body");
		const polluting = '{"attributePayload": {"attributes": {"__proto__": "x", "constructor": "y"}}}';
		t.match(await post(url, "/things/c", polluting), { status: 200 });
		t.equal(({} as Record<string, unknown>).x, undefined);
		t.same(Object.keys(registry.things.get("c")!.attributes).sort(), ["__proto__", "constructor"]);
	},
);

t.test("what is not HTTP gets 400 and no second chance", async (t) => {
	const { port, client } = await started(t);
	const garbage = {
		binary: new Uint8Array(Array.from({ length: 512 }, (_, index) => (index * 151) & 0xff)),
		"TLS hello": new Uint8Array([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
		"MQTT CONNECT": new Uint8Array([0x10, 0x0c, 0x00, 0x04, 0x4d, 0x51, 0x54, 0x54, 0x04, 0x02, 0x00, 0x3c]),
		"no version": "GET /things\r\n\r\n",
		"bad version": "GET /things HTTP/9.9\r\nHost: a\r\n\r\n",
		"bad header": "GET /things HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
		"no host": "GET /things HTTP/1.1\r\n\r\n",
		"two lengths": "POST /things/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"length and chunks":
			"POST /things/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"bad chunk": "POST /things/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"negative length": "POST /things/a HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
	};
	for (const [name, bytes] of Object.entries(garbage)) {
		t.match(await exchange(t, port, bytes), /^HTTP\/1\.1 40[03] /, name);
	}
	t.match(await exchange(t, port, `GET /${"x".repeat(20_000)} HTTP/1.1\r\n\r\n`), /^HTTP\/1\.1 431 /, "long target");
	t.match(
		await exchange(t, port, `GET / HTTP/1.1\r\nHost: a\r\n${"X-More: of the same\r\n".repeat(1_500)}\r\n`),
		/^HTTP\/1\.1 431 /,
		"many headers",
	);
	await exchange(t, port, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n");
	await client().send(new ListThingsCommand({}));
	t.pass("and the others are served");
});

t.test("a body over one mebibyte is refused, announced or not, and the answer arrives", async (t) => {
	const { url, port } = await started(t, unsigned);
	const large = `{"x": "${"x".repeat(2 * 1_048_576)}"}`;
	const refused = { status: 413, type: "RequestEntityTooLargeException" };
	t.match(await post(url, "/things/a", large), refused, "announced");
	const socket = await open(t, port);
	const answer = rest(socket);
	socket.write("POST /things/a HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (let i = 0; i < 20; i++) socket.write(`10000\r\n${"x".repeat(65_536)}\r\n`);
	socket.end("0\r\n\r\n");
	t.match(await answer, /^HTTP\/1\.1 413 /, "in chunks");
	const justFits = `{"x": "${"x".repeat(1_048_576 - 9)}"}`;
	t.match(await post(url, "/things/a", justFits), { status: 200 });
});

t.test("nothing of a body is kept for a caller without a valid signature", async (t) => {
	const { port } = await started(t);
	const socket = await open(t, port);
	const answer = new Promise<string>((resolve) => socket.once("data", (chunk: Buffer) => resolve(chunk.toString())));
	socket.write("POST /things/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
	t.match(await answer, /^HTTP\/1\.1 403 /, "the answer does not wait for the body");
});

t.test("a client that does not finish its request is told so and dropped", async (t) => {
	const { port, client } = await started(t, { ...unsigned, requestTimeout: 300 });
	const slow = {
		"no head": "GET /thi",
		"no end of head": "GET /things HTTP/1.1\r\nHost: a\r\n",
		"no body": "POST /things/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n{",
	};
	const answers = Object.entries(slow).map(async ([name, bytes]) => {
		t.match(await exchange(t, port, bytes), /^HTTP\/1\.1 408 .*RequestTimeoutException/s, name);
	});
	await client().send(new ListThingsCommand({}));
	await Promise.all(answers);
	t.equal(
		await exchange(t, port, "").then((text) => text.slice(0, 12)),
		"HTTP/1.1 408",
		"nor is one that says nothing kept",
	);
});

t.test("a flood of connections from one peer does not keep others out", async (t) => {
	const { port, client } = await started(t, unsigned);
	const flood: Socket[] = [];
	for (let i = 0; i < 400; i++) {
		const socket = await open(t, port);
		socket.write("GET /things HTTP/1.1\r\n");
		flood.push(socket);
	}
	await client().send(new ListThingsCommand({}));
	const alive = () => flood.filter((socket) => !socket.destroyed).length;
	while (alive() > 256) await sleep(5);
	t.ok(alive() > 250, "the longest idle gave way, and no more of them than needed");
	t.notOk(flood.at(-1)!.destroyed, "the newest did not");
});

t.test("a client that sends requests ahead and reads no answers is not served any further", async (t) => {
	const { port, client, registry } = await started(t, unsigned);
	const attributes = { a: "x".repeat(800) };
	for (let i = 0; i < 250; i++) registry.things.createThing({ thingName: `${i}`, attributePayload: { attributes } });
	let listings = 0;
	const listThings = registry.things.listThings.bind(registry.things);
	registry.things.listThings = (request) => {
		listings++;
		return listThings(request);
	};
	const get = "GET /things?maxResults=250 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
	for (const ahead of [30, 2_000]) {
		for (let i = 0; i < 20; i++) {
			const socket = await open(t, port);
			socket.pause();
			socket.write(get.repeat(ahead));
		}
	}
	for (let i = 0; i < 10; i++) await client().send(new DescribeEndpointCommand({}));
	// Some answers fit into the buffers of the operating system.
	t.ok(listings < 1_000, `${listings} of 40,600 answers were worked out`);
});

t.test("large bodies that never end do not keep others out, and are not all kept", async (t) => {
	const { port, client } = await started(t, unsigned);
	const refused: Promise<string>[] = [];
	for (let i = 0; i < 60; i++) {
		const socket = await open(t, port);
		refused.push(new Promise((resolve) => socket.once("data", (chunk: Buffer) => resolve(chunk.toString()))));
		socket.write("POST /things/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1048576\r\n\r\n");
		socket.write("x".repeat(1_048_000));
	}
	t.match(await Promise.any(refused), /^HTTP\/1\.1 503 .*ServiceUnavailableException/s);
	await client().send(new CreateThingCommand({ thingName: "b" }));
});

t.test("requests one behind the other on a connection are answered in order", async (t) => {
	const { port } = await started(t, unsigned);
	const get = (name: string, more = "") => `GET /things/${name} HTTP/1.1\r\nHost: 127.0.0.1\r\n${more}\r\n`;
	const text = await exchange(t, port, get("a") + get("b") + get("c", "Connection: close\r\n"));
	t.same(
		[...text.matchAll(/Thing (\w) not found/g)].map(([, name]) => name),
		["a", "b", "c"],
	);
});

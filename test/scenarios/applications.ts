// Applications that misbehave, for stories: the same code on Node and, in the device's own flash, on XS. Each says hello
// only after it has seen for itself that what it did has come to what it must; what has not, it throws.

import type { Application, ApplicationContext } from "../../src/contract/application.js";

const hello = ({ connection, identity }: ApplicationContext): Promise<void> =>
	connection.publish(`devices/${identity.thingName}/hello`, "hello");

function expect(what: string, holds: boolean): void {
	if (!holds) throw new Error(`expected: ${what}`);
}

/** How a promise is rejected: a failure's code, or an exception's class. */
async function refusal(promise: Promise<unknown>): Promise<string> {
	try {
		await promise;
		return "none";
	} catch (error) {
		return (error as { code?: string }).code ?? (error instanceof TypeError ? "TypeError" : String(error));
	}
}

/** Does it, and does not care. */
function tryTo(work: () => unknown): void {
	try {
		work();
	} catch {}
}

/** Closes each of its first three connections, at another moment each. */
function closes(): Application {
	let times = 0;
	return async (context) => {
		const { connection } = context;
		times += 1;
		if (times === 1) {
			connection.close();
			connection.close();
			expect("a closed connection has ended", connection.ended);
		} else if (times === 2) {
			const published = connection.publish("devices/a/under-way", "");
			connection.close();
			expect("a publish under way is told", (await refusal(published)) === "CONNECTION_LOST");
		} else if (times === 3) {
			connection.onMessage = () => connection.close();
			await connection.subscribe(["devices/a/echo"]);
			await refusal(connection.publish("devices/a/echo", ""));
		} else {
			await hello(context);
			return undefined;
		}
		expect("publish after close is refused", (await refusal(connection.publish("a", ""))) === "CONNECTION_LOST");
		expect("subscribe after close is refused", (await refusal(connection.subscribe(["a"]))) === "CONNECTION_LOST");
		expect("unsubscribe after close, too", (await refusal(connection.unsubscribe(["a"]))) === "CONNECTION_LOST");
		return undefined;
	};
}

/** Things to throw. */
const THROWABLE: readonly (() => unknown)[] = [
	() => new Error("the application's own"),
	() => undefined,
	() => Object.create(null),
	() => Symbol("no text"),
	// Looks like a failure after which nothing would be tried again.
	() => Object.assign(new Error("fatal"), { code: "CONFIGURATION_INVALID", class: "fatal" }),
	() =>
		Object.defineProperty(new Error("never seen"), "message", {
			get() {
				throw new Error("in a getter");
			},
		}),
	() =>
		new Proxy(new Error("never seen"), {
			get() {
				throw new Error("in a proxy");
			},
			getPrototypeOf() {
				throw new Error("in a proxy");
			},
		}),
];

function throws(): Application {
	let times = 0;
	return (context) => {
		const make = THROWABLE[times++];
		if (make !== undefined) throw make();
		hello(context);
		return undefined;
	};
}

function rejects(): Application {
	let times = 0;
	return async (context) => {
		const { connection } = context;
		times += 1;
		const make = THROWABLE[times - 1];
		if (times > 1) await connection.subscribe(["devices/a/echo"]);
		if (make !== undefined) throw make();
		await hello(context);
		return undefined;
	};
}

/** Its messages come back to it; the first two times it throws, the third it says hello, on the same connection. */
function throwsAtMessages(): Application {
	let connections = 0;
	return async (context) => {
		const { connection } = context;
		connections += 1;
		expect("it is the first connection still", connections === 1);
		let messages = 0;
		connection.onMessage = (topic, payload) => {
			messages += 1;
			expect("what was sent has come", topic === "devices/a/echo" && payload.length === messages);
			if (messages === 1) throw new Error("in onMessage");
			if (messages === 2) return Promise.reject(new Error("later in onMessage"));
			return hello(context);
		};
		await connection.subscribe(["devices/a/echo"]);
		for (const payload of ["1", "22", "333"]) await connection.publish("devices/a/echo", payload);
		return undefined;
	};
}

function throwsWhenStopped(): Application {
	let times = 0;
	return (context) => {
		times += 1;
		if (times > 3) hello(context);
		else Promise.resolve().then(context.connection.close);
		return [
			() => {
				throw new Error("when stopped");
			},
			() => Promise.reject(new Error("later, when stopped")),
			// Not a function at all.
			42 as unknown as undefined,
		][times - 1];
	};
}

function publishesWithoutBound(): Application {
	return async (context) => {
		const { connection } = context;
		const payload = new Uint8Array(9000);
		const large = connection.publish("devices/a/large", payload);
		const more = connection.publish("devices/a/large", payload);
		expect("bytes are counted, too", (await refusal(more)) === "SEND_QUEUE_FULL");
		await large;
		const first = Array.from({ length: 100 }, () => connection.publish("devices/a/flood", "x"));
		// Nobody takes care of these. One rejection serves them all, so that the heap does not fill either.
		for (let i = 0; i < 5000; i++) connection.publish("devices/a/flood", "x".repeat(100), i % 2 === 0 ? 0 : 1);
		for (let i = 0; i < 100; i++) connection.subscribe(["devices/a/flood"]);
		expect("nothing more is taken", (await refusal(connection.unsubscribe(["a"]))) === "SEND_QUEUE_FULL");
		let refused = 0;
		for (const promise of first) if ((await refusal(promise)) === "SEND_QUEUE_FULL") refused += 1;
		expect("8 went out", refused === 92);
		expect("the connection lives", !connection.ended);
		await hello(context);
		return undefined;
	};
}

function unsubscribes(): Application {
	return async (context) => {
		const { connection } = context;
		let messages = 0;
		const echo = "devices/a/echo";
		const heard = new Promise<void>((resolve) => {
			connection.onMessage = () => {
				messages += 1;
				resolve();
			};
		});
		await connection.subscribe([echo, "devices/a/+/#"]);
		await connection.publish(echo, "");
		await heard;
		await connection.unsubscribe([echo]);
		for (let i = 0; i < 3; i++) await connection.publish(echo, "");
		expect("no message comes any more", messages === 1);
		await hello(context);
		return undefined;
	};
}

function misuses(): Application {
	return async (context) => {
		const { connection, factoryReset } = context;
		// Not what the types allow: JavaScript does.
		const { publish, subscribe, unsubscribe } = connection as unknown as Record<
			"publish" | "subscribe" | "unsubscribe",
			(...given: unknown[]) => Promise<void>
		>;
		for (const topic of [undefined, 7, {}, "", "a/+", "#", "a\0", "x".repeat(257), "ä".repeat(129)]) {
			expect(`no topic: ${topic}`, (await refusal(publish(topic, ""))) === "TypeError");
			if (typeof topic === "string" && /[+#]/.test(topic)) continue;
			expect(`no filter: ${topic}`, (await refusal(subscribe([topic]))) === "TypeError");
		}
		for (const filter of ["a+", "a/#/b", "#a", "a/b#", "+a/b"])
			expect(`no filter: ${filter}`, (await refusal(subscribe([filter]))) === "TypeError");
		for (const payload of [undefined, 7, {}, [1], new Proxy(new Uint8Array(1), {}), new ArrayBuffer(1)])
			expect("no payload", (await refusal(publish("a", payload))) === "TypeError");
		for (const qos of [2, -1, "1", null])
			expect(`no QoS: ${qos}`, (await refusal(publish("a", "", qos))) === "TypeError");
		for (const filters of [undefined, "a", [], Array(9).fill("a"), { length: 1, 0: "a" }])
			for (const call of [subscribe, unsubscribe]) expect("no filters", (await refusal(call(filters))) === "TypeError");
		const throwing = Object.defineProperty(["a"], 0, {
			get() {
				throw new TypeError("in a getter");
			},
		});
		expect("a getter that throws", (await refusal(subscribe(throwing))) === "TypeError");
		let refused = 0;
		for (const misuse of [
			() => factoryReset("everything" as "forget"),
			() => {
				connection.onMessage = "not a function" as unknown as undefined;
			},
		])
			try {
				misuse();
			} catch (error) {
				if (error instanceof TypeError) refused += 1;
			}
		expect("at once", refused === 2);
		expect("the connection lives", !connection.ended);
		await hello(context);
		return undefined;
	};
}

/** Sets, replaces, deletes and freezes all that can be. */
function vandalize(target: object): void {
	const throwing = {
		get() {
			throw new Error("in a getter");
		},
	};
	for (const key of [...Reflect.ownKeys(target), "onEnd", "then", "toString"]) {
		tryTo(() => Reflect.set(target, key, undefined));
		tryTo(() => Reflect.set(target, key, "CONFIGURATION_INVALID"));
		tryTo(() => Reflect.defineProperty(target, key, throwing));
		tryTo(() => Reflect.deleteProperty(target, key));
	}
	tryTo(() => Object.setPrototypeOf(target, null));
	tryTo(() => Object.freeze(target));
}

function vandalizes(): Application {
	let kept: ApplicationContext | undefined;
	return async (context) => {
		const { connection, identity } = context;
		if (kept === undefined) {
			kept = context;
			const failure: object = await connection.publish("a", "x".repeat(20_000)).catch((error) => error);
			// What is the engine's belongs to everybody; of the device program's own classes it sees none.
			expect("a failure of its own", Object.getPrototypeOf(failure) === Error.prototype);
			for (const target of [context, identity, identity.deviceConfiguration!, connection, failure]) vandalize(target);
			expect("its name is what it was", connection.clientId === identity.thingName);
			const payload = Uint8Array.of(1, 2, 3);
			const filters = ["devices/a/echo"];
			const messages: number[] = [];
			connection.onMessage = (_, bytes) => {
				messages.push(bytes.length + bytes[0]!);
			};
			const subscribed = [connection.subscribe(filters), connection.subscribe(filters)];
			filters[0] = "#a";
			for (const promise of subscribed) await promise;
			const published = [0, 1].map(() => connection.publish("devices/a/echo", payload));
			payload.fill(9);
			for (const promise of published) await promise;
			for (let i = 0; i < 2; i++) await connection.unsubscribe(["devices/a/echo"]);
			expect("what was handed over is what went out", messages.join() === "4,4");
			connection.close();
			connection.close();
			return undefined;
		}
		const old = kept.connection;
		old.onMessage = () => {
			throw new Error("for what has ended there are no messages");
		};
		expect("an old connection has ended", old.ended);
		expect("and stays so", (await refusal(old.publish("a", ""))) === "CONNECTION_LOST");
		old.close();
		old.close();
		expect("the new one is another", connection !== old && !connection.ended);
		await hello(context);
		return undefined;
	};
}

/** By name, each made anew for a machine. */
export const applications = Object.freeze({
	closes,
	throws,
	rejects,
	throwsAtMessages,
	throwsWhenStopped,
	publishesWithoutBound,
	unsubscribes,
	misuses,
	vandalizes,
});

export type ApplicationName = keyof typeof applications;

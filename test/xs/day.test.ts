// A day of a device's life in XS, in virtual time, with a network that comes and goes in every way a network can: at its end
// nothing more is alive than at its start.

import t from "tap";
import type { Network } from "../../hosts/node/device.js";
import { XsDevice } from "../../hosts/xs/device.js";
import { Flash, type MemoryReport } from "../../hosts/xs/engine.js";
import { deviceFirmware } from "../../hosts/xs/modules.js";
import type { Application } from "../../src/contract/application.js";
import type { SocketErrorReason } from "../../src/contract/host.js";
import type { VirtualTime } from "../support/virtual-time.js";
import { hello, seededRandom, World } from "../support/world.js";
import { engineOrReason } from "../support/xs.js";

const { engine, skip } = await engineOrReason("device");
const MINUTE = 60_000;
const HOURS = 24;

/** How the network may be: as it should; without a name server or a way; deaf, so that nothing arrives; or refusing TLS. */
type Weather = "fair" | "resolve" | "connect" | "deaf" | "tls";

/** A network whose weather changes. What is open when it turns foul breaks off, or falls silent. */
class Weathered {
	readonly #open = new Set<{ fail(reason: SocketErrorReason): void }>();
	weather: Weather = "fair";
	attempts = 0;

	change(weather: Weather): void {
		this.weather = weather;
		if (weather === "fair" || weather === "deaf") return;
		for (const socket of [...this.#open]) socket.fail("closed");
	}

	readonly over =
		(network: Network, time: VirtualTime): Network =>
		(options, now) => {
			this.attempts += 1;
			const { weather } = this;
			if (weather === "resolve" || weather === "connect" || weather === "tls") {
				time.set(() => options.onError({ reason: weather, message: "foul weather" }), 5000);
				return { read: () => undefined, write() {}, close() {} };
			}
			let ended = false;
			const open = {
				fail: (reason: SocketErrorReason) => {
					ended = true;
					this.#open.delete(open);
					time.set(() => options.onError({ reason, message: "foul weather" }), 1);
					inner.close();
				},
			};
			const hears = () => !ended && this.weather !== "deaf";
			const inner = network(
				{
					...options,
					onReadable: (count) => hears() && options.onReadable(count),
					onWritable: (count) => hears() && options.onWritable(count),
					onError: (error) => {
						this.#open.delete(open);
						if (hears()) options.onError(error);
					},
				},
				now,
			);
			this.#open.add(open);
			return {
				read: () => inner.read(),
				write: (bytes) => inner.write(bytes),
				close: () => {
					this.#open.delete(open);
					inner.close();
				},
			};
		};
}

t.test(`given a network that comes and goes for ${HOURS} hours, then no memory is lost`, { skip }, async (test) => {
	const flash = new Flash(engine, await deviceFirmware());
	test.teardown(() => flash.close());
	const weathered = new Weathered();
	/** Says something every seven minutes while it is connected. */
	const chatter: Application = (context) => {
		hello(context);
		const { connection, identity } = context;
		const say = () => {
			connection.publish(`devices/${identity.thingName}/hello`, "still here", 1).catch(() => {});
			timer = world.time.set(say, 7 * MINUTE);
		};
		let timer = world.time.set(say, 7 * MINUTE);
		return () => world.time.clear(timer);
	};
	const world: World = await World.make({
		application: chatter,
		machine: (options) =>
			new XsDevice(flash, { ...options, network: weathered.over(options.network!, options.time as VirtualTime) }),
	});
	const device = world.machine as XsDevice;
	const play = (milliseconds: number) => {
		const until = world.time.ticks() + milliseconds;
		world.time.set(() => {}, milliseconds);
		return world.play(() => world.time.ticks() >= until, Number.POSITIVE_INFINITY);
	};
	/** The least that is alive in an hour of fair weather: when nothing is under way. */
	const calm = async () => {
		weathered.change("fair");
		const before = world.cloud.messages.length;
		await world.play(() => world.cloud.messages.length > before, Number.POSITIVE_INFINITY);
		const seen: MemoryReport[] = [];
		for (let minute = 0; minute < 60; minute++) {
			await play(MINUTE);
			seen.push(device.measure()!);
		}
		const least = (read: (memory: MemoryReport) => number) => Math.min(...seen.map(read));
		return { slots: least(({ slots }) => slots.used), chunks: least(({ chunks }) => chunks.used) };
	};
	device.powerOn();
	const first = await calm();
	const random = seededRandom(5);
	const start = world.time.ticks();
	let changes = 0;
	while (world.time.ticks() < start + HOURS * 60 * MINUTE) {
		const [kind, minutes] = random(2) as unknown as [number, number];
		weathered.change((["fair", "resolve", "connect", "deaf", "tls"] as const)[changes % 2 === 0 ? 1 + (kind % 4) : 0]!);
		changes += 1;
		await play((1 + (minutes % 20)) * MINUTE);
	}
	test.same(await calm(), first, "memory alive");
	test.equal(device.boots, 2, "one restart, into the new identity");
	test.same(world.defects, []);
	test.ok(weathered.attempts > HOURS * 2, `${weathered.attempts} connections in ${changes} changes of weather`);
	const codes = new Set(world.failures);
	test.comment(`${weathered.attempts} connections, ${changes} changes, failures: ${[...codes].sort().join(", ")}`);
	device.powerOff();
});

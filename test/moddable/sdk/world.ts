// A device that runs hosts/moddable on the stand-ins, together with its cloud; the tests in this folder's parent use it.

import "./install.js";
import type { Packet } from "mqtt-packet";
import type { DeviceProgram, StartOptions } from "../../../hosts/moddable/start.js";
import type { Application } from "../../../src/contract/application.js";
import type { DeviceEvent } from "../../../src/contract/events.js";
import { makeIssuer, TEMPLATE, VirtualCloud } from "../../support/virtual-cloud.js";
import { hello } from "../../support/world.js";
import { DAY, issue, names, SERVER } from "../parties.js";
import { Chip, machine } from "./chip.js";
import { leadingTo, serve } from "./server.js";

export const SSID = "house";
export const PASSWORD = "open sesame";
const ADDRESS = "10.0.0.1";

const { start } = await import("../../../hosts/moddable/start.js");
const esp32 = await import("../../../hosts/moddable/esp32/machine.js");
const simulator = await import("../../../hosts/moddable/simulator/machine.js");

const epoch = new Chip().time.timeOfDay();
const valid = { from: epoch / DAY - 1, to: epoch / DAY + 30 };
export const root = await issue("Root", undefined, { ca: true, ...valid });
export const server = await issue("server", root, { names, ...valid });
const issuers = makeIssuer(24);

/** A device with empty flash, in an environment where everything works. */
export class Bench {
	readonly chip: Chip;
	readonly events: DeviceEvent[] = [];
	cloud!: VirtualCloud;
	/** The MQTT packets that the device has sent. */
	readonly sent: Packet[] = [];
	program: DeviceProgram | undefined;
	application: Application = hello;
	will: StartOptions["will"] | undefined;
	/** Whether `onEvent` throws an exception after each event. */
	listenerThrows = false;
	/** The chip's number of restarts when the program was last started. */
	#restarts = 0;

	private constructor() {
		machine.chip = this.chip = new Chip();
	}

	static async make(kind: "esp32" | "simulator" = "esp32"): Promise<Bench> {
		const bench = new Bench();
		const { chip } = bench;
		machine.create = () => (kind === "esp32" ? esp32 : simulator).createMachine();
		bench.cloud = await VirtualCloud.open({
			time: chip.time,
			issuer: (await issuers)(),
			fate: ({ direction, packet }) => {
				if (direction === "up") bench.sent.push(packet);
				return "pass";
			},
		});
		chip.waits = () => bench.cloud.busy > 0;
		const { claim } = bench.cloud;
		chip.accessPoint = { ssid: SSID, password: PASSWORD };
		chip.names.set(SERVER, ADDRESS);
		chip.listener = serve(server, leadingTo(bench.cloud));
		for (const name of ["time.one", "time.two"]) {
			chip.names.set(name, ADDRESS);
			chip.timeServers.set(name, "right");
		}
		chip.resources.set("claim.certificate.der", claim.certificate);
		chip.resources.set("claim.key.der", claim.key);
		chip.resources.set("root.der", root.certificate);
		Object.assign(chip.config, {
			...{ endpoint: SERVER, template: TEMPLATE, port: 8883, firmwareVersion: "1.0.0" },
			...{ ssid: SSID, password: PASSWORD, sntp: "time.one,time.two", file: { root: "/flash/" } },
		});
		if (kind === "simulator") {
			Object.assign(chip, { address: true, clockCanBeSet: false, clockOffset: epoch });
		}
		return bench;
	}

	/** Starts the program after power-on or a restart of the chip. */
	powerOn(options: StartOptions = {}): void {
		const { chip } = this;
		chip.powerOn();
		const { restarts } = chip;
		const alive = () => chip.restarts === restarts;
		this.program = start(this.application, {
			...options,
			...(this.will && { will: this.will }),
			onEvent: (event) => {
				if (alive()) this.events.push(event);
				options.onEvent?.(event);
				if (this.listenerThrows) throw new Error("the listener");
			},
		});
	}

	/** Lets virtual time pass like Chip.play, and starts the program again after each restart. */
	async play(done: () => boolean, limit?: number): Promise<boolean> {
		const { chip } = this;
		return chip.play(() => {
			if (chip.restarts !== this.#restarts) {
				this.#restarts = chip.restarts;
				this.powerOn();
			}
			return done();
		}, limit);
	}

	/** Whether the application has sent its first message under its thing name. */
	get running(): boolean {
		return this.cloud.messages.some(({ topic }) => topic.endsWith("/hello"));
	}

	/** The codes of the failures so far. */
	get failures(): string[] {
		return this.events.flatMap((event) => (event.event === "failure" ? [event.failure.code] : []));
	}

	/** The details of the failures so far. */
	get details(): (string | undefined)[] {
		return this.events.flatMap((event) => (event.event === "failure" ? [event.failure.detail] : []));
	}
}

// `fleet xs`, also called `npm run xs`: runs a whole provisioning in the real XS engine, against a local cloud over TLS, and measures
// the memory that it takes. It runs twice: once as in firmware, and once with a garbage collection at every allocation, which shows
// how much memory is alive.

import { createPrivateKey } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { startCloud } from "../cloud/cloud.js";
import { createClaim, prepareTemplate } from "../cloud/prepare.js";
import { MemoryFlash } from "../node/flash.js";
import { buildEngine, EngineUnavailableError } from "../xs/build.js";
import { XsDevice } from "../xs/device.js";
import { type Ending, Flash, type MemoryReport, type PresetName, presets } from "../xs/engine.js";
import { deviceFirmware, type Source } from "../xs/modules.js";
import { HELLO_TOPIC, helloApplication } from "./application.js";
import { CommandError, command } from "./command.js";
import { certificatesIn, deviceKey } from "./credentials.js";
import { bytes } from "./terminal.js";
import { version } from "./version.js";

const TEMPLATE = "fleet";
/** Longest time for one provisioning, ms. It normally takes about two seconds. */
const LIMIT = 60_000;

/** Limits that the device must keep: bytes alive, slots of stack (of the 384 that the smallest has), bytes of bytecode. */
export const aims = { live: 32_768, stack: 288, bytecode: 131_072 } as const;

/** Memory of a whole provisioning up to the first message. In bytes, except where slots are named. */
export interface XsReport {
	readonly preset: PresetName;
	/** 16 as on the ESP32; or 32 where the machine cannot run 32-bit programs, and then chunks take up to twice as much. */
	readonly slotBytes: number;
	/** The most that was alive at any moment: slots (counted with 16 bytes each in every build) and chunks. */
	readonly livePeak: number;
	/** The part of it that an ESP32 has at least; equal to `livePeak` in a 32-bit engine. */
	readonly liveLeast: number;
	readonly live: { readonly slots: number; readonly chunks: number };
	/** Slots. */
	readonly stackPeak: number;
	/** With the device connected under its own name, after a garbage collection. The application can use the rest. */
	readonly running: MemoryReport;
	/** Each power-on as in firmware, where garbage stays until the next collection. */
	readonly lives: readonly { readonly reason: string; readonly memory: MemoryReport }[];
	readonly bytecode: { readonly total: number; readonly modules: Readonly<Record<string, number>> };
	/** RAM outside the XS machine's memory, for members of modules in flash that may change. */
	readonly aliases: number;
}

/**
 * Runs a provisioning in both variants of the engine and reports the memory.
 * @param application a module that is bundled into the device's flash; default: a hello application outside of it
 * @throws EngineUnavailableError, CommandError when the device cannot provision
 */
export async function measure(
	preset: PresetName,
	log: (line: string) => void = () => {},
	application?: Source,
): Promise<XsReport> {
	const modules = await deviceFirmware(application).catch((error: Error & { errors?: { text: string }[] }) => {
		// The error is in the application, because everything else is the same each time.
		throw new CommandError(error.errors?.[0]?.text ?? error.message);
	});
	const play = async (variant: "device" | "stress") => {
		const engine = await buildEngine(variant, log);
		const flash = new Flash(engine, modules);
		try {
			return { ...(await provision(flash, preset)), report: flash.report };
		} finally {
			flash.close();
		}
	};
	const { lives, running, report } = await play("device");
	const stress = await play("stress");
	const memories = stress.lives.flatMap(({ memory }) => (memory === undefined ? [] : [memory]));
	const most = (of: (memory: MemoryReport) => number) => Math.max(...memories.map(of));
	// Only the device program and its packages count: this host also has modules of its own in flash, which on a device are C.
	const own = Object.entries(report.bytecode).filter(([name]) => !name.startsWith("hosts/"));
	return {
		preset,
		slotBytes: report.slotBytes,
		livePeak: most(({ live }) => live!.peak),
		liveLeast: most(({ live }) => live!.least),
		live: { slots: most(({ live }) => live!.slots), chunks: most(({ live }) => live!.chunks) },
		stackPeak: Math.max(
			...lives.map(({ memory }) => memory!.stack.peak),
			most(({ stack }) => stack.peak),
		),
		running,
		lives: lives.map(({ reason, memory }) => ({ reason, memory: memory! })),
		bytecode: { total: own.reduce((sum, [, size]) => sum + size, 0), modules: Object.fromEntries(own) },
		aliases: report.aliases * 4,
	};
}

/** Runs a device from empty flash to the first message under its own name. */
async function provision(flash: Flash, preset: PresetName): Promise<{ lives: Ending[]; running: MemoryReport }> {
	const cloud = await startCloud();
	const lives: Ending[] = [];
	try {
		prepareTemplate(cloud, TEMPLATE);
		const claim = await createClaim(cloud, TEMPLATE);
		let certificateId: string | undefined;
		let timer: NodeJS.Timeout | undefined;
		const running = await new Promise<MemoryReport>((resolve, reject) => {
			const fail = (why: string) => reject(new CommandError(why));
			timer = setTimeout(() => fail(`the cloud had no message within ${LIMIT / 1000} s`), LIMIT);
			const machine = new XsDevice(flash, {
				preset: presets[preset],
				configuration: { endpoint: "localhost", port: cloud.port, template: TEMPLATE },
				device: { serialNumber: "240ac4000001", firmwareVersion: version },
				claim: {
					certificate: certificatesIn(claim.certificatePem)[0]!,
					key: deviceKey(createPrivateKey(claim.privateKeyPem)),
				},
				roots: certificatesIn(cloud.rootCertificate),
				storage: new MemoryFlash(),
				application: helloApplication({ topic: HELLO_TOPIC, onHello: () => {} }),
				onEvent: (event) => {
					if (event.event === "provisioned") certificateId = event.certificateId;
					if (event.event === "failure" && event.failure.class !== "retry") fail(event.failure.code);
				},
				onHalt: () => fail("the device stopped"),
				onCrash: (error) => fail(`the device program threw: ${(error as Error).message}`),
				onLifeEnd: (ending) => lives.push(ending),
			});
			cloud.events.listen((event) => {
				if (event.event !== "published" || event.principal !== certificateId) return;
				resolve(machine.measure()!);
				machine.powerOff();
			});
			machine.powerOn();
		}).finally(() => clearTimeout(timer));
		return { lives, running };
	} finally {
		await cloud.close();
	}
}

/** An application's file as a module for the device's flash. @throws CommandError when there is no such file */
function applicationFrom(path: string): Source {
	const file = resolve(path);
	if (!existsSync(file)) throw new CommandError(`there is no file ${path}`);
	return {
		contents: `
			import { application } from ${JSON.stringify(file)};
			export const createApplication = () => ({ application, handlers: {} });
		`,
		resolveDir: dirname(file),
	};
}

export const xs = command({
	options: {
		preset: { type: "string", value: "esp32|esp32c3|tight", default: "esp32", help: "whose memory the device has" },
		application: {
			type: "string",
			value: "FILE",
			help: "a program of your own that runs on the device and publishes something: exports application",
		},
		json: { type: "boolean", help: "print nothing but one JSON report" },
	},
	details: `The first call compiles Moddable's XS engine (half a minute; needs a C compiler). Then a device with empty flash
provisions itself in that engine, against a local cloud. The exit code is 1 when the device needs more memory than it may.

With --application, the program in that file (JavaScript or TypeScript, with everything it imports) is in the device's flash, and
its memory is counted, too. It can use the language and the context that it is given, but no timers and no modules of the
Moddable SDK.`,
	async run({ preset, application, json }) {
		const source = application === undefined ? undefined : applicationFrom(application);
		const report = await measure(preset, (line) => console.error(line), source).catch((error) => {
			throw error instanceof EngineUnavailableError ? new CommandError(error.message) : error;
		});
		const { livePeak, liveLeast, stackPeak, bytecode, live, running, slotBytes } = report;
		const fits = liveLeast <= aims.live && stackPeak <= aims.stack && bytecode.total <= aims.bytecode;
		if (json) console.log(JSON.stringify(report, undefined, "\t"));
		else {
			console.log(
				`alive at most ${bytes(livePeak)} (${live.slots} slots, ${bytes(live.chunks)} of chunks), aim ${bytes(aims.live)}`,
			);
			console.log(`connected as itself: ${running.slots.used} slots, ${bytes(running.chunks.used)} of chunks`);
			console.log(`stack at most ${stackPeak} slots, aim ${aims.stack}`);
			console.log(`bytecode ${bytes(bytecode.total)}, aim ${bytes(aims.bytecode)}`);
			if (slotBytes !== 16)
				console.log("measured in a 64-bit engine: slots count as on the device, chunks are up to twice as large");
		}
		return fits ? 0 : 1;
	},
});

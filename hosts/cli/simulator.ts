// `npm run simulator`: runs the firmware, or an app, in the Moddable SDK's desktop simulator against a local cloud: until it
// has sent its first message, during development (--watch), or for measurements and stress tests. Does not touch the
// developer's claim or flash: it uses its own in a temporary folder.

import { dirname, join, relative, resolve } from "node:path";
import { root } from "../moddable/packages/root.js";
import { command, helpText, UsageError, wholeNumber } from "./command.js";
import { didYouMean } from "./nearest.js";
import { Board, type BoardOptions } from "./simulator/board.js";
import { cutPower, cutsInWords } from "./simulator/cuts.js";
import { programName, runToEnd, SimulatorError, targets } from "./simulator/desktop.js";
import { missingServers, tryForeignServers } from "./simulator/foreign.js";
import { measureMemory, memoryInWords } from "./simulator/memory.js";
import { ownFolder } from "./simulator/own-folder.js";
import { progressLine } from "./simulator/progress.js";
import { soak } from "./simulator/soak.js";
import { narrated, watch } from "./simulator/watch.js";

/** ms from the program's start until its application must have sent a message. */
const LIMIT = 60_000;

const SUMMARY = "the firmware in the Moddable SDK's desktop simulator, against a local cloud";

const options = {
	watch: {
		type: "boolean",
		help: "keep both running, build again when a file changes, and take commands on standard input (help lists them)",
	},
	soak: {
		type: "string",
		value: "MINUTES",
		help: "let the network come and go for so long; memory, sockets and timers must then be what they were",
	},
	memory: {
		type: "boolean",
		help: "measure how much of an ESP32's memory the firmware takes and leaves; takes some minutes",
	},
	cuts: {
		type: "string",
		value: "N",
		help: "cut the power at N random moments: with provisioning, with a factory reset, with a network that goes; count what is lost",
	},
	foreign: {
		type: "boolean",
		help: "let the device connect with its own identity to openssl s_server and to mosquitto, which demand a certificate",
	},
	seed: { type: "string", value: "N", help: "what happens by chance: the same again for the same N" },
	certificate: { type: "string", value: "rsa|ecdsa", default: "rsa", help: "the kind of the server's certificate" },
	manifest: { type: "string", value: "FILE", help: "the app to build (default: the firmware's own)" },
	target: {
		type: "string",
		value: "NAME",
		default: "moddable_one",
		help: "the board whose simulator is used, with its screen and buttons: a name of build/simulators in the SDK",
	},
	json: { type: "boolean", help: "results as JSON, for programs" },
} as const;

const simulator = command({
	options,
	details: `Without --watch and the like it builds, runs, and ends as soon as the cloud has seen the device provisioned, restarted
and speak. It needs Linux and the Moddable SDK, and Xvfb where there is no screen.`,
	async run(values) {
		const { certificate, json } = values;
		if (values.foreign) {
			const missing = [...(process.env.MODDABLE ? [] : ["the Moddable SDK (MODDABLE)"]), ...missingServers()];
			if (missing.length > 0) console.log(`simulator --foreign: without ${missing.join(" and ")}, this is skipped`);
			if (!process.env.MODDABLE || missing.length > 1) return 0;
		}
		const boards = targets();
		if (!boards.includes(values.target))
			throw new UsageError(
				`the SDK has no simulator of ${values.target}${didYouMean(values.target, boards) || `; it has ${boards.join(", ")}`}`,
			);
		const modes = (["watch", "memory", "cuts", "soak", "foreign"] as const).filter((mode) => values[mode]);
		if (modes.length > 1) throw new UsageError(`--${modes[0]} and --${modes[1]} exclude each other`);
		if (values.seed !== undefined && values.cuts === undefined && values.soak === undefined)
			throw new UsageError("--seed belongs to --cuts or --soak");
		if (json && (modes.length === 0 || values.watch || values.foreign))
			throw new UsageError("--json belongs to --memory, --cuts or --soak");
		const manifest = resolve(process.env.INIT_CWD ?? ".", values.manifest ?? join(root, "manifest.json"));
		programName(manifest);
		const seed = values.seed === undefined ? 1 : wholeNumber("seed", values.seed, 0, 0x7fffffff);
		const progress = progressLine("builds the firmware: ");
		const build = join(root, "build");
		const output = await ownFolder(build, "simulator");
		if (output !== join(build, "simulator"))
			console.error(`another run is at work: this one builds in ${relative(process.cwd(), output)}`);
		const common: BoardOptions = {
			...{ manifest, certificate, platform: `sim/${values.target}`, output },
			onProgress: progress.say,
		};
		if (values.soak !== undefined) {
			const minutes = wholeNumber("soak", values.soak, 1, 100_000);
			const board = await Board.open({
				...common,
				settings: ["keepAlive=30"],
				creation: { chunk: 78_848, slots: 4_928, stack: 512 },
			});
			await board.build();
			progress.end();
			await board.powerOn();
			const result = await soak(board, minutes, seed, json ? () => {} : console.log);
			if (json) console.log(JSON.stringify(result));
			else console.log(`${minutes} minutes, ${result.outages} outages: memory, sockets and timers are what they were`);
			return 0;
		}
		if (values.memory) {
			const sizes = progressLine("");
			// Without a screen, the firmware runs as on a board that has none.
			const main = values.manifest === undefined && { main: "fleet-provisioning/hosts/moddable/main" };
			const result = await measureMemory({ ...common, ...main, onProgress: () => {} }, sizes.say);
			sizes.end();
			console.log(json ? JSON.stringify(result) : memoryInWords(result));
			return 0;
		}
		if (values.cuts !== undefined) {
			const board = await Board.open(common);
			await board.build();
			progress.end();
			const result = await cutPower(
				board,
				wholeNumber("cuts", values.cuts, 1, 100_000),
				seed,
				json ? () => {} : console.log,
			);
			if (json) console.log(JSON.stringify(result));
			else console.log(cutsInWords(result));
			return result.lost.length === 0 ? 0 : 1;
		}
		if (values.foreign) {
			const board = await Board.open(common);
			await board.build();
			progress.end();
			await tryForeignServers(board, console.log);
			return 0;
		}
		if (values.watch) {
			const board = await Board.open({ ...common, ...narrated });
			const folders = [join(root, "src"), join(root, "hosts/moddable")];
			const own = dirname(manifest);
			if (own !== root) folders.push(own);
			await watch(board, folders, async () => {
				try {
					await board.build();
				} finally {
					progress.end();
				}
			});
			return 0;
		}
		const board = await Board.open({
			...common,
			exceptions: true,
			onTrace: (line) => console.log(`device  ${line}`),
			onDevice: (event) => console.log(`device  ${JSON.stringify(event)}`),
		});
		await board.build();
		progress.end();
		await board.powerOn();
		try {
			await board.until("", LIMIT, () => board.spoken());
		} catch (error) {
			throw new SimulatorError(`${(error as Error).message.replace(/: $/, "")}: ${board.missing()}`);
		}
		if (!board.told.some(({ event }) => event === "restart")) throw new SimulatorError("the device did not restart");
		console.log(
			"the cloud has seen provisioning, the restart into the new identity, and the application's first message",
		);
		return 0;
	},
});

/** In watch mode Ctrl-C is the normal way to end; any other mode is interrupted by it. */
const interrupted = () => (process.argv.includes("--watch") ? 0 : 1);

await runToEnd(async () => {
	const args = process.argv.slice(2);
	if (args.includes("--help") || args.includes("-h")) {
		console.log(helpText("npm run simulator [-- OPTIONS]", SUMMARY, simulator));
		return 0;
	}
	try {
		return await simulator.run(args);
	} catch (error) {
		if (!(error instanceof UsageError)) throw error;
		console.error(`simulator: ${error.message} (see npm run simulator -- --help)`);
		return 2;
	}
}, interrupted);

// The XS engine for tests, and programs to run in it. When the engine cannot be built, the tests that need it are skipped with the
// reason.

import { buildEngine, type Engine, EngineUnavailableError, type Variant } from "../../hosts/xs/build.js";
import type { Frame } from "../../hosts/xs/channel.js";
import { type Ending, Flash, type Module, type Preset, presets } from "../../hosts/xs/engine.js";

/** The engine, and false; or why there is none, which a test gives as its reason to be skipped. */
export async function engineOrReason(variant: Variant): Promise<{ engine: Engine; skip: false | string }> {
	try {
		return { engine: await buildEngine(variant, (line) => console.error(`# ${line}`)), skip: false };
	} catch (error) {
		if (!(error instanceof EngineUnavailableError)) throw error;
		// Never used: tests that need it are skipped.
		return { engine: undefined as unknown as Engine, skip: error.message };
	}
}

/** A kind of frame that is told by device code, and one that is asked. */
export const SAY = 33;
export const ASK = 34;

/** How a program ended. */
export interface Run {
	/** Everything that it sent with `machine.tell(33, 0, 0, text)`. */
	readonly said: readonly string[];
	readonly ending: Ending;
}

export interface RunOptions {
	readonly preset?: Preset;
	/** Modules beside `main`. */
	readonly modules?: readonly Module[];
	/** Answers the program's questions. */
	readonly answer?: (frame: Frame) => ReturnType<import("../../hosts/xs/engine.js").Peer["answer"]>;
	/** Events that happen to the program, one after the other. */
	readonly events?: readonly (string | Uint8Array)[];
}

/** Runs a program once in a machine of its own, which is switched off when it has nothing left to do. */
export function run(engine: Engine, source: string, options: RunOptions = {}): Run {
	const { preset = presets.tight, modules = [], answer = () => undefined, events = [] } = options;
	const flash = new Flash(engine, [...modules, { name: "main", source, preload: false }]);
	try {
		const said: string[] = [];
		let ending: Ending | undefined;
		const life = flash.life({
			answer,
			take: ({ bytes }) => said.push(bytes.toString()),
			ended: (how) => {
				ending = how;
			},
		});
		life.begin(preset);
		for (const event of events) life.event(SAY, 0, 0, event);
		life.powerOff();
		return { said, ending: ending! };
	} finally {
		flash.close();
	}
}

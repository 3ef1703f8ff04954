// A process that runs `fleet` repeatedly for the tests, one call after the other, each with its own output. It runs the same command,
// but saves the time of starting Node and loading the modules for each call.

import { fileURLToPath } from "node:url";
import { main } from "../../hosts/cli/fleet.js";

/** What a test asks for. */
export interface Call {
	readonly id: number;
	readonly args: readonly string[];
}

/** The result of a call. */
export interface Ended {
	readonly id: number;
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

// Printed commands begin with the way this process was called.
process.argv[1] = fileURLToPath(new URL("../../hosts/cli/fleet.js", import.meta.url));

/** Runs `work` and keeps what it prints. */
async function captured(work: () => Promise<number>): Promise<Omit<Ended, "id">> {
	const texts = { stdout: "", stderr: "" };
	const originals = (["stdout", "stderr"] as const).map((name) => {
		const { write } = process[name];
		process[name].write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
			texts[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
			const done = rest.find((value) => typeof value === "function") as (() => void) | undefined;
			if (done !== undefined) process.nextTick(done);
			return true;
		}) as typeof write;
		return () => {
			process[name].write = write;
		};
	});
	try {
		const code = await work();
		return { code, ...texts };
	} finally {
		for (const restore of originals) restore();
		process.stdout.removeAllListeners("error");
	}
}

let turn: Promise<unknown> = Promise.resolve();
process.on("message", ({ id, args }: Call) => {
	turn = turn.then(async () => process.send!({ id, ...(await captured(() => main(args))) } satisfies Ended));
});
process.on("disconnect", () => process.exit());

// Keeps what goes wrong with one request, or in an event of one connection, away from the process: that one ends, with a warning
// that says where. Nothing in here may throw.

import type { CloudEventBody } from "../events.js";

type Report = (event: CloudEventBody) => void;

/**
 * `act` as a listener that neither throws nor leaves a rejected promise behind. What it throws is reported with `where` it was,
 * and `end` is called to end whatever it was about.
 */
export function contained<A extends unknown[]>(
	where: string,
	report: Report,
	act: (...what: A) => void | Promise<void>,
	end: (...what: A) => void,
): (...what: A) => void {
	return (...what) => {
		const fail = (error: unknown) => {
			warn(report, where, error);
			try {
				end(...what);
			} catch (again) {
				warn(report, where, again);
			}
		};
		try {
			act(...what)?.catch(fail);
		} catch (error) {
			fail(error);
		}
	};
}

/** Reports something that never should happen. Without the error's own message, which may quote a request. */
export function warn(report: Report, where: string, error: unknown): void {
	const { name, stack = "" } = error instanceof Error ? error : { name: "no Error was thrown" };
	const [line = ""] = /^\s*at .*$/m.exec(stack) ?? [];
	try {
		report({ event: "warning", message: `${where} failed unexpectedly: ${name} ${line.trim()}`.trimEnd() });
	} catch {
		// Whoever listens to events has failed; there is nobody left to tell.
	}
}

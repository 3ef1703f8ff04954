// Keeps an error where it happens. What an emitter, a timer, a promise or aedes calls runs through here, so that no error in the
// handling of one connection, one hook or one request reaches the process.

/** What setTimeout takes, ms; with more it would fire at once. */
export const LONGEST_TIMER = 0x7fffffff;

/** Is told of an error that was caught: what was being done, and the error. Must not throw. */
export type Failed = (where: string, error: unknown) => void;

/**
 * `handler` with its errors, and those of the promise that it returns, told to `failed` in place of being thrown. It returns
 * what `handler` does; `undefined` when that threw.
 */
export function guarded<A extends readonly unknown[], R>(
	where: string,
	failed: Failed,
	handler: (...args: A) => R,
): (...args: A) => R | undefined {
	return (...args) => {
		try {
			const result = handler(...args);
			if (result instanceof Promise) result.catch((error) => failed(where, error));
			return result;
		} catch (error) {
			failed(where, error);
			return undefined;
		}
	};
}

/** An error's message, whatever was thrown. */
export function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

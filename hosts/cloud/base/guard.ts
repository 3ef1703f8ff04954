// Keeps an error where it happens. Callbacks of emitters, timers and promises run through here, so that an error in the
// handling of one connection, hook or request never reaches the process.

/** Longest delay that setTimeout accepts, ms. With a longer one it would fire at once. */
export const LONGEST_TIMER = 0x7fffffff;

/** Receives an error that was caught: what was being done, and the error. Must not throw. */
export type Failed = (where: string, error: unknown) => void;

/**
 * Wraps `handler`: its errors, and those of the promise that it returns, go to `failed` instead of being thrown. The wrapper
 * returns what `handler` returns, or `undefined` when it threw.
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

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

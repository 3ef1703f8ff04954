// Finds in printed text what must never be printed: PEM, and whatever is long and mixed enough to be a key or a token.
// Every line of every test run goes through here.

import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What of `text` looks like a secret, named without showing it; `undefined` when nothing does. */
export function secretIn(text) {
	if (/-----BEGIN [A-Z ]+-----|MII[A-Za-z0-9+/]{40}/.test(text)) return "PEM, or the body of it";
	// Paths of this machine may be long, too. A certificate's id has 64 digits and is no secret.
	const runs =
		text
			.replaceAll(root, "")
			.replaceAll(tmpdir(), "")
			.match(/[\w+/=-]{80,}/g) ?? [];
	const mixed = runs.filter((run) => /[A-Z]/.test(run) && /[a-z]/.test(run) && /\d/.test(run));
	return mixed.length === 0 ? undefined : `${mixed[0].length} characters like a key or a token`;
}

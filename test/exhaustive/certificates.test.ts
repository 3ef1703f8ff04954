// Gives the device's verification a hundred thousand certificates such as a stranger may send, half of them valid DER: it must not
// trust any of them.

import "../moddable/sdk.js";
import t from "tap";
import { sampleSize } from "../support/sample.js";

t.setTimeout(600_000);

await import("../moddable/sdk.js");
const { tryMutations } = await import("../moddable/mutations.js");

t.test("100,000 mutated certificates are read or refused, and never trusted", (t) =>
	tryMutations(t, sampleSize(t, 100_000, 100), 10),
);

// Given a hundred thousand certificates that a stranger may send, half of them sound DER, then the device trusts none.

import "../moddable/sdk.js";
import t from "tap";
import { sampleSize } from "../support/sample.js";

t.setTimeout(600_000);

await import("../moddable/sdk.js");
const { tryMutations } = await import("../moddable/mutations.js");

t.test("100,000 mutated certificates are read or refused, and never trusted", (t) =>
	tryMutations(t, sampleSize(t, 100_000, 100), 10),
);

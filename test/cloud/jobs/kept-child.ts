// Updates a shadow and works off jobs in a state directory until it is killed, and tells its parent of each round that is done.

import { defaultSettings } from "../../../hosts/cloud/base/settings.js";
import { Jobs } from "../../../hosts/cloud/jobs/jobs.js";
import { type CertificateIssuer, Registry } from "../../../hosts/cloud/registry/registry.js";
import { Shadows } from "../../../hosts/cloud/shadow/shadows.js";
import { openState } from "../../../hosts/cloud/state/state.js";

// Ends with the test that started it.
process.on("disconnect", () => process.exit());

const state = await openState({ directory: process.argv[2]! });
const registry = new Registry({ state, issuer: {} as CertificateIssuer });
const settings = defaultSettings();
settings.shadow.requests = undefined;
const options = { registry, state, settings, now: Date.now, report: () => {} };
const shadows = new Shadows(options);
const jobs = new Jobs(options);
const thingName = "lamp";
registry.things.createThing({ thingName });
for (let round = 1; ; round++) {
	const payload = Buffer.from(JSON.stringify({ state: { reported: { round } } }));
	shadows.updateThingShadow({ thingName, payload });
	const jobId = `job-${round}`;
	jobs.createJob({ jobId, targets: [registry.arn("thing", thingName)], document: "{}" });
	jobs.device.updateJobExecution({ thingName, jobId, status: "SUCCEEDED" });
	await new Promise((resolve) => process.send!(round, resolve));
}

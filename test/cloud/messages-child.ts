// A cloud in a directory, until it is killed; tells its parent how to connect to it.

import { identity, startRig } from "./rig.js";

// Ends with the test that started it.
process.on("disconnect", () => process.exit());

const rig = await startRig({
	directory: process.argv[2]!,
	settings: { connection: { publishesPerSecond: 0 }, limits: { queued: 100_000 } },
});
const owner = await identity(rig, "all", {
	Version: "2012-10-17",
	Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }],
});
const { endpoint, host, port, rootCertificate } = rig.cloud;
process.send!({ cloud: { endpoint, host, port, rootCertificate }, owner });

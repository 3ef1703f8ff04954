// The pre-provisioning hook: only meters of this factory are registered. JSON comes in, JSON goes out.

import { text } from "node:stream/consumers";

const { parameters } = JSON.parse(await text(process.stdin));
console.log(JSON.stringify({ allowProvisioning: /^M-\d{4}$/.test(parameters.SerialNumber ?? "") }));

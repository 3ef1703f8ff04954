// An app with the firmware and one more module, which starts working once the application has sent its message. `npm run
// simulator -- --memory` measures how much memory the module takes. `extra` is one of the files beside this one.

import extra from "extra";
import { start } from "fleet-provisioning/hosts/moddable/start";

let begun = false;
start(async ({ identity, connection }) => {
	await connection.publish(`devices/${identity.thingName}/hello`, "");
	if (!begun) extra();
	begun = true;
});

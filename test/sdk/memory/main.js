// An app with the firmware and one more module, which starts working once the application has sent its message. `npm run
// simulator -- --memory` measures how much memory the module takes. `app` is the name of one of the files beside this one.

import { start } from "fleet-provisioning/hosts/moddable/start";
import config from "mc/config";

let begun = false;
start(async ({ identity, connection }) => {
	await connection.publish(`devices/${identity.thingName}/hello`, "");
	if (begun) return;
	begun = true;
	const { default: work } = await import(config.app);
	work();
});

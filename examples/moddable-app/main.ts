// An app that includes the firmware's manifest: a meter that publishes its reading at once, and then at intervals. The folder
// javascript/ has the same app in JavaScript.

import { start } from "fleet-provisioning/hosts/moddable/start";
import type { Application } from "fleet-provisioning/src/contract/application";
import config from "mc/config";
import Timer from "timer";
import { Meter } from "./meter.js";

const meter = new Meter();

/** Called with each new connection under the thing's name. Returns a function that is called when that connection has ended. */
const application: Application = ({ identity, connection }) => {
	const publish = () => {
		// May be ignored when it rejects: the reading is published again on the next connection, so nothing is lost.
		connection.publish(`devices/${identity.thingName}/reading`, JSON.stringify(meter.read()));
	};
	publish();
	const timer = Timer.repeat(publish, Number(config.interval));
	return () => Timer.clear(timer);
};

start(application);

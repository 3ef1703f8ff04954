// The app of the parent folder, in JavaScript.

import { start } from "fleet-provisioning/hosts/moddable/start";
import config from "mc/config";
import Timer from "timer";
import { Meter } from "./meter.js";

const meter = new Meter();

/** @type {import("fleet-provisioning/src/contract/application").Application} */
const application = ({ identity, connection }) => {
	const publish = () => {
		// May be ignored when it rejects: the reading is published again on the next connection, so nothing is lost.
		connection.publish(`devices/${identity.thingName}/reading`, JSON.stringify(meter.read()));
	};
	publish();
	const timer = Timer.repeat(publish, Number(config.interval));
	return () => Timer.clear(timer);
};

start(application);

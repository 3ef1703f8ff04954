// A product's program: works as the application does, tells the bootloader that this firmware works, and takes new firmware when
// it is ordered to.

import flash from "embedded:storage/flash";
import updates from "embedded:update";
import { Decoder } from "cbor-x/index-no-eval";
import { Digest } from "crypt";
import { start } from "fleet-provisioning/hosts/moddable/start";
import { checkCbor, encodeCbor } from "fleet-provisioning/src/base/cbor";
import FFI from "mc/ffi";
import Timer from "timer";
import { readOrder, Update } from "./update.js";

/** What update.js uses of the machine. */
const machine = {
	open: () => updates.open({ partition: flash.open({ path: "nextota" }) }),
	newDigest: () => new Digest("SHA256"),
	encode: encodeCbor,
	decode: (bytes) => new Decoder({ useRecords: false, mapsAsObjects: true }).decode(checkCbor(bytes).bytes),
	timer: Timer,
};

/** @type {import("fleet-provisioning/src/contract/application").Application} */
const application = async ({ identity: { thingName }, connection, firmwareVersion, factoryReset }) => {
	// Connected as itself: this firmware can be updated again, so the one before is not needed any more.
	new FFI().esp_ota_mark_app_valid_cancel_rollback();
	let update;
	// The order is retained: it is there at each connection, until the firmware that it names runs.
	await connection.subscribe([`devices/${thingName}/firmware`], (_topic, payload) => {
		const order = readOrder(String.fromArrayBuffer(payload.slice().buffer), firmwareVersion);
		if (!order) return;
		update?.cancel();
		update = new Update(order, { connection, thingName, machine });
		return update.done.then((ready) => ready && factoryReset("keep")); // restarts, and forgets nothing
	});
	return () => update?.cancel();
};

start(application);

// Every story in the real XS engine, with the memory of an ESP32-C3: the least that the Moddable SDK gives an ESP32.

import t from "tap";
import { XsDevice } from "../../hosts/xs/device.js";
import { Flash, presets } from "../../hosts/xs/engine.js";
import { deviceFirmware } from "../../hosts/xs/modules.js";
import { tell } from "../support/tell.js";
import { engineOrReason } from "../support/xs.js";
import { stories } from "./stories.js";

const { engine, skip } = await engineOrReason("ordinary");
const flash = skip === false ? new Flash(engine, await deviceFirmware()) : undefined;

for (const story of stories)
	t.test(story.name, { skip }, async (test) => {
		await tell(test, story, { machine: (options) => new XsDevice(flash!, { ...options, preset: presets.esp32c3 }) });
	});

t.teardown(() => flash?.close());

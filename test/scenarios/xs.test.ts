// Every story in the real XS engine, with the memory of an ESP32-C3: the least that the Moddable SDK gives an ESP32.

import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { XsDevice } from "../../hosts/xs/device.js";
import { Flash, presets } from "../../hosts/xs/engine.js";
import { deviceFirmware } from "../../hosts/xs/modules.js";
import { tell } from "../support/tell.js";
import { engineOrReason } from "../support/xs.js";
import { type Story, stories } from "./stories.js";

const { engine, skip } = await engineOrReason("ordinary");
const flash = skip === false ? new Flash(engine, await deviceFirmware()) : undefined;
t.teardown(() => flash?.close());

/** Flash with the story's application in it, so that what it throws is thrown on the device. */
async function flashFor(test: Test, application: Story["application"]): Promise<Flash> {
	if (application === undefined) return flash!;
	const contents = `
		import { applications } from "./applications.ts";
		export const createApplication = () => ({ application: applications["${application}"](), handlers: {} });
	`;
	const resolveDir = fileURLToPath(new URL(".", import.meta.url));
	const own = new Flash(engine, await deviceFirmware({ contents, resolveDir }));
	test.teardown(() => own.close());
	return own;
}

for (const story of stories)
	t.test(story.name, { skip }, async (test) => {
		const storyFlash = await flashFor(test, story.application);
		await tell(test, story, {
			machine: (options) => new XsDevice(storyFlash, { ...options, preset: presets.esp32c3 }),
		});
	});

// Changes to the settings that outlive the process. They are kept as what was changed, not as all settings: a default that a
// later version of this program corrects is corrected in every directory.

import type { CloudEventBody } from "../base/events.js";
import { changeSettings, combinePatches, type Settings, type SettingsPatch } from "../base/settings.js";
import type { State } from "./state.js";

const KEY = "changes";

/** The settings of a running cloud together with what is kept of them in its state. */
export class KeptSettings {
	readonly #state: State;
	readonly #settings: Settings;

	/** Applies what is kept. What this version of the program does not know is left, with a warning. */
	constructor(state: State, settings: Settings, report: (event: CloudEventBody) => void) {
		this.#state = state;
		this.#settings = settings;
		try {
			changeSettings(settings, this.#kept);
		} catch (error) {
			const message = `Changes to the settings from an earlier run are not used: ${(error as Error).message}`;
			report({ event: "warning", message });
		}
	}

	/** @throws TypeError when the settings cannot be changed so; then nothing has changed. */
	change(patch: SettingsPatch): void {
		changeSettings(this.#settings, patch);
		// A fault is something to happen once: it must not happen again for a restart.
		const { faults: _, ...lasting } = patch;
		if (Object.keys(lasting).length === 0) return;
		const combined = combinePatches(this.#kept, lasting);
		this.#state.transaction(() => this.#state.settings.put(KEY, { patch: combined }));
	}

	get #kept(): SettingsPatch {
		return this.#state.settings.get(KEY)?.patch ?? {};
	}
}

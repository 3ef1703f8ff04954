// Changes to the settings that outlive the process. Only the changes are kept, not all settings, so that a default which a later
// version of this program corrects is corrected in every directory.

import type { CloudEventBody } from "../base/events.js";
import { changeSettings, combinePatches, type Settings, type SettingsPatch } from "../base/settings.js";
import type { State } from "./state.js";

const KEY = "changes";

/** Changes the settings of a running cloud, and keeps the changes in its state. */
export class KeptSettings {
	readonly #state: State;
	readonly #settings: Settings;

	/** Applies the changes that are kept. If this version of the program does not know one, it warns and applies none. */
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

	/** @throws TypeError when the change is not allowed; then nothing has changed */
	change(patch: SettingsPatch): void {
		changeSettings(this.#settings, patch);
		// Faults are not kept, because a restart must not make them happen again.
		const { faults: _, ...lasting } = patch;
		if (Object.keys(lasting).length === 0) return;
		const combined = combinePatches(this.#kept, lasting);
		this.#state.transaction(() => this.#state.settings.put(KEY, { patch: combined }));
	}

	get #kept(): SettingsPatch {
		return this.#state.settings.get(KEY)?.patch ?? {};
	}
}

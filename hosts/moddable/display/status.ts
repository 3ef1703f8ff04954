// Summarizes a device's events in a few words for a small screen or an LED: what the device is doing, its thing name, and
// its last failure. Does no drawing.

import type { DeviceEvent } from "../../../src/contract/events.js";

/** What an LED alone can show: the device is busy, all is well, or something is wrong. */
export type Mood = "working" | "well" | "failing";

/** A summary of a device's state. */
export interface Status {
	readonly mood: Mood;
	/** What the device is doing. */
	readonly text: string;
	readonly thingName?: string;
	readonly firmwareVersion?: string;
	/** The last failure, which may be resolved by now. `number` is what an LED blinks. */
	readonly failure?: { readonly code: string; readonly number: number };
	/** Length of the pause that has just begun, in ms. */
	readonly pause?: number;
}

/** The status before the first event. */
export const AT_FIRST: Status = Object.freeze({ mood: "working", text: "starting" });

/** The status after an event. */
export function follow(status: Status, event: DeviceEvent): Status {
	const { firmwareVersion, thingName, failure } = status;
	const kept = {
		...(firmwareVersion !== undefined && { firmwareVersion }),
		...(thingName !== undefined && { thingName }),
		...(failure && { failure }),
	};
	const working = (text: string): Status => ({ ...kept, mood: "working", text });
	switch (event.event) {
		case "boot":
			return {
				mood: "working",
				text: event.thingName === undefined ? "no identity yet" : "starting",
				firmwareVersion: event.firmwareVersion,
				...(event.thingName !== undefined && { thingName: event.thingName }),
				...(failure && { failure }),
			};
		case "clock.synchronizing":
			return working("asking for the time");
		case "connecting":
			return working(event.role === "claim" ? "connecting with the claim" : "connecting as itself");
		case "connected":
			return event.role === "claim"
				? working("connected with the claim")
				: { ...kept, mood: "well", text: "connected" };
		case "request":
			return working(event.operation === "RegisterThing" ? "being registered" : "getting a certificate");
		case "provisioned":
			return { ...working("provisioned"), thingName: event.thingName };
		case "disconnected":
			return event.code === undefined ? status : { ...kept, mood: "failing", text: "connection lost" };
		case "set-aside":
			return { ...kept, mood: "failing", text: "certificate set aside" };
		case "identity.forgotten":
			return { mood: "working", text: "forgotten", ...(firmwareVersion !== undefined && { firmwareVersion }) };
		case "failure": {
			const { code, number } = event.failure;
			const text = event.failure.class === "fatal" ? "stopped: needs new firmware" : "failed";
			return { ...kept, mood: "failing", text, failure: { code, number } };
		}
		case "pause":
			return { ...kept, mood: "failing", text: "waiting", pause: event.milliseconds };
		case "restart":
			return working("restarting");
		default:
			return status;
	}
}

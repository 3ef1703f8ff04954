// What a device tells its host while it works: stable names, never a secret. Enough for an LED, a serial log or a factory screen.

import type { FailureReport } from "../base/failure.js";

/** Which credentials a connection uses. */
export type Role = "claim" | "identity";

/** The three calls of the provisioning API. */
export type Operation = "CreateKeysAndCertificate" | "CreateCertificateFromCsr" | "RegisterThing";

/** Where a device stands, by what its flash says (see "The life of a device" in docs/architecture.md). */
export type DeviceState = "unprovisioned" | "created" | "registering" | "registered" | "refused" | "proved";

/** One thing that happened. `event` is stable; members may be added. */
export type DeviceEvent =
	/** Power-on: what flash says. */
	| {
			readonly event: "boot";
			readonly state: DeviceState;
			readonly firmwareVersion: string;
			readonly thingName?: string;
	  }
	/** The clock is unset or behind its floor: asking the host to set it. */
	| { readonly event: "clock.synchronizing" }
	| { readonly event: "clock.set"; readonly now: number }
	| { readonly event: "connecting"; readonly role: Role; readonly clientId: string; readonly attempt: number }
	/** CONNACK accepted. */
	| { readonly event: "connected"; readonly role: Role; readonly clientId: string }
	/** `code` of the failure that ended it, absent when the device itself hung up. */
	| { readonly event: "disconnected"; readonly role: Role; readonly code?: string }
	/** SUBACK granted all reply filters. */
	| { readonly event: "subscribed"; readonly filters: number }
	| { readonly event: "request"; readonly operation: Operation; readonly topic: string; readonly bytes: number }
	| {
			readonly event: "reply";
			readonly operation: Operation;
			readonly topic: string;
			readonly bytes: number;
			readonly accepted: boolean;
	  }
	/** The id is not the certificate's SHA-256. Observed, not documented, of AWS: noted, not refused. */
	| { readonly event: "certificate.id-mismatch"; readonly certificateId: string }
	/** The record in flash now says this. `bytes` written for it in all. */
	| { readonly event: "stored"; readonly state: DeviceState; readonly bytes: number; readonly certificateId?: string }
	/** Something in flash was damaged and left alone; what is used instead is in the next `boot`. */
	| { readonly event: "store.damaged"; readonly key: string }
	| { readonly event: "provisioned"; readonly thingName: string; readonly certificateId: string }
	/** One accepted connection under the thing's name: from now on this is the identity. */
	| { readonly event: "proved"; readonly thingName: string; readonly certificateId: string }
	/** A new identity that the broker keeps refusing is put aside; the claim is used again. */
	| { readonly event: "set-aside"; readonly certificateId: string; readonly code: string; readonly times: number }
	| { readonly event: "claim.erased" }
	| { readonly event: "identity.forgotten" }
	| { readonly event: "failure"; readonly failure: FailureReport }
	/** Waiting before the next attempt. */
	| { readonly event: "pause"; readonly milliseconds: number; readonly code: string; readonly attempt: number }
	| { readonly event: "restart"; readonly reason: "provisioned" | "reset" };

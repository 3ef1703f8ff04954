// The events that a device reports to its host while it works: enough for an LED, a serial log or a factory screen. Their names
// are stable, and no event may hold a secret.

import type { FailureReport } from "../base/failure.js";

/** Which credentials a connection uses. */
export type Role = "claim" | "identity";

/** The three calls of the provisioning API. */
export type Operation = "CreateKeysAndCertificate" | "CreateCertificateFromCsr" | "RegisterThing";

/** The state of a device, which is what its flash says (see "The life of a device" in docs/architecture.md). */
export type DeviceState = "unprovisioned" | "created" | "registering" | "registered" | "refused" | "proved";

/** One thing that happened. `event` is stable; members may be added. */
export type DeviceEvent =
	/** Power-on, with the state found in flash. */
	| {
			readonly event: "boot";
			readonly state: DeviceState;
			readonly firmwareVersion: string;
			/** Names the very image: see `DeviceFacts`. */
			readonly build?: string;
			readonly thingName?: string;
	  }
	/** The clock is unset or before its floor, and the device asks the host to set it. */
	| { readonly event: "clock.synchronizing" }
	| { readonly event: "clock.set"; readonly now: number }
	| { readonly event: "connecting"; readonly role: Role; readonly clientId: string; readonly attempt: number }
	/** The service has accepted the connection (CONNACK). */
	| { readonly event: "connected"; readonly role: Role; readonly clientId: string }
	/** `code` is the failure that ended the connection. Absent when the device itself closed it. */
	| { readonly event: "disconnected"; readonly role: Role; readonly code?: string }
	/** The service has granted all reply filters (SUBACK). */
	| { readonly event: "subscribed"; readonly filters: number }
	| { readonly event: "request"; readonly operation: Operation; readonly topic: string; readonly bytes: number }
	| {
			readonly event: "reply";
			readonly operation: Operation;
			readonly topic: string;
			readonly bytes: number;
			readonly accepted: boolean;
	  }
	/** The certificate id is not the certificate's SHA-256. At AWS it always was, but AWS does not document it: not an error. */
	| { readonly event: "certificate.id-mismatch"; readonly certificateId: string }
	/** The record in flash has changed. `bytes` is the total number of bytes written for it. */
	| { readonly event: "stored"; readonly state: DeviceState; readonly bytes: number; readonly certificateId?: string }
	/** The value of this key in flash is damaged. It is left as it is; the following `boot` shows what is used instead. */
	| { readonly event: "store.damaged"; readonly key: string }
	| { readonly event: "provisioned"; readonly thingName: string; readonly certificateId: string }
	/** A connection under the thing's name was accepted: from now on this is the identity. */
	| { readonly event: "proved"; readonly thingName: string; readonly certificateId: string }
	/** A new identity that the broker keeps refusing is set aside, and the claim is used again. */
	| { readonly event: "set-aside"; readonly certificateId: string; readonly code: string; readonly times: number }
	| { readonly event: "claim.erased" }
	| { readonly event: "identity.forgotten" }
	| { readonly event: "failure"; readonly failure: FailureReport }
	/** The device waits before its next attempt. */
	| { readonly event: "pause"; readonly milliseconds: number; readonly code: string; readonly attempt: number }
	| { readonly event: "restart"; readonly reason: "provisioned" | "reset" };
